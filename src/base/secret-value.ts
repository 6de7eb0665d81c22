// Bytes that must not be seen: kept in a Buffer (invisible to heap snapshots), redacted wherever they are printed.
import { timingSafeEqual } from 'node:crypto';
import { inspect } from 'node:util';

const redacted = '[redacted]';

/** Holds the bytes of a secret. Whoever calls `bytes` or `text` answers for where they go. */
export class SecretValue {
  readonly #bytes: Buffer;

  private constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  /** Takes the buffer as its own: the caller must not write to it any more. */
  static fromBytes(bytes: Buffer): SecretValue {
    return new SecretValue(bytes);
  }

  static fromText(text: string): SecretValue {
    return new SecretValue(Buffer.from(text, 'utf8'));
  }

  /** The bytes themselves, not a copy. */
  bytes(): Buffer {
    return this.#bytes;
  }

  /** The bytes as UTF-8: a string on the heap that nobody can wipe; prefer `bytes`. */
  text(): string {
    return this.#bytes.toString('utf8');
  }

  get byteLength(): number {
    return this.#bytes.length;
  }

  /** Compares in time that does not depend on where the bytes differ. */
  equals(other: SecretValue): boolean {
    return this.#bytes.length === other.#bytes.length && timingSafeEqual(this.#bytes, other.#bytes);
  }

  toString(): string {
    return redacted;
  }

  toJSON(): string {
    return redacted;
  }

  [inspect.custom](): string {
    return redacted;
  }
}
