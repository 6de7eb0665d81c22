// A Map of what comes and goes for as long as the process lives: requests, timers, waits.

/** Fewer than these are not worth another Map. */
const fewGone = 16;

/**
 * V8 gives a Map another table now and then, and the one before refers to it, for iterators. A table that has outlived two
 * collections of the young so keeps all that come after it, and what was in them, until the whole heap is collected: what
 * lived for a moment counts as lasting. Here that chain ends when as many have gone as are there.
 */
export class PassingMap<K, V> {
  #entries = new Map<K, V>();
  #gone = 0;

  get size(): number {
    return this.#entries.size;
  }

  has(key: K): boolean {
    return this.#entries.has(key);
  }

  get(key: K): V | undefined {
    return this.#entries.get(key);
  }

  set(key: K, value: V): void {
    this.#entries.set(key, value);
  }

  delete(key: K): boolean {
    if (!this.#entries.delete(key)) return false;
    this.#gone += 1;
    const { size } = this.#entries;
    if (size === 0 || this.#gone > Math.max(fewGone, size)) {
      this.#entries = new Map(this.#entries);
      this.#gone = 0;
    }
    return true;
  }

  /** The key that has been there for longest. */
  first(): K | undefined {
    return this.#entries.keys().next().value;
  }

  /** As they are now, in the order in which they came. */
  keys(): K[] {
    return [...this.#entries.keys()];
  }

  values(): V[] {
    return [...this.#entries.values()];
  }
}
