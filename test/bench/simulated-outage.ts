// The gate of an upstream as the simulation has it: while it is away one request at a time probes it, with backoff, in place of every secret
// retrying on its own. An answer of any kind, also a refusal, ends the outage.
import type { BackoffLimits } from '../../src/base/time/backoff.ts';
import { backoffDelayMs } from '../../src/base/time/backoff.ts';
import { isOutageError } from '../../src/lease/track/failure-policy.ts';

export interface Outage {
  /** Whether scheduled work may send a request now; while away only the probe may. */
  admit(now: number): boolean;
  /** When the next probe is due; undefined: upstream is not away. */
  nextProbeAt(): number | undefined;
  failed(error: unknown, startedAt: number, now: number): void;
  /** Returns whether this ended an outage. */
  answered(): boolean;
}

export function createOutage(options: { limits: BackoffLimits; random: () => number }): Outage {
  const { limits, random } = options;
  let away: { since: number; failures: number; probeAt: number } | undefined;
  const answered = (): boolean => {
    const wasAway = away !== undefined;
    away = undefined;
    return wasAway;
  };
  return {
    admit(now) {
      if (away === undefined) return true;
      if (now < away.probeAt) return false;
      // Reserves the probe: the others wait for its outcome, or for the time of the next one.
      away.probeAt = now + backoffDelayMs(away.failures + 1, limits, random);
      return true;
    },
    nextProbeAt: () => away?.probeAt,
    failed(error, startedAt, now) {
      if (!isOutageError(error)) return;
      if (away === undefined) {
        away = { since: now, failures: 1, probeAt: now + backoffDelayMs(1, limits, random) };
      } else if (startedAt >= away.since) {
        away.failures += 1;
        away.probeAt = now + backoffDelayMs(away.failures, limits, random);
      }
    },
    answered,
  };
}
