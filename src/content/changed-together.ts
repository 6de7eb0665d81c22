// Secrets of one consumer are often changed together (user name and password, a certificate and its key), but each is polled
// at its own time. When one has changed, the others of its consumers are looked at now, so that one rendering has them all.
import { BoundedMap } from '../base/bounded-map.ts';
import type { Clock } from '../base/time/clock.ts';
import type { Store } from '../store/store.ts';
import type { ConsumerIndex } from './consumer-index.ts';

interface Options {
  readonly store: Store;
  readonly index: ConsumerIndex;
  readonly clock: Clock;
  /** Polls these entries now, as far as that costs no credential. */
  readonly lookAgain: (keys: readonly string[]) => void;
}

/** What was just looked at was changed then or not at all. */
const calmMs = 2000;
/** A template of thousands must not ask for all of them at each change. */
const mostAtOnce = 100;
const mostRemembered = 10_000;

/** Returns what ends it. */
export function watchChangedTogether({ store, index, clock, lookAgain }: Options): () => void {
  const looked = new BoundedMap<string, number>(mostRemembered);
  return store.listen({
    changed(entry) {
      const { current } = entry;
      if (current?.kind !== 'static' || current.number === 1) return;
      const now = clock.now();
      looked.set(entry.key, now);
      const keys = index
        .siblings(entry.key)
        .filter((key) => now - (looked.get(key) ?? Number.NEGATIVE_INFINITY) >= calmMs)
        .slice(0, mostAtOnce);
      for (const key of keys) looked.set(key, now);
      if (keys.length > 0) lookAgain(keys);
    },
  });
}
