// Maps that hold no more than so much.

/** Of keys that are text: others choose how long paths and names are. */
const mostLetters = 4 * 1024 * 1024;

/** For what may be computed again: when it is full it forgets all, which costs less than keeping an order. */
export class BoundedMap<K, V> extends Map<K, V> {
  readonly #most: number;
  #letters = 0;

  constructor(most: number) {
    super();
    this.#most = most;
  }

  override set(key: K, value: V): this {
    if (!this.has(key)) {
      const letters = lettersOf(key);
      if (this.size >= this.#most || this.#letters + letters > mostLetters) this.clear();
      this.#letters += letters;
    }
    return super.set(key, value);
  }

  override delete(key: K): boolean {
    if (this.has(key)) this.#letters -= lettersOf(key);
    return super.delete(key);
  }

  override clear(): void {
    super.clear();
    this.#letters = 0;
  }
}

function lettersOf(key: unknown): number {
  return typeof key === 'string' ? key.length : 0;
}

/** Likewise, and what it holds weighs no more than so much. */
export class WeighedMap<K, V extends { readonly weight: number }> extends BoundedMap<K, V> {
  readonly #heaviest: number;
  #weight = 0;

  constructor(most: number, heaviest: number) {
    super(most);
    this.#heaviest = heaviest;
  }

  override set(key: K, value: V): this {
    this.delete(key);
    if (this.#weight + value.weight > this.#heaviest) this.clear();
    super.set(key, value);
    this.#weight += value.weight;
    return this;
  }

  override delete(key: K): boolean {
    this.#weight -= this.get(key)?.weight ?? 0;
    return super.delete(key);
  }

  override clear(): void {
    super.clear();
    this.#weight = 0;
  }
}

interface RecentMapOptions<V> {
  /** Of what weighs something: no more than so much in all, but one thing in any case. */
  readonly heaviest?: number;
  weightOf?(value: V): number;
}

/** For what would be missed: what was set longest ago makes room. */
export class RecentMap<K, V> extends Map<K, V> {
  readonly #most: number;
  readonly #heaviest: number;
  readonly #weightOf: (value: V) => number;
  #weight = 0;

  constructor(most: number, options: RecentMapOptions<V> = {}) {
    super();
    this.#most = most;
    this.#heaviest = options.heaviest ?? Number.POSITIVE_INFINITY;
    this.#weightOf = options.weightOf ?? (() => 0);
  }

  override set(key: K, value: V): this {
    this.delete(key);
    const weight = this.#weightOf(value);
    for (const oldest of this.keys()) {
      if (this.size < this.#most && this.#weight + weight <= this.#heaviest) break;
      this.delete(oldest);
    }
    this.#weight += weight;
    return super.set(key, value);
  }

  override delete(key: K): boolean {
    const value = this.get(key);
    if (value !== undefined) this.#weight -= this.#weightOf(value);
    return super.delete(key);
  }

  override clear(): void {
    super.clear();
    this.#weight = 0;
  }
}
