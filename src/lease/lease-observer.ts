// What the lease engine tells of its work beside what the store shows of it; must not throw.
import type { Notice } from '../store/notice.ts';

export interface LeaseObserver {
  /** A request is about to be sent for the secret of these entries; what the store tells until `answered` comes of it. */
  asking?(entryKeys: Iterable<string>, notice: Notice): void;
  /** Its end; `failure` is what went wrong. */
  answered?(entryKeys: Iterable<string>, failure: unknown): void;
  /** Upstream has revoked a lease that nobody used any more, or the try has failed. */
  revoked?(upstream: string, leaseId: string, failure: unknown): void;
  /** The same of a superseded version without a lease, by the number that this entry gave it. */
  withdrawn?(entryKey: string, version: number, failure: unknown): void;
}
