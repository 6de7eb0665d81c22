// The listeners of the server as one: started, changed by a reload as a whole or not at all, made again where somebody
// removed their socket, closed.
import type { ListenerStatus } from '../api/status.ts';
import { describeError, LatchkeyError } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import type { Prepared } from '../base/prepared.ts';
import type { Clock } from '../base/time/clock.ts';
import type { ListenerConfig } from '../config/resolved.ts';
import type { AgentMetrics } from '../metrics/agent-metrics.ts';
import type { MetricsRegistry } from '../metrics/registry.ts';
import { createAddressWatch } from './listen/address-watch.ts';
import { addressOf, type Listener } from './listen/listener.ts';

interface ListenerSetOptions {
  readonly registry: MetricsRegistry;
  readonly metrics: AgentMetrics;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Rejects where the config cannot be served. */
  readonly create: (config: ListenerConfig) => Promise<Listener>;
}

export interface ListenerSet {
  /** Starts every listener; resolves to the problems of those that could not (the others serve). */
  start(configs: readonly ListenerConfig[]): Promise<readonly LatchkeyError[]>;
  /**
   * Starts what is new and takes over what stays with other settings; rejects with the first problem and the old ones
   * as they were. The commit lets what is gone listen no more and drain.
   */
  prepare(configs: readonly ListenerConfig[]): Promise<Prepared>;
  /** Those that listen. */
  all(): readonly Listener[];
  status(): ListenerStatus[];
  /** Sockets and token files that are kept in place. */
  paths(): string[];
  /** Looks whether the files of sockets and tokens are there, and makes them again. */
  verify(): void;
  close(options: { drainMs: number }): Promise<void>;
}

interface FailedListener {
  readonly config: ListenerConfig;
  error: LatchkeyError;
}

export function createListenerSet(options: ListenerSetOptions): ListenerSet {
  const { registry, metrics, clock, logger } = options;
  let listeners: Listener[] = [];
  let failed: FailedListener[] = [];
  /** Listeners that a reload has taken away. */
  const draining = new Set<Listener>();
  const noteAddresses = createAddressNote(registry);
  const watch = createAddressWatch({
    ...{ clock, logger },
    onLost: (listener) => void listenAgain(listener),
    onRestored: (path, what) => metrics.fileDrifts.with(path, what).inc(),
  });

  async function startOne(config: ListenerConfig): Promise<Listener> {
    const listener = await options.create(config);
    await listener.start();
    const { place, serve, address } = shown(config, listener.address());
    logger.info({ listener: place, address, serve: serve.join(',') }, 'listening');
    return listener;
  }

  /** Resolves to why it does not listen. */
  async function add(config: ListenerConfig): Promise<LatchkeyError | undefined> {
    try {
      listeners.push(await startOne(config));
      return undefined;
    } catch (error) {
      return asListenerError(config, error);
    }
  }

  /** It stops listening at once; only what is in work takes its time. */
  function drain(listener: Listener): void {
    draining.add(listener);
    void listener.close(drainOnReloadMs).finally(() => draining.delete(listener));
  }

  /** Connections that are open stay; nothing new could come through the old one. */
  async function listenAgain(lost: Listener): Promise<void> {
    if (!listeners.includes(lost)) return;
    listeners = listeners.filter((listener) => listener !== lost);
    watch.set(listeners);
    drain(lost);
    const { config } = lost;
    if (config.kind === 'unix') metrics.fileDrifts.with(config.path, 'deleted').inc();
    const error = await add(config);
    if (error === undefined)
      logger.warn(
        { listener: config.place, address: addressOf(config) },
        'somebody removed the socket: it is there again',
      );
    else {
      failed.push({ config, error });
      logger.error(
        { listener: config.place, error: describeError(error) },
        'somebody removed the socket, and it cannot be made again',
      );
    }
    watch.set(listeners);
  }

  /** Where a folder was missing, or somebody else listened. */
  async function startFailed(): Promise<void> {
    for (const one of [...failed]) {
      const error = await add(one.config);
      if (error === undefined) failed = failed.filter((other) => other !== one);
      else one.error = error;
    }
    watch.set(listeners);
  }

  function replaceAll(staying: ReadonlySet<Listener>, started: readonly Listener[]): void {
    const gone = listeners.filter((listener) => !staying.has(listener));
    listeners = [...staying, ...started];
    failed = [];
    noteAddresses(listeners);
    watch.set(listeners);
    for (const listener of gone) drain(listener);
  }

  return {
    async start(configs) {
      for (const config of configs) {
        const error = await add(config);
        if (error !== undefined) failed.push({ config, error });
      }
      noteAddresses([...listeners, ...failed]);
      watch.set(listeners);
      for (const { error } of failed)
        logger.error({ error: describeError(error) }, 'a listener does not start');
      return failed.map(({ error }) => error);
    },
    async prepare(configs) {
      const old = new Map(listeners.map((listener) => [addressOf(listener.config), listener]));
      /** With the settings that it had. */
      const kept = new Map<Listener, ListenerConfig>();
      const started: Listener[] = [];
      const abandon = async (): Promise<void> => {
        for (const [listener, before] of kept) listener.update(before);
        await Promise.all(started.map((listener) => listener.close(0)));
      };
      try {
        for (const config of configs) {
          const listener = old.get(addressOf(config));
          if (listener === undefined) started.push(await startOne(config));
          else {
            kept.set(listener, listener.config);
            listener.update(config);
          }
        }
      } catch (error) {
        await abandon();
        throw error;
      }
      return { abandon, commit: () => replaceAll(new Set(kept.keys()), started) };
    },
    all: () => listeners,
    status: () => [
      ...listeners.map((listener) => ({
        ...shown(listener.config, listener.address()),
        state: 'listening' as const,
        connections: listener.connectionCount,
      })),
      ...failed.map(({ config, error }) => ({
        ...shown(config),
        state: 'failed' as const,
        connections: 0,
        error: error.message,
      })),
    ],
    paths: () =>
      [...listeners, ...failed].flatMap(({ config }) => {
        const path =
          config.kind === 'unix' ? config.path : config.kind === 'tcp' ? config.tokenFile : undefined;
        return path === undefined ? [] : [path];
      }),
    verify() {
      watch.look();
      if (failed.length > 0) void startFailed();
    },
    async close({ drainMs }) {
      watch.close();
      const closing = [...listeners, ...draining];
      listeners = [];
      await Promise.all(closing.map((listener) => listener.close(drainMs)));
    },
  };
}

/** After a reload the same place of the config may be another address: what was counted of it is not the new one's. */
function createAddressNote(registry: MetricsRegistry) {
  let addresses = new Map<string, string>();
  return (all: readonly { readonly config: ListenerConfig }[]): void => {
    const next = new Map(all.map(({ config }) => [config.place, addressOf(config)]));
    const moved = new Set([...addresses.keys()].filter((place) => next.get(place) !== addresses.get(place)));
    if (moved.size > 0) registry.forget('listener', (place) => moved.has(place));
    addresses = next;
  };
}

const drainOnReloadMs = 10_000;

/** Of a port that the kernel chose the one that it chose. */
function shown(
  config: ListenerConfig,
  bound?: ReturnType<Listener['address']>,
): Pick<ListenerStatus, 'place' | 'address' | 'serve'> {
  const isChosen = config.kind === 'tcp' && config.port === 0 && typeof bound === 'object' && bound !== null;
  const address = addressOf(isChosen ? { ...config, port: bound.port } : config);
  return { place: config.place, address, serve: config.serve };
}

function asListenerError(config: ListenerConfig, error: unknown): LatchkeyError {
  if (error instanceof LatchkeyError) return error;
  return new LatchkeyError('listener_failed', `${config.place}: ${describeError(error)}`, { cause: error });
}
