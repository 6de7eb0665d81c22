import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TLSSocket } from 'node:tls';
import t, { type Test } from 'tap';
import type { TlsConfig } from '../../../src/config/upstreams/server-config.ts';
import type { AuthConfig, VaultUpstreamConfig } from '../../../src/upstream/vault/config/vault-config.ts';
import { createAuthority, type PemPair } from '../../support/certificates.ts';
import { createFastClock } from '../../support/fast-clock.ts';
import { startStubVault } from '../../support/stub-vault.ts';
import { authCommon, createTestUpstream, noTls, shutdown } from '../../support/test-upstream.ts';
import { waitFor } from '../../support/wait-for.ts';

const patience = () => AbortSignal.timeout(60_000);
const authority = await createAuthority();
const good = await authority.issue();

function write(t: Test, files: Record<string, string>): Record<string, string> {
  const folder = t.testdir(files);
  return Object.fromEntries(Object.keys(files).map((name) => [name, join(folder, name)]));
}

async function startTls(
  t: Test,
  server: PemPair,
  tls: Partial<TlsConfig>,
  over: Partial<VaultUpstreamConfig> = {},
) {
  const vault = await startStubVault({ tls: { cert: server.cert, key: server.key } });
  t.teardown(vault.close);
  const { upstream, logs } = createTestUpstream({
    config: { addresses: [vault.address], tls: { ...noTls, ...tls }, timeoutMs: 50_000, ...over },
    clock: createFastClock(10),
  });
  t.teardown(() => upstream.close(shutdown));
  upstream.start();
  return { vault, upstream, logs };
}

t.test('trusts the authority of ca_file, and every one in ca_path', async (t) => {
  const other = await createAuthority('Other authority');
  const { a = '' } = write(t, { a: authority.cert, 'b.pem': other.cert, 'notes.txt': 'not a certificate' });
  for (const tls of [{ caFile: a }, { caPath: t.testdirName }]) {
    const { upstream } = await startTls(t, good, tls);
    await upstream.ready(patience());
    t.equal(upstream.status().state, 'ready');
  }
});

t.test('skip_verify trusts anybody', async (t) => {
  const { upstream } = await startTls(t, good, { skipVerify: true });
  await upstream.ready(patience());
});

t.test('every fault of TLS is the state tls_failed, with its own remedy', async (t) => {
  const { ca = '' } = write(t, { ca: authority.cert });
  const past = new Date(Date.now() - 86_400_000);
  const elsewhere = await authority.issue({ names: [{ type: 'dns', value: 'vault.example' }] });
  const cases: [string, PemPair, Partial<TlsConfig>, RegExp][] = [
    ['unknown authority', good, {}, /UNABLE_TO_VERIFY_LEAF_SIGNATURE; set tls\.ca_file/],
    ['wrong name', elsewhere, { caFile: ca }, /ERR_TLS_CERT_ALTNAME_INVALID; set tls\.server_name/],
    [
      'expired',
      await authority.issue({ notAfter: past }),
      { caFile: ca },
      /CERT_HAS_EXPIRED; renew the certificate/,
    ],
    ['no file', good, { caFile: `${ca}.missing` }, /tls\.ca_file cannot be read: .*missing: ENOENT/],
    ['no PEM', good, { caFile: import.meta.filename }, /no trusted TLS|cannot be used together/],
  ];
  for (const [name, server, tls, message] of cases) {
    const { upstream, logs } = await startTls(t, server, tls);
    await waitFor(`${name}: the state`, () => upstream.status().state === 'tls_failed');
    t.match(upstream.status().message, message, name);
    t.equal(
      logs.lines.filter((line) => line.fields['state'] === 'tls_failed').length,
      1,
      `${name}: one line`,
    );
  }
});

t.test('server_name chooses the name that the certificate must have', async (t) => {
  const { ca = '' } = write(t, { ca: authority.cert });
  const elsewhere = await authority.issue({ names: [{ type: 'dns', value: 'vault.example' }] });
  const { upstream } = await startTls(t, elsewhere, { caFile: ca, serverName: 'vault.example' });
  await upstream.ready(patience());
});

t.test('http:// to a TLS port and https:// to a plain one are told as such', async (t) => {
  const { ca = '' } = write(t, { ca: authority.cert });
  const plain = await startStubVault();
  t.teardown(plain.close);
  const { upstream } = createTestUpstream({
    config: { addresses: [`https://127.0.0.1:${plain.port}`], tls: { ...noTls, caFile: ca } },
  });
  t.teardown(() => upstream.close(shutdown));
  upstream.start();
  await waitFor('the state', () => upstream.status().state === 'tls_failed');
  t.match(upstream.status().message, /check that the server speaks TLS/);
});

t.test('a redirect from https to http is not followed: the token would go in the clear', async (t) => {
  const { ca = '' } = write(t, { ca: authority.cert });
  const plain = await startStubVault();
  t.teardown(plain.close);
  const { vault, upstream } = await startTls(t, good, { caFile: ca });
  vault.route((request) => ({ status: 307, headers: { location: `${plain.address}${request.url}` } }));
  await waitFor('the state', () => upstream.status().state === 'answer_invalid');
  t.equal(plain.requests.length, 0);
});

t.test(
  'an active node whose certificate is of another authority gets no request, and is named',
  async (t) => {
    const { ca = '' } = write(t, { ca: authority.cert });
    const foreign = await (await createAuthority('Another authority')).issue();
    const active = await startStubVault({ tls: { cert: foreign.cert, key: foreign.key } });
    t.teardown(active.close);
    const { vault, upstream } = await startTls(t, good, { caFile: ca });
    vault.route((request) => {
      if (request.path === 'sys/health') return { status: 429, json: { standby: true } };
      if (request.path === 'sys/leader') return { json: { leader_address: active.address } };
      return { status: 307, headers: { location: `${active.address}${request.url}` } };
    });
    await waitFor('the state', () => upstream.status().state === 'standby');
    const { message } = upstream.status();
    t.match(
      message,
      `the standby ${vault.address} redirects to ${active.address}, and there no trusted TLS connection`,
    );
    t.equal(active.requests.length, 0);
  },
);

t.test('cert: logs in with the client certificate, and again when it changes', async (t) => {
  const first = await authority.issue({ commonName: 'first', usage: 'client' });
  const second = await authority.issue({ commonName: 'second', usage: 'client' });
  const files = write(t, { ca: authority.cert, cert: first.cert, key: first.key });
  const { ca = '', cert = '', key = '' } = files;
  const tls = {
    cert: good.cert,
    key: good.key,
    ca: authority.cert,
    requestCert: true,
    rejectUnauthorized: true,
  };
  const vault = await startStubVault({ tls });
  t.teardown(vault.close);
  const seen: string[] = [];
  vault.route((request) => {
    if (request.path !== 'auth/cert/login') return undefined;
    seen.push(String((request.socket as TLSSocket).getPeerCertificate().subject.CN));
    t.same(JSON.parse(request.body), { name: 'web' });
    return {
      json: { auth: { client_token: `s.${seen.length}`, lease_duration: 3600, policies: ['default'] } },
    };
  });
  const auth: AuthConfig = { ...authCommon, method: 'cert', mount: 'cert', name: 'web' };
  const { upstream } = createTestUpstream({
    config: { addresses: [vault.address], auth, tls: { ...noTls, caFile: ca, certFile: cert, keyFile: key } },
  });
  t.teardown(() => upstream.close(shutdown));
  upstream.start();
  await upstream.ready(patience());
  t.same(seen, ['first']);
  writeFileSync(key, second.key);
  writeFileSync(cert, second.cert);
  await waitFor('the second login', () => seen.at(-1) === 'second');
  t.equal(upstream.status().state, 'ready');
});

t.test('cert: without a certificate there is a remedy', async (t) => {
  const { ca = '' } = write(t, { ca: authority.cert });
  const auth: AuthConfig = { ...authCommon, method: 'cert', mount: 'cert', name: undefined };
  const { upstream } = await startTls(t, good, { caFile: ca }, { auth });
  await waitFor('the state', () => upstream.status().state === 'login_failed');
  t.match(upstream.status().message, /set tls\.cert_file and tls\.key_file/);
});
