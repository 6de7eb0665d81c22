// Whether an upstream as a whole is away: then one request at a time probes it, with backoff, in place of every secret
// retrying on its own. An answer of any kind, also a refusal, ends the outage.
import type { BackoffLimits } from '../base/backoff.ts';
import { backoffDelayMs } from '../base/backoff.ts';
import { errorCode } from '../base/errors.ts';
import { isOutageError } from './failure-policy.ts';

export interface Outage {
  /** Whether scheduled work may send a request now; while away only the probe may. */
  admit(now: number): boolean;
  /** When the next probe is due; undefined: upstream is not away. */
  nextProbeAt(): number | undefined;
  failed(error: unknown, startedAt: number, now: number): void;
  /** Returns whether this ended an outage. */
  answered(): boolean;
  /** Whether a failure is to be told: of those that one outage brings only the first. */
  isNews(): boolean;
}

export function createOutage(options: { limits: BackoffLimits; random: () => number }): Outage {
  const { limits, random } = options;
  let away: { since: number; failures: number; probeAt: number; isTold: boolean } | undefined;
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
        away = { since: now, failures: 1, probeAt: now + backoffDelayMs(1, limits, random), isTold: false };
      } else if (startedAt >= away.since) {
        away.failures += 1;
        away.probeAt = now + backoffDelayMs(away.failures, limits, random);
      }
    },
    answered,
    isNews() {
      const isNews = away?.isTold !== true;
      if (away !== undefined) away.isTold = true;
      return isNews;
    },
  };
}

/** Whether a failure shows that upstream is there: it understood the request and refused it. */
export function isRefusal(error: unknown): boolean {
  const code = errorCode(error);
  return code === 'not_found' || code === 'mount_not_found' || code === 'denied' || code === 'lease_lost';
}
