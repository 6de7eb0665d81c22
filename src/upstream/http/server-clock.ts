// How far the server's clock is from this host's, by the Date of its answers. Dates that the server sets are compared with its
// own time, so that a wrong clock here ends nothing too early and asks for nothing in a loop.

import type { Logger } from '../../base/logger.ts';
import type { Clock } from '../../base/time/clock.ts';

export interface ServerClock {
  /** `sentAt` is the wall time at which the request was sent; now its answer is here. */
  note(date: string | undefined, sentAt: number): void;
  /** The wall time of the server, in milliseconds. */
  wall(): number;
  /**
   * The time since this was asked last that the monotonic clock here did not count: the host slept. Undefined where the server
   * has told no time since `since` (monotonic).
   */
  takeSlept(since: number): number | undefined;
  /** Positive: the server is ahead. 0 while the difference is smaller than can be told. */
  skewMs(): number;
}

/** A Date has whole seconds and travels; what is smaller means nothing. */
const leastMs = 3000;
/** From here on certificates and tokens with dates of their own begin to fail. */
const warnMs = 30_000;
/** An answer that was so long under way tells too little. */
const slowMs = 5000;

export function createServerClock({ clock, logger }: { clock: Clock; logger: Logger }): ServerClock {
  let skewMs = 0;
  let isWarned = false;
  /** The server's time at 0 of the monotonic clock here, and when it was told. */
  let anchor: { zero: number; at: number } | undefined;
  let sleptMs = 0;
  /** Answers of one second bear one Date. */
  let lastDate = { text: '', at: Number.NaN };

  function readDate(text: string): number {
    if (text !== lastDate.text) lastDate = { text, at: Date.parse(text) };
    return lastDate.at;
  }

  function noteAnchor(zero: number): void {
    const moved = anchor === undefined ? 0 : zero - anchor.zero;
    if (moved > leastMs) sleptMs += moved;
    anchor = { zero, at: clock.now() };
  }

  function warn(): void {
    const isFar = Math.abs(skewMs) >= warnMs;
    if (isFar === isWarned) return;
    isWarned = isFar;
    const skew_seconds = Math.round(skewMs / 1000);
    if (isFar)
      logger.warn({ skew_seconds }, 'the clocks of this host and of the upstream differ; check both');
    else logger.info({ skew_seconds }, 'the clocks of this host and of the upstream agree again');
  }

  return {
    note(date, sentAt) {
      const now = clock.wall();
      const told = date === undefined ? Number.NaN : readDate(date);
      if (Number.isNaN(told) || now - sentAt > slowMs || now < sentAt) return;
      // A Date is cut to the second, so on average half a second behind.
      const found = told + 500 - (sentAt + now) / 2;
      noteAnchor(told + 500 + (now - sentAt) / 2 - clock.now());
      skewMs = Math.abs(found) < leastMs ? 0 : found;
      warn();
    },
    wall: () => clock.wall() + skewMs,
    takeSlept(since) {
      if (anchor === undefined || anchor.at < since) return undefined;
      const slept = sleptMs;
      sleptMs = 0;
      return slept;
    },
    skewMs: () => skewMs,
  };
}
