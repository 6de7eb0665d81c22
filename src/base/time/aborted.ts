// Waiting that a signal ends. Nothing is left with the signal when the wait is over.
import { PassingMap } from '../passing-map.ts';

interface Listening {
  readonly listeners: PassingMap<() => void, true>;
  readonly tell: () => void;
}

const listening = new WeakMap<AbortSignal, Listening>();

/**
 * Calls it when the signal comes, which it has not yet, or not at all once what is returned was called. One listener of Node's
 * for all who listen to one signal: for each that comes or goes Node looks through all that are there, and thousands of
 * secrets wait under the same one.
 */
export function onAborted(signal: AbortSignal, listener: () => void): () => void {
  const known = listening.get(signal) ?? listenTo(signal);
  // Its own, so that the same function may be given twice.
  const call = (): void => listener();
  known.listeners.set(call, true);
  return () => {
    if (!known.listeners.delete(call) || known.listeners.size > 0) return;
    listening.delete(signal);
    signal.removeEventListener('abort', known.tell);
  };
}

function listenTo(signal: AbortSignal): Listening {
  const listeners = new PassingMap<() => void, true>();
  const tell = (): void => {
    for (const call of listeners.keys()) if (listeners.has(call)) call();
  };
  signal.addEventListener('abort', tell, { once: true });
  const begun = { listeners, tell };
  listening.set(signal, begun);
  return begun;
}

/** Settles as the promise does, or rejects when the signal comes first, with `givenUp` or its reason. The promise goes on for others. */
export async function orAborted<T>(
  promise: Promise<T>,
  signal: AbortSignal,
  givenUp: () => unknown = () => signal.reason,
): Promise<T> {
  if (signal.aborted) throw givenUp();
  const aborted = Promise.withResolvers<never>();
  const leave = onAborted(signal, () => aborted.reject(givenUp()));
  try {
    return await Promise.race([promise, aborted.promise]);
  } finally {
    leave();
  }
}

/** Resolves when it is aborted, at once where it was before. */
export function untilAborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else onAborted(signal, resolve);
  });
}
