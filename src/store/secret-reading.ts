// How a secret is asked for, whoever asks and whatever answers: who waits for the answer, what ends the waiting, and the
// part of an upstream that gives secrets. Shared by those who ask (lease) and those who answer (upstream).
import type { SecretValue } from '../base/secret-value.ts';
import type { Reference } from './reference.ts';
import type { SecretAnswer, SecretVersion } from './secret-version.ts';

/** `interactive`: somebody waits for the answer; `background`: the schedule asked. */
export type Priority = 'interactive' | 'background';

export interface Urgency {
  readonly priority: Priority;
  /** Aborted when somebody begins to wait for a background request: wherever it is queued, it is interactive then. */
  readonly promoted?: AbortSignal | undefined;
  /** Something in use ends without it: the renewal of a lease or a token, another credential in the place of one. */
  readonly isVital?: boolean | undefined;
  /** How long a background request may wait for others to go with it, in milliseconds; absent: a second. */
  readonly slackMs?: number;
}

export interface RequestOptions extends Urgency {
  readonly signal: AbortSignal;
}

/** What a renewal gave. */
export interface LeaseRenewal {
  readonly durationSeconds: number;
  readonly isRenewable: boolean;
}

/** For upstreams that lend what they give. Rejects with `lease_lost` where the lease is gone. */
export interface LeaseRequests {
  /** Asks for `incrementSeconds` from now on; the answer may be shorter. */
  renew(leaseId: string, incrementSeconds: number, options: RequestOptions): Promise<LeaseRenewal>;
  revoke(leaseId: string, options: RequestOptions): Promise<void>;
  /**
   * Wall time in milliseconds at which upstream ends the lease whatever is renewed of it: the end of the token that it was
   * issued under, as it is now. Undefined: none, or none is known.
   */
  issuerEndsAt?(leaseId: string): number | undefined;
}

/** For upstreams that issue what has no lease, or what outlives it. */
export interface RevocationRequests {
  /** Why no revocation ends it before its own end, not even that of its lease, and what helps; undefined: one does. */
  whyLasting(reference: Reference, answer: SecretAnswer): string | undefined;
  /** Ends one that has no lease; of one that is gone already it resolves too. */
  revoke(reference: Reference, answer: SecretAnswer, options: RequestOptions): Promise<void>;
}

/** For upstreams that are logged in to: what the next run of the agent may go on with. */
export interface LoginHandOver {
  /** A secret text for `resume`; undefined: there is no login, or it is not the agent's own. */
  handOn(): SecretValue | undefined;
  /** What it was logged in with is used up: the next run cannot log in by itself. */
  isSpent(): boolean;
  /** What it is logged in with can be used again. */
  readonly canRepeat: boolean;
  /** To be called before the start: goes on with the login of the last run, under which these leases were issued. */
  resume(login: SecretValue, leaseIds: readonly string[]): void;
  /** The same with a login that stays another's: it is neither ended nor handed on. */
  borrow(login: SecretValue): void;
}

/** Rejects with a `LatchkeyError`. */
export interface ReadableSource {
  readonly name: string;
  /** Absent: nothing that it gives is renewed or revoked. */
  readonly leases?: LeaseRequests;
  /** Absent: nothing that it gives without a lease can be revoked. */
  readonly revocation?: RevocationRequests;
  /** Absent: there is none, or it is repeated by every run. */
  readonly login?: LoginHandOver;
  /** `known`: what it gave the last time; where nothing has changed it may give that back as it is. */
  read(reference: Reference, options: RequestOptions, known?: SecretAnswer): Promise<SecretAnswer>;
  /** False: `isCurrent` cannot tell of this version, as is known without asking. Absent: it is to be asked. */
  canTell?(reference: Reference, version: SecretVersion): boolean;
  /** Whether upstream still has this version; absent or `undefined`: it cannot tell more cheaply than by a read. */
  isCurrent?(
    reference: Reference,
    version: SecretVersion,
    options: RequestOptions,
  ): Promise<boolean | undefined>;
  /** How another value gets there of what `rotate` cannot make again, as the end of a sentence; absent: it is written there. */
  howToReplace?(reference: Reference, version: SecretVersion): string | undefined;
  /** The server as a whole does not serve, or no login is to be had: asking is pointless until the listener tells that it does. Absent: never. */
  isAway?(): boolean;
  /**
   * How much time has gone by since this was asked last that the monotonic clock of this host does not know of, by the clock of
   * upstream; undefined: it does not tell. Absent: it has none.
   */
  passedMs?(options: RequestOptions): Promise<number | undefined>;
  /** Equal for references that mean the same secret (`secret/app`, `secret/data/app`); may change after a read. */
  canonicalKey(reference: Reference): string;
}
