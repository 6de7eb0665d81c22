// Every lease that the agent answers for, from the grant to its end. The current lease of a secret is renewed by its
// track; here the superseded ones are kept alive while somebody still holds them, and those that nobody holds are revoked.
import { backoffDelayMs } from '../base/backoff.ts';
import type { Clock, Timer } from '../base/clock.ts';
import { describeError, errorCode, LatchkeyError } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import { isExhausted, renewDelayMs } from '../base/renewal-policy.ts';
import type { EntryPolicy } from '../store/entry.ts';
import type { LeaseRequests, ReadableSource, RequestOptions } from '../store/secret-reading.ts';
import type { ScheduleLimits } from './schedule-policy.ts';
import type { SourceTable } from './source-table.ts';

export type LeaseState = 'current' | 'superseded' | 'retiring';

/** Times are monotonic milliseconds. */
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
  readonly users: Set<string>;
  policy: Pick<EntryPolicy, 'overlapMs' | 'onExit'>;
  state: LeaseState;
  endsAt: number;
  /** The last grant or renewal, and what it gave. */
  confirmedAt: number;
  grantedMs: number;
  canRenew: boolean;
  isDoubtful: boolean;
  /** No renewal moves its end beyond: the token that it was issued under ends. Infinity: none is known. */
  latestEnd: number;
  /** Its end is that of the token that it was issued under. */
  endsWithToken: boolean;
  /** It leaked: no overlap once its users have moved. */
  isCondemned: boolean;
}

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
  /** For one that was granted by the last run. */
  readonly endsAt?: number;
  /** When the token that it was issued under ends. */
  readonly latestEnd?: number;
}

export interface LeaseBook {
  /** A new current lease; the same lease once more moves its end. */
  add(grant: LeaseGrant): OwnedLease;
  find(upstream: string, leaseId: string): OwnedLease | undefined;
  has(lease: OwnedLease): boolean;
  /** Asks upstream for more time. A lease that is lost leaves the book. Rejects as upstream does. */
  renew(lease: OwnedLease, options: RequestOptions): Promise<void>;
  /** Its secret has another one now: kept alive here for those who still use it. */
  supersede(lease: OwnedLease): void;
  /** `user` does not use it any more; the last one leaving a lease that is not current retires it after its overlap. */
  leave(lease: OwnedLease, user: string): void;
  /** Revoked after `delayMs`, again and again until upstream has done so or it has ended by itself. */
  retire(lease: OwnedLease, delayMs: number): void;
  /** Gives it no overlap: revoked as soon as nobody uses it. Resolves when it is gone. */
  condemn(lease: OwnedLease): Promise<void>;
  /** Its secret is wanted again before it was revoked: current once more; returns false where that comes too late. */
  reclaim(lease: OwnedLease): boolean;
  /** Nobody uses it here, but somebody else may: left to its own end. */
  leaveAlive(lease: OwnedLease): void;
  /** It is gone. */
  forget(lease: OwnedLease): void;
  leases(): IterableIterator<OwnedLease>;
  /** Current leases of upstreams that are no more are renewed no more: they are replaced before they end. */
  upstreamsReplaced(): void;
  /** Its end at the latest, whatever is renewed. */
  capEnd(lease: OwnedLease, endsAt: number): void;
  /** The wall clock ran on by `jumpMs` while the monotonic one stood. */
  shift(jumpMs: number): void;
  /** Revokes `lease` now, with a few tries until `signal`; resolves with whether it is gone. */
  revokeNow(lease: OwnedLease, signal: AbortSignal): Promise<boolean>;
  /** Stops every timer; the book stays readable. */
  stop(): void;
}

interface BookOptions {
  clock: Clock;
  random: () => number;
  limits: ScheduleLimits;
  sources: SourceTable;
  logger: Logger;
  signal: AbortSignal;
  onChange: () => void;
}

interface Task {
  timer: Timer | undefined;
  dueAt: number;
  failures: number;
  /** Upstream was asked to revoke it: from then on it may be gone. */
  isRevoking: boolean;
}

export function createLeaseBook(options: BookOptions): LeaseBook {
  const { clock, random, limits, sources, logger, signal, onChange } = options;
  const leases = new Map<string, OwnedLease>();
  const tasks = new Map<OwnedLease, Task>();
  const awaited = new Map<OwnedLease, PromiseWithResolvers<void>>();

  const has = (lease: OwnedLease): boolean => leases.get(bookKey(lease.upstream, lease.id)) === lease;

  function schedule(lease: OwnedLease, dueAt: number, failures: number): void {
    tasks.get(lease)?.timer?.cancel();
    if (signal.aborted) return;
    const isRevoking = tasks.get(lease)?.isRevoking ?? false;
    const task: Task = { timer: undefined, dueAt, failures, isRevoking };
    const now = clock.now();
    const wakeAt = lease.endsAt > now ? Math.min(dueAt, lease.endsAt) : dueAt;
    task.timer = clock.setTimer(wakeAt - now, () => void run(lease, task));
    tasks.set(lease, task);
  }

  function forget(lease: OwnedLease): void {
    tasks.get(lease)?.timer?.cancel();
    tasks.delete(lease);
    if (!has(lease)) return;
    leases.delete(bookKey(lease.upstream, lease.id));
    awaited.get(lease)?.resolve();
    awaited.delete(lease);
    onChange();
  }

  async function run(lease: OwnedLease, task: Task): Promise<void> {
    const now = clock.now();
    const isEnded = now >= lease.endsAt;
    // After a jump of the clock the end is a guess, so a last request makes sure where there is one to send.
    const canTell = lease.isDoubtful && (lease.state === 'retiring' || lease.canRenew);
    if (isEnded && !canTell) return forget(lease);
    if (now < task.dueAt && !isEnded) return schedule(lease, task.dueAt, task.failures);
    if (sources.isAway(lease.upstream, lease.issuer)) {
      return schedule(lease, now + limits.retry.minMs * (4 + 6 * random()), task.failures);
    }
    try {
      task.isRevoking = lease.state === 'retiring';
      if (task.isRevoking) await revoke(lease, { signal, priority: 'background' });
      else await keepAlive(lease);
    } catch (error) {
      if (signal.aborted || tasks.get(lease) !== task) return;
      if (isEnded) return forget(lease);
      if (task.isRevoking && errorCode(error) === 'denied') {
        logger.warn(
          { lease: lease.key },
          `a lease that nobody uses any more is left to its end: ${describeError(error)}`,
        );
        return schedule(lease, Number.POSITIVE_INFINITY, 0);
      }
      logger.debug(
        { lease: lease.key, code: errorCode(error) },
        `could not ${lease.state === 'retiring' ? 'revoke' : 'renew'} a superseded lease`,
      );
      schedule(
        lease,
        clock.now() + backoffDelayMs(task.failures + 1, limits.retry, random),
        task.failures + 1,
      );
    }
  }

  async function keepAlive(lease: OwnedLease): Promise<void> {
    if (lease.canRenew) await renew(lease, { signal, priority: 'background' });
    if (lease.state === 'superseded') schedule(lease, renewalAt(lease), 0);
  }

  /** Never where it cannot be renewed: then only its end counts. */
  function renewalAt(lease: OwnedLease): number {
    if (!lease.canRenew) return Number.POSITIVE_INFINITY;
    return Math.max(
      clock.now() + limits.minIntervalMs,
      lease.confirmedAt + renewDelayMs(lease.endsAt - lease.confirmedAt, random),
    );
  }

  async function renew(lease: OwnedLease, request: RequestOptions): Promise<void> {
    const sentAt = clock.now();
    try {
      const answer = await sources.call(
        lease.upstream,
        (source) => leasesOf(source).renew(lease.id, lease.askedSeconds, request),
        lease.issuer,
      );
      applyRenewal(lease, answer, sentAt);
      holdToUpstream(lease);
      onChange();
    } catch (error) {
      if (errorCode(error) === 'lease_lost') forget(lease);
      throw error;
    }
    if (lease.endsAt <= clock.now()) {
      forget(lease);
      throw new LatchkeyError('lease_lost', `the lease of ${lease.key} was renewed for no time at all`);
    }
  }

  async function revoke(lease: OwnedLease, request: RequestOptions): Promise<void> {
    try {
      await sources.call(
        lease.upstream,
        (source) => leasesOf(source).revoke(lease.id, request),
        lease.issuer,
      );
      logger.info({ lease: lease.key }, 'revoked a lease that nobody uses any more');
    } catch (error) {
      if (errorCode(error) !== 'lease_lost') throw error;
    }
    forget(lease);
  }

  function holdToUpstream(lease: OwnedLease): void {
    if (lease.state === 'current' && lease.issuer !== sources.find(lease.upstream)) lease.canRenew = false;
  }

  function retire(lease: OwnedLease, delayMs: number): void {
    if (!has(lease)) return;
    lease.state = 'retiring';
    schedule(lease, clock.now() + delayMs, 0);
    onChange();
  }

  return {
    add(grant) {
      const key = bookKey(grant.upstream, grant.id);
      const lease = leases.get(key);
      const renewed = createLease(grant, grant.issuer ?? sources.find(grant.upstream));
      holdToUpstream(renewed);
      if (lease !== undefined) {
        const { endsAt, confirmedAt, grantedMs, canRenew } = renewed;
        Object.assign(lease, { endsAt, confirmedAt, grantedMs, canRenew, isDoubtful: false });
        for (const user of renewed.users) lease.users.add(user);
        return lease;
      }
      leases.set(key, renewed);
      onChange();
      return renewed;
    },
    find: (upstream, leaseId) => leases.get(bookKey(upstream, leaseId)),
    has,
    renew,
    supersede(lease) {
      if (lease.state !== 'current' || !has(lease)) return;
      lease.state = 'superseded';
      if (lease.users.size === 0) retire(lease, overlapOf(lease));
      else schedule(lease, renewalAt(lease), 0);
      onChange();
    },
    leave(lease, user) {
      if (!lease.users.delete(user) || lease.users.size > 0 || lease.state !== 'superseded') return;
      retire(lease, overlapOf(lease));
    },
    retire,
    condemn(lease) {
      if (!has(lease)) return Promise.resolve();
      lease.isCondemned = true;
      if (lease.state === 'retiring' || (lease.state === 'superseded' && lease.users.size === 0))
        retire(lease, 0);
      const gone = awaited.get(lease) ?? Promise.withResolvers<void>();
      awaited.set(lease, gone);
      return gone.promise;
    },
    reclaim(lease) {
      const task = tasks.get(lease);
      if (!has(lease) || lease.endsAt <= clock.now() || task?.isRevoking === true) return false;
      task?.timer?.cancel();
      tasks.delete(lease);
      lease.state = 'current';
      onChange();
      return true;
    },
    leaveAlive(lease) {
      if (!has(lease)) return;
      lease.state = 'superseded';
      schedule(lease, Number.POSITIVE_INFINITY, 0);
      onChange();
    },
    forget,
    leases: () => leases.values(),
    upstreamsReplaced() {
      for (const lease of leases.values()) holdToUpstream(lease);
    },
    capEnd(lease, endsAt) {
      lease.endsWithToken ||= endsAt < lease.endsAt;
      lease.latestEnd = Math.min(lease.latestEnd, endsAt);
      lease.endsAt = Math.min(lease.endsAt, endsAt);
      lease.canRenew = false;
      const task = tasks.get(lease);
      if (task !== undefined) schedule(lease, lease.state === 'superseded' ? lease.endsAt : task.dueAt, 0);
    },
    shift(jumpMs) {
      for (const lease of leases.values()) {
        lease.endsAt -= jumpMs;
        lease.latestEnd -= jumpMs;
        lease.confirmedAt -= jumpMs;
        lease.isDoubtful = true;
        const task = tasks.get(lease);
        if (task !== undefined) schedule(lease, task.dueAt - jumpMs, task.failures);
      }
    },
    async revokeNow(lease, until) {
      for (let attempt = 1; attempt <= 3; attempt += 1) {
        try {
          await revoke(lease, { signal: until, priority: 'interactive' });
          return true;
        } catch (error) {
          if (until.aborted || attempt === 3 || sources.isAway(lease.upstream, lease.issuer)) {
            logger.warn({ lease: lease.key, code: errorCode(error) }, 'could not revoke a lease at exit');
            return false;
          }
          await clock.sleep(100 * attempt * (1 + random()), until).catch(() => undefined);
        }
      }
      return false;
    },
    stop() {
      for (const task of tasks.values()) task.timer?.cancel();
      tasks.clear();
    },
  };
}

function leasesOf({ name, leases }: ReadableSource): LeaseRequests {
  if (leases !== undefined) return leases;
  throw new LatchkeyError('lease_lost', `upstream ${name} keeps no leases`);
}

function bookKey(upstream: string, leaseId: string): string {
  return `${upstream}\n${leaseId}`;
}

function overlapOf({ isCondemned, policy }: OwnedLease): number {
  return isCondemned ? 0 : policy.overlapMs;
}

function createLease(grant: LeaseGrant, issuer: ReadableSource | undefined): OwnedLease {
  const grantedMs = grant.durationSeconds * 1000;
  const { latestEnd = Number.POSITIVE_INFINITY, endsAt = grant.grantedAt + grantedMs } = grant;
  return {
    upstream: grant.upstream,
    issuer,
    id: grant.id,
    key: grant.key,
    askedSeconds: grant.durationSeconds,
    users: new Set(grant.users),
    policy: grant.policy,
    state: 'current',
    endsAt: Math.min(endsAt, latestEnd),
    latestEnd,
    confirmedAt: grant.grantedAt,
    grantedMs,
    canRenew: grant.isRenewable,
    isDoubtful: false,
    endsWithToken: latestEnd < endsAt,
    isCondemned: false,
  };
}

/** The time counts from the sending: upstream cannot have given it earlier. */
function applyRenewal(
  lease: OwnedLease,
  answer: { durationSeconds: number; isRenewable: boolean },
  sentAt: number,
): void {
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
  Object.assign(lease, { endsAt, endsWithToken, grantedMs, canRenew, confirmedAt, isDoubtful: false });
}
