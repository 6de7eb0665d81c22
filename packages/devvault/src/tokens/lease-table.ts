// Every leased secret alive: registered, renewed within its maximum, ended by time, by its token or by request.
// What ending means is the engine's affair (the grant's `revoke`); a failed end is tried again.

import { describeError } from '../../../../src/base/errors.ts';
import type { Logger } from '../../../../src/base/logger.ts';
import { backoffDelayMs } from '../../../../src/base/time/backoff.ts';
import type { Clock } from '../../../../src/base/time/clock.ts';
import type { LeaseGrant } from '../backend.ts';
import { newLeaseId } from '../identifiers.ts';
import { type Mount, mountTtl, type Namespace } from '../namespace.ts';
import { badRequest } from '../vault-error.ts';
import { createExpiry } from './expiry.ts';
import type { TokenEntry } from './token-table.ts';
import { decideTtl } from './ttl-policy.ts';

export interface LeaseEntry {
  readonly id: string;
  readonly namespace: Namespace;
  /** The request path that made it. */
  readonly path: string;
  readonly token: TokenEntry;
  readonly mount: Mount;
  readonly grant: LeaseGrant;
  readonly issuedAtMs: number;
  expiresAtMs: number;
  lastRenewalMs?: number;
  attempts: number;
}

interface NewLease {
  namespace: Namespace;
  path: string;
  token: TokenEntry;
  mount: Mount;
  grant: LeaseGrant;
}

export interface LeaseTable {
  register(lease: NewLease): { entry: LeaseEntry; ttlSeconds: number; warnings: string[] };
  lookup(id: string): LeaseEntry | undefined;
  /** Seconds granted. Refuses as Vault does: unknown, not renewable, past its maximum. */
  renew(
    id: string,
    incrementSeconds: number,
  ): Promise<{ entry: LeaseEntry; ttlSeconds: number; warnings: string[] }>;
  /** Rejects when the engine could not end it; it is tried again later all the same. */
  revoke(id: string): Promise<void>;
  revokePrefix(namespace: Namespace, prefix: string, isForced: boolean): Promise<void>;
  revokeOfToken(token: TokenEntry): Promise<void>;
  ids(namespace: Namespace): string[];
  remaining(entry: LeaseEntry): number;
  close(): void;
}

const retryLimits = { minMs: 1000, maxMs: 60_000 };

export function createLeaseTable(clock: Clock, logger: Logger): LeaseTable {
  const leases = new Map<string, LeaseEntry>();
  const expiry = createExpiry(clock);

  const watch = (entry: LeaseEntry): void => {
    expiry.set(entry.id, entry.expiresAtMs, () => void revoke(entry.id).catch(() => {}));
  };
  const revoke = async (id: string): Promise<void> => {
    const entry = leases.get(id);
    if (entry === undefined) return;
    leases.delete(id);
    expiry.clear(id);
    try {
      await entry.grant.revoke();
    } catch (error) {
      entry.attempts++;
      leases.set(id, entry);
      const waitMs = backoffDelayMs(entry.attempts, retryLimits, Math.random);
      expiry.set(id, clock.wall() + waitMs, () => void revoke(id).catch(() => {}));
      logger.warn(
        { lease: entry.path, attempts: entry.attempts, error: describeError(error) },
        'lease could not be ended',
      );
      throw error;
    }
  };
  const end = async (found: LeaseEntry[], isForced: boolean): Promise<void> => {
    const results = await Promise.allSettled(found.map((entry) => revoke(entry.id)));
    for (const [index, result] of results.entries()) {
      if (result.status === 'fulfilled') continue;
      if (!isForced) throw result.reason;
      const entry = found[index];
      if (entry !== undefined) drop(entry.id);
    }
  };
  const drop = (id: string): void => {
    leases.delete(id);
    expiry.clear(id);
  };

  return {
    register(lease) {
      const { entry, answer } = newLease(lease, clock.wall());
      leases.set(entry.id, entry);
      watch(entry);
      return { entry, ttlSeconds: answer.seconds, warnings: answer.warnings };
    },
    lookup: (id) => leases.get(id),
    async renew(id, incrementSeconds) {
      const entry = leases.get(id);
      const answer = renewal(entry, incrementSeconds, clock.wall());
      await renewBehind(answer.entry, clock.wall() + answer.seconds * 1000);
      answer.entry.expiresAtMs = clock.wall() + answer.seconds * 1000;
      answer.entry.lastRenewalMs = clock.wall();
      watch(answer.entry);
      return { entry: answer.entry, ttlSeconds: answer.seconds, warnings: answer.warnings };
    },
    revoke,
    revokePrefix: (namespace, prefix, isForced) =>
      end(
        [...leases.values()].filter((entry) => entry.namespace === namespace && entry.id.startsWith(prefix)),
        isForced,
      ),
    async revokeOfToken(token) {
      await end(
        [...leases.values()].filter((entry) => entry.token.id === token.id),
        false,
      ).catch(() => {
        // Logged above; the table tries again, and the token is gone either way.
      });
    },
    ids: (namespace) =>
      [...leases.values()].filter((entry) => entry.namespace === namespace).map((entry) => entry.id),
    remaining: (entry) => Math.max(0, Math.ceil((entry.expiresAtMs - clock.wall()) / 1000)),
    close: () => expiry.close(),
  };
}

async function renewBehind(entry: LeaseEntry, expiresAtMs: number): Promise<void> {
  try {
    await entry.grant.renew?.(expiresAtMs);
  } catch (error) {
    throw badRequest(
      `failed to renew entry: resp: (*logical.Response)(nil) err: 1 error occurred:\n\t* ${describeError(error)}\n\n`,
    );
  }
}

function newLease(lease: NewLease, nowMs: number) {
  const answer = decideTtl(ttlQuestion(lease, 0), nowMs) ?? { seconds: 0, warnings: [] };
  // A batch token cannot be renewed: nothing of it may outlive it.
  const batchEnd = lease.token.type === 'batch' ? lease.token.expiresAtMs : undefined;
  if (batchEnd !== undefined) answer.seconds = Math.min(answer.seconds, Math.ceil((batchEnd - nowMs) / 1000));
  const entry: LeaseEntry = {
    ...lease,
    id: newLeaseId(lease.path, lease.namespace.id),
    issuedAtMs: nowMs,
    expiresAtMs: nowMs + answer.seconds * 1000,
    attempts: 0,
  };
  return { entry, answer };
}

function renewal(entry: LeaseEntry | undefined, incrementSeconds: number, nowMs: number) {
  if (entry === undefined) throw badRequest('lease not found');
  if (!entry.grant.renewable) throw badRequest('lease is not renewable');
  const question = { ...ttlQuestion(entry, incrementSeconds), issuedAtMs: entry.issuedAtMs };
  const answer = decideTtl(question, nowMs);
  if (answer === undefined) throw badRequest('past the max TTL, cannot renew');
  return { entry, ...answer };
}

function ttlQuestion(lease: NewLease, incrementSeconds: number) {
  const mount = mountTtl(lease.mount);
  return {
    incrementSeconds,
    ttlSeconds: lease.grant.ttlSeconds,
    maxTtlSeconds: lease.grant.maxTtlSeconds,
    mountDefaultSeconds: mount.defaultSeconds,
    mountMaxSeconds: mount.maxSeconds,
  };
}
