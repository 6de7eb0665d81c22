// A lease without an entry of the store and without a track: a caller's own request got it, and the book alone keeps it.
import type { Clock } from '../../base/time/clock.ts';
import { defaultEntryPolicy } from '../../store/entry.ts';
import type { LeaseBook } from './lease-book.ts';

export interface HeldGrant {
  readonly upstream: string;
  readonly id: string;
  /** For people. */
  readonly key: string;
  readonly durationSeconds: number;
}

export interface HeldLease {
  /** Wall time in milliseconds; undefined: it is gone. */
  endsAt(): number | undefined;
  /** Asks for more time now; what becomes of a failure is the next renewal's. */
  renew(): void;
  /** Renewed no more: left to its own end, or to the engine's. */
  release(): void;
}

interface Parts {
  readonly book: LeaseBook;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/** `grant` must be renewable and fresh. */
export function holdLease(grant: HeldGrant, { book, clock, signal }: Parts): HeldLease {
  // The next start knows nothing of the caller's request.
  const policy = { overlapMs: defaultEntryPolicy.overlapMs, onExit: 'revoke' } as const;
  const lease = book.add({ ...grant, isRenewable: true, users: ['callers'], policy, grantedAt: clock.now() });
  book.supersede(lease);
  const isKept = (): boolean => book.find(lease.upstream, lease.id) === lease;
  return {
    endsAt: () => (isKept() ? clock.wall() + (lease.endsAt - clock.now()) : undefined),
    renew() {
      if (isKept()) book.renew(lease, { signal, priority: 'background' }).catch(() => undefined);
    },
    release: () => book.leaveAlive(lease),
  };
}
