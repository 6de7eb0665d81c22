// Every token alive: made, looked up, used, renewed, revoked with its children. Leases of a token are ended through
// `onRevoked`; who may do what is the policies' affair.

import type { JsonObject } from '../../../../src/base/text/json.ts';
import type { Clock } from '../../../../src/base/time/clock.ts';
import { newAccessor, newTokenId } from '../identifiers.ts';
import type { Namespace } from '../namespace.ts';
import { createExpiry } from './expiry.ts';

export interface TokenEntry {
  readonly id: string;
  /** Empty for a batch token. */
  readonly accessor: string;
  readonly namespace: Namespace;
  /** The id of the token it ends with; absent for an orphan. */
  parent?: string;
  readonly policies: readonly string[];
  /** The request path that made it, such as `auth/approle/login`. */
  readonly path: string;
  readonly meta: Readonly<Record<string, string>> | null;
  readonly displayName: string;
  readonly entityId: string;
  readonly role?: string;
  readonly type: 'service' | 'batch';
  /** Uses left; 0 is without limit, -1 used up. */
  numUses: number;
  readonly renewable: boolean;
  readonly periodSeconds: number;
  readonly explicitMaxTtlSeconds: number;
  /** The login role's own times, kept for renewals. */
  readonly roleTtlSeconds: number;
  readonly roleMaxTtlSeconds: number;
  /** At creation; 0 never ends. */
  readonly ttlSeconds: number;
  readonly issuedAtMs: number;
  expiresAtMs?: number;
  lastRenewalMs?: number;
  readonly children: Set<string>;
  readonly cubbyhole: Map<string, JsonObject>;
}

interface NewToken {
  id?: string;
  namespace: Namespace;
  parent?: string;
  policies: readonly string[];
  path: string;
  meta?: Readonly<Record<string, string>> | null;
  displayName: string;
  entityId?: string;
  role?: string;
  type?: 'service' | 'batch';
  numUses?: number;
  renewable?: boolean;
  periodSeconds?: number;
  explicitMaxTtlSeconds?: number;
  roleTtlSeconds?: number;
  roleMaxTtlSeconds?: number;
  ttlSeconds: number;
}

export interface TokenTable {
  create(token: NewToken): TokenEntry;
  /** Undefined when unknown, revoked, expired or used up. */
  lookup(id: string): TokenEntry | undefined;
  lookupByAccessor(accessor: string): TokenEntry | undefined;
  accessors(namespace: Namespace): string[];
  /** Counts one use; true when it was the last. */
  use(token: TokenEntry): boolean;
  renew(token: TokenEntry, ttlSeconds: number): void;
  /** Ends the token, its descendants and all their leases. */
  revoke(id: string): Promise<void>;
  /** Ends the token and its leases; its children become orphans. */
  revokeOrphan(id: string): Promise<void>;
  /** Ends every token that was made under this path. */
  revokePath(namespace: Namespace, prefix: string): Promise<void>;
  /** Seconds left, 0 when it never ends. */
  remaining(token: TokenEntry): number;
  readonly size: number;
  close(): void;
}

export interface TokenTableOptions {
  clock: Clock;
  /** Awaited for each token that ends, so that its leases end too. */
  onRevoked(token: TokenEntry): Promise<void>;
}

export function createTokenTable(options: TokenTableOptions): TokenTable {
  const { clock, onRevoked } = options;
  const byId = new Map<string, TokenEntry>();
  const byAccessor = new Map<string, string>();
  const expiry = createExpiry(clock);

  const watch = (token: TokenEntry): void => {
    expiry.set(token.id, token.expiresAtMs, () => void revoke(token.id));
  };
  const forget = (token: TokenEntry): void => {
    byId.delete(token.id);
    byAccessor.delete(token.accessor);
    expiry.clear(token.id);
    if (token.parent !== undefined) byId.get(token.parent)?.children.delete(token.id);
  };
  const revoke = async (id: string): Promise<void> => {
    const token = byId.get(id);
    if (token === undefined) return;
    forget(token);
    await Promise.all([onRevoked(token), ...[...token.children].map((child) => revoke(child))]);
  };
  const lookup = (id: string): TokenEntry | undefined => {
    const token = byId.get(id);
    if (token === undefined || token.numUses < 0) return undefined;
    if (token.expiresAtMs !== undefined && token.expiresAtMs <= clock.wall()) return undefined;
    return token;
  };

  return {
    create(token) {
      const entry = newEntry(token, clock.wall());
      byId.set(entry.id, entry);
      if (entry.accessor !== '') byAccessor.set(entry.accessor, entry.id);
      if (entry.parent !== undefined) byId.get(entry.parent)?.children.add(entry.id);
      watch(entry);
      return entry;
    },
    lookup,
    lookupByAccessor: (accessor) => lookup(byAccessor.get(accessor) ?? ''),
    accessors: (namespace) =>
      [...byId.values()]
        .filter((token) => token.namespace === namespace && token.accessor !== '')
        .map((token) => token.accessor),
    use(token) {
      if (token.numUses <= 0) return false;
      token.numUses = token.numUses === 1 ? -1 : token.numUses - 1;
      return token.numUses === -1;
    },
    renew(token, ttlSeconds) {
      token.lastRenewalMs = clock.wall();
      token.expiresAtMs = clock.wall() + ttlSeconds * 1000;
      watch(token);
    },
    revoke,
    async revokeOrphan(id) {
      const token = byId.get(id);
      if (token === undefined) return;
      for (const child of token.children) {
        const entry = byId.get(child);
        if (entry !== undefined) delete entry.parent;
      }
      token.children.clear();
      await revoke(id);
    },
    async revokePath(namespace, prefix) {
      const found = [...byId.values()].filter(
        (token) => token.namespace === namespace && token.path.startsWith(prefix),
      );
      await Promise.all(found.map((token) => revoke(token.id)));
    },
    remaining: (token) =>
      token.expiresAtMs === undefined ? 0 : Math.max(0, Math.ceil((token.expiresAtMs - clock.wall()) / 1000)),
    get size() {
      return byId.size;
    },
    close: () => expiry.close(),
  };
}

function newEntry(token: NewToken, nowMs: number): TokenEntry {
  const type = token.type ?? 'service';
  return {
    id: token.id ?? newTokenId(type, token.namespace.id),
    accessor: type === 'batch' ? '' : newAccessor(token.namespace.id),
    namespace: token.namespace,
    ...(token.parent === undefined ? {} : { parent: token.parent }),
    policies: token.policies,
    path: token.path,
    meta: token.meta ?? null,
    displayName: token.displayName,
    entityId: token.entityId ?? '',
    ...(token.role === undefined ? {} : { role: token.role }),
    type,
    numUses: token.numUses ?? 0,
    renewable: type === 'service' && (token.renewable ?? true),
    periodSeconds: token.periodSeconds ?? 0,
    explicitMaxTtlSeconds: token.explicitMaxTtlSeconds ?? 0,
    roleTtlSeconds: token.roleTtlSeconds ?? 0,
    roleMaxTtlSeconds: token.roleMaxTtlSeconds ?? 0,
    ttlSeconds: token.ttlSeconds,
    issuedAtMs: nowMs,
    ...(token.ttlSeconds > 0 ? { expiresAtMs: nowMs + token.ttlSeconds * 1000 } : {}),
    children: new Set(),
    cubbyhole: new Map(),
  };
}
