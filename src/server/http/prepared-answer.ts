// What an exchange sends when it hands out a secret: bytes and headers that are made once a version, and what is recorded of them.

/** What the answer hands out; for the audit line and the ledger. */
export interface Delivery {
  readonly name: string;
  readonly field?: string | undefined;
  readonly entryKey: string;
  /** The store's own number, and the one that people see. */
  readonly number: number;
  readonly shownVersion: number;
}

export interface PreparedAnswer {
  readonly etag: string;
  /** Name, value, name, value. */
  readonly headers: readonly string[];
  /** Those of a 304. */
  readonly notModifiedHeaders: readonly string[];
  readonly body: Buffer;
  /** Head and body in one, for wire-answer.ts. */
  readonly wire: Buffer;
  readonly delivery: Delivery;
}
