// How far apart logins are, whatever a token says of its life and the server of the token: one that did not last as long as
// the shortest backoff is followed by a wait that grows.
import { type BackoffLimits, backoffDelayMs } from '../../../base/time/backoff.ts';
import type { Clock } from '../../../base/time/clock.ts';

export interface LoginDistance {
  /** A login has brought a token. */
  note(): void;
  /** How long the next login has to wait from now on, in milliseconds; asked when it is due. */
  waitMs(): number;
}

export interface LoginDistanceOptions extends BackoffLimits {
  readonly clock: Clock;
  readonly random: () => number;
}

export function createLoginDistance({ clock, random, ...limits }: LoginDistanceOptions): LoginDistance {
  let loggedInAt: number | undefined;
  let fleeting = 0;
  return {
    note() {
      loggedInAt = clock.now();
    },
    waitMs() {
      if (loggedInAt === undefined) return 0;
      const lived = clock.now() - loggedInAt;
      // Of several tries that follow one token only the first waits because of it.
      loggedInAt = undefined;
      fleeting = lived < limits.minMs ? fleeting + 1 : 0;
      return fleeting === 0 ? 0 : Math.max(0, backoffDelayMs(fleeting, limits, random) - lived);
    },
  };
}
