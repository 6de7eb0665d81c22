// One listener for HTTP: admits connections, tells who is at the other end, and hands requests to routes.ts.
import {
  createServer as createHttpServer,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';
import type { Server as HttpsServer } from 'node:https';
import type { Socket } from 'node:net';
import type { Standing } from '../../access/access-policy.ts';
import type { PeerReader } from '../../access/peer.ts';
import { nodeHttps } from '../../base/system/node-tls.ts';
import type { ListenerConfig } from '../../config/resolved.ts';
import { type BindContext, bindListener, refreshBinding } from '../listen/bind-listener.ts';
import type { Connection, ListenerScope } from '../listen/connection.ts';
import { createConnectionShares, type DescriptorBudget } from '../listen/connection-shares.ts';
import { httpLimits, refuseConnection, refuseMalformed } from '../listen/http-limits.ts';
import type { Listener } from '../listen/listener.ts';
import { hostRulesOf, tlsOptionsOf } from '../listen/listener-identity.ts';
import { tokenOf } from '../listen/listener-token.ts';
import { createPeerTable, ofNobody, ofOpenListener, type Peer } from '../listen/peer-table.ts';
import { userOf } from '../listen/shares.ts';
import { createStrangerRate } from '../listen/stranger-rate.ts';
import { createUnprovenConnections } from '../listen/unproven-connections.ts';
import { takeConnectionCheck } from '../node-internals/connection-check.ts';
import { fdOf, takeParser } from '../node-internals/socket-internals.ts';
import { restoreListMethod, takeListMethod } from '../node-internals/vault-list-method.ts';
import { dialectsOf, handleRequest } from '../routes.ts';
import { createConnectionRest } from './connection-rest.ts';
import type { DialectHandler } from './dialect.ts';
import { Exchange } from './exchange.ts';
import type { ServerContext } from './server-context.ts';

interface HttpListenerOptions extends BindContext {
  budget: DescriptorBudget;
  config: ListenerConfig;
  context: ServerContext;
  dialects: readonly DialectHandler[];
  peers: PeerReader;
}

const noPeer = ofNobody('TCP tells nothing of who connects');
const drainCheckMs = 20;

export function createHttpListener(options: HttpListenerOptions): Listener {
  const { context, dialects, peers } = options;
  const { metrics, clock, logger } = context;
  const connections = new WeakMap<Socket, Connection>();
  const peerTable = createPeerTable(peers);
  const strangers = createStrangerRate(peers, clock);
  const scope: ListenerScope = {
    config: options.config,
    hostRules: hostRulesOf(options.config),
    token: undefined,
    isDraining: false,
  };
  const shares = createConnectionShares(() => scope.config.maxConnections, options.budget);
  let byRoot = dialectsOf(dialects, options.config);
  const unproven = createUnprovenConnections(() =>
    Math.min(scope.config.maxConnections, options.budget.most),
  );
  let letGo = (): void => undefined;
  let openPeer: Peer | undefined;
  let check: (() => void) | undefined;
  let checking: NodeJS.Timeout | undefined;
  const server = createNodeServer(options.config);
  // Node would drop headers beyond 2000 unseen, an Origin among them; their size is limited anyway.
  server.maxHeadersCount = 0;

  /** Puts the parser on the socket by `serve`, if there is a place for whoever connected. */
  function admit(socket: Socket, serve: () => void): void {
    const isTcp = scope.config.kind === 'tcp';
    const peer = openPeer ?? (isTcp ? noPeer : peerTable.peerOf(fdOf(socket)));
    const { caller } = peer.identity;
    // Whoever connects by TCP will have to show the token: one caller as far as this listener goes.
    const standing = isTcp || openPeer !== undefined ? 'owner' : context.access.standingOf(caller);
    strangers.note(caller, standing);
    const give = shares.take(userOf(caller), standing);
    if (give === undefined) {
      peer.release();
      refuse(socket, standing);
      return;
    }
    noteConnections();
    const drop = isTcp ? unproven.hold(socket) : undefined;
    // Nothing is to be shown to it: with TLS the handshake, which is over, was all that was waited for.
    if (openPeer !== undefined) drop?.();
    const connection: Connection = {
      ...{ scope, peer, standing: isTcp || openPeer !== undefined ? 'ruled' : standing, waiting: 0 },
      ...{ provedBy: undefined, provenHeader: undefined },
      onProof: openPeer === undefined ? drop : undefined,
      endings: undefined,
    };
    // Not `once`, which would keep three objects more for each client.
    socket.on('close', () => {
      give();
      peer.release();
      rest?.forget(socket);
      connection.onProof?.();
      noteConnections();
      for (const end of [...(connection.endings ?? [])]) end();
    });
    connections.set(socket, connection);
    serve();
  }

  /** Slow ones are looked for while there are any. */
  function noteConnections(): void {
    context.noteConnections();
    if (shares.count === 0) {
      clearInterval(checking);
      checking = undefined;
    } else if (check !== undefined)
      checking ??= setInterval(check, httpLimits.connectionsCheckingInterval).unref();
  }

  function refuse(socket: Socket, standing: Standing): void {
    metrics.connectionsRefused.with(scope.config.place).inc();
    // As AWS's own agent says it.
    const isAws = scope.config.serve.every((dialect) => dialect === 'aws');
    const status = isAws ? '429 Too Many Requests' : '503 Service Unavailable';
    const message = whyFull(scope.config.maxConnections, options.budget.most, standing);
    refuseConnection(socket, status, 'too_many_connections', message);
  }

  function onRequest(request: IncomingMessage, response: ServerResponse): void {
    restoreListMethod(request);
    const connection = connections.get(request.socket);
    if (connection === undefined) request.socket.destroy();
    else {
      rest?.note(request.socket);
      handleRequest(new Exchange(context, connection, request, response), byRoot);
    }
  }

  // Node's own listener puts the HTTP parser on the socket: ours goes first and calls it for those admitted.
  const event = isTls(server) ? 'secureConnection' : 'connection';
  const parse = takeParser(server, event, options.config.place);
  // What a connection with TLS takes beside its parser is several times as much.
  const rest = isTls(server)
    ? undefined
    : createConnectionRest({
        ...{ server, clock, parse, canRest: context.canRestParsers, onRest: context.noteConnections },
      });
  server.on(event, (socket: Socket) => {
    if (scope.config.kind === 'unix' && strangers.isTooOften(fdOf(socket))) {
      metrics.connectionsRefused.with(scope.config.place).inc();
      socket.destroy();
    } else admit(socket, () => parse(socket));
  });
  // TLS takes its time before there is a connection of ours.
  if (isTls(server))
    server.prependListener('connection', (socket: Socket) => socket.once('close', unproven.hold(socket)));
  server.on('request', onRequest);
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    const isVault = byRoot.get('v1')?.name === 'vault' && context.internals.canTakeList;
    const refuse = (): void => {
      metrics.malformedRequests.with(scope.config.place).inc();
      refuseMalformed(socket, error);
    };
    if (!isVault || !takeListMethod(error, socket, { clock, parse: () => parse(socket as Socket), refuse }))
      refuse();
  });
  // Nothing here speaks another protocol, and a CONNECT or Upgrade must not leave a socket behind.
  server.on('connect', (_request, socket) =>
    refuseConnection(socket, '405 Method Not Allowed', 'method_not_allowed', 'CONNECT is not served'),
  );

  function provideToken(config: ListenerConfig): void {
    openPeer = config.isOpen ? ofOpenListener(config.place) : undefined;
    scope.token = tokenOf(config, scope.token);
  }

  return {
    get config() {
      return scope.config;
    },
    get connectionCount() {
      return shares.count;
    },
    async start() {
      provideToken(scope.config);
      try {
        letGo = await bindListener(server, scope.config, options);
        check = takeConnectionCheck(server);
      } catch (error) {
        server.close();
        throw error;
      }
      server.on('error', (error) => {
        logger.error({ listener: scope.config.place, error: error.message }, 'a listener failed');
      });
    },
    address: () => server.address(),
    update(config) {
      provideToken(config);
      refreshBinding(config);
      if (isTls(server) && config.kind === 'tcp') server.setSecureContext(tlsOptionsOf(config));
      scope.config = config;
      scope.hostRules = hostRulesOf(config);
      const before = new Set(byRoot.values());
      byRoot = dialectsOf(dialects, config);
      for (const dialect of before.difference(new Set(byRoot.values()))) dialect.drain?.(scope);
    },
    async close(drainMs) {
      scope.isDraining = true;
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      letGo();
      rest?.end();
      for (const dialect of new Set(dialects)) dialect.drain?.(scope);
      const end = clock.now() + drainMs;
      while (shares.count > 0 && clock.now() < end) {
        server.closeIdleConnections();
        if (shares.count > 0) await clock.sleep(drainCheckMs);
      }
      server.closeAllConnections();
      await closed;
    },
  };
}

function whyFull(ofListener: number, ofAgent: number, standing: Standing): string {
  const limit =
    ofAgent < ofListener
      ? `the agent serves at most ${ofAgent} connections at once, for more its limit of open files must be raised`
      : `this listener serves at most ${ofListener} connections at once`;
  return standing === 'owner' ? limit : `${limit}, and you have your share of them`;
}

function createNodeServer(config: ListenerConfig): Server | HttpsServer {
  if (config.kind !== 'tcp' || config.tls === undefined) return createHttpServer(httpLimits);
  const { headersTimeout: handshakeTimeout } = httpLimits;
  return nodeHttps().createServer({ ...httpLimits, handshakeTimeout, ...tlsOptionsOf(config) });
}

function isTls(server: Server | HttpsServer): server is HttpsServer {
  return 'setSecureContext' in server;
}
