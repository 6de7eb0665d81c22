// The upstreams by name as the engine asks them, and which of them something is under way at. How many requests at a time,
// their end and the outages are the upstream's own gate.
import { LatchkeyError } from '../base/errors.ts';
import type { ReadableSource } from '../store/secret-reading.ts';

export interface SourceTable {
  /** To the upstream of this name, or to `via` whatever has its name by now. Rejects with `config_invalid` when there is none. */
  call<T>(name: string, send: (source: ReadableSource) => Promise<T>, via?: ReadableSource): Promise<T>;
  find(name: string): ReadableSource | undefined;
  all(): IterableIterator<[string, ReadableSource]>;
  /** Asking it (or `via`) is pointless until it is told that it serves again. */
  isAway(name: string, via?: ReadableSource): boolean;
  /** Whether a request to it is under way. */
  isBusy(source: ReadableSource): boolean;
  replace(sources: ReadonlyMap<string, ReadableSource>): void;
}

/** `onIdle`: the last request to one of them has ended. */
export function createSourceTable(
  initial: ReadonlyMap<string, ReadableSource>,
  onIdle: () => void,
): SourceTable {
  const busy = new Map<ReadableSource, number>();
  let sources = initial;

  function count(source: ReadableSource, change: 1 | -1): void {
    const requests = (busy.get(source) ?? 0) + change;
    if (requests > 0) busy.set(source, requests);
    else {
      busy.delete(source);
      onIdle();
    }
  }

  return {
    find: (name) => sources.get(name),
    all: () => sources.entries(),
    isAway: (name, via) => (via ?? sources.get(name))?.isAway?.() === true,
    isBusy: (source) => busy.has(source),
    replace(next) {
      sources = next;
    },
    async call(name, send, via) {
      const source = via ?? sources.get(name);
      if (source === undefined) throw noSuchUpstream(name);
      count(source, 1);
      try {
        return await send(source);
      } finally {
        count(source, -1);
      }
    },
  };
}

function noSuchUpstream(name: string): LatchkeyError {
  return new LatchkeyError('config_invalid', `no upstream is named ${JSON.stringify(name)}`, {
    remedy: 'add it under upstreams, or name another one',
  });
}
