// Keeps every entry of the store current: one track for each secret, one owner for each lease, from the first read to
// the revocation. Composes the parts of this folder; the times are decided in schedule-policy.ts.

import type { Logger } from '../base/logger.ts';
import { type Clock, wallAt } from '../base/time/clock.ts';
import { createChangePoint } from '../base/time/until.ts';
import type { EntryPolicy } from '../store/entry.ts';
import type { HeldLease, Loan } from '../store/loan.ts';
import type { ReadableSource } from '../store/secret-reading.ts';
import type { Store } from '../store/store.ts';
import { sweepAtExit } from './book/exit-sweep.ts';
import { holdLease } from './book/held-lease.ts';
import { createLeaseBook } from './book/lease-book.ts';
import type { LeaseState, OwnedLease } from './book/owned-lease.ts';
import { createUsage, type Usage } from './book/usage.ts';
import { createClockJump } from './clock-jump.ts';
import { createClockWatch } from './clock-watch.ts';
import { createEntryListener } from './entry-listener.ts';
import { createLeaseEnds, type LeaseEnds } from './lease-ends.ts';
import type { LeaseObserver } from './lease-observer.ts';
import { createHandOver, type Seal } from './run/hand-over.ts';
import { createLastRun } from './run/last-run.ts';
import { createRunMemory } from './run/run-memory.ts';
import type { StateFile } from './run/state-file.ts';
import { createWrittenValues, type WrittenValues } from './run/written-values.ts';
import { createSourceTable } from './source-table.ts';
import { closing } from './track/asking.ts';
import { type AskingTracks, createAskingTracks } from './track/asking-tracks.ts';
import { lastingOf, revokeUnleased } from './track/end-old.ts';
import { defaultMaxStaleMs, lastValueDeadline } from './track/failure-policy.ts';
import { createMintFloor } from './track/mint-floor.ts';
import { defaultScheduleLimits, type ScheduleLimits } from './track/schedule-policy.ts';
import { isMinted } from './track/secret-view.ts';
import { createSharedTimers } from './track/shared-timers.ts';
import { createTellNews } from './track/tell-news.ts';
import { createTrackTable } from './track/track-table.ts';

export interface LeaseEngineOptions {
  store: Store;
  upstreams: ReadonlyMap<string, ReadableSource>;
  clock: Clock;
  /** Numbers in [0, 1). */
  random: () => number;
  logger: Logger;
  /** What the config calls an entry, for log lines; absent: nothing has a name. */
  namesOf?: (entryKey: string) => readonly string[];
  /** Absent: nothing is remembered beyond the process. */
  stateFile?: StateFile;
  /** What seals the credentials and certificates for the next start; absent: they are made again by it. */
  handOver?: Seal | undefined;
  /** Left to its end by this run and by the next, whatever is revoked; absent: none is. */
  livesOn?: ((lease: OwnedLease) => boolean) | undefined;
  limits?: Partial<EngineLimits>;
  observer?: LeaseObserver;
}

export interface EngineLimits {
  readonly schedule: ScheduleLimits;
  /** How often wall time is compared with monotonic time, and what difference counts (default 5 s, 2 s). */
  readonly watchIntervalMs: number;
  readonly jumpThresholdMs: number;
  /** How long leases of the last run wait for somebody to hold the new version (default 5 min). */
  readonly lastRunGraceMs: number;
}

export interface LeaseStatus {
  readonly key: string;
  readonly upstream: string;
  readonly leaseId: string;
  readonly state: LeaseState;
  /** Wall time in milliseconds. */
  readonly expiresAt: number;
  readonly onExit: EntryPolicy['onExit'];
}

export interface LastValueEnd {
  readonly until: number | undefined;
  /** `end`: no key, the credential itself. */
  readonly by: 'max_stale' | 'on_stale' | 'on_removed' | 'on_denied' | 'end';
  /** What counts for `max_stale`. */
  readonly maxStaleMs: number;
  /** The config does not say it. */
  readonly isDefault: boolean;
}

export interface LeaseEngine extends Usage, AskingTracks, LeaseEnds {
  /** Begins with the entries that the store has, and follows it from then on. */
  start(): void;
  /** What failed because upstream was away is tried again soon: most urgent first, the rest spread. */
  upstreamRecovered(upstream: string): void;
  /** It fails at once by now, and for another reason than before. */
  upstreamFailing(upstream: string): void;
  /** Leases of one that has gone, or has another under its name, are renewed and revoked there until they are gone. */
  setUpstreams(upstreams: ReadonlyMap<string, ReadableSource>): void;
  /** For the next run: these bytes with these versions are about to be in a file; calls what is returned when they are. */
  noteWritten: WrittenValues['note'];
  /** Writes the state file soon, whether anything has changed or not. */
  remember(): void;
  leases(): Iterable<LeaseStatus>;
  /** Wall time in milliseconds for those who show it: where the clock was set, every end that is shown has moved by then. */
  wall(): number;
  /**
   * When the value of an entry that upstream does not confirm is handed out no more (wall time; undefined: never), and by which
   * key of the secret; undefined: it is confirmed, or there is none.
   */
  lastValueEnd(entryKey: string): LastValueEnd | undefined;
  /** What lives on to its own end, whatever is revoked, and why. */
  lasting(): { readonly key: string; readonly why: string }[];
  /** Owns what a caller's own request just got and can be renewed: renewed while it is wanted, the agent's own revoked at exit. */
  hold(loan: Loan): HeldLease;
  /** Upstreams whose login ends with this run: what it was done with is used up, and there is no way to hand it on. */
  lostLogins(): string[];
  /** The consumers are about to close: what they give up from now on is not given back to upstream. */
  quiesce(): void;
  /**
   * Stops and revokes where `on_exit: revoke` says so; gives up when the signal comes or upstream does not answer for a
   * second. What lives on is in `leases` and in the state file. `onExit` counts instead of each lease's own. Resolves with
   * the upstreams whose login the next run goes on with.
   */
  close(options: {
    signal: AbortSignal;
    onExit?: EntryPolicy['onExit'] | undefined;
    /** What was issued without a lease is revoked too. */
    revokesAll?: boolean | undefined;
  }): Promise<{ logins: ReadonlySet<string> }>;
}

const defaultLimits: EngineLimits = {
  schedule: defaultScheduleLimits,
  watchIntervalMs: 5000,
  jumpThresholdMs: 2000,
  lastRunGraceMs: 300_000,
};

export function createLeaseEngine(options: LeaseEngineOptions): LeaseEngine {
  const { store, clock, logger } = options;
  const limits = { ...defaultLimits, ...options.limits };
  const { observer = {}, livesOn = () => false } = options;
  const life = new AbortController();
  const repeatable = new AbortController();
  const written = createWrittenValues(() => memory.save());
  const handOver = options.handOver && createHandOver({ ...options.handOver, written });

  const news = createChangePoint();
  const sources = createSourceTable(options.upstreams, news.tell);
  const own = { ...options, limits: limits.schedule, sources, observer, signal: life.signal };
  const book = createLeaseBook({
    ...own,
    onChange() {
      memory.save();
      tracks.sweep();
      news.tell();
    },
  });
  const memory = createRunMemory({
    ...{ clock, book, sources, file: options.stateFile, handOver },
    tracks: () => tracks,
    restUntil: clock.now() + limits.lastRunGraceMs,
    livesOn,
  });
  const lastRun = createLastRun({ clock, store, book, graceMs: limits.lastRunGraceMs });
  const watch = createClockWatch({
    clock,
    intervalMs: limits.watchIntervalMs,
    thresholdMs: limits.jumpThresholdMs,
    onJump: createClockJump({
      ...{ clock, sources, book, logger, signal: life.signal, onShifted: () => memory.save() },
      tracks: () => tracks,
    }),
  });
  const floor = createMintFloor(limits.schedule);
  const ending = { ...own, book };
  const tracks = createTrackTable({
    ...ending,
    ...{ floor, handOver },
    tell: createTellNews(logger),
    timers: createSharedTimers(clock),
    namesOf: options.namesOf ?? (() => []),
    repeatable: repeatable.signal,
  });

  const entries = createEntryListener({ store, book, tracks, memory, lastRun });
  const ends = createLeaseEnds({ clock, book, sources, floor, tracks });
  const asking = createAskingTracks({ ...ending, tracks, lookAtClock: watch.check });

  function quiesce(): void {
    memory.freeze();
    entries.leave();
  }

  /** What can be repeated is given up. */
  async function stopTracks(): Promise<void> {
    const stopped = Array.from(tracks.all(), (track) => track.stop());
    repeatable.abort(closing());
    await Promise.all(stopped);
  }

  function upstreamRecovered(upstream: string): void {
    for (const track of tracks.ofUpstream(upstream)) track.upstreamRecovered();
  }

  return {
    start() {
      const left = options.stateFile?.load();
      if (left !== undefined) {
        lastRun.adopt(left.leases, memory.resumeLogins(left));
        handOver?.adopt(left.values);
      }
      entries.follow();
      watch.start();
    },
    ...asking,
    noteWritten: written.note,
    wall: watch.wall,
    remember: () => memory.save(),
    upstreamRecovered,
    upstreamFailing(upstream) {
      for (const track of tracks.ofUpstream(upstream)) track.upstreamFailing();
    },
    ...ends,
    setUpstreams(upstreams) {
      const affected = [...tracks.all()].filter(
        ({ reference: { upstream } }) => upstreams.get(upstream) !== sources.find(upstream),
      );
      sources.replace(upstreams);
      book.upstreamsReplaced();
      for (const track of affected) {
        const { value, failure } = track.view();
        const isLacking = value === undefined || failure?.code === 'config_invalid';
        // A credential that was issued lives on in the upstream that made it; of all else the other one has its own.
        const isOther = isLacking || !isMinted(value.kind);
        if (isOther && upstreams.has(track.reference.upstream))
          void track.ask('due', isLacking ? 'interactive' : 'background', 'retry');
        else track.replan();
      }
    },
    ...createUsage({ clock, book, sources, changes: news.changes }),
    *leases() {
      for (const lease of book.leases()) {
        const { key, upstream, id: leaseId, state: leaseState, endsAt, policy } = lease;
        const expiresAt = wallAt(clock, endsAt);
        yield { key, upstream, leaseId, state: leaseState, expiresAt, onExit: policy.onExit };
      }
    },
    lastValueEnd(entryKey) {
      const view = tracks.ofEntry(entryKey)?.view();
      const deadline = view && lastValueDeadline(view);
      if (deadline === undefined) return undefined;
      const { maxStaleMs } = view?.policy ?? {};
      return {
        until: deadline.at === undefined ? undefined : wallAt(clock, deadline.at),
        by: deadline.by,
        maxStaleMs: maxStaleMs ?? defaultMaxStaleMs,
        isDefault: maxStaleMs === undefined,
      };
    },
    lasting: () => lastingOf(store, sources),
    hold: (loan) => holdLease(loan, { book, clock, signal: life.signal, lookAtClock: watch.check }),
    lostLogins: memory.lostLogins,
    quiesce,
    async close({ signal, onExit, revokesAll = false }) {
      quiesce();
      watch.close();
      lastRun.close();
      book.stop();
      await sweepAtExit({
        clock,
        book,
        signal,
        onExitOf: (lease) => (livesOn(lease) ? 'keep' : (onExit ?? lease.policy.onExit)),
        stopTracks,
        revokeUnleased: () =>
          revokesAll ? revokeUnleased(tracks.all(), { ...ending, signal }) : Promise.resolve(),
        giveUp: () => life.abort(closing()),
      });
      return { logins: await memory.finish({ forgetsAll: onExit === 'revoke' }) };
    },
  };
}
