// What consul-template and envconsul share, in the shape of latchkey.yaml: the vault and its token, the program that is run,
// the log, the life.

import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { SecretValue } from '../../../base/secret-value.ts';
import { goBoolean } from '../../../base/text/go-boolean.ts';
import { compileNameFormat } from '../../name-format.ts';
import type { DraftContext } from '../draft.ts';
import { draftProxy } from '../draft-proxy.ts';
import { type Said, unlessEmpty } from '../hcl/block.ts';
import { formatMs } from '../hcl/duration.ts';
import { type Origin, type Report, wholeFile } from '../hcl/report.ts';
import { draftClientVariables, variableOrigin } from '../vault-variables.ts';
import { draftRefresh } from './draft-template.ts';
import type { SaidCommon, SaidSsl, SaidVaultClient } from './read-common.ts';
import type { SaidExec } from './read-template.ts';
import { shellWords } from './shell-words.ts';

const upstream = ['upstreams', 'vault'];
const kubernetesTokenPath = '/var/run/secrets/kubernetes.io/serviceaccount/token';

/** Without an address there is no vault to ask. */
export function draftVaultClient(vault: SaidVaultClient | undefined, context: DraftContext): void {
  const { draft, env, folder } = context;
  const origin = vault?.origin ?? wholeFile(context.file);
  const address = unlessEmpty(vault?.address)?.value ?? env['VAULT_ADDR'];
  if (address === undefined || address === '' || vault?.enabled?.value === false) return;
  const set = (path: readonly string[], value: Said<string> | undefined, isPath = false) => {
    const text = unlessEmpty(value)?.value;
    draft.set([...upstream, ...path], text && isPath ? resolve(folder, text) : text, value?.origin ?? origin);
  };
  draft.set([...upstream, 'kind'], 'vault', origin);
  // Their client goes to an agent wherever one is named, and asks the address of the file for nothing.
  const agent = env['VAULT_AGENT_ADDR'] || undefined;
  draft.set(
    [...upstream, 'address'],
    agent ?? address,
    agent === undefined ? (vault?.address?.origin ?? origin) : variableOrigin('VAULT_AGENT_ADDR'),
  );
  set(['namespace'], vault?.namespace);
  const ssl = vault?.ssl;
  set(['tls', 'ca_file'], ssl?.caCert, true);
  const authority = unlessEmpty(ssl?.caCert) === undefined ? unlessEmpty(ssl?.caBytes) : undefined;
  if (authority !== undefined) {
    draft.keepAuthority(authority.value);
    context.report.note(
      'differs',
      authority.origin,
      'comes into latchkey.yaml for templates and commands alone: put it into a file, and name that in tls.ca_file',
    );
  }
  set(['tls', 'ca_path'], ssl?.caPath, true);
  set(['tls', 'cert_file'], ssl?.cert, true);
  // A file that holds both is named once.
  set(['tls', 'key_file'], unlessEmpty(ssl?.key) ?? ssl?.cert, true);
  set(['tls', 'server_name'], ssl?.serverName);
  const variable = (name: string) => env[name];
  draftClientVariables({ draft, report: context.report, path: upstream, variable });
  // The file goes before the variable.
  if (ssl?.verify !== undefined)
    draft.set([...upstream, 'tls', 'skip_verify'], !ssl.verify.value, ssl.verify.origin);
  draftProxy(draft, upstream, agent ?? address, variable);
  draftToken(vault, context, origin);
}

function draftToken(vault: SaidVaultClient | undefined, context: DraftContext, origin: Origin): void {
  const { draft, env, folder, report } = context;
  const set = (key: string, value: unknown, at: Origin = origin) =>
    draft.set([...upstream, 'auth', key], value, at);
  const isWrapped = vault?.unwrapToken?.value ?? goBoolean(env['VAULT_UNWRAP_TOKEN'] ?? '') === true;
  const role = unlessEmpty(vault?.kubernetesRole)?.value ?? env['VAULT_K8S_AUTH_ROLE_NAME'];
  const file = unlessEmpty(vault?.tokenFile);
  const token = unlessEmpty(vault?.token);
  const own = join(homedir(), '.vault-token');
  if (isWrapped) set('unwrap', true, vault?.unwrapToken?.origin);
  if (file !== undefined) {
    set('method', 'token_file', file.origin);
    set('path', resolve(folder, file.value), file.origin);
    return;
  }
  if (token !== undefined) {
    set('method', 'token', token.origin);
    draft.keepToken(SecretValue.fromText(token.value));
    report.note(
      'advice',
      token.origin,
      'the token stands in the file for all who may read it, and does not come into latchkey.yaml: set VAULT_TOKEN, keep it in a file of its own, or let the agent log in',
    );
    return;
  }
  if (role !== undefined && role !== '' && !env['VAULT_TOKEN']) {
    draftServiceAccount(role, vault, context, set);
    return;
  }
  if (!env['VAULT_TOKEN'] && existsSync(own)) {
    set('method', 'token_file');
    set('path', own);
    return;
  }
  set('method', 'token');
}

function draftServiceAccount(
  role: string,
  vault: SaidVaultClient | undefined,
  { draft, env, folder, report }: DraftContext,
  set: (key: string, value: unknown, at?: Origin) => void,
): void {
  set('method', 'kubernetes', vault?.kubernetesRole?.origin);
  set('role', role);
  const jwt = unlessEmpty(vault?.kubernetesToken)?.value ?? env['VAULT_K8S_SERVICE_ACCOUNT_TOKEN'];
  if (jwt) draft.keepToken(SecretValue.fromText(jwt));
  if (vault?.kubernetesToken !== undefined)
    report.note(
      'differs',
      vault.kubernetesToken.origin,
      'does not come into latchkey.yaml: it ends one day, and its file has the next one',
    );
  set(
    'path',
    resolve(
      folder,
      unlessEmpty(vault?.kubernetesTokenPath)?.value ??
        (env['VAULT_K8S_SERVICE_ACCOUNT_TOKEN_PATH'] || kubernetesTokenPath),
    ),
  );
  const mount = unlessEmpty(vault?.kubernetesMount)?.value ?? env['VAULT_K8S_SERVICE_MOUNT_PATH'];
  set('mount', (mount || 'auth/kubernetes').replace(/^auth\//, ''));
}

export function draftTemplateSettings(common: SaidCommon, context: DraftContext): void {
  const { draft } = context;
  const { vault } = common;
  const origin = vault?.origin ?? wholeFile(context.file);
  draftRefresh(vault?.defaultLease, origin, 'default_lease_duration', context);
  draft.set(['template', 'allow_plugin'], true, origin);
  draft.set(['template', 'pass_environment'], true, origin);
  draftEnvironmentOf(common, context, origin);
}

/** What `env` in a template and the commands see of the settings; what the environment says is there anyway. */
function draftEnvironmentOf(
  { vault, consul }: SaidCommon,
  { draft, env }: DraftContext,
  origin: Origin,
): void {
  const set = (name: string, value: string | undefined) =>
    draft.set(['template', 'env', name], value || undefined, origin);
  set('CONSUL_HTTP_ADDR', consul?.address?.value ?? env['CONSUL_HTTP_ADDR']);
  set('CONSUL_HTTP_TOKEN_FILE', consul?.tokenFile?.value ?? env['CONSUL_TOKEN_FILE']);
  set('CONSUL_HTTP_SSL', String(isTlsWanted(consul?.ssl)));
  set('CONSUL_HTTP_SSL_VERIFY', String(consul?.ssl?.verify?.value ?? true));
  set('VAULT_ADDR', unlessEmpty(vault?.address)?.value ?? env['VAULT_ADDR']);
  const isVerified = vault?.ssl?.verify?.value ?? goBoolean(env['VAULT_SKIP_VERIFY'] ?? '') !== true;
  if (!isVerified) set('VAULT_SKIP_VERIFY', 'true');
  set('VAULT_CLIENT_CERT', vault?.ssl?.cert?.value);
  set('VAULT_CLIENT_KEY', vault?.ssl?.key?.value);
  set('VAULT_CAPATH', vault?.ssl?.caPath?.value);
  set('VAULT_CACERT', vault?.ssl?.caCert?.value);
  set('VAULT_CACERT_BYTES', vault?.ssl?.caBytes?.value);
  set('VAULT_TLS_SERVER_NAME', vault?.ssl?.serverName?.value);
}

/** Where a block says nothing of it, by whether it says anything that needs it. */
function isTlsWanted(ssl: SaidSsl | undefined): boolean {
  if (ssl?.enabled !== undefined) return ssl.enabled.value;
  const texts = [ssl?.cert, ssl?.caCert, ssl?.caBytes, ssl?.caPath, ssl?.key, ssl?.serverName];
  return texts.some((text) => unlessEmpty(text) !== undefined) || ssl?.verify !== undefined;
}

/** The one program that both run; its end is the agent's. Undefined when there is none. */
export function draftProgram(
  exec: SaidExec | undefined,
  command: readonly string[] | undefined,
  isPristine: boolean,
  context: DraftContext,
): readonly (string | number)[] | undefined {
  const { draft } = context;
  const words = shellWords(command ?? exec?.command?.value ?? []);
  if (words === undefined || exec?.enabled?.value === false) return undefined;
  const origin = exec?.origin ?? wholeFile(context.file);
  const path = draft.add(['processes'], origin);
  const set = (key: string, value: unknown, at: Origin = origin) => draft.set([...path, key], value, at);
  set('name', 'exec');
  set('command', words, exec?.command?.origin);
  draftEnvironment(exec?.env, isPristine, path, context);
  const reload = unlessEmpty(exec?.reloadSignal);
  set(
    'on_rotation',
    reload === undefined ? 'restart' : `signal ${reload.value.replace(/^SIG/, '')}`,
    reload?.origin,
  );
  const timeoutMs = exec?.killTimeout?.value ?? 30_000;
  const kill = unlessEmpty(exec?.killSignal)?.value ?? 'SIGINT';
  set(
    'stop',
    { signal: kill.replace(/^SIG/, ''), timeout: formatMs(Math.max(timeoutMs, 1)) },
    exec?.killSignal?.origin,
  );
  set('restart', { on_exit: 'never' });
  if (exec?.splay !== undefined && exec.splay.value > 0)
    set('splay', formatMs(exec.splay.value), exec.splay.origin);
  draft.set(['agent', 'main_process'], 'exec', origin);
  return path;
}

function draftEnvironment(
  env: SaidExec['env'],
  isPristine: boolean,
  path: readonly (string | number)[],
  context: DraftContext,
): void {
  const { draft } = context;
  const allowed = env?.allowed?.value ?? [];
  const isClean = isPristine || env?.pristine?.value === true;
  const denied = (env?.denied?.value ?? []).map((pattern) => `!${pattern}`);
  const passed = isClean ? [] : [...(allowed.length > 0 ? allowed : ['*']), ...denied];
  draft.set([...path, 'pass_env'], passed, env?.pristine?.origin ?? wholeFile(context.file));
  for (const pair of env?.custom?.value ?? []) {
    const at = pair.indexOf('=');
    const origin = env?.custom?.origin ?? wholeFile(context.file);
    if (at > 0) draft.set([...path, 'env', pair.slice(0, at)], pair.slice(at + 1), origin);
  }
}

const levels: Readonly<Record<string, string>> = {
  trace: 'debug',
  debug: 'debug',
  info: 'info',
  warn: 'warn',
  err: 'error',
  error: 'error',
};

export function draftCommonLife(
  common: SaidCommon,
  logFile: Said<string> | undefined,
  context: DraftContext,
  tool: 'consul-template' | 'envconsul',
): void {
  const { draft, report, env, folder } = context;
  const origin = wholeFile(context.file);
  const levelVariables =
    tool === 'envconsul'
      ? ['CT_LOG', 'ENVCONSUL']
      : ['CT_LOG', 'CONSUL_TEMPLATE_LOG', 'CONSUL_TEMPLATE_LOG_LEVEL'];
  const saidLevel =
    unlessEmpty(common.logLevel)?.value ?? levelVariables.map((name) => env[name]).find((text) => text);
  const level = (saidLevel ?? 'warn').toLowerCase();
  const known = levels[level];
  if (known === undefined)
    report.problem(
      common.logLevel?.origin ?? origin,
      `expected trace, debug, info, warn or err, got ${JSON.stringify(level)}`,
    );
  draft.set(['log', 'level'], known ?? 'warn', common.logLevel?.origin ?? origin);
  draft.set(['log', 'format'], 'text', origin);
  if (unlessEmpty(logFile) !== undefined)
    draft.set(['log', 'file'], resolve(folder, logFile?.value ?? ''), logFile?.origin ?? origin);
  const pid = unlessEmpty(common.pidFile);
  if (pid !== undefined) draft.set(['agent', 'pid_file'], resolve(folder, pid.value), pid.origin);
  if (common.syslog !== undefined)
    report.note(
      'differs',
      common.syslog,
      'is ignored: the log goes to stderr, from where the journal has it',
    );
  noteSignals(common, report);
}

function noteSignals(common: SaidCommon, report: Report): void {
  const signals = [
    [common.killSignal, 'SIGINT', 'SIGTERM'],
    [common.reloadSignal, 'SIGHUP', 'SIGHUP'],
  ] as const;
  for (const [signal, usual, other] of signals) {
    if (signal === undefined || signal.value === usual || signal.value === other || signal.value === '')
      continue;
    report.note('differs', signal.origin, `is ignored: INT and TERM end the agent, HUP reloads it`);
  }
}

/** A format of envconsul that is more than a name with the key in it. */
export function checkFormat(format: Said<string> | undefined, report: Report): void {
  if (format !== undefined && compileNameFormat(format.value) === undefined) {
    report.problem(format.origin, 'expected a text with no other action than {{ key }} and replaceKey in it');
  }
}
