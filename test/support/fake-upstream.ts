// An upstream in memory on a fake clock: static, leased and rotating secrets and certificates, with faults on demand. It
// keeps the books that the lease engine is checked against: every request, and every lease with its true end.
import type { Clock } from '../../src/base/clock.ts';
import { LatchkeyError } from '../../src/base/errors.ts';
import { SecretValue } from '../../src/base/secret-value.ts';
import { UpstreamError } from '../../src/base/upstream-error.ts';
import type { LeaseUpstream, RequestOptions } from '../../src/lease/lease-upstream.ts';
import type { Reference } from '../../src/store/reference.ts';
import { digestData, type SecretAnswer, type SecretLease } from '../../src/store/secret-version.ts';

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
  readonly operation: 'read' | 'renew' | 'revoke' | 'check';
  readonly target: string;
  readonly priority: RequestOptions['priority'];
}

type FakeSecret =
  | { kind: 'static'; value: string; version: number; ttlSeconds?: number }
  | { kind: 'leased'; ttlSeconds: number; maxTtlSeconds: number; isRenewable: boolean }
  | { kind: 'rotating'; periodSeconds: number; lateMs: number; from: number }
  | { kind: 'certificate'; ttlSeconds: number };

export interface FakeUpstream extends LeaseUpstream {
  readonly requests: FakeRequest[];
  readonly leases: ReadonlyMap<string, FakeLease>;
  /** Time that a request takes. */
  latencyMs: number;
  /** Called before each request is served; what it returns is thrown. */
  fault: ((request: FakeRequest) => Error | undefined) | undefined;
  setStatic(path: string, value: string, ttlSeconds?: number): void;
  setLeased(path: string, role: { ttlSeconds: number; maxTtlSeconds?: number; isRenewable?: boolean }): void;
  setRotating(path: string, role: { periodSeconds: number; lateMs?: number }): void;
  setCertificate(path: string, role: { ttlSeconds: number }): void;
  remove(path: string): void;
  /** Somebody else revokes it. */
  revokeElsewhere(leaseId: string): void;
  isAlive(leaseId: string): boolean;
  mints(path: string): FakeLease[];
  count(operation: FakeRequest['operation'], target?: string): number;
}

export function createFakeUpstream(options: {
  clock: Clock;
  name?: string;
  canCheck?: boolean;
}): FakeUpstream {
  const { clock, name = 'vault' } = options;
  const secrets = new Map<string, FakeSecret>();
  const leases = new Map<string, FakeLease>();
  const requests: FakeRequest[] = [];
  let issued = 0;

  async function serve(
    operation: FakeRequest['operation'],
    target: string,
    request: RequestOptions,
  ): Promise<void> {
    const noted: FakeRequest = { at: clock.now(), operation, target, priority: request.priority };
    requests.push(noted);
    if (upstream.latencyMs > 0) {
      await clock.sleep(upstream.latencyMs, request.signal).catch(() => {
        throw new LatchkeyError('aborted', 'the request was given up');
      });
    }
    const error = upstream.fault?.(noted);
    if (error !== undefined) throw error;
  }

  function secretAt(reference: Reference): FakeSecret {
    const secret = secrets.get(plainPath(reference.path));
    if (secret === undefined) {
      throw new UpstreamError('not_found', `${name}: no secret at ${reference.path}`, { status: 404 });
    }
    return secret;
  }

  function mint(path: string, secret: FakeSecret & { kind: 'leased' }): SecretLease {
    issued += 1;
    const id = `${path}/${issued}`;
    const maxEndsAt = clock.now() + secret.maxTtlSeconds * 1000;
    const endsAt = Math.min(maxEndsAt, clock.now() + secret.ttlSeconds * 1000);
    leases.set(id, { id, path, mintedAt: clock.now(), endsAt, maxEndsAt, revokedAt: undefined });
    return {
      id,
      durationSeconds: Math.floor((endsAt - clock.now()) / 1000),
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

  const upstream: FakeUpstream = {
    name,
    requests,
    leases,
    latencyMs: 0,
    fault: undefined,
    async read(reference, request) {
      await serve('read', reference.path, request);
      const secret = secretAt(reference);
      if (secret.kind === 'leased') return leasedAnswer(mint(reference.path, secret));
      if (secret.kind === 'rotating') return rotatingAnswer(secret, clock.now());
      if (secret.kind === 'static') return staticAnswer(secret);
      issued += 1;
      return answerOf('certificate', `certificate ${issued}`, { ttlSeconds: secret.ttlSeconds });
    },
    ...(options.canCheck === true
      ? {
          async isCurrent(reference, version, request) {
            await serve('check', reference.path, request);
            const secret = secretAt(reference);
            return secret.kind === 'static' ? secret.version === version.upstreamVersion : undefined;
          },
        }
      : {}),
    async renew(leaseId, incrementSeconds, request) {
      await serve('renew', leaseId, request);
      const lease = lookUp(leaseId);
      const secret = secrets.get(plainPath(lease.path));
      const ttlSeconds =
        secret?.kind === 'leased' ? Math.min(secret.ttlSeconds, incrementSeconds) : incrementSeconds;
      lease.endsAt = Math.min(lease.maxEndsAt, clock.now() + ttlSeconds * 1000);
      return { durationSeconds: Math.floor((lease.endsAt - clock.now()) / 1000), isRenewable: true };
    },
    async revoke(leaseId, request) {
      await serve('revoke', leaseId, request);
      lookUp(leaseId).revokedAt = clock.now();
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
    setRotating: (path, { periodSeconds, lateMs = 0 }) =>
      void secrets.set(path, { kind: 'rotating', periodSeconds, lateMs, from: clock.now() }),
    setCertificate: (path, { ttlSeconds }) => void secrets.set(path, { kind: 'certificate', ttlSeconds }),
    remove: (path) => void secrets.delete(path),
    revokeElsewhere(leaseId) {
      const lease = leases.get(leaseId);
      if (lease !== undefined) lease.revokedAt ??= clock.now();
    },
    isAlive(leaseId) {
      const lease = leases.get(leaseId);
      return lease !== undefined && lease.revokedAt === undefined && lease.endsAt > clock.now();
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

const plainPath = (path: string): string => path.replace(/^secret\/data\//, 'secret/');

function answerOf(kind: SecretAnswer['kind'], value: string, more: Partial<SecretAnswer>): SecretAnswer {
  const data = { value };
  return {
    body: SecretValue.fromText(JSON.stringify({ data })),
    kind,
    shape: 'flat',
    dataDigest: digestData(data),
    ...more,
  };
}

function staticAnswer(secret: FakeSecret & { kind: 'static' }): SecretAnswer {
  const { value, version: upstreamVersion, ttlSeconds } = secret;
  return answerOf('static', value, { upstreamVersion, ...(ttlSeconds === undefined ? {} : { ttlSeconds }) });
}

function leasedAnswer(lease: SecretLease): SecretAnswer {
  return answerOf('leased', `credential of ${lease.id}`, { lease });
}

/** Each rotation comes `lateMs` after its time; until then the `ttl` stands at 0, as Vault's does. */
function rotatingAnswer(secret: FakeSecret & { kind: 'rotating' }, now: number): SecretAnswer {
  const period = secret.periodSeconds * 1000;
  const sincePlanned = (now - secret.from) % period;
  const planned = Math.floor((now - secret.from) / period);
  const isLate = planned > 0 && sincePlanned < secret.lateMs;
  return answerOf('rotating', `password ${isLate ? planned - 1 : planned}`, {
    ttlSeconds: isLate ? 0 : Math.floor((period - sincePlanned) / 1000),
  });
}
