// Several files make one agent: later blocks replace earlier ones, templates and listeners add up. What no single file can
// tell is checked here.
import { lastOf, type Said } from '../hcl/block.ts';
import { type Report, wholeFile } from '../hcl/report.ts';
import type { SaidAgent, SaidEnvTemplate } from './read-agent.ts';

export function mergeAgents(agents: readonly SaidAgent[]): SaidAgent {
  const last = lastOf(agents);
  return {
    vault: last('vault'),
    autoAuth: last('autoAuth'),
    cache: last('cache'),
    apiProxy: last('apiProxy'),
    listeners: agents.flatMap(({ listeners }) => listeners),
    templates: agents.flatMap(({ templates }) => templates),
    templateConfig: last('templateConfig'),
    envTemplates: agents.flatMap(({ envTemplates }) => envTemplates),
    exec: last('exec'),
    exitAfterAuth: agents.findLast(({ exitAfterAuth }) => exitAfterAuth?.value === true)?.exitAfterAuth,
    pidFile: agents.findLast(({ pidFile }) => (pidFile?.value ?? '') !== '')?.pidFile,
    logLevel: last('logLevel'),
    logFormat: last('logFormat'),
    logFile: last('logFile'),
  };
}

/** `file` is what messages name for what is nowhere. */
export function checkAgent(agent: SaidAgent, file: string, report: Report): void {
  checkCache(agent, report);
  checkProxy(agent, report);
  const { autoAuth, cache, listeners } = agent;
  if (autoAuth !== undefined && isUnused(agent)) {
    report.problem(
      autoAuth.origin,
      'logs in for nothing: expected a sink, a template or api_proxy.use_auto_auth_token = true beside it',
    );
  }
  if (autoAuth === undefined && cache === undefined && listeners.length === 0) {
    report.problem(wholeFile(file), 'expected a block auto_auth, cache or listener, got none');
  }
  checkEnvTemplates(agent, report);
}

function isUnused({ autoAuth, templates, envTemplates, apiProxy }: SaidAgent): boolean {
  const isProxied = isTrue(apiProxy?.useAutoAuthToken);
  return autoAuth?.sinks.length === 0 && !isProxied && templates.length === 0 && envTemplates.length === 0;
}

function isTrue(said: Said<boolean | 'force'> | undefined): boolean {
  return said !== undefined && said.value !== false;
}

function checkCache(
  { autoAuth, cache, apiProxy, listeners, templates, envTemplates }: SaidAgent,
  report: Report,
): void {
  if (cache === undefined) return;
  const { useAutoAuthToken: use } = cache;
  if (use !== undefined && apiProxy?.useAutoAuthToken !== undefined && !apiProxy.isImplied) {
    report.problem(use.origin, 'is in api_proxy too; remove it here');
  }
  if (listeners.length === 0 && templates.length === 0 && envTemplates.length === 0) {
    report.problem(cache.origin, 'has nobody to serve: expected a listener or a template beside it');
  }
  checkTokenUse(use, autoAuth, report);
}

function checkProxy({ autoAuth, apiProxy, listeners }: SaidAgent, report: Report): void {
  if (apiProxy === undefined) return;
  if (listeners.length === 0)
    report.problem(apiProxy.origin, 'has nobody to serve: expected a listener beside it');
  checkTokenUse(apiProxy.useAutoAuthToken, autoAuth, report);
}

function checkTokenUse(
  use: Said<boolean | 'force'> | undefined,
  autoAuth: SaidAgent['autoAuth'],
  report: Report,
): void {
  if (use === undefined || !isTrue(use)) return;
  if (autoAuth === undefined)
    report.problem(use.origin, 'there is no token to use: expected a block auto_auth');
  else if ((autoAuth.method.wrapTtl?.value ?? 0) > 0) {
    report.problem(
      use.origin,
      'the token is wrapped, so that the agent has none to use; remove wrap_ttl of the method',
    );
  }
}

const notForVariables = [
  'backup',
  'command',
  'command_timeout',
  'create_dest_dirs',
  'destination',
  'exec',
  'perms',
  'user',
  'uid',
  'group',
  'gid',
  'wait',
  'sandbox_path',
];

function checkEnvTemplates({ exec, envTemplates, apiProxy, templates }: SaidAgent, report: Report): void {
  const [first] = envTemplates;
  if (exec === undefined && first === undefined) return;
  if (exec === undefined) {
    report.problem(
      first?.template.origin ?? wholeFile(''),
      'expected a block exec beside it: the program that gets the variable',
    );
    return;
  }
  if (first === undefined)
    report.problem(exec.origin, 'expected a block env_template beside it: what the program gets');
  if (apiProxy !== undefined)
    report.problem(apiProxy.origin, 'does not go together with env_template in one agent');
  const [file] = templates;
  if (file !== undefined) report.problem(file.origin, 'does not go together with env_template in one agent');
  if ((exec.command?.value.length ?? 0) === 0)
    report.problem(exec.origin, 'expected a command: a list of the program and its arguments');
  if (exec.restart !== undefined && !['', 'always', 'never'].includes(exec.restart.value)) {
    report.problem(
      exec.restart.origin,
      `expected always or never, got ${JSON.stringify(exec.restart.value)}`,
    );
  }
  const names = new Set<string>();
  for (const one of envTemplates) {
    if (names.has(one.name.value))
      report.problem(one.name.origin, `there is a block env_template for ${one.name.value} before`);
    names.add(one.name.value);
    checkEnvTemplate(one, report);
  }
}

function checkEnvTemplate({ template }: SaidEnvTemplate, report: Report): void {
  const { source, contents, keys, origin } = template;
  if (source === undefined && contents === undefined) report.problem(origin, 'expected contents or source');
  if (source !== undefined && contents !== undefined)
    report.problem(origin, 'expected contents or source, got both');
  const bad = keys.find((key) => notForVariables.includes(key));
  if (bad !== undefined) report.problem(origin, `${bad} is for files: a variable has none`);
}
