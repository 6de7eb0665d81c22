// One abort signal for several reasons to end, let go by hand. AbortSignal.any leaves weak records with the signals that
// it follows until the garbage collector comes: kilobytes for every secret that is polled under one lifetime.
import { PassingMap } from '../passing-map.ts';

export interface LinkedSignal {
  readonly signal: AbortSignal;
  abort(reason?: unknown): void;
  /** Follows its parents no longer; always called when the work is over. */
  release(): void;
}

type SharedSignal = Omit<LinkedSignal, 'abort'>;

interface OpenLink extends SharedSignal {
  readonly own: AbortController;
  users: number;
}

/**
 * Signals that end with `lifetime` or with one of their own, by one listener on the lifetime for all, and one signal for those
 * that have the same parent at the same time: requests are many, and a signal with its listener is much of what one costs.
 */
export function createSignalLinks(lifetime: AbortSignal): (parent: AbortSignal) => SharedSignal {
  const open = new PassingMap<AbortSignal, OpenLink>();
  const end = (): void => {
    for (const { own } of open.values()) own.abort(lifetime.reason);
  };
  lifetime.addEventListener('abort', end, { once: true });

  function begin(parent: AbortSignal): OpenLink {
    const own = new AbortController();
    const follow = (): void => own.abort(parent.reason);
    const link: OpenLink = {
      ...{ own, signal: own.signal, users: 0 },
      release() {
        link.users -= 1;
        if (link.users > 0) return;
        open.delete(parent);
        parent.removeEventListener('abort', follow);
      },
    };
    open.set(parent, link);
    parent.addEventListener('abort', follow, { once: true });
    return link;
  }

  return (parent) => {
    if (parent.aborted || lifetime.aborted) return endedLink(parent.aborted ? parent : lifetime);
    const link = open.get(parent) ?? begin(parent);
    link.users += 1;
    return link;
  };
}

/** `release` has nothing to let go of. */
function endedLink(signal: AbortSignal): SharedSignal {
  return { signal, release: () => undefined };
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
