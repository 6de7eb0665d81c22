// From the merged file shape to the resolved configuration, with all checks that look at more than one item.

import { isatty } from 'node:tty';
import { isJournalAt } from '../../base/log/log-journal.ts';
import type { Environment } from '../../base/surroundings.ts';
import { plainSlashes, splitQuery } from '../../base/text/secret-path.ts';
import type { Named } from '../item.ts';
import { Place, type Problems } from '../problems.ts';
import type { LifeConfig, ResolvedConfig, SecretConfig } from '../resolved.ts';
import type { SecretInput } from '../schema/schema.ts';
import type { MergedConfig } from '../sources/merge.ts';
import {
  defaultRefreshMs,
  pathFault,
  resolveUpstream,
  takesWrites,
  type UpstreamConfig,
  type UpstreamInput,
  upstreamSchema,
} from '../upstreams/kinds.ts';
import { checkDemand } from './check-demand.ts';
import {
  checkKnown,
  checkUniqueNames,
  createResolveContext,
  type ResolveContext,
} from './resolve-context.ts';
import { checkNesting, resolveFile } from './resolve-file.ts';
import { resolveHooks } from './resolve-hook.ts';
import { resolveProcess } from './resolve-process.ts';
import { resolveAudit, resolveListener, resolveRules } from './resolve-serving.ts';

const defaultStateDir = '/var/lib/latchkey';

/** What is wrong goes to `problems`; the result is to be used only when there are none. */
export function resolveConfig(
  merged: MergedConfig,
  env: Environment,
  problems: Problems,
  sources: readonly string[],
): ResolvedConfig {
  const upstreams = merged.names.upstreams.size > 0 ? merged.upstreams : upstreamOfEnvironment(env);
  const names = new Set([...merged.names.upstreams, ...upstreams.map((item) => item.name)]);
  const context = createResolveContext(merged.names, names, env, problems, sources.length);
  const listeners = merged.listeners.flatMap((item) => resolveListener(item, context) ?? []);
  checkUniqueNames(problems, merged.processes);
  const resolvedUpstreams = upstreams.map((item) => resolveUpstream(item, context));
  const config: ResolvedConfig = {
    upstreams: resolvedUpstreams,
    secrets: merged.secrets.map((item) => resolveSecret(item, resolvedUpstreams, context)),
    files: merged.files.map((item) => resolveFile(item, context)),
    processes: merged.processes.map((item) => resolveProcess(item, context)),
    listeners,
    hooks: resolveHooks(merged.hooks, listeners, context),
    access: { rules: resolveRules(merged.rules, listeners, context), strict: merged.isStrict },
    audit: resolveAudit(merged.audit, context),
    log: resolveLog(merged, context),
    telemetry: resolveTelemetry(merged),
    templates: resolveTemplates(merged, context),
    stateDir: resolveStateDir(merged, context),
    life: resolveLife(merged, context),
    sources,
    areModesStrict: false,
    warnings: [],
  };
  checkAliases(merged.secrets, problems);
  checkNesting(context);
  checkDemand(config.upstreams, config.secrets, merged, problems);
  checkTemplates(config, merged, context);
  return config;
}

function resolveTemplates({ template }: MergedConfig, context: ResolveContext): ResolvedConfig['templates'] {
  const { value, place } = template;
  return {
    refreshMs: value.refresh,
    folder: context.pathAt(place, '.'),
    env: value.env,
    passesEnvironment: value.pass_environment,
    sandboxPaths: value.sandbox_paths.map((path) => context.pathAt(place, path)),
    allowPlugin: value.allow_plugin,
    deniedFunctions: value.deny_functions,
    maxOutputBytes: value.max_output,
  };
}

/** As other tools of Vault do it, `$VAULT_ADDR` alone is enough. */
function upstreamOfEnvironment(env: Environment): Named<UpstreamInput>[] {
  if (!env['VAULT_ADDR']) return [];
  const place = new Place({ file: '$VAULT_ADDR', locate: () => undefined }, []);
  return [{ name: 'vault', value: upstreamSchema.parse({}), place }];
}

function resolveSecret(
  { name, value, place }: Named<SecretInput>,
  upstreams: readonly UpstreamConfig[],
  context: ResolveContext,
): SecretConfig {
  const upstream = upstreamOfSecret(value, place, context);
  if (value.refresh !== undefined && value.refresh < 100)
    context.problems.add(place.at('refresh'), 'expected at least 100ms');
  const asked = upstreams.find((one) => one.name === upstream);
  const parameters = value.parameters ?? {};
  const isPathLiteral = value.parameters !== undefined && Object.keys(parameters).length === 0;
  if (asked !== undefined) checkSecret(value, place, asked, { isPathLiteral, problems: context.problems });
  return {
    name,
    upstream: upstream ?? '',
    aliases: value.aliases,
    path: value.path,
    operation: value.operation,
    parameters,
    isPathLiteral,
    refreshMs: value.refresh ?? defaultRefreshMs(asked),
    statedRefreshMs: value.refresh,
    maxStaleMs: value.max_stale,
    onStale: value.on_stale,
    onRemoved: value.on_removed,
    onDenied: value.on_denied,
    overlapMs: value.overlap,
    onExit: value.on_exit,
    isRequired: value.required,
  };
}

function upstreamOfSecret(value: SecretInput, place: Place, context: ResolveContext): string | undefined {
  const upstream = context.upstreamOf(value.upstream, place);
  if (upstream === undefined) {
    const known = [...context.upstreamNames];
    context.problems.add(
      place,
      known.length === 0
        ? 'there is no upstream to ask; add one under upstreams or set $VAULT_ADDR'
        : `missing upstream, expected one of ${known.join(', ')}`,
      'key',
    );
  }
  return upstream;
}

/** What its upstream would answer only when it is asked. */
function checkSecret(
  { path: text, operation, parameters }: SecretInput,
  place: Place,
  upstream: UpstreamConfig,
  { isPathLiteral, problems }: { isPathLiteral: boolean; problems: Problems },
): void {
  const query = isPathLiteral ? { path: text, parameters: {} } : splitQuery(text);
  const path = plainSlashes(query.path);
  const fault = pathFault(upstream, path, { ...query.parameters, ...parameters });
  // As it is written: `op://` is not `op:/`.
  const told = fault?.startsWith(path) === true ? `${query.path}${fault.slice(path.length)}` : fault;
  if (told !== undefined) problems.add(place.at('path'), told);
  if (operation !== 'read' && !takesWrites(upstream))
    problems.add(
      place.at('operation'),
      `an upstream of kind ${upstream.kind} is only read, got ${operation}`,
    );
}

/** A name means one secret, whichever of its names it is. */
function checkAliases(secrets: readonly Named<SecretInput>[], problems: Problems): void {
  const owners = new Map(secrets.map(({ name }) => [name, name]));
  for (const { name, value, place } of secrets) {
    for (const [index, alias] of value.aliases.entries()) {
      const owner = owners.get(alias);
      if (owner !== undefined) {
        problems.add(
          place.at('aliases', index),
          `${JSON.stringify(alias)} stands for secret ${owner} already`,
        );
      }
      owners.set(alias, name);
    }
  }
}

function resolveLog({ log }: MergedConfig, context: ResolveContext): ResolvedConfig['log'] {
  const { level, format } = log.value;
  const file = context.optionalPathAt(log.place, log.value.file);
  if (file !== undefined) context.claim(file, log.place.at('file'));
  const isForPeople = file === undefined && (isatty(2) || isJournalAt(2));
  return { level, format: format ?? (isForPeople ? 'text' : 'json'), file };
}

function resolveTelemetry({ telemetry }: MergedConfig): ResolvedConfig['telemetry'] {
  const { otlp } = telemetry.value;
  return { otlp: otlp && { url: otlp.url, intervalMs: otlp.interval, headers: otlp.headers } };
}

function resolveLife({ agent, names }: MergedConfig, context: ResolveContext): LifeConfig {
  const { value, place } = agent;
  const pidFile = context.optionalPathAt(place, value.pid_file);
  if (pidFile !== undefined) context.claim(pidFile, place.at('pid_file'));
  const { main_process: mainProcess } = value;
  if (mainProcess !== undefined) {
    checkKnown(context.problems, place.at('main_process'), 'process', mainProcess, names.processes);
  }
  return { pidFile, exitAfterAuth: value.exit_after_auth, giveUpAfterMs: value.give_up_after, mainProcess };
}

/** systemd gives several folders separated by colons; the first is ours. */
function resolveStateDir({ stateDir }: MergedConfig, context: ResolveContext): string {
  if (stateDir !== undefined) return context.pathAt(stateDir.place, stateDir.value);
  return context.env['STATE_DIRECTORY']?.split(':')[0] || defaultStateDir;
}

/** Writing over a template would destroy it. */
function checkTemplates(config: ResolvedConfig, merged: MergedConfig, context: ResolveContext): void {
  for (const [index, { source }] of config.files.entries()) {
    const place = merged.files[index]?.place.at('template');
    const writer = source.kind === 'file' ? context.claims.get(source.path) : undefined;
    if (place !== undefined && writer !== undefined) {
      context.problems.add(
        place,
        `the agent writes this path itself (${writer.name}); give the template another one`,
      );
    }
  }
}
