// A point where many can wait for the next signal, each until his own patience ends.
import { LatchkeyError } from '../../../base/errors.ts';

export interface SignalPoint {
  /** Resolves at the next signal; rejects `aborted`. */
  wait(signal: AbortSignal): Promise<void>;
  signal(): void;
}

export function createSignalPoint(): SignalPoint {
  const waiters = new Set<() => void>();
  return {
    async wait(signal) {
      await new Promise<void>((resolve) => {
        const wake = () => {
          signal.removeEventListener('abort', wake);
          waiters.delete(wake);
          resolve();
        };
        waiters.add(wake);
        signal.addEventListener('abort', wake, { once: true });
        if (signal.aborted) wake();
      });
      if (signal.aborted)
        throw new LatchkeyError('aborted', 'the request was given up while it waited for the upstream');
    },
    signal() {
      for (const wake of [...waiters]) wake();
    },
  };
}
