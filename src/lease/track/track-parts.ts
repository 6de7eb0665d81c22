// What the tracks of all secrets share.
import type { Logger } from '../../base/logger.ts';
import type { Clock } from '../../base/time/clock.ts';
import type { Store } from '../../store/store.ts';
import type { LeaseBook } from '../book/lease-book.ts';
import type { LeaseObserver } from '../lease-observer.ts';
import type { HandOver } from '../run/hand-over.ts';
import type { SourceTable } from '../source-table.ts';
import type { MintFloor } from './mint-floor.ts';
import type { ScheduleLimits } from './schedule-policy.ts';
import type { SharedTimers } from './shared-timers.ts';
import type { TellNews } from './tell-news.ts';

export interface TrackParts {
  readonly store: Store;
  readonly clock: Clock;
  readonly random: () => number;
  readonly limits: ScheduleLimits;
  readonly logger: Logger;
  readonly tell: TellNews;
  readonly sources: SourceTable;
  readonly book: LeaseBook;
  readonly floor: MintFloor;
  readonly timers: SharedTimers;
  /** Absent: nothing is handed from run to run. */
  readonly handOver: HandOver | undefined;
  /** What the config calls an entry. */
  readonly namesOf: (entryKey: string) => readonly string[];
  readonly observer: LeaseObserver;
  /** Ends with the engine. */
  readonly signal: AbortSignal;
  /** Of requests that lose nothing by it: ends when the engine begins to close. */
  readonly repeatable: AbortSignal;
}
