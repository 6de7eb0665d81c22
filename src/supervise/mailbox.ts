// Wakes a loop that waits for any of several things; what woke it the loop finds out by looking.

export interface Mailbox {
  poke(): void;
  /** Forgets the pokes so far; look at the state of things after it, not before. */
  take(): void;
  /** Resolves with the first poke after the last `take`. */
  wait(): Promise<void>;
}

export function createMailbox(): Mailbox {
  let pending = Promise.withResolvers<void>();
  let isPoked = false;
  return {
    poke() {
      isPoked = true;
      pending.resolve();
    },
    take() {
      if (!isPoked) return;
      isPoked = false;
      pending = Promise.withResolvers();
    },
    wait: () => pending.promise,
  };
}
