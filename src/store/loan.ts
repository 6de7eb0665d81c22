// What a caller got through the agent and the book keeps without an entry: a token, or a lease. Between the dialect that
// hands it out and the book that renews it.
import type { LeaseRenewal } from './secret-reading.ts';

export interface Loan {
  readonly upstream: string;
  /** The lease's id; of a token something as good that is not the token. */
  readonly id: string;
  /** For people. */
  readonly key: string;
  readonly durationSeconds: number;
  /** When it was asked for: wall time in milliseconds. */
  readonly sentAt: number;
  /** Asked before each renewal: false leaves it to its end. */
  isWanted(): boolean;
  /** It has ended, or upstream has it no more. */
  onGone(): void;
  /** By a token of the caller's; rejects with `lease_lost` where it is gone. Absent: by the agent's own, which revokes it too. */
  renew?(askedSeconds: number, signal: AbortSignal): Promise<LeaseRenewal>;
}

export interface HeldLease {
  /** Wall time in milliseconds; undefined: it is gone. */
  endsAt(): number | undefined;
  /** Asks for more time now, and not by the plan; resolves whatever becomes of it. */
  renew(): Promise<void>;
  /** Upstream was asked at `sentAt` (wall time), and has so much left of it. */
  confirm(leftSeconds: number, sentAt: number): void;
  /** Renewed no more: left to its own end, or to the agent's. */
  release(): void;
}
