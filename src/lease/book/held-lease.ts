// A lease without an entry of the store and without a track: a caller's own request got it, and the book alone keeps it.
import type { Clock } from '../../base/time/clock.ts';
import { defaultEntryPolicy } from '../../store/entry.ts';
import type { HeldLease, Loan } from '../../store/loan.ts';
import type { LeaseBook } from './lease-book.ts';

interface Parts {
  readonly book: LeaseBook;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Takes up that the host slept since the last look. */
  readonly lookAtClock: () => void;
}

/** `loan` must be renewable and fresh. */
export function holdLease(loan: Loan, { book, clock, signal, lookAtClock }: Parts): HeldLease {
  // The next start knows nothing of the caller's request.
  const policy = { overlapMs: defaultEntryPolicy.overlapMs, onExit: 'revoke' } as const;
  const since = (wall: number): number => clock.now() - (clock.wall() - wall);
  const { upstream, id, key, durationSeconds, sentAt } = loan;
  const lease = book.add({
    ...{ upstream, id, key, durationSeconds, isRenewable: true, users: ['callers'], policy },
    ...{ grantedAt: since(sentAt), loan },
  });
  book.supersede(lease);
  const isKept = (): boolean => book.find(lease.upstream, lease.id) === lease;
  return {
    endsAt() {
      lookAtClock();
      return isKept() ? clock.wall() + (lease.endsAt - clock.now()) : undefined;
    },
    async renew() {
      if (!isKept() || !lease.canRenew || lease.endsAt <= clock.now()) return;
      await book.renew(lease, { signal, priority: 'background', isVital: true }).catch(() => undefined);
    },
    confirm: (leftSeconds, at) => book.confirm(lease, leftSeconds, since(at)),
    release: () => book.leaveAlive(lease),
  };
}
