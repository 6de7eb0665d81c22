// A whole local server on a socket of its own, over a real store filled by hand: for tests of access, audit and dialects.

import { mkdtempSync, rmSync } from 'node:fs';
import { type IncomingHttpHeaders, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createAccess } from '../../src/access/access.ts';
import type { PeerReader } from '../../src/access/peer.ts';
import { createPeerReader } from '../../src/access/peer-reader.ts';
import { type AgentStatus, apiVersion } from '../../src/api/status.ts';
import { type AuditLog, createSilentAudit } from '../../src/audit/audit-log.ts';
import { createLedger } from '../../src/audit/ledger.ts';
import { LatchkeyError } from '../../src/base/errors.ts';
import { type Logger, silentLogger } from '../../src/base/logger.ts';
import { SecretValue } from '../../src/base/secret-value.ts';
import { processStartTime } from '../../src/base/system/process-identity.ts';
import { type Clock, createSystemClock } from '../../src/base/time/clock.ts';
import type { AccessConfig, Dialect, ListenerConfig } from '../../src/config/resolved.ts';
import { defineAgentMetrics } from '../../src/metrics/agent-metrics.ts';
import { createMetricsRegistry } from '../../src/metrics/registry.ts';
import type { AgentView, VaultAccess } from '../../src/server/agent-view.ts';
import { createServer } from '../../src/server/server.ts';
import { defaultEntryPolicy } from '../../src/store/entry.ts';
import { createReference, referenceKey } from '../../src/store/reference.ts';
import { digestData, type SecretAnswer } from '../../src/store/secret-version.ts';
import { createStore, type EntryHandle } from '../../src/store/store.ts';

export interface ServingOptions {
  rules?: AccessConfig;
  ownUid?: number;
  audit?: AuditLog;
  clock?: Clock;
  logger?: Logger;
  peers?: PeerReader;
  /** Called with the folder; default: one unix socket with `secrets` and `metrics`. */
  listeners?: (folder: string) => ListenerConfig[];
  view?: Partial<AgentView>;
  /** May be changed: `renamed` of what is started says so. */
  aliases?: Record<string, string>;
}

export type Serving = Awaited<ReturnType<typeof startServing>>;

/** Ends with `close`, which also removes the folder. */
export async function startServing(options: ServingOptions = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'latchkey-serving-'));
  const clock = options.clock ?? createSystemClock();
  const store = createStore({ clock });
  const handles = new Map<string, EntryHandle>();
  let revision = 1;
  const registry = createMetricsRegistry();
  const metrics = defineAgentMetrics(registry);
  const access = createAccess({
    rules: options.rules ?? { rules: [], strict: false },
    accounts: { uidOf: (name) => Number(name), gidOf: (name) => Number(name) },
    ownUid: options.ownUid ?? process.getuid?.() ?? -1,
  });
  const ledger = createLedger({
    holds: store,
    clock,
    isAlive: (pid, startTime) => processStartTime(pid) === startTime,
  });
  const view: AgentView = {
    store,
    names: {
      find: (name) => handles.get(name),
      all: () => [...handles].map(([name, { entry }]) => ({ config: { name }, entry })),
      nameOf: (alias) => options.aliases?.[alias] ?? alias,
      namesOf: (key) => [...handles].filter(([, handle]) => handle.key === key).map(([name]) => name),
      get revision() {
        return revision;
      },
    },
    status: () => emptyStatus,
    readiness: () => ({ isReady: true, missing: [] }),
    refresh: async (names) => (names ?? [...handles.keys()]).map((name) => ({ name, outcome: 'same' })),
    hooks: () => [],
    mayHaveChanged() {},
    reload: async () => ({ changed: [] }),
    explain: () => undefined,
    livesOn: () => [],
    nearestSubject: () => undefined,
    drill: async (name, { kind }) => ({ name, kind, consumers: [] }),
    setLogLevel: () => ({ level: 'info', config_level: 'info', until: null }),
    rotate: async (name) => ({
      name,
      outcome: 'rotated',
      changed: true,
      old: 'retires',
      version: 2,
      milliseconds: 1,
      behind: [],
    }),
    quit() {},
    keyOf(word) {
      const key = handles.get(word)?.key;
      if (key === undefined) throw new LatchkeyError('not_found', `no secret is named "${word}"`);
      return key;
    },
    timeline: () => ({ name: null, since: '', current_version: null, rotations: [] }),
    onStep: () => () => undefined,
    onChange: () => () => undefined,
    forward: () => Promise.reject(new LatchkeyError('upstream_unavailable', 'nothing to forward to')),
    vault: stillVault,
    awsSecret: () => Promise.reject(new LatchkeyError('internal', 'no upstream of AWS')),
    ...options.view,
  };
  const audit = options.audit ?? createSilentAudit();
  const server = createServer({
    listeners: options.listeners?.(folder) ?? [unixListener(join(folder, 'api.sock'))],
    view,
    access,
    peers: options.peers ?? (await createPeerReader()),
    ownUid: options.ownUid ?? process.getuid?.() ?? -1,
    audit,
    ledger,
    registry,
    metrics,
    clock,
    logger: options.logger ?? silentLogger,
  });
  const problems = await server.start();
  return {
    folder,
    store,
    access,
    ledger,
    registry,
    server,
    problems,
    socketPath: join(folder, 'api.sock'),
    /** Opens the name when it is new, and publishes these fields. */
    put(
      name: string,
      data: string | Record<string, unknown>,
      extra: Partial<SecretAnswer> = {},
      shape: 'flat' | 'kv2' = 'flat',
    ) {
      const handle = handles.get(name) ?? openName(name);
      store.publish(handle.key, answerOf(data, extra, shape), undefined);
      return handle.key;
    },
    open: (name: string) => openName(name),
    /** As a reload does that gives aliases to others. */
    renamed() {
      revision += 1;
    },
    drop(name: string) {
      handles.get(name)?.close();
      handles.delete(name);
    },
    async close() {
      await server.close({ drainMs: 500 });
      ledger.close();
      audit.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };

  function openName(name: string): EntryHandle {
    const handle = store.open(
      createReference({ upstream: 'vault', path: `secret/${name}` }),
      defaultEntryPolicy,
    );
    handles.set(name, handle);
    return handle;
  }
}

/** For `view`: a vault of which nothing is leased, nor ever changes. */
export const stillVault: VaultAccess = {
  upstream: () => ({ name: 'vault', namespace: undefined, source: 'vault' }),
  canonicalKey: referenceKey,
  refresh: async () => new Map(),
  leasesRevoked() {},
  ownAccessor: () => undefined,
  ownTokens: () => [],
  hold: () => ({ endsAt: () => undefined, renew: async () => undefined, confirm() {}, release() {} }),
};

const emptyStatus: AgentStatus = {
  api_version: apiVersion,
  version: 'test',
  pid: 4321,
  started_at: '2026-01-01T00:00:00.000Z',
  config: { sources: [], loaded_at: '2026-01-01T00:00:00.000Z', reload_error: null },
  ready: true,
  waiting_for: [],
  waits: [],
  degraded: [],
  troubles: [],
  upstreams: [],
  secrets: [],
  files: [],
  processes: [],
  listeners: [],
  leases: [],
  audit: createSilentAudit().status(),
  log: { level: 'info', config_level: 'info', until: null },
};

/** `data` as JSON text keeps numbers as they are written. */
export function answerOf(
  data: string | Record<string, unknown>,
  extra: Partial<SecretAnswer> = {},
  shape: 'flat' | 'kv2' = 'flat',
): SecretAnswer {
  const text = typeof data === 'string' ? data : JSON.stringify(data);
  return {
    content: {
      form: 'vault',
      body: SecretValue.fromText(
        `{"request_id":"r","lease_id":"","lease_duration":0,"renewable":false,"data":${text}}`,
      ),
      shape,
    },
    kind: 'static',
    dataDigest: digestData(text),
    ...extra,
  };
}

const listenerDefaults = {
  maxConnections: 20_000,
  requireRequestHeader: false,
  enableQuit: false,
  isOpen: false,
  useAutoAuthToken: 'fallback',
} as const;

export function unixListener(
  path: string,
  serve: Dialect[] = ['secrets', 'metrics'],
  more: object = {},
): ListenerConfig {
  return {
    ...listenerDefaults,
    place: 'listeners[0]',
    kind: 'unix',
    path,
    mode: 0o600,
    user: undefined,
    group: undefined,
    serve,
    ...more,
  };
}

export function tcpListener(
  tokenFile: string,
  serve: Dialect[] = ['secrets', 'metrics'],
  more: object = {},
): ListenerConfig {
  return {
    ...listenerDefaults,
    place: 'listeners[1]',
    kind: 'tcp',
    host: '127.0.0.1',
    port: 0,
    tokenFile,
    allowRemote: false,
    tls: undefined,
    serve,
    ...more,
  };
}

/** The port that a TCP listener has got. */
export function portOf(server: Pick<ReturnType<typeof createServer>, 'status'>, place: string): number {
  const address = server.status().find((listener) => listener.place === place)?.address ?? '';
  return Number(/:(\d+)(?: tls)?$/.exec(address)?.[1]);
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  readonly json: () => never;
}

export interface AskOptions {
  socketPath?: string;
  port?: number;
  localAddress?: string;
  method?: string;
  headers?: Record<string, string>;
  body?: string;
  signal?: AbortSignal;
}

/** One request on a connection of its own. */
export function ask(path: string, options: AskOptions): Promise<Answer> {
  const { promise, resolve, reject } = Promise.withResolvers<Answer>();
  const { body, headers = {}, method = 'GET', ...rest } = options;
  const sent = request(
    { ...rest, path, method, headers: { host: 'localhost', ...headers }, agent: false },
    (answer) => {
      const chunks: Buffer[] = [];
      answer.on('data', (chunk: Buffer) => chunks.push(chunk));
      answer.on('error', reject);
      answer.on('end', () => {
        const text = Buffer.concat(chunks).toString('utf8');
        const json = (): never => JSON.parse(text) as never;
        resolve({ status: answer.statusCode ?? 0, headers: answer.headers, text, json });
      });
    },
  );
  sent.on('error', reject);
  sent.end(body);
  return promise;
}
