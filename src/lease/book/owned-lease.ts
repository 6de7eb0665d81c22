// One lease as the book keeps it: what is known of it, and what a grant, a renewal, the end of its token and a jump of the
// clock make of that. Pure; times are monotonic milliseconds.
import { isExhausted } from '../../base/time/renewal-policy.ts';
import type { EntryPolicy } from '../../store/entry.ts';
import type { Loan } from '../../store/loan.ts';
import type { LeaseRenewal, ReadableSource } from '../../store/secret-reading.ts';

export type LeaseState = 'current' | 'superseded' | 'retiring';

/** Only the book writes it; everybody else sees it so. */
export interface OwnedLease {
  readonly upstream: string;
  readonly id: string;
  /** Which made it, and renews and revokes it even when another upstream has its name; undefined: any of that name. */
  readonly issuer: ReadableSource | undefined;
  /** The entry that it was made for. */
  readonly key: string;
  /** What each renewal asks for. */
  readonly askedSeconds: number;
  /** Keys of entries that may still use it, or a mark of the last run. */
  readonly users: ReadonlySet<string>;
  readonly policy: Pick<EntryPolicy, 'overlapMs' | 'onExit'>;
  readonly state: LeaseState;
  readonly endsAt: number;
  /** The last grant or renewal, and what it gave. */
  readonly confirmedAt: number;
  readonly grantedMs: number;
  readonly canRenew: boolean;
  /** The clock jumped, or another run was granted it: its end is a guess. */
  readonly isDoubtful: boolean;
  /** It is over then at the latest; only where its end is a guess this is later than `endsAt`. */
  readonly mayLastUntil: number;
  /** No renewal moves its end beyond: the token that it was issued under ends. Infinity: none is known. */
  readonly latestEnd: number;
  /** Its end is that of the token that it was issued under. */
  readonly endsWithToken: boolean;
  /** A caller got it, and no secret has it. */
  readonly loan: Loan | undefined;
  /** It leaked: no overlap once its users have moved. */
  readonly isCondemned: boolean;
}

/** As the book holds it. */
export type KeptLease = { -readonly [K in keyof OwnedLease]: OwnedLease[K] } & {
  readonly users: Set<string>;
};

export interface LeaseGrant {
  readonly upstream: string;
  /** Absent: the one that has the name. */
  readonly issuer?: ReadableSource;
  readonly id: string;
  readonly key: string;
  readonly durationSeconds: number;
  readonly isRenewable: boolean;
  readonly users: Iterable<string>;
  readonly policy: OwnedLease['policy'];
  readonly grantedAt: number;
  /** For one that was granted by the last run, whose end is a guess. */
  readonly endsAt?: number;
  /** When the token that it was issued under ends. */
  readonly latestEnd?: number;
  readonly loan?: Loan;
}

export function createLease(grant: LeaseGrant, issuer: ReadableSource | undefined): KeptLease {
  const grantedMs = grant.durationSeconds * 1000;
  const { latestEnd = Number.POSITIVE_INFINITY, endsAt = grant.grantedAt + grantedMs } = grant;
  const likelyEnd = Math.min(endsAt, latestEnd);
  return {
    upstream: grant.upstream,
    issuer,
    id: grant.id,
    key: grant.key,
    askedSeconds: grant.durationSeconds,
    users: new Set(grant.users),
    policy: grant.policy,
    state: 'current',
    endsAt: likelyEnd,
    // Wall time told its end, and no grant lasts longer than what it gave.
    mayLastUntil: grant.endsAt === undefined ? likelyEnd : Math.max(likelyEnd, grant.grantedAt + grantedMs),
    latestEnd,
    confirmedAt: grant.grantedAt,
    grantedMs,
    canRenew: grant.isRenewable,
    isDoubtful: grant.endsAt !== undefined,
    endsWithToken: latestEnd < endsAt,
    loan: grant.loan,
    isCondemned: false,
  };
}

/** Kept by a token of the caller's, who alone answers for it: not revoked here, and not written down. */
export function isOfCaller({ loan }: Pick<OwnedLease, 'loan'>): boolean {
  return loan?.renew !== undefined;
}

/** The time counts from the sending: upstream cannot have given it earlier. */
export function applyRenewal(lease: KeptLease, answer: LeaseRenewal, sentAt: number): void {
  const grantedMs = answer.durationSeconds * 1000;
  const endsAt = Math.min(sentAt + grantedMs, lease.latestEnd);
  const endsWithToken = endsAt === lease.latestEnd;
  const isCapped = isExhausted({
    isRenewable: answer.isRenewable,
    askedMs: lease.askedSeconds * 1000,
    grantedMs,
    movedMs: endsAt - lease.endsAt,
  });
  const [canRenew, confirmedAt] = [!isCapped && !endsWithToken, sentAt];
  const known = { endsAt, mayLastUntil: endsAt, isDoubtful: false };
  Object.assign(lease, { ...known, endsWithToken, grantedMs, canRenew, confirmedAt });
}

/** Upstream told how much of it is left, which may be less than it was given. */
export function applyLook(lease: KeptLease, endsAt: number, sentAt: number): void {
  Object.assign(lease, { endsAt, mayLastUntil: endsAt, isDoubtful: false, confirmedAt: sentAt });
}

/** The answer to a renewal was lost: upstream may have given what was asked. */
export function mayBeRenewed(lease: KeptLease, now: number): void {
  const end = Math.min(now + lease.askedSeconds * 1000, lease.latestEnd);
  lease.mayLastUntil = Math.max(lease.mayLastUntil, end);
}

/** The same lease was granted once more, to further users. */
export function applyGrant(lease: KeptLease, again: KeptLease): void {
  const { endsAt, mayLastUntil, isDoubtful, confirmedAt, grantedMs, canRenew, loan } = again;
  Object.assign(lease, { endsAt, mayLastUntil, isDoubtful, confirmedAt, grantedMs, canRenew, loan });
  for (const user of again.users) lease.users.add(user);
}

/** It ends at `endsAt` at the latest, and is no longer renewed. */
export function capEnd(lease: KeptLease, endsAt: number): void {
  lease.endsWithToken ||= endsAt < lease.endsAt;
  lease.latestEnd = Math.min(lease.latestEnd, endsAt);
  lease.endsAt = Math.min(lease.endsAt, endsAt);
  lease.mayLastUntil = Math.min(lease.mayLastUntil, endsAt);
  lease.canRenew = false;
}

/** Whether time passed or the clock was set cannot be told: its end comes that much earlier, or where it was. */
export function shiftLease(lease: KeptLease, jumpMs: number): void {
  lease.endsAt -= jumpMs;
  lease.latestEnd -= jumpMs;
  lease.confirmedAt -= jumpMs;
  lease.isDoubtful = true;
}

/** How long it lives when nobody uses it any more. */
export function overlapOf({ isCondemned, policy }: OwnedLease): number {
  return isCondemned ? 0 : policy.overlapMs;
}
