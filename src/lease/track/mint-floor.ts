// Remembers when each path last gave a credential, so that no failure, restart of a template or impatient caller can
// make upstream mint in a loop. Outlives the entries.
import { RecentMap } from '../../base/bounded-map.ts';
import { mintFloorMs, type ScheduleLimits } from './schedule-policy.ts';

export interface MintFloor {
  /** Monotonic milliseconds; 0 where nothing was minted lately. */
  allowedAt(key: string): number;
  /** A credential that lives so long (0: not told) was made. */
  note(key: string, lifeMs: number, now: number): void;
  /** What it gave ends at `endsAt`, sooner than it said: the floor is that of a life so short. */
  shorten(key: string, endsAt: number): void;
  /** One may have been made. Where the path never gave any, it is taken for one that gives none. */
  noteDoubt(key: string, now: number): void;
  /** What it gave was revoked on purpose, by one who wants another. */
  forgive(key: string): void;
}

/** Paths are few; this only bounds a program that makes up ever new ones. */
const most = 10_000;

export function createMintFloor(limits: ScheduleLimits): MintFloor {
  const paths = new RecentMap<string, { lifeMs: number; notedAt: number; allowedAt: number }>(most);

  function note(key: string, lifeMs: number, now: number): void {
    const allowedAt = now + mintFloorMs(lifeMs > 0 ? lifeMs : Number.POSITIVE_INFINITY, limits);
    paths.set(key, { lifeMs, notedAt: now, allowedAt });
  }

  return {
    allowedAt: (key) => paths.get(key)?.allowedAt ?? 0,
    note,
    shorten(key, endsAt) {
      const path = paths.get(key);
      if (path === undefined) return;
      const lifeMs = Math.max(0, endsAt - path.notedAt);
      path.allowedAt = Math.min(path.allowedAt, path.notedAt + mintFloorMs(lifeMs, limits));
    },
    noteDoubt(key, now) {
      const path = paths.get(key);
      if (path !== undefined) note(key, path.lifeMs, now);
    },
    forgive(key) {
      const path = paths.get(key);
      if (path !== undefined) path.allowedAt = 0;
    },
  };
}
