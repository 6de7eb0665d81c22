// Every lease that the agent answers for, from the grant to its end. The current lease of a secret is renewed by its
// track; here the superseded ones are kept alive while somebody still holds them, and those that nobody holds are revoked.
// Nobody else writes a lease.

import { describeError, errorCode, LatchkeyError } from '../../base/errors.ts';
import type { Logger } from '../../base/logger.ts';
import { backoffDelayMs } from '../../base/time/backoff.ts';
import type { Clock, Timer } from '../../base/time/clock.ts';
import { renewDelayMs } from '../../base/time/renewal-policy.ts';
import type {
  LeaseRenewal,
  LeaseRequests,
  ReadableSource,
  RequestOptions,
} from '../../store/secret-reading.ts';
import type { LeaseObserver } from '../lease-observer.ts';
import type { SourceTable } from '../source-table.ts';
import { mayHaveTakenEffect } from '../track/failure-policy.ts';
import type { ScheduleLimits } from '../track/schedule-policy.ts';
import {
  applyGrant,
  applyLook,
  applyRenewal,
  capEnd,
  createLease,
  isOfCaller,
  type KeptLease,
  type LeaseGrant,
  mayBeRenewed,
  type OwnedLease,
  overlapOf,
  shiftLease,
} from './owned-lease.ts';

export interface LeaseBook {
  /** A new current lease; the same lease once more moves its end. */
  add(grant: LeaseGrant): OwnedLease;
  find(upstream: string, leaseId: string): OwnedLease | undefined;
  has(lease: OwnedLease): boolean;
  /** Asks upstream for more time. A lease that is lost leaves the book. Rejects as upstream does. */
  renew(lease: OwnedLease, options: RequestOptions): Promise<void>;
  /** Upstream was asked at `sentAt` and told how much is left; the renewal is not put off by that. */
  confirm(lease: OwnedLease, leftSeconds: number, sentAt: number): void;
  /** Its secret has another one now: kept alive here for those who still use it. */
  supersede(lease: OwnedLease): void;
  /** `user` does not use it any more; the last one leaving a lease that is not current retires it after its overlap. */
  leave(lease: OwnedLease, user: string): void;
  use(lease: OwnedLease, user: string): void;
  /** The last user of it, and of its secret, has gone: retired after its overlap, whatever its state. */
  abandon(lease: OwnedLease, user: string): void;
  setPolicy(lease: OwnedLease, policy: OwnedLease['policy']): void;
  /** No request for more time is sent any more; it is good to its end. */
  stopRenewing(lease: OwnedLease): void;
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
  /** But what is a caller's own. */
  leases(): IterableIterator<OwnedLease>;
  /** Current leases of upstreams that have gone are no longer renewed: they are replaced before they end. */
  upstreamsReplaced(): void;
  /** Its end at the latest, whatever is renewed. */
  capEnd(lease: OwnedLease, endsAt: number): void;
  /** For the leases of an upstream the wall clock ran on by `jumpMs` while the monotonic one stood. */
  shift(upstream: string, jumpMs: number): void;
  /** Revokes `lease` now, with a few tries until `signal`; resolves with what stood in the way, or undefined. */
  revokeNow(lease: OwnedLease, signal: AbortSignal): Promise<unknown>;
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
  observer: LeaseObserver;
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
  const { clock, random, limits, sources, logger, signal, observer } = options;
  const leases = new Map<string, KeptLease>();
  const tasks = new Map<OwnedLease, Task>();
  const awaited = new Map<OwnedLease, PromiseWithResolvers<void>>();

  /** To write it. */
  function kept(lease: OwnedLease): KeptLease | undefined {
    const found = leases.get(bookKey(lease.upstream, lease.id));
    return found === lease ? found : undefined;
  }
  const has = (lease: OwnedLease): boolean => kept(lease) !== undefined;

  function onChange(lease: OwnedLease): void {
    if (!isOfCaller(lease)) options.onChange();
  }

  function schedule(lease: OwnedLease, dueAt: number, failures: number): void {
    tasks.get(lease)?.timer?.cancel();
    if (signal.aborted) return;
    const isRevoking = tasks.get(lease)?.isRevoking ?? false;
    const task: Task = { timer: undefined, dueAt, failures, isRevoking };
    const now = clock.now();
    const end = [lease.endsAt, lease.mayLastUntil].find((at) => at > now) ?? dueAt;
    const wakeAt = Math.min(dueAt, end);
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
    lease.loan?.onGone();
    onChange(lease);
  }

  /** Upstream does not have it any more: whoever looks at it from now on sees that it has ended. */
  function lose(lease: OwnedLease): void {
    const own = kept(lease);
    if (own !== undefined) Object.assign(own, { endsAt: Math.min(own.endsAt, clock.now()), canRenew: false });
    forget(lease);
  }

  async function run(lease: OwnedLease, task: Task): Promise<void> {
    const now = clock.now();
    const isEnded = now >= lease.endsAt;
    if (now >= lease.mayLastUntil) return forget(lease);
    // A guess: a request makes sure. Where only a revocation would, its users have not left yet.
    const canTell = lease.state === 'retiring' || lease.canRenew;
    if (isEnded && !canTell) return schedule(lease, Number.POSITIVE_INFINITY, 0);
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
      if (errorCode(error) === 'denied' && (task.isRevoking || isEnded)) return leaveToEnd(lease, error);
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

  /** To its end: upstream lets nobody move that. */
  function leaveToEnd(lease: OwnedLease, error: unknown): void {
    const own = kept(lease);
    if (own !== undefined) own.canRenew = false;
    const told = `a lease that nobody uses any more is left to its end: ${describeError(error)}`;
    if (lease.state === 'retiring' && lease.endsAt > clock.now())
      logger.warn({ event: 'lease.left', lease: lease.key }, told);
    schedule(lease, Number.POSITIVE_INFINITY, 0);
  }

  async function keepAlive(lease: OwnedLease): Promise<void> {
    if (lease.loan?.isWanted() === false) return leaveAlive(lease);
    if (lease.canRenew) await renew(lease, { signal, priority: 'background', isVital: true });
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
      const answer = await askMore(lease, request, sources);
      const own = kept(lease);
      if (own !== undefined) {
        applyRenewal(own, answer, sentAt);
        holdToUpstream(own);
      }
      onChange(lease);
    } catch (error) {
      if (errorCode(error) === 'lease_lost') lose(lease);
      const own = kept(lease);
      if (own !== undefined && mayHaveTakenEffect(error)) mayBeRenewed(own, clock.now());
      throw error;
    }
    if (lease.endsAt <= clock.now()) {
      lose(lease);
      throw new LatchkeyError('lease_lost', `the lease of ${lease.key} was renewed for no time at all`);
    }
  }

  async function revoke(lease: OwnedLease, request: RequestOptions): Promise<void> {
    const source = lease.issuer ?? sources.find(lease.upstream);
    // Nothing is ended by that, so nothing is told of it.
    if (source !== undefined && source.leases === undefined) return forget(lease);
    try {
      await sources.call(
        lease.upstream,
        (source) => leasesOf(source).revoke(lease.id, request),
        lease.issuer,
      );
      logger.info({ lease: lease.key }, 'revoked a lease that nobody uses any more');
    } catch (error) {
      if (errorCode(error) !== 'lease_lost') {
        observer.revoked?.(lease.upstream, lease.id, error);
        throw error;
      }
    }
    observer.revoked?.(lease.upstream, lease.id, undefined);
    forget(lease);
  }

  function holdToUpstream(lease: KeptLease): void {
    if (lease.state === 'current' && lease.issuer !== sources.find(lease.upstream)) lease.canRenew = false;
  }

  /** What a caller alone answers for is nothing to be kept once it is not kept alive. */
  function leaveAlive(lease: OwnedLease): void {
    const own = kept(lease);
    if (own === undefined) return;
    if (isOfCaller(lease)) forget(lease);
    else {
      Object.assign(own, { state: 'superseded', canRenew: false });
      schedule(lease, Number.POSITIVE_INFINITY, 0);
      onChange(lease);
    }
  }

  function retire(lease: OwnedLease, delayMs: number): void {
    const own = kept(lease);
    if (own === undefined) return;
    own.state = 'retiring';
    schedule(lease, clock.now() + delayMs, 0);
    onChange(lease);
  }

  return {
    add(grant) {
      const key = bookKey(grant.upstream, grant.id);
      const lease = leases.get(key);
      const renewed = createLease(grant, grant.issuer ?? sources.find(grant.upstream));
      holdToUpstream(renewed);
      if (lease !== undefined) {
        applyGrant(lease, renewed);
        return lease;
      }
      leases.set(key, renewed);
      onChange(renewed);
      return renewed;
    },
    find: (upstream, leaseId) => leases.get(bookKey(upstream, leaseId)),
    has,
    renew,
    confirm(lease, leftSeconds, sentAt) {
      const own = kept(lease);
      if (own === undefined) return;
      applyLook(own, sentAt + leftSeconds * 1000, sentAt);
      schedule(lease, Math.min(tasks.get(lease)?.dueAt ?? Number.POSITIVE_INFINITY, renewalAt(lease)), 0);
    },
    supersede(lease) {
      const own = kept(lease);
      if (own?.state !== 'current') return;
      own.state = 'superseded';
      if (lease.users.size === 0) retire(lease, overlapOf(lease));
      else schedule(lease, renewalAt(lease), 0);
      onChange(lease);
    },
    leave(lease, user) {
      const own = kept(lease);
      if (own?.users.delete(user) !== true || own.users.size > 0 || own.state !== 'superseded') return;
      retire(lease, overlapOf(lease));
    },
    use: (lease, user) => void kept(lease)?.users.add(user),
    abandon(lease, user) {
      const own = kept(lease);
      own?.users.delete(user);
      if (own?.users.size === 0) retire(lease, overlapOf(lease));
    },
    setPolicy(lease, { overlapMs, onExit }) {
      const own = kept(lease);
      if (own !== undefined) own.policy = { overlapMs, onExit };
    },
    stopRenewing(lease) {
      const own = kept(lease);
      if (own !== undefined) own.canRenew = false;
    },
    retire,
    condemn(lease) {
      const own = kept(lease);
      if (own === undefined) return Promise.resolve();
      own.isCondemned = true;
      if (lease.state === 'retiring' || (lease.state === 'superseded' && lease.users.size === 0))
        retire(lease, 0);
      const gone = awaited.get(lease) ?? Promise.withResolvers<void>();
      awaited.set(lease, gone);
      return gone.promise;
    },
    reclaim(lease) {
      const [own, task] = [kept(lease), tasks.get(lease)];
      if (own === undefined || own.endsAt <= clock.now() || task?.isRevoking === true) return false;
      task?.timer?.cancel();
      tasks.delete(lease);
      own.state = 'current';
      onChange(lease);
      return true;
    },
    leaveAlive,
    forget,
    leases: () => leases.values().filter((lease) => !isOfCaller(lease)),
    upstreamsReplaced() {
      for (const lease of leases.values()) holdToUpstream(lease);
    },
    capEnd(lease, endsAt) {
      const own = kept(lease);
      if (own !== undefined) capEnd(own, endsAt);
      const task = tasks.get(lease);
      if (task !== undefined) schedule(lease, lease.state === 'superseded' ? lease.endsAt : task.dueAt, 0);
    },
    shift(upstream, jumpMs) {
      for (const lease of leases.values()) {
        if (lease.upstream !== upstream) continue;
        shiftLease(lease, jumpMs);
        const task = tasks.get(lease);
        if (task !== undefined) schedule(lease, task.dueAt - jumpMs, task.failures);
      }
    },
    async revokeNow(lease, until) {
      for (let attempt = 1; ; attempt += 1) {
        try {
          await revoke(lease, { signal: until, priority: 'interactive' });
          return undefined;
        } catch (error) {
          if (until.aborted || attempt === 3 || sources.isAway(lease.upstream, lease.issuer)) {
            logger.warn({ lease: lease.key, code: errorCode(error) }, 'could not revoke a lease');
            return error;
          }
          await clock.sleep(100 * attempt * (1 + random()), until).catch(() => undefined);
        }
      }
    },
    stop() {
      for (const task of tasks.values()) task.timer?.cancel();
      tasks.clear();
    },
  };
}

async function askMore(
  { loan, upstream, id, askedSeconds, issuer }: OwnedLease,
  request: RequestOptions,
  sources: SourceTable,
): Promise<LeaseRenewal> {
  if (loan?.renew !== undefined) return loan.renew(askedSeconds, request.signal);
  return sources.call(upstream, (source) => leasesOf(source).renew(id, askedSeconds, request), issuer);
}

function leasesOf({ name, leases }: ReadableSource): LeaseRequests {
  if (leases !== undefined) return leases;
  throw new LatchkeyError('lease_lost', `upstream ${name} keeps no leases`);
}

function bookKey(upstream: string, leaseId: string): string {
  return `${upstream}\n${leaseId}`;
}
