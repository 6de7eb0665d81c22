// Remembers the leases beyond the process, so that the next run goes on with them or revokes them: ids and times, and
// sealed what they gave (hand-over.ts); mode 0600; replaced as a whole. It belongs to the process that wrote it while that
// lives.

import type { Logger } from '../../base/logger.ts';
import { readControlledFileSync } from '../../base/paths/controlled-file.ts';
import { pathErrorText, trusting } from '../../base/paths/path-trust.ts';
import { removeFile } from '../../base/paths/remove-file.ts';
import { replaceFile, replaceFileSync } from '../../base/paths/replace-file.ts';
import { errnoOf } from '../../base/system/errno.ts';
import { processStartTime } from '../../base/system/process-identity.ts';
import type { BootClock } from '../../base/time/boot-clock.ts';
import type { Clock, Timer } from '../../base/time/clock.ts';

/** One lease as the file holds it; `expiresAt` is wall time in milliseconds. */
export interface LeaseRecord {
  readonly upstream: string;
  readonly key: string;
  readonly leaseId: string;
  readonly durationSeconds: number;
  readonly isRenewable: boolean;
  readonly expiresAt: number;
  readonly overlapMs: number;
  readonly onExit: 'revoke' | 'keep';
  /** When the token that it was issued under ends unless somebody renews it; absent: never, or not known. */
  readonly tokenEndsAt?: number;
  /** That token is the login in use, and lives on with it. */
  readonly isOfLogin?: boolean;
}

/** A credential or certificate of an entry; `sealed` is nothing that a reader of the file can open. Times are wall time. */
export interface ValueRecord {
  readonly upstream: string;
  readonly key: string;
  readonly obtainedAt: number;
  readonly ownEnd: number | null;
  readonly lifeMs: number;
  readonly sealed: string;
  /** Files that have the whole value in them; `sealed` by what is in each. */
  readonly inFiles?: readonly FileCopyRecord[];
}

export interface FileCopyRecord {
  readonly path: string;
  /** Who else may have a hand in it. */
  readonly owner?: number;
  readonly sealed: string;
}

/** The login of an upstream, sealed as values are. */
export interface LoginRecord {
  readonly upstream: string;
  readonly sealed: string;
}

export interface SavedState {
  readonly leases: readonly LeaseRecord[];
  readonly values: readonly ValueRecord[];
  readonly logins: readonly LoginRecord[];
}

export interface StateFile {
  /**
   * What the last run left; nothing where there is no file, it cannot be understood (it is kept as `.corrupt`), or a
   * living process uses it: then its leases are none of ours, and nothing is written either.
   */
  load(): SavedState;
  /** Writes `state()` soon; several calls make one write. */
  save(state: () => SavedState): void;
  /** Why the last write did not come to be; undefined: it did. */
  failure(): string | undefined;
  /** Resolves when all that was saved is in the file, or could not be written; then it is not tried again. */
  flush(): Promise<void>;
}

/** After a write that failed. */
const againMs = 5_000;
const noState: SavedState = { leases: [], values: [], logins: [] };

interface StateFileOptions {
  readonly path: string;
  /** A file of the same form whose leases are this run's from now on: it goes when they stand in this one. */
  readonly adopts?: string | undefined;
  readonly logger: Logger;
  readonly clock: Clock;
  /** For a wall time; absent: whether the clock was set between two runs is not known. */
  readonly bootClock?: (wallMs: number) => BootClock | undefined;
}

export function createStateFile(options: StateFileOptions): StateFile {
  const { path, adopts, logger, clock, bootClock } = options;
  let wanted: (() => SavedState) | undefined;
  let writing: Promise<void> = Promise.resolve();
  let failure: string | undefined;
  let isShared = false;
  let again: Timer | undefined;
  /** By which the times on disk are to be read. */
  let toldClock: BootClock | undefined;
  let adopted: string | undefined;

  function isAnothers(file: StateContent | undefined): boolean {
    if (file?.owner === undefined || !isOther(file.owner)) return false;
    if (!isShared)
      logger.info(
        { path, pid: file.owner.pid },
        'another agent uses this state file; leases of this one would be left to their end after a crash',
      );
    isShared = true;
    return true;
  }

  function load(): SavedState {
    const file = readState(path, logger);
    if (isAnothers(file)) return noState;
    toldClock = file?.clock;
    const { leases, values, logins } = byClockNow(file ?? noState, options);
    return { leases: [...leases, ...adoptedLeases()], values, logins };
  }

  function adoptedLeases(): readonly LeaseRecord[] {
    const left = adopts === undefined ? undefined : parseState(readQuietly(adopts));
    if (left === undefined || (left.owner !== undefined && isOther(left.owner))) return [];
    adopted = adopts;
    // Nothing else comes to end them.
    return byClockNow(left, options).leases.map((lease) => ({ ...lease, onExit: 'revoke' }));
  }

  async function dropAdopted(): Promise<void> {
    if (adopted === undefined) return;
    await removeFile(adopted).catch(() => undefined); // gone, or read once more by the next start
    adopted = undefined;
  }

  /** The same as long as nobody sets the clock: what has not changed is not written again. */
  function clockNow(): BootClock | undefined {
    const now = bootClock?.(clock.wall());
    const isSame = now?.boot === toldClock?.boot && Math.abs(setBy(toldClock, now)) < leastSetMs;
    if (!isSame) toldClock = now;
    return toldClock;
  }

  async function writeWanted(): Promise<void> {
    const state = wanted;
    wanted = undefined;
    if (state === undefined) return;
    const before = readQuietly(path);
    if (isAnothers(parseState(before))) return;
    try {
      const content = { version: 1, owner: self, clock: clockNow(), ...state() };
      const text = `${JSON.stringify(content, undefined, 1)}\n`;
      // What is on disk by now need not go there again: most changes are of secrets that nothing is remembered of.
      if (text === before && failure === undefined) return;
      await replaceFile(path, text, { mode: 0o600, createMode: 0o700, sweeps: true });
      await dropAdopted();
      if (failure !== undefined) logger.info({ path }, 'the state file is written again');
      failure = undefined;
    } catch (error) {
      if (failure === undefined)
        logger.warn(
          { path, code: pathErrorText(error) },
          'cannot write the state file; leases would be left to their end after a crash',
        );
      failure = pathErrorText(error);
      // Nothing else may come to be written for long, and what is missing is missed after a crash.
      again?.cancel();
      again = clock.setTimer(againMs, () => save(state));
    }
  }

  function save(state: () => SavedState): void {
    const isPlanned = wanted !== undefined;
    wanted = state;
    if (!isPlanned) writing = writing.then(writeWanted);
  }

  return {
    load,
    save,
    failure: () => failure,
    async flush() {
      await writing;
      again?.cancel();
    },
  };
}

/** What stands at this path, for whom it is not; whatever is wrong with it is told to those that it is for. */
export function stateLeftAt({ path, ...options }: StateFileOptions): SavedState {
  return byClockNow(parseState(readQuietly(path)) ?? noState, options);
}

/** The times that were written by a clock which was set since. */
function byClockNow(
  { clock: told, ...state }: SavedState & { readonly clock?: BootClock | undefined },
  { clock, bootClock, logger }: Pick<StateFileOptions, 'clock' | 'bootClock' | 'logger'>,
): SavedState {
  const setMs = setBy(told, bootClock?.(clock.wall()));
  if (Math.abs(setMs) < leastSetMs) return state;
  logger.info(
    { set_seconds: Math.round(setMs / 1000) },
    'the clock of this host was set since the last run; what that one left is read by the new time',
  );
  return movedBy(setMs, state);
}

/** Undefined: there is none, or none that can be used; all but its absence is told. */
function readState(path: string, logger: Logger): StateContent | undefined {
  let text: string;
  try {
    text = readOwn(path);
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT')
      logger.warn(
        { path, code: pathErrorText(error) },
        'cannot read the state file; leases of the last run are left to their end',
      );
    return undefined;
  }
  const content = parseState(text);
  if (content !== undefined) return content;
  logger.warn(
    { path, kept: `${path}.corrupt` },
    'the state file is not what this program writes; leases of the last run are left to their end',
  );
  try {
    replaceFileSync(`${path}.corrupt`, text, { mode: 0o600 });
  } catch (error) {
    logger.warn({ path, code: pathErrorText(error) }, 'cannot keep a copy of the state file');
  }
  return undefined;
}

/** Of tens of thousands of leases. */
const mostBytes = 256 * 1024 * 1024;

/** Nobody else has a hand in its folder, and it was not left there by somebody else. */
function readOwn(path: string): string {
  const { bytes } = readControlledFileSync(path, { maxBytes: mostBytes, trust: trusting() });
  return bytes.toString('utf8');
}

function readQuietly(path: string): string {
  try {
    return readOwn(path);
  } catch {
    // Not there yet, or not to be read: the write tells.
    return '';
  }
}

interface Owner {
  readonly pid: number;
  readonly startTime: string;
}

interface StateContent extends SavedState {
  readonly owner: Owner | undefined;
  readonly clock: BootClock | undefined;
}

/** Less is no more than a clock that is kept right. */
const leastSetMs = 1000;

/** By how much the wall clock was set on between the two; 0 where that cannot be told, for the host was started again. */
function setBy(before: BootClock | undefined, now: BootClock | undefined): number {
  return before !== undefined && before.boot === now?.boot ? now.startedAt - before.startedAt : 0;
}

function movedBy(setMs: number, { leases, values, logins }: SavedState): SavedState {
  return {
    leases: leases.map(({ tokenEndsAt, ...lease }) => ({
      ...{ ...lease, expiresAt: lease.expiresAt + setMs },
      ...(tokenEndsAt === undefined ? {} : { tokenEndsAt: tokenEndsAt + setMs }),
    })),
    values: values.map((value) => ({
      ...{ ...value, obtainedAt: value.obtainedAt + setMs },
      ownEnd: value.ownEnd === null ? null : value.ownEnd + setMs,
    })),
    // Their times are sealed: a login is looked up before it is used.
    logins,
  };
}

const self: Owner = { pid: process.pid, startTime: processStartTime(process.pid) ?? '' };

/** By the start time too, for a pid is soon somebody else's. */
function isOther({ pid, startTime }: Owner): boolean {
  const started = processStartTime(pid);
  return pid !== self.pid && started !== undefined && started === startTime;
}

function parseState(text: string): StateContent | undefined {
  try {
    const file = JSON.parse(text) as Partial<Record<'version' | 'leases' | 'values' | 'logins', unknown>> & {
      owner?: Owner;
      clock?: unknown;
    };
    const { version, owner, leases, values = [], logins = [] } = file ?? {};
    const clock = isBootClock(file?.clock) ? file.clock : undefined;
    if (version !== 1 || !Array.isArray(leases)) return undefined;
    if (!Array.isArray(values) || !Array.isArray(logins)) return undefined;
    if (!leases.every(isRecord)) return undefined;
    // Values of another release are asked for again; their leases count.
    return {
      ...{ owner, clock, leases },
      values: values.filter(isValueRecord),
      logins: logins.filter(isLoginRecord),
    };
  } catch {
    // Not JSON: told by `undefined`.
    return undefined;
  }
}

function isBootClock(value: unknown): value is BootClock {
  if (typeof value !== 'object' || value === null) return false;
  const { boot, startedAt } = value as Record<keyof BootClock, unknown>;
  return typeof boot === 'string' && typeof startedAt === 'number';
}

function isRecord(value: unknown): value is LeaseRecord {
  if (typeof value !== 'object' || value === null) return false;
  const { upstream, key, leaseId, durationSeconds, isRenewable, expiresAt, overlapMs, onExit, tokenEndsAt } =
    value as Record<keyof LeaseRecord, unknown>;
  return (
    [upstream, key, leaseId].every((text) => typeof text === 'string') &&
    [durationSeconds, expiresAt, overlapMs].every((number) => typeof number === 'number') &&
    typeof isRenewable === 'boolean' &&
    (onExit === 'revoke' || onExit === 'keep') &&
    (tokenEndsAt === undefined || typeof tokenEndsAt === 'number')
  );
}

function isLoginRecord(value: unknown): value is LoginRecord {
  if (typeof value !== 'object' || value === null) return false;
  const { upstream, sealed } = value as Record<keyof LoginRecord, unknown>;
  return typeof upstream === 'string' && typeof sealed === 'string';
}

function isValueRecord(value: unknown): value is ValueRecord {
  if (typeof value !== 'object' || value === null) return false;
  const { upstream, key, obtainedAt, ownEnd, lifeMs, sealed, inFiles } = value as Record<
    keyof ValueRecord,
    unknown
  >;
  return (
    [upstream, key, sealed].every((text) => typeof text === 'string') &&
    [obtainedAt, lifeMs].every((number) => typeof number === 'number') &&
    (ownEnd === null || typeof ownEnd === 'number') &&
    (inFiles === undefined || (Array.isArray(inFiles) && inFiles.every(isFileCopy)))
  );
}

function isFileCopy(value: unknown): value is FileCopyRecord {
  if (typeof value !== 'object' || value === null) return false;
  const { path, owner, sealed } = value as Record<keyof FileCopyRecord, unknown>;
  return (
    typeof path === 'string' &&
    typeof sealed === 'string' &&
    (owner === undefined || Number.isSafeInteger(owner))
  );
}
