// Keeps a cloud identity (keys, an access token) for its life: one refresh at a time, well before its end, and the old one for
// as long as it is good when that fails.

import { describeError, errorCode } from '../../base/errors.ts';
import type { Logger } from '../../base/logger.ts';
import { orAborted } from '../../base/time/aborted.ts';
import type { Clock } from '../../base/time/clock.ts';
import { type Moment, momentNow, passedSince } from '../../base/time/moment.ts';
import type { GateObserver } from '../gate/gate.ts';

export interface CloudIdentity {
  /** Wall time in milliseconds; undefined: it has no end. */
  readonly expiresAt: number | undefined;
}

export interface IdentityKeeper<T extends CloudIdentity> {
  /** Rejects with `login_failed` where there is none and none can be had, and with the signal's reason. */
  get(signal: AbortSignal): Promise<T>;
  /** It was refused: the next one asks for another. */
  forget(identity: T): void;
  current(): T | undefined;
}

export interface IdentityKeeperOptions<T extends CloudIdentity> {
  readonly clock: Clock;
  readonly logger: Logger;
  /** Counts logins. */
  readonly observer?: GateObserver | undefined;
  /** It goes on for the others when the one who asked first gives up. */
  fetch(signal: AbortSignal): Promise<T>;
}

/** Replaced at 80 % of its life, or so long before its end where that is later. */
const leadMs = 300_000;
/** For one that hangs. */
const fetchLimitMs = 60_000;
/** After a refresh that failed, while the old one is still good; and for one that seems over as it comes. */
const retryMs = 30_000;

export function createIdentityKeeper<T extends CloudIdentity>(
  options: IdentityKeeperOptions<T>,
): IdentityKeeper<T> {
  const { clock, logger } = options;
  let held: { identity: T; lifeMs: number; since: Moment; refreshAfterMs: number } | undefined;
  let fetching: Promise<T> | undefined;

  function keep(identity: T): T {
    const { expiresAt } = identity;
    const lifeMs = expiresAt === undefined ? Number.POSITIVE_INFINITY : expiresAt - clock.wall();
    // One that is over by our clock as it comes: the clock may be wrong, and asking at every request would not set it right.
    const refreshAfterMs = lifeMs <= 0 ? retryMs : Math.max(lifeMs - leadMs, Math.min(lifeMs * 0.8, lifeMs));
    held = { identity, lifeMs, since: momentNow(clock), refreshAfterMs };
    return identity;
  }

  async function refresh(): Promise<T> {
    try {
      const identity = await options.fetch(AbortSignal.timeout(fetchLimitMs));
      options.observer?.loggedIn('ok');
      return keep(identity);
    } catch (error) {
      options.observer?.loggedIn(errorCode(error));
      const passedMs = held === undefined ? 0 : passedSince(held.since, clock);
      if (held === undefined || held.lifeMs <= passedMs) throw error;
      logger.warn(
        { error: describeError(error) },
        'credentials cannot be renewed, the old ones are good for some time',
      );
      held.refreshAfterMs = passedMs + retryMs;
      return held.identity;
    }
  }

  return {
    async get(signal) {
      if (held !== undefined && passedSince(held.since, clock) < held.refreshAfterMs) return held.identity;
      fetching ??= refresh().finally(() => {
        fetching = undefined;
      });
      return await orAborted(fetching, signal);
    },
    forget(identity) {
      if (held?.identity === identity) held = undefined;
    },
    current: () => held?.identity,
  };
}
