// Waiting for a condition: asked again after each change, never by a timer.
import { LatchkeyError } from '../errors.ts';

/** Calls the listener at each change, until what it returned is called. */
export type Changes = (listener: () => void) => () => void;

/** The changes of all of these. */
export function anyChange(...all: readonly Changes[]): Changes {
  return (listener) => {
    const stops = all.map((changes) => changes(listener));
    return () => {
      for (const stop of stops) stop();
    };
  };
}

/**
 * Resolves as soon as `isDone`: it is asked at once, again when something has changed since it was asked, and for the
 * last time when the signal is aborted. Rejects `aborted` then.
 */
export async function until(
  changes: Changes,
  isDone: () => boolean | Promise<boolean>,
  signal?: AbortSignal,
): Promise<void> {
  let wake: () => void = () => undefined;
  const stir = (): void => wake();
  const stop = changes(stir);
  signal?.addEventListener('abort', stir, { once: true });
  try {
    for (;;) {
      const changed = new Promise<void>((resolve) => {
        wake = resolve;
      });
      if (await isDone()) return;
      if (signal?.aborted)
        throw new LatchkeyError('aborted', 'the wait was given up', { cause: signal.reason });
      await changed;
    }
  } finally {
    stop();
    signal?.removeEventListener('abort', stir);
  }
}

/** Resolves at the next change, whatever it is; rejects `aborted`. */
export function nextChange(changes: Changes, signal: AbortSignal): Promise<void> {
  let isNext = false;
  return until(
    (listener) =>
      changes(() => {
        isNext = true;
        listener();
      }),
    () => isNext,
    signal,
  );
}

/** A change of one's own, for many who wait. */
export interface ChangePoint {
  readonly changes: Changes;
  tell(): void;
}

export function createChangePoint(): ChangePoint {
  const listeners = new Set<() => void>();
  return {
    changes(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    tell() {
      for (const listener of [...listeners]) listener();
    },
  };
}
