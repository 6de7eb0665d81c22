// A Vault Agent or OpenBao agent or proxy in the shape of latchkey.yaml, with its defaults, and its environment first.
import { resolve } from 'node:path';
import { describeError } from '../../../base/errors.ts';
import { readNamedFileSync } from '../../../base/paths/controlled-file.ts';
import type { Environment } from '../../../base/surroundings.ts';
import { goBoolean } from '../../../base/text/go-boolean.ts';
import { draftRefresh, draftSandbox, draftTemplate } from '../consul-template/draft-template.ts';
import { shellWords } from '../consul-template/shell-words.ts';
import type { DraftContext } from '../draft.ts';
import { draftProxy } from '../draft-proxy.ts';
import { type Said, unlessEmpty } from '../hcl/block.ts';
import { formatMs } from '../hcl/duration.ts';
import { type Origin, wholeFile } from '../hcl/report.ts';
import { draftClientVariables, variableOrigin } from '../vault-variables.ts';
import { draftAutoAuth } from './draft-auth.ts';
import { draftListener } from './draft-listener.ts';
import type { SaidAgent, SaidEnvTemplate, SaidVault } from './read-agent.ts';

const defaultAddress = 'https://127.0.0.1:8200';
/** Of theirs: templates ask the agent itself then, whatever this names. */
const cacheAddress = 'http://127.0.0.1:8200';
const defaultRetries = 12;
const upstream = ['upstreams', 'vault'];

export function draftAgent(agent: SaidAgent, context: DraftContext): void {
  const { draft } = context;
  const nowhere = wholeFile(context.file);
  draftVault(agent, context);
  if (agent.autoAuth === undefined)
    draft.set([...upstream, 'auth', 'method'], 'none', agent.vault?.origin ?? nowhere);
  else draftAutoAuth(agent.autoAuth, { ...context, path: upstream });
  for (const template of agent.templates) {
    draftTemplate(
      template,
      draft,
      { leftDelimiter: undefined, rightDelimiter: undefined, folder: context.folder },
      context.report,
    );
  }
  for (const listener of agent.listeners) draftListener(listener, agent, context);
  draftExec(agent, context);
  draftTemplateSettings(agent, context);
  draftLife(agent, context);
  draftLog(agent, context);
}

function draftVault({ vault, autoAuth }: SaidAgent, context: DraftContext): void {
  const { draft, env, folder, file } = context;
  const origin = vault?.origin ?? wholeFile(file);
  const set = (
    path: readonly string[],
    variable: string,
    value: Said<string> | undefined,
    isPath = false,
  ) => {
    const fromEnvironment = variableOf(env, variable);
    const text = fromEnvironment ?? unlessEmpty(value)?.value;
    if (text === undefined || text === '') return;
    const from = fromEnvironment === undefined ? (value?.origin ?? origin) : variableOrigin(variable);
    draft.set([...upstream, ...path], isPath ? resolve(folder, text) : text, from);
  };
  draft.set([...upstream, 'kind'], 'vault', origin);
  draft.set([...upstream, 'address'], defaultAddress, origin);
  set(['address'], 'VAULT_ADDR', vault?.address);
  set(['namespace'], 'VAULT_NAMESPACE', vault?.namespace ?? namespaceOf(autoAuth?.method.namespace));
  set(['tls', 'ca_file'], 'VAULT_CACERT', vault?.caCert, true);
  set(['tls', 'ca_path'], 'VAULT_CAPATH', vault?.caPath, true);
  set(['tls', 'cert_file'], 'VAULT_CLIENT_CERT', vault?.clientCert, true);
  set(['tls', 'key_file'], 'VAULT_CLIENT_KEY', vault?.clientKey, true);
  set(['tls', 'server_name'], 'VAULT_TLS_SERVER_NAME', vault?.tlsServerName);
  if (isUnverified(vault, env))
    draft.set([...upstream, 'tls', 'skip_verify'], true, vault?.tlsSkipVerify?.origin ?? origin);
  const variable = (name: string) => variableOf(env, name);
  draftClientVariables({ draft, report: context.report, path: upstream, variable });
  const agent = variableOf(env, 'VAULT_AGENT_ADDR');
  if (agent)
    context.report.note(
      'ignored',
      variableOrigin('VAULT_AGENT_ADDR'),
      'is ignored, as there: an agent asks the server itself',
    );
  draftProxy(draft, upstream, addressOf(vault, env), (name) =>
    name.startsWith('VAULT_') ? variableOf(env, name) : env[name],
  );
}

/** A variable that is set counts, and says false where it is empty. */
function isUnverified(vault: SaidVault | undefined, env: Environment): boolean {
  const skip = variableOf(env, 'VAULT_SKIP_VERIFY');
  return skip === undefined ? vault?.tlsSkipVerify?.value === true : goBoolean(skip) === true;
}

function addressOf(vault: SaidVault | undefined, env: Environment): string {
  return variableOf(env, 'VAULT_ADDR') ?? unlessEmpty(vault?.address)?.value ?? defaultAddress;
}

function namespaceOf(namespace: Said<string> | undefined): Said<string> | undefined {
  return namespace && { ...namespace, value: namespace.value.replace(/^\/+|\/+$/g, '') };
}

/** `BAO_X` before `VAULT_X`, as OpenBao has it. */
function variableOf(env: Environment, name: string): string | undefined {
  return env[name.replace(/^VAULT_/, 'BAO_')] ?? env[name];
}

function draftTemplateSettings(agent: SaidAgent, context: DraftContext): void {
  const { draft } = context;
  const { templates, envTemplates, templateConfig } = agent;
  const [first] = [...templates, ...envTemplates.map(({ template }) => template)];
  if (first === undefined) return;
  draftSandbox(templates, first.origin, context);
  draft.set(['template', 'allow_plugin'], true, first.origin);
  draft.set(['template', 'pass_environment'], true, first.origin);
  const origin = templateConfig?.origin ?? first.origin;
  draftRefresh(templateConfig?.staticInterval, origin, 'static_secret_render_interval', context);
  draftEnvironment(agent, context, first.origin);
}

/** What `env` in a template and the commands see of the settings: with a cache, that of their way through it. */
function draftEnvironment(
  { vault, cache }: Pick<SaidAgent, 'vault' | 'cache'>,
  { draft, env }: Pick<DraftContext, 'draft' | 'env'>,
  origin: Origin,
): void {
  const address = cache === undefined ? addressOf(vault, env) : cacheAddress;
  const textOf = (name: string, value: Said<string> | undefined) =>
    (variableOf(env, name) ?? value?.value) || undefined;
  const authority = textOf('VAULT_CACERT', vault?.caCert);
  const isTls = cache === undefined && (address.startsWith('https') || authority !== undefined);
  // OpenBao gives each its own name beside the old one.
  const set = (name: string, value: string | undefined) => {
    draft.set(['template', 'env', name], value, origin);
    if (name.startsWith('VAULT_'))
      draft.set(['template', 'env', name.replace('VAULT', 'BAO')], value, origin);
  };
  set('VAULT_ADDR', address);
  set('CONSUL_HTTP_SSL', 'false');
  set('CONSUL_HTTP_SSL_VERIFY', 'true');
  if (!isTls || isUnverified(vault, env)) set('VAULT_SKIP_VERIFY', 'true');
  if (!isTls) return;
  set('VAULT_CLIENT_CERT', textOf('VAULT_CLIENT_CERT', vault?.clientCert));
  set('VAULT_CLIENT_KEY', textOf('VAULT_CLIENT_KEY', vault?.clientKey));
  set('VAULT_CAPATH', textOf('VAULT_CAPATH', vault?.caPath));
  set('VAULT_CACERT', authority);
  set('VAULT_TLS_SERVER_NAME', textOf('VAULT_TLS_SERVER_NAME', vault?.tlsServerName));
}

function draftExec({ exec, envTemplates }: SaidAgent, context: DraftContext): void {
  if (exec === undefined) return;
  const { draft } = context;
  const words = shellWords(exec.command?.value ?? []);
  if (words === undefined) return;
  const path = draft.add(['processes'], exec.origin);
  const set = (key: string, value: unknown, origin: Origin = exec.origin) =>
    draft.set([...path, key], value, origin);
  set('name', 'exec');
  set('command', words, exec.command?.origin);
  set('pass_env', ['*']);
  set('on_rotation', exec.restart?.value === 'never' ? 'none' : 'restart', exec.restart?.origin);
  set(
    'stop',
    { signal: (exec.stopSignal?.value || 'SIGTERM').replace(/^SIG/, ''), timeout: '30s' },
    exec.stopSignal?.origin,
  );
  set('restart', { on_exit: 'never' });
  for (const one of envTemplates) draftVariable(one, [...path, 'env'], context);
  draft.set(['agent', 'main_process'], 'exec', exec.origin);
}

function draftVariable(
  { name, template }: SaidEnvTemplate,
  path: readonly (string | number)[],
  context: DraftContext,
): void {
  const { draft, report, folder } = context;
  const source = unlessEmpty(template.source);
  let text = template.contents?.value ?? '';
  if (source !== undefined) {
    try {
      text = readNamedFileSync(resolve(folder, source.value)).toString('utf8');
    } catch (error) {
      report.problem(source.origin, `the template cannot be read: ${describeError(error)}`);
    }
  }
  const variable: Record<string, unknown> = { template: text };
  if (unlessEmpty(template.leftDelimiter) !== undefined)
    variable['left_delimiter'] = template.leftDelimiter?.value;
  if (unlessEmpty(template.rightDelimiter) !== undefined)
    variable['right_delimiter'] = template.rightDelimiter?.value;
  if (template.errorOnMissingKey?.value === true) variable['error_on_missing_key'] = true;
  draft.set(
    [...path, name.value],
    Object.keys(variable).length === 1 ? text : variable,
    template.contents?.origin ?? template.origin,
  );
}

function draftLife(
  { exitAfterAuth, pidFile, templateConfig, vault }: SaidAgent,
  { draft, folder, report }: DraftContext,
): void {
  if (exitAfterAuth?.value === true) draft.set(['agent', 'exit_after_auth'], true, exitAfterAuth.origin);
  if (unlessEmpty(pidFile) !== undefined)
    draft.set(['agent', 'pid_file'], resolve(folder, pidFile?.value ?? ''), pidFile?.origin ?? wholeFile(''));
  const retries = vault?.retries;
  const attempts = retries === undefined || retries.value === 0 ? defaultRetries : Math.max(retries.value, 0);
  const exits = templateConfig?.exitOnRetryFailure;
  if (exits?.value === true) draft.set(['agent', 'give_up_after'], formatMs(retryMs(attempts)), exits.origin);
  else if (retries !== undefined)
    report.note(
      'differs',
      retries.origin,
      'an upstream that is away is asked again for as long as it takes, ever less often',
    );
}

/** How long this many tries take: 250 ms after the first, doubling to a minute. */
function retryMs(attempts: number): number {
  let ms = 0;
  for (let tried = 0; tried < attempts; tried++) ms += Math.min(250 * 2 ** tried, 60_000);
  return Math.max(ms, 1000);
}

const levels: Readonly<Record<string, string>> = {
  trace: 'debug',
  debug: 'debug',
  info: 'info',
  notice: 'info',
  warn: 'warn',
  warning: 'warn',
  err: 'error',
  error: 'error',
};

function draftLog(
  { logLevel, logFormat, logFile }: Pick<SaidAgent, 'logLevel' | 'logFormat' | 'logFile'>,
  { draft, report, env, folder, file }: DraftContext,
): void {
  const nowhere = wholeFile(file);
  const level = variableOf(env, 'VAULT_LOG_LEVEL') ?? unlessEmpty(logLevel)?.value;
  if (level !== undefined && level !== '') {
    const known = levels[level.trim().toLowerCase()];
    if (known === undefined)
      report.problem(
        logLevel?.origin ?? nowhere,
        `expected trace, debug, info, warn or error, got ${JSON.stringify(level)}`,
      );
    draft.set(['log', 'level'], known ?? 'info', logLevel?.origin ?? nowhere);
  }
  const format = (
    variableOf(env, 'VAULT_LOG_FORMAT') ??
    unlessEmpty(logFormat)?.value ??
    'standard'
  ).toLowerCase();
  if (format !== 'standard' && format !== 'json')
    report.problem(logFormat?.origin ?? nowhere, `expected standard or json, got ${JSON.stringify(format)}`);
  draft.set(['log', 'format'], format === 'json' ? 'json' : 'text', logFormat?.origin ?? nowhere);
  if (unlessEmpty(logFile) !== undefined)
    draft.set(['log', 'file'], logPath(folder, logFile?.value ?? ''), logFile?.origin ?? nowhere);
}

/** A folder gets a file of our name in it. */
function logPath(folder: string, path: string): string {
  return path.endsWith('/') ? resolve(folder, path, 'latchkey.log') : resolve(folder, path);
}
