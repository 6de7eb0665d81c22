// Bytes to and from one address: connection pools, TLS, time and size limits. It knows HTTP, not Vault.
import type { IncomingHttpHeaders } from 'node:http';
import type { Readable } from 'node:stream';
import type { Dispatcher } from 'undici';
import sendRequest from 'undici/lib/api/api-request.js';
import Pool from 'undici/lib/dispatcher/pool.js';
import { BoundedMap } from '../../base/bounded-map.ts';
import { LatchkeyError } from '../../base/errors.ts';
import type { FaultOf } from '../../base/surroundings.ts';
import { orAborted } from '../../base/time/aborted.ts';
import type { Clock } from '../../base/time/clock.ts';
import type { ProxyConfig } from '../../config/upstreams/proxy.ts';
import type { TlsConfig } from '../../config/upstreams/server-config.ts';
import { UpstreamFailure } from '../gate/failure.ts';
import {
  networkFailure,
  oversizedFailure,
  silenceFailure,
  timeoutFailure,
} from './network-failure-policy.ts';
import { createOpenRequests } from './open-requests.ts';
import { proxyFailure } from './proxy-failure-policy.ts';
import { withSingleHeaders } from './single-headers.ts';
import { loadTlsOptions, type TlsOptions } from './tls-options.ts';
import { WholeAnswer } from './whole-answer.ts';

interface WireRequest {
  readonly method: string;
  /** Path and query. */
  readonly target: string;
  readonly headers: Readonly<Record<string, string | string[]>>;
  readonly body?: Buffer | Readable | undefined;
  readonly signal: AbortSignal;
  /** It may be sent again: given up (`isSilent`) after a part of its time, and its connections are not used again. */
  readonly isHarmless?: boolean | undefined;
}

export interface WireAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

export interface WireStream {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Readable;
}

export interface Transport {
  /** The whole answer. Throws `UpstreamFailure`, or `aborted` by the request's signal. */
  exchange(address: string, request: WireRequest): Promise<WireAnswer>;
  /** The answer as it comes; only the time to its headers is limited, and pauses within it. */
  open(address: string, request: WireRequest): Promise<WireStream>;
  /** What a TLS connection of another kind to the address needs; empty for plain http. */
  tlsOptions(address: string): Promise<Partial<TlsOptions>>;
  /**
   * Reads the TLS files again; requests in flight end on the old connections. Throws `tls_failed`, and keeps the old
   * ones, while the files do not fit together.
   */
  reload(): Promise<void>;
  /** Another config of TLS, for connections from now on; requests in flight end on the old ones. */
  setTls(config: TlsConfig): void;
  /** Another way, for connections from now on. */
  setProxy(config: ProxyConfig | undefined): void;
  /** Of requests from now on; those in flight keep theirs. */
  setLimits(limits: TransportLimits): void;
  close(): Promise<void>;
}

export interface TransportLimits {
  readonly timeoutMs: number;
  readonly maxBodyBytes: number;
}

export interface TransportOptions extends TransportLimits {
  readonly tls: TlsConfig;
  readonly proxy?: ProxyConfig | undefined;
  readonly clock: Clock;
  readonly faultOf?: FaultOf | undefined;
}

/** Beyond the configured addresses a cluster's redirects add some; more than these are a fault of the cluster. */
const mostPools = 32;
/**
 * A firewall, a NAT or a host that is gone may have dropped a connection without a word: who waits out the whole time of a request
 * there learns of no rotation meanwhile. Of the default of a minute these are 10 s.
 */
const silentShare = 1 / 6;
/** Servers may well take so long. */
const leastSilentMs = 10_000;
/** Shorter than the minute after which load balancers drop an idle connection, and Go's five. */
const keepAliveMs = 50_000;

export function createTransport(options: TransportOptions): Transport {
  const pools = new Map<string, Promise<Dispatcher>>();
  /** Those of `pools` that are there already. */
  const ready = new WeakMap<Promise<Dispatcher>, Dispatcher>();
  const open = createOpenRequests(options.clock);
  let tls: Promise<TlsOptions> | undefined;
  let limits: TransportLimits = options;
  let tlsConfig = options.tls;
  let { proxy } = options;
  let isClosed = false;

  async function loadTls(): Promise<TlsOptions> {
    tls ??= loadTlsOptions(tlsConfig, options.faultOf);
    try {
      return await tls;
    } catch (error) {
      tls = undefined;
      throw error;
    }
  }

  function dispatcher(address: string): Promise<Dispatcher> {
    if (isClosed) throw new LatchkeyError('aborted', 'the upstream is closed');
    const known = pools.get(address);
    if (known) return known;
    if (pools.size >= mostPools) dropOldest(pools);
    const needsTls = address.startsWith('https:') || proxy?.url.startsWith('https:') === true;
    const pool = createPool(address, limits.timeoutMs, needsTls ? loadTls : undefined, proxy);
    pools.set(address, pool);
    pool.then(
      (one) => ready.set(pool, one),
      () => pools.delete(address),
    );
    return pool;
  }

  /** The others of its connections may be as dead; those that somebody else has made since are not. */
  function leave(address: string, pool: Promise<Dispatcher> | undefined): void {
    if (pool === undefined || pools.get(address) !== pool) return;
    pools.delete(address);
    void closeQuietly(pool, 'close');
  }

  /** Requests in flight end on the old connections. */
  function renewPools(): void {
    const old = [...pools.values()];
    pools.clear();
    for (const pool of old) void closeQuietly(pool, 'close');
  }

  return {
    async exchange(address, request) {
      const { timeoutMs, maxBodyBytes } = limits;
      const { signal, isHarmless = false } = request;
      const silentMs = Math.max(leastSilentMs, timeoutMs * silentShare);
      const isImpatient = isHarmless && silentMs < timeoutMs;
      const via = proxy?.url;
      const now = options.clock.now();
      const whole = new WholeAnswer({
        ...{ signal, endsAt: now + timeoutMs, maxBodyBytes },
        beginsBy: now + (isImpatient ? silentMs : timeoutMs),
        oversized: (excess) => oversizedFailure(address, maxBodyBytes, excess),
      });
      let found: Promise<Dispatcher> | undefined;
      open.begin(whole);
      try {
        found = dispatcher(address);
        const pool = ready.get(found) ?? (await orGivenUp(found, whole));
        if (signal.aborted) whole.giveUp(false);
        else pool.dispatch({ ...dispatchOptions(address, request, proxy), ...itsOwnTime }, whole);
        return await whole.answer;
      } catch (error) {
        if (whole.isOver && isImpatient && !whole.hasBegun && !signal.aborted) {
          leave(address, found);
          throw silenceFailure(address, silentMs);
        }
        throw explain(error, address, signal, whole.isOver ? timeoutMs : undefined, via);
      } finally {
        open.end(whole);
      }
    },
    async open(address, request) {
      const { timeoutMs } = limits;
      const via = proxy?.url;
      const limit = createTimeLimit(options.clock, timeoutMs, request.signal);
      try {
        const pool = await orAborted(dispatcher(address), limit.signal);
        const answer = await sendRequest.call(pool, {
          ...dispatchOptions(address, request, proxy),
          signal: limit.signal,
        });
        answer.body.once('close', limit.detach);
        // Whoever drops it before its end (a redirect, a refusal) is told so by an event, which would end the agent unheard.
        answer.body.on('error', () => {});
        return { status: answer.statusCode, headers: withSingleHeaders(answer.headers), body: answer.body };
      } catch (error) {
        limit.detach();
        throw explain(error, address, request.signal, limit.isOver() ? timeoutMs : undefined, via);
      } finally {
        limit.stopTimer();
      }
    },
    tlsOptions: async (address) => (address.startsWith('https:') ? loadTls() : {}),
    async reload() {
      const loaded = await loadTlsOptions(tlsConfig, options.faultOf);
      if (isClosed) return;
      tls = Promise.resolve(loaded);
      renewPools();
    },
    setTls(next) {
      tlsConfig = next;
      tls = undefined;
      renewPools();
    },
    setProxy(next) {
      proxy = next;
      renewPools();
    },
    setLimits(next) {
      limits = next;
      renewPools();
    },
    async close() {
      isClosed = true;
      const ends = Array.from(pools.values(), (pool) => {
        const end = closeQuietly(pool, 'destroy');
        // One that is not there yet has sent nothing, and may never come.
        return ready.has(pool) ? end : undefined;
      });
      pools.clear();
      await Promise.all(ends);
    },
  };
}

async function createPool(
  address: string,
  timeoutMs: number,
  loadTls: (() => Promise<TlsOptions>) | undefined,
  proxy: ProxyConfig | undefined,
): Promise<Dispatcher> {
  const connectTimeoutMs = Math.max(50, Math.min(10_000, Math.floor(timeoutMs / 2)));
  const tls = await loadTls?.();
  const options = {
    // HTTP/2 brings an agent nothing, and its faults come under other names.
    allowH2: false,
    keepAliveTimeout: keepAliveMs,
    keepAliveMaxTimeout: keepAliveMs,
    headersTimeout: timeoutMs,
    bodyTimeout: timeoutMs,
    maxHeaderSize: 64 * 1024,
  };
  if (proxy !== undefined) {
    const { createProxyPool } = await import('./proxy-pool.ts');
    return createProxyPool(proxy, { pool: options, connectTimeoutMs, tls });
  }
  return new Pool(new URL(address).origin, { ...options, connect: { timeout: connectTimeoutMs, ...tls } });
}

interface Place {
  readonly origin: string;
  /** Of each path there. */
  readonly prefix: string;
}

/** The same few addresses come with every poll. */
const places = new BoundedMap<string, Place>(mostPools);

function placeOf(address: string): Place {
  let place = places.get(address);
  if (place !== undefined) return place;
  const { origin, pathname } = new URL(address);
  place = { origin, prefix: pathname.replace(/\/$/, '') };
  places.set(address, place);
  return place;
}

/** `open-requests.ts` limits the whole of it: the client's own limits of its parts would be three more timers. */
const itsOwnTime = { headersTimeout: 0, bodyTimeout: 0 } as const;

/** Of a request that is not sent yet: what it waits for may be files that hang, and its time and its signal end it too. */
async function orGivenUp<T>(awaited: Promise<T>, whole: WholeAnswer): Promise<T> {
  await Promise.race([awaited, whole.answer]);
  return await awaited;
}

function dispatchOptions(
  address: string,
  { method, target, headers, body }: WireRequest,
  proxy: ProxyConfig | undefined,
): Dispatcher.RequestOptions & { path: string } {
  const { origin, prefix } = placeOf(address);
  return {
    origin,
    method: method as Dispatcher.HttpMethod,
    path: `${prefix}${target}`,
    // The way through a proxy writes its own into them.
    headers: proxy === undefined ? headers : { ...headers },
    body: body ?? null,
  };
}

interface TimeLimit {
  readonly signal: AbortSignal;
  isOver(): boolean;
  /** From here on only the caller's signal ends the request. */
  stopTimer(): void;
  detach(): void;
}

function createTimeLimit(clock: Clock, timeoutMs: number, outer: AbortSignal): TimeLimit {
  const controller = new AbortController();
  let isOver = false;
  const abort = () => controller.abort();
  if (outer.aborted) abort();
  outer.addEventListener('abort', abort, { once: true });
  const timer = clock.setTimer(timeoutMs, () => {
    isOver = true;
    abort();
  });
  return {
    signal: controller.signal,
    isOver: () => isOver,
    stopTimer: () => timer.cancel(),
    detach: () => outer.removeEventListener('abort', abort),
  };
}

function explain(
  error: unknown,
  address: string,
  signal: AbortSignal,
  timedOutMs: number | undefined,
  proxy: string | undefined,
): LatchkeyError {
  const place = proxy === undefined ? address : `${address} through the proxy ${proxy}`;
  if (signal.aborted) return new LatchkeyError('aborted', `the request to ${address} was given up`);
  if (timedOutMs !== undefined) return timeoutFailure(place, timedOutMs);
  if (error instanceof LatchkeyError) return error;
  const ofProxy = proxy === undefined ? undefined : proxyFailure(error, proxy, address);
  if (ofProxy !== undefined) return ofProxy;
  const { name, code } = error as { name?: unknown; code?: unknown };
  if (name === 'HTTPParserError' || code === 'UND_ERR_HEADERS_OVERFLOW') {
    // No cause: undici's error carries the bytes that it did not understand.
    return new UpstreamFailure('answer_invalid', `what ${place} answers is not HTTP as expected`, {
      remedy: 'check that the address is that of a vault, and http:// or https:// as it should be',
      wasSent: true,
    });
  }
  return networkFailure(error, place);
}

function dropOldest(pools: Map<string, Promise<Dispatcher>>): void {
  const [oldest] = pools;
  if (oldest === undefined) return;
  pools.delete(oldest[0]);
  void closeQuietly(oldest[1], 'close');
}

async function closeQuietly(pool: Promise<Dispatcher>, how: 'close' | 'destroy'): Promise<void> {
  try {
    await (await pool)[how]();
  } catch {
    // A pool that never came to be (bad TLS files) has nothing to close.
  }
}
