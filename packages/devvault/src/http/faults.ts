// Bad days on demand: what the server does wrong, where, and how many times. Also counts requests. The HTTP front
// asks here before and after it serves.
import type { IncomingMessage } from 'node:http';

/**
 * - `latency`: serves after `latencyMs`.
 * - `status`: answers `status` with `errors` and, if given, `Retry-After`.
 * - `drop`: closes the connection; with `isAfterServing` only once the request has had its effect.
 * - `half-open`: accepts and never answers.
 * - `truncated`: sends the whole length in the header and half of the body.
 * - `malformed`: answers 200 with bytes that are not JSON.
 * - `oversized`: answers 200 with JSON of `bytes` (default 64 MiB).
 */
export type FaultKind = 'latency' | 'status' | 'drop' | 'half-open' | 'truncated' | 'malformed' | 'oversized';

export interface Fault {
  kind: FaultKind;
  /** Only requests whose path below `/v1/` begins so; default all. Health and seal paths count too. */
  path?: string;
  method?: string;
  /** How many requests it meets; default without end. */
  count?: number;
  latencyMs?: number;
  status?: number;
  retryAfterSeconds?: number;
  errors?: readonly string[];
  bytes?: number;
  isAfterServing?: boolean;
}

export interface RequestCounts {
  total: number;
  /** Keys such as `GET secret/data/app`. */
  by_path: Record<string, number>;
}

export interface FaultBox {
  add(fault: Fault): void;
  clear(): void;
  list(): readonly Fault[];
  /** The first fault that meets the request, counted down. */
  take(method: string, path: string): Fault | undefined;
  count(method: string, path: string): void;
  counts(): RequestCounts;
  resetCounts(): void;
}

export function createFaultBox(): FaultBox {
  let faults: Fault[] = [];
  let counters = new Map<string, number>();
  return {
    add: (fault) => void faults.push({ ...fault }),
    clear: () => {
      faults = [];
    },
    list: () => faults,
    take(method, path) {
      const fault = faults.find(
        (item) => (item.method ?? method) === method && path.startsWith(item.path ?? ''),
      );
      if (fault?.count === undefined) return fault;
      fault.count--;
      if (fault.count <= 0) faults = faults.filter((item) => item !== fault);
      return fault;
    },
    count(method, path) {
      const key = `${method} ${path}`;
      counters.set(key, (counters.get(key) ?? 0) + 1);
    },
    counts() {
      const total = [...counters.values()].reduce((sum, count) => sum + count, 0);
      return { total, by_path: Object.fromEntries(counters) };
    },
    resetCounts: () => {
      counters = new Map();
    },
  };
}

/** The method as Vault sees it: a GET with `list=true` is a LIST. */
export function vaultMethod(request: IncomingMessage, query: URLSearchParams): string {
  const method = request.method ?? 'GET';
  if (method === 'GET' && /^(1|t|true)$/i.test(query.get('list') ?? '')) return 'LIST';
  return method === 'POST' ? 'PUT' : method;
}
