// The part of Kubernetes' API that secrets need: get, metadata alone, and watches with bookmarks, 410 and what kills them.
import { writeFileSync } from 'node:fs';
import type { ServerResponse } from 'node:http';
import { join } from 'node:path';
import type { Test } from 'tap';
import { createAuthority } from '../certificates.ts';
import { type FakeRequest, type FakeService, startFakeService } from '../fake-service.ts';
import { testFolder } from '../test-folder.ts';
import type { KindCase } from './kind-fixture.ts';

interface StoredSecret {
  readonly version: number;
  readonly data: Readonly<Record<string, string>>;
}

export interface FakeKubernetes {
  readonly service: FakeService;
  readonly kubeconfig: string;
  /** What the token file holds, and what the server accepts. */
  readonly tokenFile: string;
  token: string;
  readonly secrets: Map<string, StoredSecret>;
  readonly denied: Set<string>;
  /** Watches from versions below this one are answered 410. */
  oldest: number;
  put(name: string, data: Record<string, string | Buffer>): void;
  remove(name: string): void;
  bookmark(): void;
  watches(): number;
}

const authority = await createAuthority();
const certificate = await authority.issue();

export async function startFakeKubernetes(t: Test): Promise<FakeKubernetes> {
  const folder = testFolder(t);
  const open = new Map<ServerResponse, string>();
  let version = 100;
  const objectOf = (name: string, secret: StoredSecret) => ({
    kind: 'Secret',
    metadata: { name, namespace: 'apps', resourceVersion: String(secret.version) },
    type: 'Opaque',
    data: secret.data,
  });
  const tell = (name: string, type: string, secret: StoredSecret) => {
    for (const [response, watched] of open)
      if (watched === name) response.write(`${JSON.stringify({ type, object: objectOf(name, secret) })}\n`);
  };
  const service = await startFakeService(t, answer, certificate);
  const fake: FakeKubernetes = {
    service,
    kubeconfig: join(folder, 'config'),
    tokenFile: join(folder, 'token'),
    token: 'token-1',
    secrets: new Map(),
    denied: new Set(),
    oldest: 0,
    put(name, data) {
      version += 1;
      const isNew = !fake.secrets.has(name);
      const secret = {
        version,
        data: Object.fromEntries(
          Object.entries(data).map(([key, value]) => [key, Buffer.from(value).toString('base64')]),
        ),
      };
      fake.secrets.set(name, secret);
      tell(name, isNew ? 'ADDED' : 'MODIFIED', secret);
    },
    remove(name) {
      const secret = fake.secrets.get(name);
      fake.secrets.delete(name);
      version += 1;
      if (secret !== undefined) tell(name, 'DELETED', { ...secret, version });
    },
    bookmark() {
      version += 1;
      for (const [response, name] of open)
        response.write(
          `${JSON.stringify({ type: 'BOOKMARK', object: { metadata: { name, resourceVersion: String(version) } } })}\n`,
        );
    },
    watches: () => open.size,
  };
  writeFileSync(fake.tokenFile, `${fake.token}\n`, { mode: 0o600 });
  writeFileSync(
    fake.kubeconfig,
    JSON.stringify({
      'current-context': 'main',
      contexts: [{ name: 'main', context: { cluster: 'c', user: 'u', namespace: 'apps' } }],
      clusters: [
        {
          name: 'c',
          cluster: {
            server: service.address,
            'certificate-authority-data': Buffer.from(authority.cert).toString('base64'),
          },
        },
      ],
      users: [{ name: 'u', user: { tokenFile: 'token' } }],
    }),
    { mode: 0o600 },
  );

  function answer(request: FakeRequest) {
    const status = (code: number, reason: string) => ({
      status: code,
      json: { kind: 'Status', code, reason, message: 'canary-5f1d' },
    });
    if (request.headers.authorization !== `Bearer ${fake.token}`) return status(401, 'Unauthorized');
    if (request.query.get('watch') === '1') return watch(request);
    const name = decodeURIComponent(request.path.replace('/api/v1/namespaces/apps/secrets/', ''));
    if (fake.denied.has(name)) return status(403, 'Forbidden');
    const secret = fake.secrets.get(name);
    if (secret === undefined) return status(404, 'NotFound');
    const { data, ...metadata } = objectOf(name, secret);
    return {
      json: String(request.headers.accept).includes('PartialObjectMetadata')
        ? metadata
        : { ...metadata, data },
    };
  }

  function watch({ query }: FakeRequest) {
    const name = query.get('fieldSelector')?.replace('metadata.name=', '') ?? '';
    const from = Number(query.get('resourceVersion') ?? version);
    if (from < fake.oldest) return { status: 410, json: { kind: 'Status', code: 410, reason: 'Expired' } };
    return {
      stream(response: ServerResponse) {
        response.writeHead(200, { 'content-type': 'application/json' });
        response.flushHeaders();
        open.set(response, name);
        response.once('close', () => open.delete(response));
        const secret = fake.secrets.get(name);
        if (secret !== undefined && secret.version > from)
          response.write(`${JSON.stringify({ type: 'MODIFIED', object: objectOf(name, secret) })}\n`);
      },
    };
  }

  return fake;
}

export const kubernetesKind: KindCase = {
  kind: 'kubernetes',
  async start(t, { timeout = '5s' } = {}) {
    const fake = await startFakeKubernetes(t);
    const known = new Map<string, string>();
    // Names of Kubernetes are lower case and have no underscore.
    const nameOf = (name: string) => {
      const plain = name.toLowerCase().replaceAll(/[^a-z0-9-]/g, '-');
      known.set(name, plain);
      return plain;
    };
    return {
      config: { kind: 'kubernetes', kubeconfig: fake.kubeconfig, timeout },
      service: fake.service,
      isRead: ({ path }) => path.includes('/secrets/'),
      largest: 1 << 20,
      hasBinary: true,
      hasUnicodeNames: false,
      isPushed: true,
      put(name, value) {
        fake.put(nameOf(name), { value });
        return `${nameOf(name)}#value`;
      },
      putFields(name, fields) {
        fake.put(nameOf(name), fields);
        return nameOf(name);
      },
      remove: (name) => fake.remove(nameOf(name)),
      deny: (name) => void fake.denied.add(nameOf(name)),
      expireLogin() {
        fake.token = 'token-2';
        writeFileSync(fake.tokenFile, 'token-2');
      },
      alias: (path) => `apps/${path}`,
    };
  },
};
