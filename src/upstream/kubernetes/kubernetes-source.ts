// Secrets of Kubernetes as an upstream: read by name, watched one by one, so that a role may be limited to their names.
import { isUtf8 } from 'node:buffer';
import { describeError, LatchkeyError } from '../../base/errors.ts';
import { isJsonObject, type JsonObject } from '../../base/text/json.ts';
import { UpstreamError } from '../../base/upstream-error.ts';
import type { RequestOptions } from '../../store/secret-reading.ts';
import type { SecretAnswer } from '../../store/secret-version.ts';
import { idleGate } from '../gate/gate.ts';
import {
  checkStatus,
  createHttpCalls,
  type HttpAnswer,
  type HttpCalls,
  jsonBody,
} from '../kind/http-calls.ts';
import { fieldsAnswer, valueAnswer } from '../kind/kind-answer.ts';
import { createKindSource, type KindClient, type KindHooks } from '../kind/kind-source.ts';
import type { SecretSource, SourceOptions } from '../secret-source.ts';
import { type Cluster, findCluster } from './cluster.ts';
import type { KubernetesUpstreamConfig } from './kubernetes-kind.ts';
import { parseSecretPath, type SecretPath } from './kubernetes-path.ts';
import { type SecretWatch, startSecretWatch } from './secret-watch.ts';

interface Session {
  readonly cluster: Cluster;
  readonly http: HttpCalls;
}

/** A connection each: what is used beyond is polled. */
const mostWatches = 50;
const metadataOnly = 'application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json';

export function createKubernetesSource(options: SourceOptions<KubernetesUpstreamConfig>): SecretSource {
  return createKindSource(options, (hooks) => createKubernetesClient(options, hooks));
}

function createKubernetesClient(
  options: SourceOptions<KubernetesUpstreamConfig>,
  hooks: KindHooks,
): KindClient {
  const { config, clock, random, env, faultOf } = options;
  const logger = options.logger.child({ upstream: config.name });
  const watches = new Map<string, SecretWatch>();
  const paths = new Map<string, Set<string>>();
  let session: Session | undefined;
  let isClosed = false;

  async function connect(): Promise<Session> {
    if (session !== undefined) return session;
    const cluster = await findCluster(config, { env, faultOf });
    session ??= { cluster, http: createHttpCalls({ ...options, config: { ...config, tls: cluster.tls } }) };
    return session;
  }

  async function get(path: SecretPath, accept: string, request: RequestOptions): Promise<JsonObject> {
    const { cluster, http } = await connect();
    const url = `${cluster.address}/api/v1/namespaces/${encodeURIComponent(path.namespace)}/secrets/${encodeURIComponent(path.name)}`;
    const headers = { accept, ...(await authorization(cluster, request.signal)) };
    const answer = await http.send({ url, headers }, request);
    checkStatus(answer, `secret ${path.namespace}/${path.name}`, reasonIn(answer));
    return jsonBody(answer);
  }

  function watch(path: SecretPath, version: string | undefined): void {
    const id = `${path.namespace}/${path.name}`;
    if (!config.isWatched || isClosed || watches.has(id) || watches.size >= mostWatches) return;
    watches.set(
      id,
      startSecretWatch({
        clock,
        random,
        version,
        open: (from, timeoutSeconds, signal) => openWatch(path, from, timeoutSeconds, signal),
        onChange() {
          for (const one of paths.get(id) ?? []) hooks.changed(one);
        },
        onTrouble: (error) =>
          logger.warn(
            { secret: id, error: describeError(error) },
            'the secret cannot be watched: changes are found by polling',
          ),
      }),
    );
  }

  async function openWatch(
    { namespace, name }: SecretPath,
    version: string | undefined,
    timeoutSeconds: number,
    signal: AbortSignal,
  ) {
    const { cluster, http } = await connect();
    const query = new URLSearchParams({
      watch: '1',
      fieldSelector: `metadata.name=${name}`,
      allowWatchBookmarks: 'true',
      timeoutSeconds: String(timeoutSeconds),
      ...(version === undefined ? {} : { resourceVersion: version }),
    });
    const url = `${cluster.address}/api/v1/namespaces/${encodeURIComponent(namespace)}/secrets?${query}`;
    const stream = await http.open(
      { url, headers: { accept: metadataOnly, ...(await authorization(cluster, signal)) } },
      signal,
    );
    if (stream.status === 200) return stream;
    // What comes of ending it early is of no interest.
    stream.body.on('error', () => undefined).destroy();
    throw new UpstreamError(
      'upstream_unavailable',
      `${cluster.address} answers ${stream.status} to a watch of ${namespace}/${name}`,
      { status: stream.status },
    );
  }

  return {
    address: config.kubeconfigFile ?? 'the cluster of this pod',
    budget: () => session?.http.budget() ?? idleGate,
    async connect() {
      await connect();
    },
    async read({ path: text }, request) {
      const { cluster } = await connect();
      const path = parseSecretPath(text, cluster.namespace);
      const id = `${path.namespace}/${path.name}`;
      paths.set(id, (paths.get(id) ?? new Set()).add(text));
      const secret = await get(path, 'application/json', request);
      const version = versionOf(secret);
      watch(path, version);
      return secretAnswer(secret, path, version);
    },
    async isCurrent({ path }, version, request) {
      const { cluster } = await connect();
      return (
        versionOf(await get(parseSecretPath(path, cluster.namespace), metadataOnly, request)) ===
        version.versionId
      );
    },
    canonicalPath({ path: text }) {
      const { namespace, name, key } = parseSecretPath(
        text,
        session?.cluster.namespace ?? config.namespace ?? '',
      );
      return `${namespace}/${name}${key === undefined ? '' : `#${key}`}`;
    },
    async close() {
      isClosed = true;
      await Promise.all([...watches.values()].map((one) => one.close()));
      await session?.http.close();
    },
  };
}

async function authorization(cluster: Cluster, signal: AbortSignal): Promise<Record<string, string>> {
  const token = await cluster.token(signal);
  return token === undefined ? {} : { authorization: `Bearer ${token}` };
}

function versionOf(secret: JsonObject): string | undefined {
  const metadata = secret['metadata'];
  const version = isJsonObject(metadata) ? metadata['resourceVersion'] : undefined;
  return typeof version === 'string' ? version : undefined;
}

function secretAnswer(secret: JsonObject, path: SecretPath, version: string | undefined): SecretAnswer {
  const data = isJsonObject(secret['data']) ? secret['data'] : {};
  const life = version === undefined ? {} : { versionId: version };
  const bytes = (text: unknown) => Buffer.from(typeof text === 'string' ? text : '', 'base64');
  if (path.key !== undefined) {
    if (Object.hasOwn(data, path.key)) return valueAnswer(bytes(data[path.key]), life);
    throw new LatchkeyError('not_found', `secret ${path.namespace}/${path.name} has no key ${path.key}`);
  }
  const fields = Object.entries(data).map(([key, text]) => {
    const value = bytes(text);
    return [key, isUtf8(value) ? value.toString('utf8') : value.toString('base64')] as const;
  });
  return fieldsAnswer(Object.fromEntries(fields), life);
}

/** `Forbidden`, `NotFound`: the API's own word, never its sentence, which may quote. */
function reasonIn(answer: HttpAnswer): string {
  if (answer.status < 400) return '';
  try {
    const { reason } = jsonBody(answer);
    return typeof reason === 'string' ? reason.slice(0, 60) : '';
  } catch {
    // Of a proxy in between.
    return '';
  }
}
