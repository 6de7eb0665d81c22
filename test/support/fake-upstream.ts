// An upstream in memory on a fake clock: static, leased and rotating secrets and certificates, with faults on demand. It
// keeps the books that the lease engine is checked against: every request, and every lease with its true end.

import { LatchkeyError } from '../../src/base/errors.ts';
import { silentLogger } from '../../src/base/logger.ts';
import type { Clock } from '../../src/base/time/clock.ts';
import { UpstreamError } from '../../src/base/upstream-error.ts';
import { isOutageError } from '../../src/lease/track/failure-policy.ts';
import type { Reference } from '../../src/store/reference.ts';
import type { LeaseRequests, ReadableSource, RequestOptions } from '../../src/store/secret-reading.ts';
import {
  digestData,
  fieldsContent,
  type SecretAnswer,
  type SecretLease,
} from '../../src/store/secret-version.ts';
import { UpstreamFailure } from '../../src/upstream/gate/failure.ts';
import { createGate } from '../../src/upstream/gate/gate.ts';

export interface FakeLease {
  readonly id: string;
  readonly path: string;
  readonly mintedAt: number;
  /** Monotonic; the true end, whatever the engine believes. */
  endsAt: number;
  readonly maxEndsAt: number;
  revokedAt: number | undefined;
}

export interface FakeRequest {
  readonly at: number;
  /** `probe`: the look at whether it is back. */
  readonly operation: 'read' | 'renew' | 'revoke' | 'check' | 'probe';
  readonly target: string;
  readonly priority: RequestOptions['priority'];
  readonly isVital?: boolean | undefined;
}

type FakeSecret =
  | { kind: 'static'; value: string; version: number; ttlSeconds?: number }
  | { kind: 'leased'; ttlSeconds: number; maxTtlSeconds: number; isRenewable: boolean }
  | { kind: 'rotating'; periodSeconds: number; lateMs: number; from: number; restartsTtl: boolean }
  | { kind: 'expiring'; ttlSeconds: number | undefined };

export interface FakeUpstream extends ReadableSource {
  readonly requests: FakeRequest[];
  readonly leases: LeaseRequests;
  /** Every lease that it ever gave. */
  readonly issued: ReadonlyMap<string, FakeLease>;
  /** Time that a request takes. */
  latencyMs: number;
  /** Called before each request is served; what it returns is thrown. */
  fault: ((request: FakeRequest) => Error | undefined) | undefined;
  /** Called after it was served: the answer is lost, the effect is not. */
  lose: ((request: FakeRequest) => Error | undefined) | undefined;
  /** Called when it serves again. */
  onRecovered: (() => void) | undefined;
  /** Ends the looks at whether it is back. */
  close(): void;
  /** The most requests that were ever in flight, and how often one secret was read twice at a time. */
  readonly peakInFlight: number;
  readonly doubled: number;
  setStatic(path: string, value: string, ttlSeconds?: number): void;
  setLeased(path: string, role: { ttlSeconds: number; maxTtlSeconds?: number; isRenewable?: boolean }): void;
  setRotating(path: string, role: { periodSeconds: number; lateMs?: number; restartsTtl?: boolean }): void;
  setCertificate(path: string, role: { ttlSeconds: number | undefined }): void;
  staticValue(path: string): string | undefined;
  remove(path: string): void;
  /** Somebody else revokes it. */
  revokeElsewhere(leaseId: string): void;
  isAlive(leaseId: string): boolean;
  mints(path: string): FakeLease[];
  count(operation: FakeRequest['operation'], target?: string): number;
}

interface FakeUpstreamOptions {
  clock: Clock;
  name?: string;
  /** Whether it has `isCurrent`. */
  canCheck?: boolean;
  /** Requests in flight at a time (default 16). */
  concurrency?: number;
  /** The time by which leases end, where it is not the clock's: time goes on while a host sleeps. */
  now?: () => number;
}

export function createFakeUpstream(options: FakeUpstreamOptions): FakeUpstream {
  const { clock, name = 'vault' } = options;
  const now = options.now ?? clock.now;
  const reading = new Map<string, number>();
  let inFlight = 0;
  let peakInFlight = 0;
  let doubled = 0;
  const secrets = new Map<string, FakeSecret>();
  const leases = new Map<string, FakeLease>();
  const requests: FakeRequest[] = [];
  let count = 0;

  const gate = createGate({
    limits: { requestsPerSecond: 1_000_000, concurrency: options.concurrency ?? 16 },
    clock,
    random: () => 0.5,
    logger: silentLogger,
    async probe() {
      const request = { at: now(), operation: 'probe', target: '', priority: 'interactive' } as const;
      requests.push(request);
      return upstream.fault?.(request) === undefined ? undefined : away();
    },
    onChange() {
      if (!gate.health.isAway()) upstream.onRecovered?.();
    },
  });

  async function serve<T>(
    operation: FakeRequest['operation'],
    target: string,
    request: RequestOptions,
    effect: () => T,
  ): Promise<T> {
    gate.health.check();
    const { priority: lane, promoted, signal } = request;
    try {
      const { value } = await gate.pass({ lane, promoted, signal }, async () => ({
        status: 200,
        value: await serveOne(operation, target, request, effect),
      }));
      gate.health.reached(target);
      return value;
    } catch (error) {
      if (isOutageError(error) && !signal.aborted) gate.health.away(away(), target);
      throw error;
    }
  }

  async function serveOne<T>(
    operation: FakeRequest['operation'],
    target: string,
    request: RequestOptions,
    effect: () => T,
  ): Promise<T> {
    const { priority, isVital } = request;
    const noted: FakeRequest = { at: now(), operation, target, priority, isVital };
    requests.push(noted);
    const slot = `${operation} ${plainPath(target)}`;
    if ((reading.get(slot) ?? 0) > 0) doubled += 1;
    reading.set(slot, (reading.get(slot) ?? 0) + 1);
    inFlight += 1;
    peakInFlight = Math.max(peakInFlight, inFlight);
    try {
      if (upstream.latencyMs > 0) await clock.sleep(upstream.latencyMs, request.signal).catch(giveUp);
      const error = upstream.fault?.(noted);
      if (error !== undefined) throw error;
      const answer = effect();
      const loss = upstream.lose?.(noted);
      if (loss !== undefined) throw loss;
      return answer;
    } finally {
      inFlight -= 1;
      reading.set(slot, (reading.get(slot) ?? 0) - 1);
    }
  }

  function secretAt(reference: Reference): FakeSecret {
    const secret = secrets.get(plainPath(reference.path));
    if (secret === undefined) {
      throw new UpstreamError('not_found', `${name}: no secret at ${reference.path}`, { status: 404 });
    }
    return secret;
  }

  function mint(path: string, secret: FakeSecret & { kind: 'leased' }): SecretLease {
    count += 1;
    const id = `${path}/${count}`;
    const maxEndsAt = now() + secret.maxTtlSeconds * 1000;
    const endsAt = Math.min(maxEndsAt, now() + secret.ttlSeconds * 1000);
    leases.set(id, { id, path, mintedAt: now(), endsAt, maxEndsAt, revokedAt: undefined });
    return {
      id,
      durationSeconds: wholeSeconds(endsAt - now()),
      isRenewable: secret.isRenewable,
    };
  }

  function lookUp(leaseId: string): FakeLease {
    const lease = leases.get(leaseId);
    if (lease === undefined || !upstream.isAlive(leaseId)) {
      throw new UpstreamError('lease_lost', `${name}: lease not found`, { status: 400 });
    }
    return lease;
  }

  function answer(reference: Reference): SecretAnswer {
    const secret = secretAt(reference);
    if (secret.kind === 'leased') return leasedAnswer(mint(reference.path, secret));
    if (secret.kind === 'rotating') return rotatingAnswer(secret, now());
    if (secret.kind === 'static') return staticAnswer(secret);
    count += 1;
    const { ttlSeconds } = secret;
    return answerOf('expiring', `certificate ${count}`, ttlSeconds === undefined ? {} : { ttlSeconds });
  }

  function extend(lease: FakeLease, incrementSeconds: number) {
    const secret = secrets.get(plainPath(lease.path));
    const ttlSeconds =
      secret?.kind === 'leased' ? Math.min(secret.ttlSeconds, incrementSeconds) : incrementSeconds;
    lease.endsAt = Math.min(lease.maxEndsAt, now() + ttlSeconds * 1000);
    return { durationSeconds: wholeSeconds(lease.endsAt - now()), isRenewable: true };
  }

  const upstream: FakeUpstream = {
    name,
    requests,
    issued: leases,
    latencyMs: 0,
    fault: undefined,
    lose: undefined,
    onRecovered: undefined,
    isAway: gate.health.isAway,
    close: gate.close,
    get peakInFlight() {
      return peakInFlight;
    },
    get doubled() {
      return doubled;
    },
    read: (reference, request) => serve('read', reference.path, request, () => answer(reference)),
    ...(options.canCheck === true
      ? {
          isCurrent: (reference, version, request) =>
            serve('check', reference.path, request, () => {
              const secret = secretAt(reference);
              return secret.kind === 'static' ? String(secret.version) === version.versionId : undefined;
            }),
        }
      : {}),
    leases: {
      renew: (leaseId, incrementSeconds, request) =>
        serve('renew', leaseId, request, () => extend(lookUp(leaseId), incrementSeconds)),
      revoke: (leaseId, request) =>
        serve('revoke', leaseId, request, () => {
          lookUp(leaseId).revokedAt = now();
        }),
    },
    canonicalKey: (reference) =>
      `${reference.operation} ${plainPath(reference.path)}?${JSON.stringify(reference.parameters)}`,
    setStatic(path, value, ttlSeconds) {
      const before = secrets.get(path);
      const version = before?.kind === 'static' ? before.version + 1 : 1;
      secrets.set(path, {
        kind: 'static',
        value,
        version,
        ...(ttlSeconds === undefined ? {} : { ttlSeconds }),
      });
    },
    setLeased: (path, { ttlSeconds, maxTtlSeconds = ttlSeconds * 24, isRenewable = true }) =>
      void secrets.set(path, { kind: 'leased', ttlSeconds, maxTtlSeconds, isRenewable }),
    setRotating: (path, { periodSeconds, lateMs = 0, restartsTtl = false }) =>
      void secrets.set(path, { kind: 'rotating', periodSeconds, lateMs, from: now(), restartsTtl }),
    setCertificate: (path, { ttlSeconds }) => void secrets.set(path, { kind: 'expiring', ttlSeconds }),
    staticValue(path) {
      const secret = secrets.get(path);
      return secret?.kind === 'static' ? secret.value : undefined;
    },
    remove: (path) => void secrets.delete(path),
    revokeElsewhere(leaseId) {
      const lease = leases.get(leaseId);
      if (lease !== undefined) lease.revokedAt ??= now();
    },
    isAlive(leaseId) {
      const lease = leases.get(leaseId);
      return lease !== undefined && lease.revokedAt === undefined && lease.endsAt > now();
    },
    mints: (path) => [...leases.values()].filter((lease) => lease.path === path),
    count: (operation, target) =>
      requests.filter((one) => one.operation === operation && (target === undefined || one.target === target))
        .length,
  };
  return upstream;
}

/** As a network that is down, or a server that says so. */
export function unavailable(status?: number): UpstreamError {
  return new UpstreamError(
    'upstream_unavailable',
    'vault: no connection',
    status === undefined ? {} : { status },
  );
}

/** Sums of fractions may lack a hair. */
const wholeSeconds = (ms: number): number => Math.floor(ms / 1000 + 1e-6);

const away = () => new UpstreamFailure('unavailable', 'vault: no connection');

function giveUp(): never {
  throw new LatchkeyError('aborted', 'the request was given up');
}

const plainPath = (path: string): string => path.replace(/^secret\/data\//, 'secret/');

function answerOf(kind: SecretAnswer['kind'], value: string, more: Partial<SecretAnswer>): SecretAnswer {
  const data = { value };
  return {
    content: fieldsContent(data),
    kind,
    dataDigest: digestData(data),
    ...more,
  };
}

function staticAnswer(secret: FakeSecret & { kind: 'static' }): SecretAnswer {
  const { value, version, ttlSeconds } = secret;
  return answerOf('static', value, {
    versionId: String(version),
    ...(ttlSeconds === undefined ? {} : { ttlSeconds }),
  });
}

function leasedAnswer(lease: SecretLease): SecretAnswer {
  return answerOf('leased', `credential of ${lease.id}`, { lease });
}

/** Each rotation comes `lateMs` after its time; until then the `ttl` stands at 0, or is that of the next period already. */
function rotatingAnswer(secret: FakeSecret & { kind: 'rotating' }, now: number): SecretAnswer {
  const period = secret.periodSeconds * 1000;
  const sincePlanned = (now - secret.from) % period;
  const planned = Math.floor((now - secret.from) / period);
  const isLate = planned > 0 && sincePlanned < secret.lateMs;
  return answerOf('rotating', `password ${isLate ? planned - 1 : planned}`, {
    rotationMark: String(isLate ? planned - 1 : planned),
    ttlSeconds: isLate && !secret.restartsTtl ? 0 : Math.floor((period - sincePlanned) / 1000),
  });
}
