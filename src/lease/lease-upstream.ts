// What the lease engine needs of an upstream; the real ones live elsewhere and are handed in.
import type { Reference } from '../store/reference.ts';
import type { SecretAnswer, SecretVersion } from '../store/secret-version.ts';

/** `interactive`: somebody waits for the answer; `background`: the schedule asked. */
export type Priority = 'interactive' | 'background';

export interface Urgency {
  readonly priority: Priority;
  /** Aborted when somebody begins to wait for a background request: wherever it is queued, it is interactive then. */
  readonly promoted?: AbortSignal | undefined;
}

export interface RequestOptions extends Urgency {
  readonly signal: AbortSignal;
}

/** Rejects with a `LatchkeyError`; `lease_lost` where renew or revoke name a lease that is gone. */
export interface LeaseUpstream {
  readonly name: string;
  read(reference: Reference, options: RequestOptions): Promise<SecretAnswer>;
  /** Whether upstream still has this version; `undefined`: it cannot tell more cheaply than by a read. */
  isCurrent?(
    reference: Reference,
    version: SecretVersion,
    options: RequestOptions,
  ): Promise<boolean | undefined>;
  /** Asks for `incrementSeconds` from now on; the answer may be shorter. */
  renew(
    leaseId: string,
    incrementSeconds: number,
    options: RequestOptions,
  ): Promise<{ durationSeconds: number; isRenewable: boolean }>;
  revoke(leaseId: string, options: RequestOptions): Promise<void>;
  /** Equal for references that mean the same secret (`secret/app`, `secret/data/app`); may change after a read. */
  canonicalKey(reference: Reference): string;
}
