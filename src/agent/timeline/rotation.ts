// One rotation as it is remembered: its steps in the order in which they happened, however many want to be in it. No value
// of a secret is here, and nothing of a request but that it was a caller's first.
import type { NoticedBy } from '../../store/notice.ts';

export type StepName =
  | 'noticed'
  | 'fetched'
  | 'rendered'
  /** The file has these bytes already: it does not show what changed. */
  | 'unchanged'
  | 'checked'
  | 'committed'
  | 'notified'
  | 'settled'
  | 'rolled_back'
  /** A supervised process runs with it. */
  | 'moved'
  /** A caller got it for the first time. */
  | 'read'
  /** Nobody holds the version before any more. */
  | 'let_go'
  | 'revoked';

export interface StepFailure {
  readonly code: string;
  readonly message: string;
}

export interface RecordedStep {
  readonly step: StepName;
  /** Monotonic milliseconds: of its end, and since what came before it. */
  at: number;
  tookMs: number;
  /** Whose it is: `file:/etc/app.conf`, `set:app-tls`, `process:legacy`, `caller:uid 33, pid 41`; undefined: the secret's own. */
  readonly subject: string | undefined;
  readonly failure: StepFailure | undefined;
  /** How often it failed alike in a row. */
  count: number;
}

export interface VersionMark {
  readonly number: number;
  readonly shown: number;
}

export interface Rotation {
  readonly key: string;
  readonly by: NoticedBy;
  /** Monotonic, and what the wall clock showed then. */
  readonly beganAt: number;
  readonly beganWall: number;
  from: VersionMark | undefined;
  /** Undefined: nothing new has come. */
  to: VersionMark | undefined;
  fetchedAt: number | undefined;
  /** In wall time by upstream's own clock; undefined: it does not tell. */
  changedAt: number | undefined;
  /** Upstream answered, and there was nothing new. */
  isClosed: boolean;
  readonly steps: RecordedStep[];
  /** Steps for which there was no room. */
  omitted: number;
  /** Who held the version before when the new one came. */
  expected: ReadonlySet<string>;
  /** By subject: the last step of those that are at it. */
  readonly lastOf: Map<string, RecordedStep>;
  readonly finished: Set<string>;
  bytes: number;
}

/** More are counted, not kept; what fails has some room of its own. */
const mostSteps = 400;
const mostFailures = 100;
const longestMessage = 400;

export function createRotation(origin: Pick<Rotation, 'key' | 'by' | 'beganAt' | 'beganWall'>): Rotation {
  return {
    ...origin,
    from: undefined,
    to: undefined,
    fetchedAt: undefined,
    changedAt: undefined,
    isClosed: false,
    steps: [],
    omitted: 0,
    expected: new Set(),
    lastOf: new Map(),
    finished: new Set(),
    bytes: 400,
  };
}

/** Returns the step as it stands now; one that fails as it did before is counted there. */
export function addStep(
  rotation: Rotation,
  step: StepName,
  at: number,
  { subject, failure, since }: { subject?: string; failure?: StepFailure | undefined; since?: number },
): RecordedStep {
  const owner = subject ?? '';
  const before = rotation.lastOf.get(owner);
  const start = since ?? before?.at ?? rotation.fetchedAt ?? rotation.beganAt;
  const tookMs = Math.max(0, at - start);
  if (failure !== undefined && before?.step === step && before.failure?.code === failure.code) {
    Object.assign(before, { at, tookMs, count: before.count + 1 });
    return before;
  }
  const told = failure && { code: failure.code, message: failure.message.slice(0, longestMessage) };
  const recorded: RecordedStep = { step, at, tookMs, subject, failure: told, count: 1 };
  const room = failure === undefined ? mostSteps : mostSteps + mostFailures;
  if (rotation.steps.length >= room) {
    rotation.omitted += 1;
    return recorded;
  }
  rotation.steps.push(recorded);
  rotation.lastOf.set(owner, recorded);
  return recorded;
}

/** About what it takes in memory. */
export function bytesOf({ subject, failure }: RecordedStep): number {
  return 160 + (subject?.length ?? 0) + (failure?.message.length ?? 0);
}
