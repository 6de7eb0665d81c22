// The timeline as the local API tells it: times of the wall clock, offsets from the beginning, and how it stands now.
import { apiMoment, apiTime } from '../../api/api-time.ts';
import type { RotationStory, StepEvent, TimelineAnswer, TimelineStep } from '../../api/timeline.ts';
import type { NameTable } from '../../content/name-table.ts';
import { shownVersion } from '../../store/secret-version.ts';
import type { Store } from '../../store/store.ts';
import { findEntry } from '../asked/find-entry.ts';
import type { RecordedStep, Rotation } from '../timeline/rotation.ts';
import type { Timeline } from '../timeline/timeline.ts';

export interface TimelineParts {
  readonly timeline: Timeline;
  readonly store: Store;
  readonly names: NameTable;
  readonly startedAt: number;
}

const mostHolders = 20;
/** Up to here a rotation is what the agent does; what follows is for others to do, or waits for them. */
const ownSteps: ReadonlySet<string> = new Set([
  'fetched',
  'rendered',
  'checked',
  'committed',
  'notified',
  'settled',
  'rolled_back',
  'moved',
]);

/** Throws `not_found` when nothing has this name. Without a name: of all secrets. */
export function timelineOf(name: string | undefined, last: number, parts: TimelineParts): TimelineAnswer {
  const { timeline, names, startedAt } = parts;
  const since = apiMoment(startedAt);
  if (name === undefined) {
    const rotations = timeline.latest(last).map((rotation) => storyOf(rotation, parts));
    return { name: null, since, current_version: null, rotations };
  }
  const entry = findEntry({ names, store: parts.store }, name);
  return {
    name,
    since,
    current_version: entry.current === undefined ? null : shownVersion(entry.current),
    rotations: timeline
      .of(entry.key)
      .slice(0, last)
      .map((rotation) => storyOf(rotation, parts)),
  };
}

export function stepEventOf(rotation: Rotation, step: RecordedStep, names: NameTable): StepEvent {
  return {
    name: nameOf(rotation, names),
    to_version: rotation.to?.shown ?? null,
    ...shownStep(rotation, step),
  };
}

function storyOf(rotation: Rotation, { timeline, store, names }: TimelineParts): RotationStory {
  const { key, from, to, by, steps, beganAt, beganWall, omitted } = rotation;
  const isNewest = timeline.of(key)[0] === rotation;
  const behind = isNewest && to !== undefined ? holdersBefore(store, key, to.number) : [];
  const state = stateOf(rotation, behind);
  const end = steps.findLast(({ step }) => ownSteps.has(step))?.at ?? beganAt;
  return {
    name: nameOf(rotation, names),
    from_version: from?.shown ?? null,
    to_version: to?.shown ?? null,
    by,
    changed_upstream_at: apiTime(rotation.changedAt),
    began_at: apiMoment(beganWall),
    state: isNewest ? state : pastStates[state],
    milliseconds: rounded(end - beganAt),
    held_by: behind.slice(0, mostHolders),
    steps: steps.map((step) => shownStep(rotation, step)),
    omitted,
  };
}

/** When another rotation has begun since. */
const pastStates = { done: 'done', nothing: 'nothing', running: 'overtaken', failing: 'overtaken' } as const;

/** Files that are not current hold nothing of it yet, but they are at it. A file of a set is at nothing of its own: it lets go. */
function stateOf(
  { to, lastOf, finished, isClosed }: Rotation,
  behind: readonly string[],
): keyof typeof pastStates {
  // Upstream answered in the end, whatever failed before.
  if (to === undefined && isClosed) return 'nothing';
  const unfinished = [...lastOf].filter(([subject]) => !finished.has(subject));
  if (unfinished.some(([, { failure }]) => failure !== undefined)) return 'failing';
  if (to === undefined) return 'running';
  const isBusy = unfinished.some(
    ([subject, { step }]) => step !== 'let_go' && /^(?:file|set):/.test(subject),
  );
  return isBusy || behind.length > 0 ? 'running' : 'done';
}

function holdersBefore(store: Store, key: string, number: number): string[] {
  return [...store.holders(key)]
    .filter(([, version]) => version.number < number)
    .map(([consumer]) => consumer);
}

function shownStep({ beganAt, beganWall }: Rotation, step: RecordedStep): TimelineStep {
  const offset = step.at - beganAt;
  return {
    step: step.step,
    at: apiMoment(beganWall + offset),
    offset_ms: rounded(offset),
    took_ms: rounded(step.tookMs),
    subject: step.subject ?? null,
    failure: step.failure ?? null,
    count: step.count,
  };
}

function nameOf({ key }: Rotation, names: NameTable): string {
  return names.namesOf(key)[0] ?? key;
}

function rounded(ms: number): number {
  return Math.round(ms * 1000) / 1000;
}
