// What a request costs while it lasts, counted for whoever makes it: a place among those that have no answer yet, or a stream
// that goes on, and the bytes that are kept for it, of its body and of what its reader has not taken.
import type { Standing } from '../../access/access-policy.ts';
import { createShares, type Shares } from '../listen/shares.ts';

/** Of all listeners. */
export interface RequestShares {
  readonly open: Shares;
  readonly bytes: Shares;
}

const mostOpen = 16_384;
const mostBytes = 64 * 1024 * 1024;

export function createRequestShares(): RequestShares {
  return { open: createShares(() => mostOpen), bytes: createShares(() => mostBytes) };
}

/** What is used up; undefined: there is room for another request of theirs. */
export function usedUp(
  { open, bytes }: RequestShares,
  user: string,
  standing: Standing,
): 'requests that wait' | 'memory' | undefined {
  if (!open.hasRoom(user, standing)) return 'requests that wait';
  return bytes.hasRoom(user, standing) ? undefined : 'memory';
}

export class RequestCosts {
  readonly #shares: RequestShares;
  readonly #user: string;
  readonly #standing: Standing;
  #isOpen = false;
  #isOver = false;
  #kept = 0;
  #unread = 0;

  constructor(shares: RequestShares, user: string, standing: Standing) {
    this.#shares = shares;
    this.#user = user;
    this.#standing = standing;
  }

  /** It lasts. */
  open(): void {
    if (this.#isOpen || this.#isOver) return;
    this.#isOpen = true;
    this.#shares.open.add(this.#user, this.#standing, 1);
  }

  /** So many bytes more are kept until its end. False: that is more than their share. */
  keep(bytes: number): boolean {
    if (this.#isOver) return true;
    this.#kept += bytes;
    this.#shares.bytes.add(this.#user, this.#standing, bytes);
    return this.#shares.bytes.hasRoom(this.#user, this.#standing);
  }

  /** So many bytes of the answer wait for their reader now. */
  setUnread(bytes: number): boolean {
    if (this.#isOver) return true;
    this.#shares.bytes.add(this.#user, this.#standing, bytes - this.#unread);
    this.#unread = bytes;
    return this.#shares.bytes.hasRoom(this.#user, this.#standing);
  }

  end(): void {
    if (this.#isOpen) this.#shares.open.add(this.#user, this.#standing, -1);
    this.#shares.bytes.add(this.#user, this.#standing, -this.#kept - this.#unread);
    this.#isOver = true;
    this.#isOpen = false;
    this.#kept = 0;
    this.#unread = 0;
  }
}
