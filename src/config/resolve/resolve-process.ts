// Processes as the agent uses them, and the rules between their keys.

import type { Place } from '../problems.ts';
import type { ProcessConfig } from '../resolved.ts';
import type { ProcessInput } from '../schema/process-schema.ts';
import type { Item } from '../sources/merge.ts';
import type { ResolveContext } from './resolve-context.ts';
import { resolveProbe } from './resolve-file.ts';

export function resolveProcess({ value, place }: Item<ProcessInput>, context: ResolveContext): ProcessConfig {
  checkKeys(value, place, context);
  return {
    name: value.name,
    command: value.command,
    env: value.env,
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
