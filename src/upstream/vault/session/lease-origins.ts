// Which leases were issued under which token: when a token ends or is revoked, Vault revokes its leases with it.
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
  const origins = new Map<string, SessionToken>();
  return {
    add(leaseId, token) {
      origins.set(leaseId, token);
      const [oldest] = origins.keys();
      if (origins.size > most && oldest !== undefined) origins.delete(oldest);
    },
    remove: (leaseId) => origins.delete(leaseId),
    tokenOf: (leaseId) => origins.get(leaseId),
    end(token, at) {
      const ending = [...origins].filter(([, origin]) => origin === token).map(([leaseId]) => leaseId);
      if (ending.length > 0) onEnd(ending, at);
    },
  };
}
