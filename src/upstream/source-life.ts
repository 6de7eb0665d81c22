// What a source of every kind has: who listens to it, and an end that is the end of its requests too.
import { LatchkeyError } from '../base/errors.ts';
import { createSignalLinks } from '../base/time/linked-signal.ts';
import type { RequestOptions } from '../store/secret-reading.ts';
import type { SourceListener } from './secret-source.ts';

export interface SourceLife {
  listen(listener: SourceListener): () => void;
  /** Whoever listens. */
  readonly tell: Required<SourceListener>;
  /** From now on nobody does. */
  fallSilent(): void;
  /** Aborted at the end. */
  readonly signal: AbortSignal;
  /** Ends the request with the source, as its own signal does. Rejects `aborted` after the end. */
  during<T>(request: RequestOptions, send: (request: RequestOptions) => Promise<T>): Promise<T>;
  /** Throws `aborted` after the end. */
  mustGoOn(): void;
  /** What is thrown then. */
  closed(): LatchkeyError;
  end(): void;
}

export function createSourceLife(name: string): SourceLife {
  const listeners = new Set<SourceListener>();
  const lifetime = new AbortController();
  const link = createSignalLinks(lifetime.signal);

  const closed = () => new LatchkeyError('aborted', `the upstream ${name} is closed`);

  function mustGoOn(): void {
    if (lifetime.signal.aborted) throw closed();
  }

  return {
    listen(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    tell: {
      status(now) {
        for (const listener of [...listeners]) listener.status?.(now);
      },
      changedUpstream(path) {
        for (const listener of [...listeners]) listener.changedUpstream?.(path);
      },
      leasesEnd(leaseIds, at) {
        for (const listener of [...listeners]) listener.leasesEnd?.(leaseIds, at);
      },
    },
    fallSilent: () => listeners.clear(),
    signal: lifetime.signal,
    async during(request, send) {
      mustGoOn();
      const linked = link(request.signal);
      try {
        return await send({ ...request, signal: linked.signal });
      } finally {
        linked.release();
      }
    },
    mustGoOn,
    closed,
    end: () => lifetime.abort(),
  };
}
