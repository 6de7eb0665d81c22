// Of a window in which a server answers so many requests and no more (`X-RateLimit-*`), callers leave the agent a part: where
// they used it up, a lease could end before the next window. Only of limits that the agent's own requests are counted against.
import type { IncomingHttpHeaders } from 'node:http';
import { BoundedMap } from '../../base/bounded-map.ts';
import type { Clock } from '../../base/time/clock.ts';

export interface Reserve {
  /** The agent itself was answered. */
  agentAnswered(headers: IncomingHttpHeaders): void;
  /** A caller's request to this mount was answered. */
  callerAnswered(mount: string, headers: IncomingHttpHeaders): void;
  /** Milliseconds until callers may ask there again; 0: now. */
  waitMs(mount: string): number;
  /** Counts a caller's request until its end: several at once do not pass what is left. */
  enter(mount: string): () => void;
}

interface Window {
  limit: number;
  left: number;
  endsAt: number;
  lengthMs: number;
}

const keptShare = 0.25;
/** In the next window of a limit by the second the agent has its turn soon enough. */
const shortMs = 3000;
const most = 10_000;

export function createReserve(clock: Clock): Reserve {
  /** Quotas have no names on the wire: those of one size are taken for one. */
  const limitsOfAgent = new BoundedMap<number, true>(most);
  const windows = new BoundedMap<string, Window>(most);
  const underWay = new Map<string, number>();

  function current(mount: string): Window | undefined {
    const window = windows.get(mount);
    if (window === undefined || !limitsOfAgent.has(window.limit) || window.lengthMs < shortMs)
      return undefined;
    const now = clock.now();
    if (now >= window.endsAt) Object.assign(window, { left: window.limit, endsAt: now + window.lengthMs });
    return window;
  }

  return {
    agentAnswered(headers) {
      const told = readWindow(headers);
      if (told !== undefined) limitsOfAgent.set(told.limit, true);
    },
    callerAnswered(mount, headers) {
      const told = readWindow(headers);
      if (told === undefined) return void windows.delete(mount);
      const before = windows.get(mount);
      const endsAt = clock.now() + told.leftMs;
      const isSame = before?.limit === told.limit && endsAt - before.endsAt < 1500;
      windows.set(mount, {
        limit: told.limit,
        // Answers overtake each other; of one window the least is the truth.
        left: isSame ? Math.min(before.left, told.left) : told.left,
        endsAt,
        lengthMs: Math.max(told.leftMs, before?.limit === told.limit ? before.lengthMs : 0),
      });
    },
    waitMs(mount) {
      const window = current(mount);
      if (window === undefined) return 0;
      const kept = Math.min(window.limit - 1, Math.ceil(window.limit * keptShare));
      return window.left - (underWay.get(mount) ?? 0) > kept ? 0 : Math.max(1, window.endsAt - clock.now());
    },
    enter(mount) {
      underWay.set(mount, (underWay.get(mount) ?? 0) + 1);
      return () => {
        const left = (underWay.get(mount) ?? 1) - 1;
        if (left === 0) underWay.delete(mount);
        else underWay.set(mount, left);
      };
    },
  };
}

/** The end is told in whole seconds, cut off: it is up to a second later. */
function readWindow(
  headers: IncomingHttpHeaders,
): { limit: number; left: number; leftMs: number } | undefined {
  if (headers['x-ratelimit-limit'] === undefined) return undefined;
  const [limit, left, reset] = ['limit', 'remaining', 'reset'].map((name) =>
    Number.parseInt(String(headers[`x-ratelimit-${name}`] ?? ''), 10),
  );
  if (limit === undefined || left === undefined || reset === undefined) return undefined;
  if (!(limit > 0 && left >= 0 && reset >= 0 && reset <= 86_400)) return undefined;
  return { limit, left, leftMs: (reset + 1) * 1000 };
}
