// What a jump of the wall clock means for the plans: the host slept, or somebody set its clock. Only a clock elsewhere can tell,
// so each upstream that has one is asked; where none answers, the time is taken to have passed.

import type { Logger } from '../base/logger.ts';
import type { Clock } from '../base/time/clock.ts';
import type { LeaseBook } from './book/lease-book.ts';
import type { SourceTable } from './source-table.ts';
import type { TrackTable } from './track/track-table.ts';

interface ClockJumpOptions {
  readonly clock: Clock;
  readonly sources: SourceTable;
  readonly book: LeaseBook;
  readonly tracks: () => TrackTable;
  readonly logger: Logger;
  readonly signal: AbortSignal;
  /** Ends have moved. */
  readonly onShifted: () => void;
}

/** A host that wakes may have no network yet: what may have ended is not held to be good for longer. */
const patienceMs = 3000;
/** A server tells its time in whole seconds. */
const leastMs = 5000;

export function createClockJump(options: ClockJumpOptions): (jumpMs: number) => void {
  const { clock, sources, book, logger } = options;

  function shift(upstream: string, passedMs: number): void {
    if (passedMs > 0) book.shift(upstream, passedMs);
    for (const track of options.tracks().ofUpstream(upstream)) track.shift(passedMs);
    options.onShifted();
  }

  /** Of a jump forward. Never rejects. */
  async function askPassed(upstream: string, jumpMs: number): Promise<number> {
    const patience = new AbortController();
    const late = Promise.withResolvers<undefined>();
    const timer = clock.setTimer(patienceMs, () => {
      patience.abort();
      late.resolve(undefined);
    });
    const signal = AbortSignal.any([patience.signal, options.signal]);
    try {
      const asked = sources.find(upstream)?.passedMs?.({ signal, priority: 'interactive' });
      const told = await Promise.race([asked, late.promise]);
      if (told === undefined) return jumpMs;
      const passedMs = told < leastMs ? 0 : Math.min(told, jumpMs);
      if (passedMs === 0)
        logger.info({ upstream }, 'by the clock of the upstream no time has passed: the clock was set');
      return passedMs;
    } catch {
      // It cannot be asked: the time is taken to have passed.
      return jumpMs;
    } finally {
      timer.cancel();
    }
  }

  return (jumpMs) => {
    logger.info(
      { jump_ms: Math.round(jumpMs) },
      'the wall clock jumped or the host slept; every plan is made again',
    );
    const upstreams = new Set([...sources.all()].map(([name]) => name));
    for (const { upstream } of book.leases()) upstreams.add(upstream);
    for (const name of upstreams) {
      const canTell = jumpMs > 0 && sources.find(name)?.passedMs !== undefined;
      if (canTell) void askPassed(name, jumpMs).then((passedMs) => shift(name, passedMs));
      else shift(name, Math.max(0, jumpMs));
    }
  };
}
