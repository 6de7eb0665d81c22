// What ends the wait of a session early: between two logins, or while a token is kept alive.
import type { Clock } from '../../../base/time/clock.ts';

export interface Interruption {
  /** What came before ends no wait that begins after this. */
  clear(): void;
  /** Ends the wait that is under way, or the next one. */
  stir(): void;
  /** Aborted by `stir`, and with the lifetime. */
  signal(): AbortSignal;
  /** Resolves after `ms` or when it is stirred; rejects when the lifetime ends. */
  pause(ms: number): Promise<void>;
}

export function createInterruption(clock: Clock, lifetime: AbortSignal): Interruption {
  let stirred = new AbortController();
  const signal = (): AbortSignal => AbortSignal.any([stirred.signal, lifetime]);
  return {
    clear() {
      stirred = new AbortController();
    },
    stir: () => stirred.abort(),
    signal,
    async pause(ms) {
      try {
        await clock.sleep(ms, signal());
      } catch {
        lifetime.throwIfAborted();
      }
    },
  };
}
