// Remembers when each path last gave a credential, so that no failure, restart of a template or impatient caller can
// make upstream mint in a loop. Outlives the entries.
import type { ScheduleLimits } from './schedule-policy.ts';
import { mintFloorMs } from './schedule-policy.ts';

export interface MintFloor {
  /** Monotonic milliseconds; 0 where nothing was minted lately. */
  allowedAt(key: string): number;
  /** A credential of this life (0: not known) was made, or may have been made. */
  note(key: string, lifeMs: number, now: number): void;
}

export function createMintFloor(limits: ScheduleLimits): MintFloor {
  const allowed = new Map<string, number>();
  return {
    allowedAt: (key) => allowed.get(key) ?? 0,
    note(key, lifeMs, now) {
      for (const [other, at] of allowed) if (at <= now) allowed.delete(other);
      allowed.set(key, now + mintFloorMs(lifeMs > 0 ? lifeMs : Number.POSITIVE_INFINITY, limits));
    },
  };
}
