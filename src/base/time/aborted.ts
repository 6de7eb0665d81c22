// Waiting that a signal ends. Nothing is left with the signal when the wait is over.

/** Settles as the promise does, or rejects when the signal comes first, with `givenUp` or its reason. The promise goes on for others. */
export async function orAborted<T>(
  promise: Promise<T>,
  signal: AbortSignal,
  givenUp: () => unknown = () => signal.reason,
): Promise<T> {
  if (signal.aborted) throw givenUp();
  const aborted = Promise.withResolvers<never>();
  const giveUp = () => aborted.reject(givenUp());
  signal.addEventListener('abort', giveUp, { once: true });
  try {
    return await Promise.race([promise, aborted.promise]);
  } finally {
    signal.removeEventListener('abort', giveUp);
  }
}

/** Resolves when it is aborted, at once where it was before. */
export function untilAborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
