// A socket for `LoadCredential=ID:/path`: systemd connects, half-closes, and reads the credential's bytes to the end.
// There is no way to say no: an early close would be an empty credential, so a refusal is more than the 1 MiB that
// systemd takes, which makes the unit fail.
import { createServer, type Socket } from 'node:net';
import { type Caller, type ProcessCaller, unitCaller, unknownCaller } from '../../access/caller.ts';
import type { PeerReader } from '../../access/peer.ts';
import type { LatchkeyError } from '../../base/errors.ts';
import { stringifyJson } from '../../base/text/json.ts';
import type { ListenerConfig } from '../../config/resolved.ts';
import type { Entry } from '../../store/entry.ts';
import { fieldBytes, secretFields, shownVersion } from '../../store/secret-version.ts';
import type { ServerContext } from '../http/server-context.ts';
import { type BindContext, bindListener, refreshBinding } from '../listen/bind-listener.ts';
import { createConnectionShares, type DescriptorBudget } from '../listen/connection-shares.ts';
import { createIdentity, type Identity } from '../listen/identity.ts';
import type { Listener } from '../listen/listener.ts';
import { userOf } from '../listen/shares.ts';
import { createStrangerRate } from '../listen/stranger-rate.ts';
import { fdOf } from '../node-internals/socket-internals.ts';

interface SystemdListenerOptions extends BindContext {
  budget: DescriptorBudget;
  config: ListenerConfig;
  context: ServerContext;
  peers: PeerReader;
  ownUid: number;
}

/** Of one credential and of all of a unit (systemd.exec(5)). */
const maxCredentialBytes = 1024 * 1024;
const refusalLine = 'latchkey: refused, see the audit file\n';
/** A unit that starts with the host may be earlier than the login at the vault. */
const waitForSecretMs = 30_000;
const idleTimeoutMs = 60_000;
/** Connections beyond `max_connections` that still take in their refusal; more than that are cut without it. */
const maxLingering = 256;
const lingerMs = 1000;

interface Credential {
  readonly name: string;
  /** Absent: all fields as a JSON object. */
  readonly field: string | undefined;
}

interface Request extends Partial<Credential> {
  readonly socket: Socket;
  readonly identity: Identity;
  readonly startedAt: number;
}

export function createSystemdListener(options: SystemdListenerOptions): Listener {
  const { context, peers, ownUid } = options;
  const { view, clock, metrics, logger } = context;
  let config = options.config;
  const sockets = new Set<Socket>();
  const shares = createConnectionShares(() => config.maxConnections, options.budget);
  const strangers = createStrangerRate(peers, clock);
  /** Requests for secrets that are not there yet. */
  const waiting = new Set<() => void>();
  let isClosing = false;
  let letGo = (): void => undefined;
  // The client half-closes at once; Node would close our side too before the answer is there.
  const server = createServer({ allowHalfOpen: true }, accept);

  function accept(socket: Socket): void {
    socket.on('error', () => socket.destroy());
    const fd = fdOf(socket);
    if (strangers.isTooOften(fd)) {
      metrics.connectionsRefused.with(config.place).inc();
      socket.destroy();
      return;
    }
    const peer = fd === undefined ? unknownCaller('the connection is gone') : peers.identify(fd);
    // Whoever else may connect here cannot keep units from their credentials.
    const standing = isSystemd(peer) ? 'owner' : 'stranger';
    strangers.note(peer, standing);
    const give = shares.take(userOf(peer), standing);
    const isFull = give === undefined;
    if (isFull) metrics.connectionsRefused.with(config.place).inc();
    if (isFull && sockets.size >= shares.count + maxLingering) {
      socket.destroy();
      return;
    }
    sockets.add(socket);
    socket.once('close', () => {
      sockets.delete(socket);
      give?.();
    });
    socket.setTimeout(isFull ? lingerMs : idleTimeoutMs, () => socket.destroy());
    socket.resume();
    if (isFull) socket.end(refusal());
    else serve(socket, peer);
  }

  /** The address is the client's own choice: only root's (systemd's) word for it counts, or our own user's. */
  function isSystemd(peer: Caller): peer is ProcessCaller {
    return peer.kind === 'process' && !peer.isForeign && (peer.uid === 0 || peer.uid === ownUid);
  }

  function serve(socket: Socket, peer: Caller): void {
    const fd = fdOf(socket);
    const asked = fd === undefined ? undefined : parseAddress(peers.peerAddress(fd));
    const startedAt = clock.now();
    if (!isSystemd(peer) || asked === undefined) {
      metrics.denials.with('systemd_peer').inc();
      const reason = 'not a systemd that loads a credential';
      record(
        { socket, identity: createIdentity(peer), startedAt },
        { isAllowed: false, reason, status: 403 },
      );
      return;
    }
    const identity = createIdentity(unitCaller(asked.unit, peer.uid));
    const credential = findCredential(asked.id, (name) => view.names.find(name) !== undefined);
    answer({ ...credential, socket, identity, startedAt });
  }

  function answer(request: Request & Credential): void {
    const { identity, name } = request;
    const decision = context.access.decideSecret(identity.caller, name);
    if (!decision.isAllowed) {
      metrics.denials.with('access').inc();
      record(request, { isAllowed: false, reason: decision.reason, status: 403 });
      return;
    }
    const entry = view.names.find(name)?.entry;
    const mayWait = !isClosing && clock.now() < request.startedAt + waitForSecretMs;
    if (mayWait && entry !== undefined && entry.current === undefined) waitFor(request, entry.key);
    else deliver(request, entry, decision.reason);
  }

  function deliver(request: Request & Credential, entry: Entry | undefined, reason: string): void {
    const { identity, name } = request;
    const version = entry?.current;
    const bytes = version === undefined ? undefined : credentialBytes(secretFields(version), request.field);
    if (entry === undefined || version === undefined || bytes === undefined) {
      record(request, {
        isAllowed: true,
        reason,
        status: version === undefined && entry !== undefined ? 503 : 404,
      });
      return;
    }
    if (bytes.length > maxCredentialBytes) {
      logger.error(
        { name, unit: unitOf(identity) },
        'a credential is longer than the 1 MiB that systemd takes',
      );
      record(request, { isAllowed: true, reason, status: 413 });
      return;
    }
    const shown = shownVersion(version);
    record(request, { isAllowed: true, reason, status: 200, version: shown }, () => {
      context.ledger.delivered(identity.caller, {
        name,
        entryKey: entry.key,
        number: version.number,
        shownVersion: shown,
      });
      return bytes;
    });
  }

  /** Again when the entry changes, for the last time when the wait is over. */
  function waitFor(request: Request & Credential, key: string): void {
    const again = (): void => {
      stop();
      answer(request);
    };
    const isMine = (entry: { key: string; current: unknown }): boolean =>
      entry.key === key && entry.current !== undefined;
    const stopListening = view.store.listen({
      changed: (entry) => {
        if (isMine(entry)) again();
      },
      closed: (entry) => {
        if (entry.key === key) again();
      },
    });
    const timer = clock.setTimer(Math.max(0, request.startedAt + waitForSecretMs - clock.now()), again);
    const stop = (): void => {
      stopListening();
      timer.cancel();
      waiting.delete(again);
      request.socket.off('close', stop);
    };
    waiting.add(again);
    request.socket.once('close', stop);
  }

  /** Writes the line, then the bytes; without bytes, or without a line, the refusal. */
  function record(
    { socket, identity, name, field, startedAt }: Request,
    outcome: { isAllowed: boolean; reason: string; status: number; version?: number },
    deliver?: () => Buffer,
  ): void {
    const latencyUs = Math.round((clock.now() - startedAt) * 1000);
    const common = {
      caller: identity.encoded,
      listener: config.place,
      dialect: 'systemd',
      method: 'LoadCredential',
    };
    context.audit.append(
      { ...common, name, field, ...outcome, latencyUs },
      {
        recorded(failure: LatchkeyError | undefined) {
          const bytes = failure === undefined ? deliver?.() : undefined;
          metrics.requests.with('systemd', String(failure === undefined ? outcome.status : 503)).inc();
          socket.end(bytes ?? refusal());
        },
      },
    );
  }

  return {
    get config() {
      return config;
    },
    get connectionCount() {
      return sockets.size;
    },
    async start() {
      letGo = await bindListener(server, config, options);
    },
    address: () => server.address(),
    update(next) {
      refreshBinding(next);
      config = next;
    },
    async close(drainMs) {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      letGo();
      isClosing = true;
      // Cut off they would take an empty credential for theirs.
      for (const again of [...waiting]) again();
      const timer = clock.setTimer(drainMs, () => {
        for (const socket of sockets) socket.destroy();
      });
      await closed;
      timer.cancel();
    },
  };
}

/** `RANDOM/unit/UNIT/ID`, as systemd binds its end (src/shared/creds-util and fileio of systemd). */
function parseAddress(address: Buffer | undefined): { unit: string; id: string } | undefined {
  const match = /^[0-9a-f]+\/unit\/([^/]+)\/([^/]+)$/.exec(address?.toString('utf8') ?? '');
  const [, unit, id] = match ?? [];
  return unit === undefined || id === undefined ? undefined : { unit, id };
}

/** The secret of that name; else `NAME.FIELD` with the longest name that there is; else the whole as a name. */
export function findCredential(id: string, isName: (name: string) => boolean): Credential {
  if (isName(id)) return { name: id, field: undefined };
  for (let dot = id.lastIndexOf('.'); dot > 0; dot = id.lastIndexOf('.', dot - 1)) {
    const name = id.slice(0, dot);
    if (isName(name)) return { name, field: id.slice(dot + 1) };
  }
  return { name: id, field: undefined };
}

let refusalBytes: Buffer | undefined;

/** Made when it is needed: few hosts refuse a unit, and none needs a megabyte for it until then. */
function refusal(): Buffer {
  refusalBytes ??= Buffer.alloc(maxCredentialBytes + 4096, refusalLine);
  return refusalBytes;
}

function credentialBytes(
  fields: ReturnType<typeof secretFields>,
  field: string | undefined,
): Buffer | undefined {
  return field === undefined ? Buffer.from(stringifyJson(fields), 'utf8') : fieldBytes(fields, field);
}

function unitOf({ caller }: Identity): string | undefined {
  return caller.kind === 'unit' ? caller.unit : undefined;
}
