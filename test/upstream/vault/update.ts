// What a reload leaves alone: the login, and what was used up for it.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { createReference } from '../../../src/store/reference.ts';
import type { AuthConfig } from '../../../src/upstream/vault/config/vault-config.ts';
import { kv2, startStubVault } from '../../support/stub-vault.ts';
import { testFolder } from '../../support/test-folder.ts';
import {
  appRole,
  createTestUpstream,
  interactive,
  noTls,
  shutdown,
  upstreamConfig,
} from '../../support/test-upstream.ts';
import { waitFor } from '../../support/wait-for.ts';

const reference = createReference({ upstream: 'vault', path: 'secret/app' });
const patience = () => AbortSignal.timeout(60_000);

async function start(t: Test) {
  const vault = await startStubVault();
  t.teardown(vault.close);
  vault.route(({ path }) => (path === 'secret/data/app' ? { json: kv2({ a: '1' }) } : undefined));
  const secretIdFile = join(testFolder(t), 'sid');
  writeFileSync(secretIdFile, 'the-id', { mode: 0o600 });
  const auth: AuthConfig = { ...appRole, secretIdFile } as AuthConfig;
  const config = { addresses: [vault.address], auth };
  const { upstream } = createTestUpstream({ config });
  t.teardown(() => upstream.close(shutdown));
  upstream.start();
  await upstream.ready(patience());
  await waitFor('the end of the file', () => !existsSync(secretIdFile));
  return { vault, upstream, config };
}

for (const [what, change] of [
  [
    'another address beside the old one',
    (address: string) => ({ addresses: ['http://127.0.0.1:9', address] }),
  ],
  ['the order of addresses', (address: string) => ({ addresses: [address, 'http://127.0.0.1:9'] })],
  ['tls', () => ({ tls: { ...noTls, serverName: 'vault.example' } })],
  [
    'limits',
    () => ({ timeoutMs: 7000, maxBodyBytes: 70_000, budget: { requestsPerSecond: 3, concurrency: 2 } }),
  ],
] as const) {
  t.test(`${what}: the login stays, and the secret id for the next one`, async (t) => {
    const { vault, upstream, config } = await start(t);
    const accessor = upstream.vault.accessor();
    const commit = upstream.prepareUpdate(upstreamConfig({ ...config, ...change(vault.address) }));
    t.ok(commit);
    commit?.();
    t.ok(await upstream.read(reference, interactive()));
    t.equal(upstream.vault.accessor(), accessor);
    t.equal(vault.count('auth/approle/login'), 1);
    vault.route(({ path, headers }) =>
      headers['x-vault-token'] === 's.token-1' && path !== 'auth/approle/login'
        ? { status: 403, json: { errors: ['permission denied', 'invalid token'] } }
        : undefined,
    );
    t.ok(await upstream.read(reference, interactive()), 'also after another login');
    t.equal(vault.count('auth/approle/login'), 2);
    t.match(vault.requests.findLast(({ path }) => path === 'auth/approle/login')?.body, /the-id/);
  });
}

t.test('another server, another auth or namespace is another upstream', async (t) => {
  const { upstream, config } = await start(t);
  for (const change of [
    { addresses: ['http://127.0.0.1:9'] },
    { auth: { ...config.auth, mount: 'other' } },
    { namespace: 'team' },
  ]) {
    t.equal(upstream.prepareUpdate(upstreamConfig({ ...config, ...change })), undefined);
  }
});

t.test('a successor with the same auth logs in with the secret id that is gone from the disk', async (t) => {
  const { upstream, config } = await start(t);
  const other = await startStubVault();
  t.teardown(other.close);
  const next = { ...config, addresses: [other.address] };
  const successor = createTestUpstream({ config: next, predecessor: upstream }).upstream;
  t.teardown(() => successor.close(shutdown));
  successor.start();
  await successor.ready(patience());
  t.match(other.requests.find(({ path }) => path === 'auth/approle/login')?.body, /the-id/);
  t.throws(
    () =>
      createTestUpstream({
        config: { ...next, auth: { ...config.auth, mount: 'elsewhere' } as AuthConfig },
        predecessor: upstream,
      }),
    { code: 'config_invalid', message: /sid is not there/ },
    'another auth has no part in it',
  );
});

t.test('a sink that is added gets the token that is there', async (t) => {
  const { upstream, config } = await start(t);
  const path = join(testFolder(t), 'token');
  const sink = {
    path,
    mode: 0o600,
    owner: undefined,
    group: undefined,
    wrapTtlSeconds: undefined,
    dhPath: undefined,
    deriveKey: false,
    aad: undefined,
  };
  upstream.prepareUpdate(upstreamConfig({ ...config, sinks: [sink] }))?.();
  await waitFor('the token', () => existsSync(path));
  t.equal(readFileSync(path, 'utf8'), 's.token-1');
});
