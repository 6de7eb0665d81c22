// The local server: all listeners, their dialects and what they share. Reloads keep what stays and stop what goes.

import type { PeerReader } from '../access/peer.ts';
import type { ListenerStatus } from '../api/status.ts';
import { describeError, LatchkeyError } from '../base/errors.ts';
import type { Prepared } from '../base/prepared.ts';
import type { Changes } from '../base/time/until.ts';
import type { ListenerConfig } from '../config/resolved.ts';
import { withDenialLog } from './http/denial-log.ts';
import { createHttpListener } from './http/http-listener.ts';
import { createRequestShares } from './http/request-costs.ts';
import type { ServerContext } from './http/server-context.ts';
import { createWaits } from './http/waits.ts';
import { createAddressWatch } from './listen/address-watch.ts';
import { createDescriptorBudget } from './listen/connection-shares.ts';
import { addressOf, type Listener } from './listen/listener.ts';
import { readActivatedSockets } from './listen/socket-activation.ts';
import {
  type NodeInternals,
  tryNodeInternals,
  tryParserRest,
  untriedInternals,
} from './node-internals/self-test.ts';
import { createDialects } from './routes.ts';
import { createSecretReader } from './secrets/secret-reader.ts';
import { createSystemdListener } from './systemd/systemd-listener.ts';

type Shared = 'view' | 'access' | 'audit' | 'ledger' | 'registry' | 'metrics' | 'clock' | 'logger';

export interface ServerOptions extends Pick<ServerContext, Shared> {
  readonly listeners: readonly ListenerConfig[];
  readonly peers: PeerReader;
  /** The agent's own. */
  readonly ownUid: number;
}

export interface LocalServer {
  /** Starts every listener; resolves to the problems of those that could not (the others serve). */
  start(): Promise<readonly LatchkeyError[]>;
  /**
   * Starts what is new and takes over what stays with other settings; rejects with the first problem and the old ones
   * as they were. The commit lets what is gone listen no more and drain.
   */
  prepare(listeners: readonly ListenerConfig[]): Promise<Prepared>;
  status(): ListenerStatus[];
  /** Sockets and token files that it keeps in place. */
  paths(): string[];
  /** At each connection that begins or ends. */
  readonly onConnections: Changes;
  /** Looks whether the files of sockets and tokens are there, and makes them again. */
  verify(): void;
  close(options: { drainMs: number }): Promise<void>;
}

export function createServer(options: ServerOptions): LocalServer {
  const { view, access, clock, metrics, logger } = options;
  const waits = createWaits({ store: view.store, access, clock, metrics });
  let internals: NodeInternals | undefined;
  let canRest: Promise<boolean> | undefined;
  const noteMissing = (message: string) => logger.warn({ event: 'listener.node-differs' }, message);
  const connectionListeners = new Set<() => void>();
  const context: ServerContext = {
    ...options,
    audit: withDenialLog(options.audit, { logger }),
    secrets: createSecretReader({ view, clock }),
    waits,
    shares: createRequestShares(),
    noteConnections() {
      for (const listener of connectionListeners) listener();
    },
    canRestParsers() {
      canRest ??= tryParserRest(noteMissing);
      return canRest;
    },
    get internals() {
      return internals ?? untriedInternals;
    },
  };
  const dialects = createDialects(context);
  const ledgerRecords = metrics.ledgerRecords.with();
  const stopCollecting = options.registry.onRender(() => {
    ledgerRecords.set(options.ledger.size);
    metrics.connections.clear();
    for (const { config, connectionCount } of listeners)
      metrics.connections.with(config.place).set(connectionCount);
  });
  const sockets = readActivatedSockets();
  const budget = createDescriptorBudget();
  let listeners: Listener[] = [];
  /** Listeners that a reload has taken away. */
  const draining = new Set<Listener>();
  const watch = createAddressWatch({
    ...{ clock, logger },
    onLost: (listener) => void listenAgain(listener),
    onRestored: (path, what) => metrics.fileDrifts.with(path, what).inc(),
  });
  let failed: { config: ListenerConfig; error: LatchkeyError }[] = [];
  /** Which address each place of the config was: after a reload the same place may be another. */
  let addresses = new Map<string, string>();

  function noteAddresses(): void {
    const all = [...listeners, ...failed].map(({ config }) => [config.place, addressOf(config)] as const);
    const next = new Map(all);
    const moved = new Set([...addresses.keys()].filter((place) => next.get(place) !== addresses.get(place)));
    if (moved.size > 0) options.registry.forget('listener', (place) => moved.has(place));
    addresses = next;
  }

  const { peers, ownUid } = options;

  function create(config: ListenerConfig): Listener {
    if (!config.serve.includes('systemd')) {
      return createHttpListener({ config, context, dialects, peers, sockets, budget });
    }
    if (config.serve.length === 1 && config.kind !== 'tcp') {
      return createSystemdListener({ config, context, peers, ownUid, sockets, budget });
    }
    throw new LatchkeyError('listener_failed', `${config.place}.serve: systemd speaks no HTTP`, {
      remedy: 'give it a unix listener of its own',
    });
  }

  async function startOne(config: ListenerConfig): Promise<Listener> {
    internals ??= await tryNodeInternals(noteMissing);
    const listener = create(config);
    await listener.start();
    const { place, serve, address } = common(config, listener.address());
    logger.info({ listener: place, address, serve: serve.join(',') }, 'listening');
    return listener;
  }

  /** Connections that are open stay; nothing new could come through the old one. */
  async function listenAgain(lost: Listener): Promise<void> {
    if (!listeners.includes(lost)) return;
    listeners = listeners.filter((listener) => listener !== lost);
    watch.set(listeners);
    draining.add(lost);
    // It stops listening at once; only what is in work takes its time.
    void lost.close(drainOnReloadMs).finally(() => draining.delete(lost));
    const { config } = lost;
    if (config.kind === 'unix') metrics.fileDrifts.with(config.path, 'deleted').inc();
    try {
      listeners.push(await startOne(config));
      logger.warn(
        { listener: config.place, address: addressOf(config) },
        'somebody removed the socket: it is there again',
      );
    } catch (error) {
      failed.push({ config, error: asListenerError(config, error) });
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
      try {
        listeners.push(await startOne(one.config));
        failed = failed.filter((other) => other !== one);
      } catch (error) {
        one.error = asListenerError(one.config, error);
      }
    }
    watch.set(listeners);
  }

  function replaceAll(staying: ReadonlySet<Listener>, started: readonly Listener[]): void {
    const gone = listeners.filter((listener) => !staying.has(listener));
    listeners = [...staying, ...started];
    failed = [];
    noteAddresses();
    watch.set(listeners);
    for (const listener of gone) {
      draining.add(listener);
      void listener.close(drainOnReloadMs).finally(() => draining.delete(listener));
    }
  }

  return {
    async start() {
      failed = [];
      for (const config of options.listeners) {
        try {
          listeners.push(await startOne(config));
        } catch (error) {
          failed.push({ config, error: asListenerError(config, error) });
        }
      }
      noteAddresses();
      watch.set(listeners);
      for (const { error } of failed)
        logger.error({ error: describeError(error) }, 'a listener does not start');
      return failed.map(({ error }) => error);
    },
    async prepare(wanted) {
      const old = new Map(listeners.map((listener) => [addressOf(listener.config), listener]));
      const kept: { listener: Listener; before: ListenerConfig; config: ListenerConfig }[] = [];
      const started: Listener[] = [];
      const abandon = async (): Promise<void> => {
        for (const { listener, before } of kept) listener.update(before);
        await Promise.all(started.map((listener) => listener.close(0)));
      };
      try {
        for (const config of wanted) {
          const listener = old.get(addressOf(config));
          if (listener === undefined) {
            started.push(await startOne(config));
            continue;
          }
          kept.push({ listener, before: listener.config, config });
          listener.update(config);
        }
      } catch (error) {
        await abandon();
        throw error;
      }
      const staying = new Set(kept.map(({ listener }) => listener));
      return { abandon, commit: () => replaceAll(staying, started) };
    },
    onConnections(listener) {
      connectionListeners.add(listener);
      return () => connectionListeners.delete(listener);
    },
    verify() {
      watch.look();
      if (failed.length > 0) void startFailed();
    },
    status: () => [
      ...listeners.map((listener) => ({
        ...common(listener.config, listener.address()),
        state: 'listening' as const,
        connections: listener.connectionCount,
      })),
      ...failed.map(({ config, error }) => ({
        ...common(config),
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
    async close({ drainMs }) {
      watch.close();
      const closing = [...listeners, ...draining];
      listeners = [];
      await Promise.all(closing.map((listener) => listener.close(drainMs)));
      for (const dialect of dialects) dialect.close?.();
      waits.close();
      stopCollecting();
    },
  };
}

const drainOnReloadMs = 10_000;

/** Of a port that the kernel chose the one that it chose. */
function common(
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
