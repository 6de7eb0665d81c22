// What each rotation did, from what made the agent look upstream to the last holder of the old version: the one place that
// hears of it all. It remembers in memory alone, and only so much (rotation-ring.ts).
import { RecentMap } from '../../base/bounded-map.ts';
import { codeAndMessage, errorCode } from '../../base/errors.ts';
import type { Clock } from '../../base/time/clock.ts';
import type { SteppedSet } from '../../files/transaction/ports.ts';
import type { LeaseObserver } from '../../lease/lease-observer.ts';
import type { Entry } from '../../store/entry.ts';
import type { Notice } from '../../store/notice.ts';
import { type SecretVersion, shownVersion } from '../../store/secret-version.ts';
import type { Store } from '../../store/store.ts';
import {
  addStep,
  bytesOf,
  createRotation,
  type RecordedStep,
  type Rotation,
  type StepName,
  type VersionMark,
} from './rotation.ts';
import { createRotationRing } from './rotation-ring.ts';

type TimelineListener = (rotation: Rotation, step: RecordedStep) => void;

export interface Timeline {
  /** Of one entry, newest first. */
  of(entryKey: string): readonly Rotation[];
  /** Of all, newest first. */
  latest(count: number): Rotation[];
  /** Told of each step when it has happened. */
  listen(listener: TimelineListener): () => void;
  /** To hand to those who do the work. */
  readonly leases: LeaseObserver;
  stepped(set: SteppedSet): void;
}

interface TimelineOptions {
  store: Store;
  clock: Clock;
  /** Told of each step that went well, in seconds. */
  observe(step: StepName, seconds: number): void;
}

/** What is known of an entry between its rotations. */
interface Known {
  notice: Notice | undefined;
  last: (VersionMark & { readonly leaseId: string | undefined }) | undefined;
}

type StepOptions = Parameters<typeof addStep>[3];

/** A file that did not have the version before belongs to a rotation only so long after it. */
const lateMs = 300_000;
const mostLeases = 1024;

const endOfStep: Partial<Record<SteppedSet['step'], StepName>> = {
  stage: 'rendered',
  check: 'checked',
  commit: 'committed',
  notify: 'notified',
  settle: 'settled',
  rollback: 'rolled_back',
};
/** What somebody did on purpose is remembered although nothing came of it. */
const wantedBy: ReadonlySet<string> = new Set(['asked', 'push', 'hook']);

export function createTimeline({ store, clock, observe }: TimelineOptions): Timeline {
  const ring = createRotationRing();
  const known = new Map<string, Known>();
  const byLease = new RecentMap<string, Rotation>(mostLeases);
  const listeners = new Set<TimelineListener>();

  function record(rotation: Rotation, name: StepName, options: StepOptions = {}, at = clock.now()): void {
    const before = rotation.steps.length;
    const step = addStep(rotation, name, at, options);
    if (rotation.steps.length > before) ring.grow(rotation, bytesOf(step));
    if (step.failure === undefined && name !== 'noticed') observe(name, step.tookMs / 1000);
    for (const listener of listeners) listener(rotation, step);
  }

  function knownOf(key: string): Known {
    const found = known.get(key) ?? { notice: undefined, last: undefined };
    known.set(key, found);
    return found;
  }

  function begin(key: string, notice: Notice): Rotation {
    const beganWall = clock.wall() - (clock.now() - notice.at);
    const rotation = createRotation({ key, by: notice.by, beganAt: notice.at, beganWall });
    ring.add(rotation);
    record(rotation, 'noticed', {}, notice.at);
    return rotation;
  }

  /** Begun, and nothing new has come yet. */
  function attemptOf(key: string): Rotation | undefined {
    const newest = ring.newest(key);
    return newest?.to === undefined && newest?.isClosed === false ? newest : undefined;
  }

  function changed(entry: Entry, version: SecretVersion): void {
    const { key, reference } = entry;
    const own = knownOf(key);
    const before = own.last;
    own.last = { ...markOf(version), leaseId: version.lease?.id };
    if (before === undefined) return;
    const rotation = attemptOf(key) ?? begin(key, own.notice ?? { by: 'poll', at: clock.now() });
    rotation.from = before;
    rotation.to = markOf(version);
    rotation.expected = new Set([...store.holders(key).keys()].map(subjectOf));
    rotation.fetchedAt = clock.now();
    rotation.changedAt = version.changedAt;
    if (before.leaseId !== undefined) byLease.set(leaseKey(reference.upstream, before.leaseId), rotation);
    record(rotation, 'fetched');
  }

  function held({ key }: Entry, consumer: string, version: SecretVersion): void {
    const step = consumer.startsWith('caller:')
      ? 'read'
      : consumer.startsWith('process:')
        ? 'moved'
        : undefined;
    const rotation = step && ring.of(key).find(({ to }) => to?.number === version.number);
    if (step === undefined || rotation === undefined) return;
    const since = step === 'read' ? rotation.fetchedAt : undefined;
    record(rotation, step, { subject: subjectOf(consumer), ...(since === undefined ? {} : { since }) });
  }

  function unheld({ key }: Entry, version: SecretVersion, last: string | undefined): void {
    const rotation = ring.of(key).find(({ from }) => from?.number === version.number);
    if (rotation === undefined) return;
    const { fetchedAt = rotation.beganAt } = rotation;
    record(rotation, 'let_go', {
      since: fetchedAt,
      ...(last === undefined ? {} : { subject: subjectOf(last) }),
    });
  }

  store.listen({
    changed,
    held,
    unheld,
    closed({ key }) {
      known.delete(key);
      ring.forget(key);
    },
  });

  /** Upstream gave nothing: a rotation that somebody wanted, or one that had begun. */
  function fetchFailed(key: string, notice: Notice, failure: unknown): void {
    const code = errorCode(failure);
    const mayBegin = notice.by === 'lease' || wantedBy.has(notice.by);
    if (code === 'aborted' || (!mayBegin && notice.by !== 'retry')) return;
    if (known.get(key)?.last === undefined) return;
    const attempt = attemptOf(key) ?? (mayBegin ? begin(key, notice) : undefined);
    if (attempt !== undefined) record(attempt, 'fetched', { failure: codeAndMessage(failure) });
  }

  function fetchEnded(key: string): void {
    const attempt = attemptOf(key);
    if (attempt === undefined) return;
    attempt.isClosed = true;
    if (!wantedBy.has(attempt.by)) ring.remove(attempt);
  }

  function revoked(upstream: string, leaseId: string, failure: unknown): void {
    const id = leaseKey(upstream, leaseId);
    const rotation = byLease.get(id);
    if (rotation === undefined) return;
    if (failure === undefined) byLease.delete(id);
    recordRevoked(rotation, failure);
  }

  function recordRevoked(rotation: Rotation, failure: unknown): void {
    const told = failure === undefined ? {} : { failure: codeAndMessage(failure) };
    const since = rotation.steps.findLast(({ step }) => step === 'let_go')?.at;
    record(rotation, 'revoked', { ...told, ...(since === undefined ? {} : { since }) });
  }

  function withdrawn(key: string, version: number, failure: unknown): void {
    const rotation = ring.of(key).find(({ from }) => from?.number === version);
    if (rotation !== undefined) recordRevoked(rotation, failure);
  }

  function rotationOf(
    key: string,
    number: number | undefined,
    subjects: readonly string[],
  ): Rotation | undefined {
    const rotation =
      number === undefined ? ring.newest(key) : ring.of(key).find(({ to }) => to?.number === number);
    if (rotation?.fetchedAt === undefined) return undefined;
    const isExpected = subjects.some((subject) => rotation.expected.has(subject));
    return isExpected || clock.now() - rotation.fetchedAt < lateMs ? rotation : undefined;
  }

  function noteSet(rotation: Rotation, subject: string, set: SteppedSet): void {
    if (rotation.finished.has(subject)) return;
    if (set.step === 'retire') {
      rotation.finished.add(subject);
      return;
    }
    const step = endOfStep[set.step];
    if (step === undefined || rotation.lastOf.get(subject)?.step === 'unchanged') return;
    const failure = failureOf(set);
    if (failure === undefined && (!set.isWanted || isRepeated(rotation, subject, step))) return;
    record(rotation, set.result === 'same' ? 'unchanged' : step, { subject, failure });
  }

  return {
    of: ring.of,
    latest: ring.latest,
    listen(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    leases: {
      asking(keys, notice) {
        for (const key of keys) knownOf(key).notice = notice;
      },
      answered(keys, failure) {
        for (const key of keys) {
          const own = known.get(key);
          if (own?.notice === undefined) continue;
          if (failure === undefined) fetchEnded(key);
          else fetchFailed(key, own.notice, failure);
          own.notice = undefined;
        }
      },
      revoked,
      withdrawn,
    },
    stepped(set) {
      if (ring.isEmpty()) return;
      const subjects = set.destinations.map((destination) => `file:${destination}`);
      const subject = set.name === undefined ? (subjects[0] ?? '') : `set:${set.name}`;
      if (errorCode(set.failure) === 'aborted') return;
      for (const [key, number] of set.versions) {
        const rotation = rotationOf(key, number, subjects);
        if (rotation !== undefined) noteSet(rotation, subject, set);
      }
    },
  };
}

/** The way back to the step that failed. */
function isRepeated({ lastOf, steps }: Rotation, subject: string, name: StepName): boolean {
  if (lastOf.get(subject)?.failure === undefined) return false;
  return steps.some((one) => one.subject === subject && one.step === name && one.failure === undefined);
}

function failureOf({ result, failure }: SteppedSet): RecordedStep['failure'] {
  if (result === 'missing') return { code: 'pending', message: 'waits for another secret of its template' };
  return failure === undefined ? undefined : codeAndMessage(failure);
}

function markOf(version: SecretVersion): VersionMark {
  return { number: version.number, shown: shownVersion(version) };
}

/** Without the stage in which a file holds it, and without what tells processes of one number apart. */
function subjectOf(consumer: string): string {
  if (consumer.startsWith('caller:uid ')) return consumer.replace(/@[^@]*$/, '');
  return consumer.replace(/ \((?:staged|committed)\)$/, '');
}

function leaseKey(upstream: string, leaseId: string): string {
  return `${upstream}\n${leaseId}`;
}
