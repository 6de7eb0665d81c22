// What an exchange sends when it hands out a secret: bytes and headers that are made once a version, and what is recorded of them.

import type { DeliveredVersion } from '../../audit/ledger.ts';

/** What the answer hands out; for the audit line and the ledger. */
export interface Delivery extends DeliveredVersion {
  readonly field?: string | undefined;
}

/** When an answer tells the right time: from the one wall time (ms) to before the other. */
export interface Validity {
  validFrom: number;
  validUntil: number;
}

export function isValidAt({ validFrom, validUntil }: Validity, wall: number): boolean {
  return validFrom <= wall && wall < validUntil;
}

/** What tells whole seconds, as Date does, is another one then. */
export function nextSecond(wall: number): number {
  return (Math.floor(wall / 1000) + 1) * 1000;
}

/** Head and body in one, of which a part is another one in each answer: it is put in when they are sent. */
export interface StampedWire {
  /** To be sent now. It holds until the next call, or for good where `keepLast` was called before that. */
  next(): Buffer;
  /** What `next` gave last is not with the kernel yet. */
  keepLast(): void;
  /** The body alone, to keep. */
  body(): Buffer;
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
  /** In place of `wire` and `body`, which are as long. */
  readonly stamped?: StampedWire;
  /** Absent: what it hands out is in no store. */
  readonly delivery?: Delivery;
}

export function jsonHeaders(length: number): string[] {
  return ['Content-Type', 'application/json', 'Content-Length', String(length), 'Cache-Control', 'no-store'];
}

/** Of one dialect: callers who ask in many ways for what they may have must not fill the memory. */
export const mostPrepared = { count: 4096, bytes: 32 * 1024 * 1024 };
/** Longer ones are looked at each time: the caller chose their length, and they would stay. */
export const longestKeptUrl = 1024;
