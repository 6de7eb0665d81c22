// Where the API server is and who the agent is there: the service account of the pod, or a kubeconfig file.
import { dirname, resolve } from 'node:path';
import { load } from 'js-yaml';
import { LatchkeyError } from '../../base/errors.ts';
import type { Environment, Surroundings } from '../../base/surroundings.ts';
import { environmentOfOthers } from '../../base/system/harmless-environment.ts';
import { isJsonObject, parseJson } from '../../base/text/json.ts';
import { createSystemClock } from '../../base/time/clock.ts';
import type { TlsConfig } from '../../config/upstreams/server-config.ts';
import { readLoginFile } from '../cloud/login-file.ts';
import { runProgram } from '../exec/run-program.ts';
import type { KubernetesUpstreamConfig } from './kubernetes-kind.ts';

export interface Cluster {
  readonly address: string;
  readonly tls: TlsConfig;
  readonly namespace: string;
  /** Read again each time: tokens turn hourly. Undefined: the client certificate is all. */
  token(signal: AbortSignal): Promise<string | undefined>;
}

type Fields = Readonly<Record<string, unknown>>;

type Around = Pick<Surroundings, 'env' | 'faultOf'>;

/** Throws `login_failed` that names the file. */
export async function findCluster(config: KubernetesUpstreamConfig, around: Around): Promise<Cluster> {
  const { env, faultOf } = around;
  if (config.kubeconfigFile !== undefined) return await fromKubeconfig(config.kubeconfigFile, config, around);
  const [host, port] = [env['KUBERNETES_SERVICE_HOST'], env['KUBERNETES_SERVICE_PORT'] ?? '443'];
  if (!host) {
    throw new LatchkeyError(
      'login_failed',
      'this is no pod ($KUBERNETES_SERVICE_HOST is not set), and no kubeconfig is named',
      {
        remedy: 'set kubeconfig at this upstream',
      },
    );
  }
  const folder = env['KUBERNETES_SERVICEACCOUNT_DIR'] ?? '/var/run/secrets/kubernetes.io/serviceaccount';
  const { caFile, ...tls } = config.tls;
  return {
    address: `https://${host.includes(':') ? `[${host}]` : host}:${port}`,
    tls: { ...tls, caFile: caFile ?? `${folder}/ca.crt` },
    namespace: config.namespace ?? (await readLoginFile(`${folder}/namespace`, { faultOf })).trim(),
    token: async () => (await readLoginFile(`${folder}/token`, { faultOf })).trim(),
  };
}

async function fromKubeconfig(
  path: string,
  config: KubernetesUpstreamConfig,
  around: Around,
): Promise<Cluster> {
  const { faultOf } = around;
  const file = objectOf(parseYaml(await readLoginFile(path, { faultOf }), path));
  const wanted = config.context ?? textOf(file['current-context']);
  const context = named(file['contexts'], wanted, 'context', path);
  const cluster = named(file['clusters'], textOf(context['cluster']), 'cluster', path);
  const user = named(file['users'], textOf(context['user']), 'user', path);
  const at = (name: unknown) => (typeof name === 'string' ? resolve(dirname(path), name) : undefined);
  const pem = (data: unknown) =>
    typeof data === 'string' ? Buffer.from(data, 'base64').toString('utf8') : undefined;
  const inline = {
    ca: pem(cluster['certificate-authority-data']),
    cert: pem(user['client-certificate-data']),
    key: pem(user['client-key-data']),
  };
  return {
    address: (textOf(cluster['server']) ?? '').replace(/\/+$/, ''),
    tls: {
      ...config.tls,
      caFile: at(cluster['certificate-authority']) ?? config.tls.caFile,
      certFile: at(user['client-certificate']) ?? config.tls.certFile,
      keyFile: at(user['client-key']) ?? config.tls.keyFile,
      serverName: textOf(cluster['tls-server-name']) ?? config.tls.serverName,
      skipVerify: config.tls.skipVerify || cluster['insecure-skip-tls-verify'] === true,
      inline: Object.fromEntries(Object.entries(inline).filter(([, text]) => text !== undefined)),
    },
    namespace: config.namespace ?? textOf(context['namespace']) ?? 'default',
    async token(signal) {
      const tokenFile = at(user['tokenFile']);
      if (tokenFile !== undefined) return (await readLoginFile(tokenFile, { faultOf })).trim();
      const plugin = user['exec'];
      return plugin === undefined || plugin === null
        ? textOf(user['token'])
        : await tokenOfPlugin(objectOf(plugin), path, around, signal);
    },
  };
}

/** A credential plugin of client-go; only tokens are taken of it. */
async function tokenOfPlugin(
  plugin: Fields,
  path: string,
  { env, faultOf }: Around,
  signal: AbortSignal,
): Promise<string> {
  const command = textOf(plugin['command']) ?? '';
  const args = Array.isArray(plugin['args']) ? plugin['args'].map(String) : [];
  const end = await runProgram({
    command: [command.includes('/') ? resolve(dirname(path), command) : command, ...args],
    input: '',
    env: environmentOf(plugin, env),
    workingDir: '/',
    uid: undefined,
    gid: undefined,
    timeoutMs: 60_000,
    maxBytes: 1 << 20,
    clock: createSystemClock(),
    signal,
    faultOf,
  });
  try {
    const answer = parseJson(end.stdout.toString('utf8'));
    const status = isJsonObject(answer) ? answer['status'] : undefined;
    const token = isJsonObject(status) ? status['token'] : undefined;
    if (end.code === 0 && typeof token === 'string') return token;
  } catch {
    // The parser's error would quote the answer.
  }
  throw new LatchkeyError(
    'login_failed',
    `${path}: ${command} ended with ${end.code ?? 'a signal'} and without a token`,
  );
}

/** The agent's but for its own tokens, what the plugin's entry adds, and what the plugin is asked. */
function environmentOf(plugin: Fields, env: Environment): Record<string, string> {
  const own = Array.isArray(plugin['env'])
    ? plugin['env'].map(objectOf).map(({ name, value }) => [String(name), String(value)] as const)
    : [];
  const info = {
    apiVersion: plugin['apiVersion'] ?? 'client.authentication.k8s.io/v1',
    kind: 'ExecCredential',
    spec: { interactive: false },
  };
  return {
    ...environmentOfOthers(env),
    ...Object.fromEntries(own),
    KUBERNETES_EXEC_INFO: JSON.stringify(info),
  };
}

function parseYaml(text: string, path: string): unknown {
  try {
    return load(text);
  } catch {
    // No cause: the parser's error quotes the text.
    throw new LatchkeyError('login_failed', `${path}: not valid YAML`);
  }
}

function named(
  list: unknown,
  name: string | undefined,
  what: 'context' | 'cluster' | 'user',
  path: string,
): Fields {
  const found = (Array.isArray(list) ? list : []).map(objectOf).find((one) => one['name'] === name);
  if (found !== undefined) return objectOf(found[what]);
  throw new LatchkeyError('login_failed', `${path}: there is no ${what} ${name ?? '(none is named)'}`);
}

function objectOf(value: unknown): Fields {
  return typeof value === 'object' && value !== null ? (value as Fields) : {};
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}
