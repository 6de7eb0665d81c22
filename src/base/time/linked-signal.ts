// One abort signal for several reasons to end, let go by hand. AbortSignal.any leaves weak records with the signals that
// it follows until the garbage collector comes: kilobytes for every secret that is polled under one lifetime.
export interface LinkedSignal {
  readonly signal: AbortSignal;
  abort(reason?: unknown): void;
  /** Follows its parents no longer; always called when the work is over. */
  release(): void;
}

/**
 * Signals that end with `lifetime` or with one of their own, by one listener on the lifetime for all: requests are many, and
 * a listener is what such a signal costs most.
 */
export function createSignalLinks(lifetime: AbortSignal): (parent: AbortSignal) => LinkedSignal {
  const open = new Set<AbortController>();
  const end = (): void => {
    for (const own of [...open]) own.abort(lifetime.reason);
  };
  lifetime.addEventListener('abort', end, { once: true });
  return (parent) => {
    const own = new AbortController();
    const follow = (): void => own.abort(parent.reason);
    if (parent.aborted) follow();
    else if (lifetime.aborted) own.abort(lifetime.reason);
    else {
      open.add(own);
      parent.addEventListener('abort', follow, { once: true });
    }
    return {
      signal: own.signal,
      abort: (reason) => own.abort(reason),
      release() {
        open.delete(own);
        parent.removeEventListener('abort', follow);
      },
    };
  };
}

/** Aborts with the reason of the first of `parents` that does, or by `abort`. */
export function linkSignals(...parents: readonly AbortSignal[]): LinkedSignal {
  const own = new AbortController();
  const follow = (): void => own.abort(parents.find(({ aborted }) => aborted)?.reason);
  for (const parent of parents) parent.addEventListener('abort', follow, { once: true });
  if (parents.some(({ aborted }) => aborted)) follow();
  return {
    signal: own.signal,
    abort: (reason) => own.abort(reason),
    release() {
      for (const parent of parents) parent.removeEventListener('abort', follow);
    },
  };
}
