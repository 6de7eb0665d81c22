// Files as the agent uses them, and the rules between their keys.
import { dirname } from 'node:path';
import { lookAt } from '../../base/paths/look-at.ts';
import { standardStreamOf } from '../../base/paths/special-file.ts';
import type { Item } from '../item.ts';
import type { Place, Problems } from '../problems.ts';
import type { FileConfig, NotifyConfig, SettleConfig } from '../resolved.ts';
import type { FileInput, NotificationInput, ProbeInput } from '../schema/file-schema.ts';
import { oneOfKeys } from './one-of-keys.ts';
import { checkKnown, type ResolveContext } from './resolve-context.ts';

export function resolveFile({ value, place }: Item<FileInput>, context: ResolveContext): FileConfig {
  const destination = context.pathAt(place, value.destination);
  const stream = standardStreamOf(destination);
  if (stream === undefined) context.claim(destination, place.at('destination'));
  if (value.backup) context.claim(`${destination}.bak`, place.at('backup'));
  checkKeys(value, place, context, stream !== undefined);
  oneOfKeys(context.problems, place, value, ['template', 'contents']);
  const kept = value.mode === 'keep' ? keptAttributes(destination) : undefined;
  return {
    place: context.nameOf(place),
    source:
      value.template === undefined
        ? { kind: 'inline', text: value.contents ?? '' }
        : { kind: 'file', path: context.pathAt(place, value.template) },
    destination,
    mode: value.mode === 'keep' ? (kept?.mode ?? newFileMode) : value.mode,
    owner: value.owner ?? kept?.owner,
    group: value.group ?? kept?.group,
    set: value.set,
    check: value.check && { command: value.check.command, timeoutMs: value.check.timeout },
    notify: resolveNotify(value.notify, place.at('notify'), context),
    settle: value.settle && resolveProbe(value.settle, place.at('settle'), context),
    onFailure: value.on_failure,
    wait: value.wait,
    onDrift: value.on_drift,
    staging: value.staging === undefined ? undefined : context.pathAt(place, value.staging),
    createParents: value.create_parents,
    backup: value.backup,
    inPlace: value.in_place,
    // Served as a pipe is: with nothing that stays.
    fifo: value.fifo || stream !== undefined,
    removeOnExit: value.remove_on_exit,
    errorOnMissingKey: value.error_on_missing_key,
    leftDelimiter: value.left_delimiter,
    rightDelimiter: value.right_delimiter,
    upstream: context.upstreamOf(value.upstream, place),
  };
}

/** Of a file that is to keep its mode where there is none yet. */
const newFileMode = 0o644;

/** Of the file that is there. Its owner is another one's to keep only where the agent may give files away. */
function keptAttributes(path: string): { mode: number; owner?: string; group?: string } | undefined {
  const { stats } = lookAt(path);
  if (stats?.isFile() !== true) return undefined;
  const mode = stats.mode & 0o777;
  return process.geteuid?.() === 0 ? { mode, owner: String(stats.uid), group: String(stats.gid) } : { mode };
}

function checkKeys(value: FileInput, place: Place, { problems }: ResolveContext, isStream: boolean): void {
  if (value.fifo || isStream) {
    const what = isStream ? value.destination : 'a fifo';
    const other = isStream ? 'name a file' : 'fifo';
    for (const key of ['set', 'backup', 'in_place', 'check', 'settle', 'staging'] as const) {
      if (value[key] === undefined || value[key] === false) continue;
      problems.add(place.at(key), `${what} has no file that stays; remove this or ${other}`, 'key');
    }
  }
  if (value.in_place && value.set !== undefined) {
    problems.add(
      place.at('in_place'),
      'a file of a set is renamed into place, so that all change at once; remove this or set',
    );
  }
  if (value.wait.minMs > value.wait.maxMs) {
    problems.add(place.at('wait'), 'expected the first duration to be at most the second');
  }
  if (value.left_delimiter === value.right_delimiter) {
    problems.add(place.at('left_delimiter'), 'expected another text than right_delimiter');
  }
}

/** A destination that lies in another one would need that path as a folder and as a file. */
export function checkNesting(context: ResolveContext): void {
  for (const [path, place] of context.claims) {
    for (let folder = dirname(path); folder !== dirname(folder); folder = dirname(folder)) {
      const other = context.claims.get(folder);
      if (other !== undefined) {
        context.problems.add(place, `${path} lies in ${folder}, which is a file too (${String(other)})`);
      }
    }
  }
}

function resolveNotify(value: FileInput['notify'], place: Place, context: ResolveContext): NotifyConfig[] {
  if (value === undefined) return [];
  return [value].flat().flatMap((notification, index) => {
    const at = Array.isArray(value) ? place.at(index) : place;
    return resolveNotification(notification, at, context) ?? [];
  });
}

function resolveNotification(
  value: NotificationInput,
  place: Place,
  context: ResolveContext,
): NotifyConfig | undefined {
  const { problems } = context;
  const { command, signal, process, unit, action, timeout: timeoutMs } = value;
  const isBare = unit === undefined && signal === undefined && command === undefined;
  if (process !== undefined && action === 'restart' && isBare) {
    checkKnown(problems, place.at('process'), 'process', process, context.names.processes);
    return { kind: 'signal', signal: 'restart', process };
  }
  const kinds = ['command', 'signal', 'unit'] as const;
  const kind = oneOfKeys(problems, place, unit === undefined ? value : { unit, command }, kinds);
  if (kind === 'command' && command !== undefined) {
    refuse(value, ['pid_file', 'process', 'action'], 'for a signal or a unit', place, problems);
    return { kind: 'command', command, timeoutMs };
  }
  if (kind === 'unit' && unit !== undefined) return resolveUnit({ ...value, unit }, place, problems);
  return kind === 'signal' && signal !== undefined
    ? resolveSignal({ ...value, signal }, place, context)
    : undefined;
}

function resolveUnit(
  value: NotificationInput & { unit: string },
  place: Place,
  problems: Problems,
): NotifyConfig {
  const { unit, signal, timeout: timeoutMs } = value;
  refuse(value, ['pid_file', 'process'], 'for a signal', place, problems);
  const action = value.action ?? (signal === undefined ? 'reload' : 'kill');
  if (action !== 'kill' && signal !== undefined) {
    problems.add(place.at('signal'), 'with a unit a signal needs action: kill');
  }
  return { kind: 'unit', unit, action, signal, timeoutMs };
}

function resolveSignal(
  value: NotificationInput & { signal: NonNullable<NotificationInput['signal']> },
  place: Place,
  context: ResolveContext,
): NotifyConfig | undefined {
  const { problems } = context;
  const { signal, pid_file: pidFile, process } = value;
  refuse(value, ['action'], 'for a unit', place, problems);
  const target = oneOfKeys(problems, place, value, ['pid_file', 'process']);
  if (target === 'pid_file' && pidFile !== undefined) {
    return { kind: 'signal', signal, pidFile: context.pathAt(place, pidFile) };
  }
  if (process === undefined) return undefined;
  checkKnown(problems, place.at('process'), 'process', process, context.names.processes);
  return { kind: 'signal', signal, process };
}

function refuse(
  value: NotificationInput,
  keys: readonly (keyof NotificationInput)[],
  what: string,
  place: Place,
  problems: Problems,
): void {
  for (const key of keys) {
    if (value[key] !== undefined) problems.add(place.at(key), `this key is ${what}; remove it`, 'key');
  }
}

export function resolveProbe(
  value: ProbeInput,
  place: Place,
  { problems }: ResolveContext,
): SettleConfig | undefined {
  const kind = oneOfKeys(problems, place, value, ['http', 'command']);
  if (kind === 'command' && value.command !== undefined) {
    return { kind, command: value.command, timeoutMs: value.timeout };
  }
  if (kind !== 'http' || value.http === undefined) return undefined;
  const protocol = URL.parse(value.http)?.protocol;
  if (protocol !== 'http:' && protocol !== 'https:') {
    problems.add(place.at('http'), 'expected a URL that starts with http:// or https://');
  }
  return { kind, url: value.http, timeoutMs: value.timeout };
}
