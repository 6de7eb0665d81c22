// A vault behind a proxy: the tunnel, what is verified at its other end, and a proxy that is away or not willing.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { createReference } from '../../../src/store/reference.ts';
import { secretFields } from '../../../src/store/secret-version.ts';
import type { VaultUpstreamConfig } from '../../../src/upstream/vault/config/vault-config.ts';
import { createAuthority } from '../../support/certificates.ts';
import { startProxy } from '../../support/start-proxy.ts';
import { startSocks } from '../../support/start-socks.ts';
import { kv2, startStubVault } from '../../support/stub-vault.ts';
import { testFolder } from '../../support/test-folder.ts';
import {
  createTestUpstream,
  interactive,
  noTls,
  shutdown,
  upstreamConfig,
} from '../../support/test-upstream.ts';
import { waitFor } from '../../support/wait-for.ts';

const reference = createReference({ upstream: 'vault', path: 'secret/app' });
const patience = () => AbortSignal.timeout(60_000);
const authority = await createAuthority();
const server = await authority.issue({ names: [{ type: 'dns', value: 'vault.example' }] });
const client = await authority.issue({ usage: 'client' });

/** One that wants a client certificate and has another name than its address. */
async function startVault(t: Test) {
  const folder = testFolder(t);
  const file = (name: string, text: string) => {
    writeFileSync(join(folder, name), text, { mode: 0o600 });
    return join(folder, name);
  };
  const vault = await startStubVault({
    tls: { ...server, ca: authority.cert, requestCert: true, rejectUnauthorized: true },
  });
  t.teardown(vault.close);
  const tls = {
    ...noTls,
    caFile: file('ca.pem', authority.cert),
    certFile: file('cert.pem', client.cert),
    keyFile: file('key.pem', client.key),
    serverName: 'vault.example',
  };
  return { vault, tls };
}

function start(t: Test, config: Partial<VaultUpstreamConfig> & { addresses: string[] }) {
  const made = createTestUpstream({ config });
  t.teardown(() => made.upstream.close(shutdown));
  made.upstream.start();
  return made;
}

const through = (url: string, credentials?: string) => ({
  url,
  authorization: credentials && `Basic ${Buffer.from(credentials).toString('base64')}`,
});

t.test('login, read and rotation through the tunnel, with the TLS settings at its end', async (t) => {
  const { vault, tls } = await startVault(t);
  let version = 1;
  vault.route(({ path }) =>
    path === 'secret/data/app' ? { json: kv2({ a: `v${version}` }, version) } : undefined,
  );
  const proxy = await startProxy(t, { credentials: 'me:pass' });
  const config = { addresses: [vault.address], tls, proxy: through(proxy.address, 'me:pass') };
  const { upstream } = start(t, config);
  await upstream.ready(patience());
  t.equal(secretFields(await upstream.read(reference, interactive()))['a'], 'v1');
  version = 2;
  t.equal(secretFields(await upstream.read(reference, interactive()))['a'], 'v2');
  t.strictSame([...new Set(proxy.asked)], [`CONNECT 127.0.0.1:${vault.port}`]);
  t.ok(vault.requests.every(({ headers }) => headers['proxy-authorization'] === undefined));

  const other = await startProxy(t);
  upstream.prepareUpdate(upstreamConfig({ ...config, proxy: through(other.address) }))?.();
  await proxy.close();
  t.equal(secretFields(await upstream.read(reference, interactive()))['a'], 'v2', 'a reload: another proxy');
  t.ok(other.asked.length > 0);
  upstream.prepareUpdate(upstreamConfig({ ...config, proxy: undefined }))?.();
  await other.close();
  t.ok(await upstream.read(reference, interactive()), 'a reload: none');
  t.equal(vault.count('auth/approle/login'), 1, 'under one login');
});

t.test('whom the certificate names is verified behind the tunnel', async (t) => {
  const { vault, tls } = await startVault(t);
  const proxy = await startProxy(t);
  const { upstream } = start(t, {
    addresses: [vault.address],
    tls: { ...tls, serverName: undefined },
    proxy: through(proxy.address),
  });
  await waitFor('the state', () => upstream.status().state === 'tls_failed');
  t.match(
    upstream.status().message,
    /through the proxy http.*ERR_TLS_CERT_ALTNAME_INVALID; set tls\.server_name/,
  );
});

t.test('plain http is asked of the proxy by the whole URL', async (t) => {
  const vault = await startStubVault();
  t.teardown(vault.close);
  vault.route(({ path }) => (path === 'secret/data/app' ? { json: kv2({ a: '1' }) } : undefined));
  const proxy = await startProxy(t, { credentials: 'me:pass' });
  const { upstream } = start(t, { addresses: [vault.address], proxy: through(proxy.address, 'me:pass') });
  await upstream.ready(patience());
  t.ok(await upstream.read(reference, interactive()));
  t.ok(proxy.asked.includes(`GET ${vault.address}/v1/secret/data/app`));
});

t.test(
  'a proxy that is away, or not willing, is named with the remedy, and its password is not',
  async (t) => {
    const { vault, tls } = await startVault(t);
    const gone = await startProxy(t);
    await gone.close();
    const cases: [string, string, RegExp][] = [
      ['away', gone.address, /the proxy http:\/\/127\S+ on the way to http\S+ cannot be used: ECONNREFUSED/],
      ['403', (await startProxy(t, { refusal: 403 })).address, /the proxy http\S+ answers 403 .*check what/],
      ['407', (await startProxy(t, { credentials: 'a:b' })).address, /answers 407 .*put name and password/],
    ];
    for (const [name, address, message] of cases) {
      for (const [scheme, vaultAddress] of Object.entries({
        tls: vault.address,
        plain: 'http://vault.example',
      })) {
        // What a proxy refuses of plain HTTP looks like the server's own answer.
        if (name === '403' && scheme === 'plain') continue;
        const proxy = through(address, 'me:hidden');
        const { upstream, logs } = start(t, { addresses: [vaultAddress], tls, proxy });
        await waitFor(`${name}: the cause`, () => upstream.status().message?.includes('proxy') === true);
        t.equal(upstream.status().state, 'unavailable', `${name}, ${scheme}`);
        t.match(upstream.status().message, message, `${name}, ${scheme}`);
        const told = JSON.stringify([upstream.status(), logs.lines]);
        t.notMatch(told, new RegExp(`hidden|${Buffer.from('me:hidden').toString('base64')}`));
      }
    }
    t.equal(vault.requests.length, 0);
  },
);

t.test('by SOCKS, with a login, to TLS and to plain http; names are resolved there', async (t) => {
  const { vault, tls } = await startVault(t);
  vault.route(({ path }) => (path === 'secret/data/app' ? { json: kv2({ a: '1' }) } : undefined));
  const plain = await startStubVault();
  t.teardown(plain.close);
  plain.route(({ path }) => (path === 'secret/data/app' ? { json: kv2({ a: '2' }) } : undefined));
  const login = { name: 'me', password: 'p@ss' };
  const socks = await startSocks(t, { login });
  const warned: Error[] = [];
  const note = (warning: Error) => warned.push(warning);
  process.on('warning', note);
  t.teardown(() => process.off('warning', note));
  for (const [address, value] of [
    [`https://vault.example:${vault.port}`, '1'],
    [`http://vault.example:${plain.port}`, '2'],
  ] as const) {
    const proxy = { url: socks.address, authorization: undefined, login };
    const { upstream } = start(t, { addresses: [address], tls: { ...tls, serverName: undefined }, proxy });
    await upstream.ready(patience());
    t.equal(secretFields(await upstream.read(reference, interactive()))['a'], value);
  }
  t.strictSame([...new Set(socks.asked)], [`vault.example:${vault.port}`, `vault.example:${plain.port}`]);
  t.strictSame(
    warned.filter(({ name }) => name === 'ExperimentalWarning'),
    [],
  );
  const cases: [string, { login?: typeof login; reply?: number }, RegExp][] = [
    [
      'a wrong password',
      { login: { name: 'me', password: 'other' } },
      /the proxy socks5\S+ .*put name and password/,
    ],
    ['refused', { reply: 2, login }, /the proxy socks5\S+ .*check what the proxy allows/],
  ];
  for (const [name, options, message] of cases) {
    const proxy = { url: (await startSocks(t, options)).address, authorization: undefined, login };
    const { upstream, logs } = start(t, { addresses: [vault.address], tls, proxy });
    await waitFor(`${name}: the cause`, () => upstream.status().message?.includes('proxy') === true);
    t.match(upstream.status(), { state: 'unavailable', message });
    t.notMatch(JSON.stringify([upstream.status(), logs.lines]), /p@ss/);
  }
});
