// Processes as the agent uses them, and the rules between their keys.

import type { Item } from '../item.ts';
import { compileNameFormat } from '../name-format.ts';
import type { Place } from '../problems.ts';
import type { EnvFromConfig, ProcessConfig, VariableConfig } from '../resolved.ts';
import type { EnvFromInput, ProcessInput } from '../schema/process-schema.ts';
import { oneOfKeys } from './one-of-keys.ts';
import { checkKnown, type ResolveContext } from './resolve-context.ts';
import { resolveProbe } from './resolve-file.ts';

export function resolveProcess({ value, place }: Item<ProcessInput>, context: ResolveContext): ProcessConfig {
  checkKeys(value, place, context);
  return {
    name: value.name,
    command: value.command,
    env: Object.fromEntries(Object.entries(value.env).map(([name, text]) => [name, resolveVariable(text)])),
    envFrom: value.env_from.map((from, index) => resolveEnvFrom(from, place.at('env_from', index), context)),
    passEnv: value.pass_env,
    workingDir: context.optionalPathAt(place, value.working_dir),
    user: value.user,
    group: value.group,
    onRotation: value.on_rotation ?? { kind: 'restart' },
    isRotationWritten: value.on_rotation !== undefined,
    splayMs: value.splay,
    stop: { signal: value.stop.signal, timeoutMs: value.stop.timeout, isGroup: value.stop.group },
    restart: {
      onExit: value.restart.on_exit,
      minBackoffMs: value.restart.backoff.minMs,
      maxBackoffMs: value.restart.backoff.maxMs,
      maxAttempts: value.restart.max_attempts,
    },
    overlapStart: value.overlap_start,
    health: value.health && resolveProbe(value.health, place.at('health'), context),
    output: value.output,
    upstream: context.upstreamOf(value.upstream, place),
    isRequired: value.required,
  };
}

function resolveVariable(value: ProcessInput['env'][string]): string | VariableConfig {
  if (typeof value === 'string') return value;
  return {
    template: value.template,
    leftDelimiter: value.left_delimiter,
    rightDelimiter: value.right_delimiter,
    errorOnMissingKey: value.error_on_missing_key,
  };
}

/** A template that gives all fields is what fetches them: the version of a KV engine is found out as in any other. */
function resolveEnvFrom(value: EnvFromInput, place: Place, context: ResolveContext): EnvFromConfig {
  const { problems, names } = context;
  oneOfKeys(problems, place, value, ['secret', 'path']);
  if (value.secret !== undefined)
    checkKnown(problems, place.at('secret'), 'secret', value.secret, names.secrets);
  const formats = [value.format, ...Object.values(value.only ?? {}).flat()];
  if (formats.some((format) => format !== undefined && compileNameFormat(format) === undefined)) {
    problems.add(
      place.at('format'),
      'expected a text with no other action than {{ key }} and replaceKey in it',
    );
  }
  const { secret, path } = value;
  const ofPath = `{{ with secret ${JSON.stringify(path ?? '')} }}{{ if and .Data.metadata .Data.data }}{{ .Data.data | toJSON }}{{ else }}{{ .Data | toJSON }}{{ end }}{{ end }}`;
  return {
    name: secret ?? path ?? '',
    template: secret === undefined ? ofPath : `{{ fields ${JSON.stringify(secret)} | toJSON }}`,
    prefix: value.prefix,
    isUpperCase: value.upper_case,
    isSanitized: value.sanitize,
    only: value.only,
    format: value.format,
  };
}

function checkKeys(value: ProcessInput, place: Place, { problems }: ResolveContext): void {
  const { minMs, maxMs } = value.restart.backoff;
  if (minMs > maxMs) {
    problems.add(place.at('restart', 'backoff'), 'expected the first wait to be at most the longest');
  }
  if (!value.overlap_start) return;
  if (value.health === undefined) {
    problems.add(place.at('overlap_start'), 'needs health, to know when the old one may be stopped');
  }
  if (value.on_rotation !== undefined && value.on_rotation.kind !== 'restart') {
    problems.add(place.at('overlap_start'), 'is about restarts; set on_rotation to restart or remove this');
  }
}
