// When nothing of an upstream is used any more: no request to it is under way, and no lease of it lives.
import type { Clock } from '../../base/time/clock.ts';
import { type Changes, nextChange } from '../../base/time/until.ts';
import type { ReadableSource } from '../../store/secret-reading.ts';
import type { SourceTable } from '../source-table.ts';
import type { OwnedLease } from './owned-lease.ts';

interface UsageParts {
  readonly clock: Clock;
  readonly book: { leases(): Iterable<Pick<OwnedLease, 'issuer' | 'mayLastUntil'>> };
  readonly sources: Pick<SourceTable, 'isBusy'>;
  /** A lease has gone, or a request has ended. */
  readonly changes: Changes;
}

export interface Usage {
  /** Whether a request to it is under way, or a lease of it lives. */
  isUsed(upstream: ReadableSource): boolean;
  /** Resolves as soon as it is not; rejects `aborted`. */
  untilUnused(upstream: ReadableSource, signal: AbortSignal): Promise<void>;
}

export function createUsage({ clock, book, sources, changes }: UsageParts): Usage {
  function livingEnds(upstream: ReadableSource): number[] {
    return [...book.leases()].flatMap(({ issuer, mayLastUntil }) =>
      issuer === upstream && mayLastUntil > clock.now() ? [mayLastUntil] : [],
    );
  }

  const isUsed = (upstream: ReadableSource): boolean =>
    sources.isBusy(upstream) || livingEnds(upstream).length > 0;

  return {
    isUsed,
    async untilUnused(upstream, signal) {
      while (isUsed(upstream)) {
        // A lease that just ends is told by nobody.
        const last = Math.max(...livingEnds(upstream));
        await nextChange((listener) => {
          const stop = changes(listener);
          const timer = Number.isFinite(last) ? clock.setTimer(last - clock.now(), listener) : undefined;
          return () => {
            stop();
            timer?.cancel();
          };
        }, signal);
      }
    },
  };
}
