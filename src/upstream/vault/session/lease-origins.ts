// Which leases were issued under which token: when a token ends or is revoked, Vault revokes its leases with it.
import { RecentMap } from '../../../base/bounded-map.ts';
import type { SessionToken } from './session-token.ts';

export interface LeaseOrigins {
  add(leaseId: string, token: SessionToken): void;
  remove(leaseId: string): void;
  /** The token that it was issued under; undefined: not known here. */
  tokenOf(leaseId: string): SessionToken | undefined;
  /** The token ends at `at` (wall time); it is told once for each lease and moment. */
  end(token: SessionToken, at: number): void;
}

/** Leases that are dropped without being revoked stay here until there are this many. */
const most = 50_000;

export function createLeaseOrigins(onEnd: (leaseIds: readonly string[], at: number) => void): LeaseOrigins {
  const origins = new RecentMap<string, SessionToken>(most);
  return {
    add: (leaseId, token) => void origins.set(leaseId, token),
    remove: (leaseId) => origins.delete(leaseId),
    tokenOf: (leaseId) => origins.get(leaseId),
    end(token, at) {
      const ending = [...origins].filter(([, origin]) => origin === token).map(([leaseId]) => leaseId);
      if (ending.length > 0) onEnd(ending, at);
    },
  };
}
