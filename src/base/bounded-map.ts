// Maps that hold no more than so much.

/** For what may be computed again: when it is full it forgets all, which costs less than keeping an order. */
export class BoundedMap<K, V> extends Map<K, V> {
  readonly #most: number;

  constructor(most: number) {
    super();
    this.#most = most;
  }

  override set(key: K, value: V): this {
    if (this.size >= this.#most && !this.has(key)) this.clear();
    return super.set(key, value);
  }
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

/** For what would be missed: what was set longest ago makes room. */
export class RecentMap<K, V> extends Map<K, V> {
  readonly #most: number;

  constructor(most: number) {
    super();
    this.#most = most;
  }

  override set(key: K, value: V): this {
    this.delete(key);
    const [oldest] = this.keys();
    if (this.size >= this.#most && oldest !== undefined) this.delete(oldest);
    return super.set(key, value);
  }
}
