// The local server: all listeners, their dialects and what they share.

import type { PeerReader } from '../access/peer.ts';
import { LatchkeyError } from '../base/errors.ts';
import { keyAt } from '../base/text/key-at.ts';
import { type Changes, createChangePoint } from '../base/time/until.ts';
import type { ListenerConfig } from '../config/resolved.ts';
import { withDenialLog } from './http/denial-log.ts';
import { createHttpListener } from './http/http-listener.ts';
import { createRequestShares } from './http/request-costs.ts';
import type { ServerContext } from './http/server-context.ts';
import { createWaits } from './http/waits.ts';
import { createDescriptorBudget } from './listen/connection-shares.ts';
import type { Listener } from './listen/listener.ts';
import { readActivatedSockets } from './listen/socket-activation.ts';
import { createListenerSet, type ListenerSet } from './listener-set.ts';
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

export interface LocalServer extends Omit<ListenerSet, 'start' | 'all'> {
  /** Starts every listener; resolves to the problems of those that could not (the others serve). */
  start(): Promise<readonly LatchkeyError[]>;
  /** At each connection that begins or ends. */
  readonly onConnections: Changes;
}

export function createServer(options: ServerOptions): LocalServer {
  const { view, access, clock, metrics, logger } = options;
  const waits = createWaits({ store: view.store, access, clock, metrics });
  let internals: NodeInternals | undefined;
  let canRest: Promise<boolean> | undefined;
  const noteMissing = (message: string) => logger.warn({ event: 'listener.node-differs' }, message);
  const connections = createChangePoint();
  const context: ServerContext = {
    ...options,
    audit: withDenialLog(options.audit, { logger }),
    secrets: createSecretReader({ view, clock }),
    waits,
    shares: createRequestShares(),
    noteConnections: connections.tell,
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
    for (const { config, connectionCount } of listeners.all())
      metrics.connections.with(config.place).set(connectionCount);
  });
  const sockets = readActivatedSockets();
  const budget = createDescriptorBudget();
  const listeners = createListenerSet({
    ...options,
    async create(config) {
      internals ??= await tryNodeInternals(noteMissing);
      return create(config);
    },
  });

  function create(config: ListenerConfig): Listener {
    const { peers, ownUid } = options;
    if (!config.serve.includes('systemd')) {
      return createHttpListener({ config, context, dialects, peers, sockets, budget });
    }
    if (config.serve.length === 1 && config.kind !== 'tcp') {
      return createSystemdListener({ config, context, peers, ownUid, sockets, budget });
    }
    throw new LatchkeyError('listener_failed', `${keyAt(config.place, 'serve')}: systemd speaks no HTTP`, {
      remedy: 'give it a unix listener of its own',
    });
  }

  return {
    ...listeners,
    start: () => listeners.start(options.listeners),
    onConnections: connections.changes,
    async close(drain) {
      await listeners.close(drain);
      for (const dialect of dialects) dialect.close?.();
      waits.close();
      stopCollecting();
    },
  };
}
