// A change in two steps: preparing may fail and has no effect, committing has its effect and cannot fail. Several parts
// that are all prepared before the first is committed change together or not at all.

export interface Prepared<T = void> {
  commit(): T | Promise<T>;
  /** Instead of `commit`: lets go of what was prepared. */
  abandon(): void | Promise<void>;
}

/** For a part that has nothing to change. */
export const nothingPrepared: Prepared = { commit() {}, abandon() {} };
