// Logins with identities of Oracle Cloud, judged by a double that verifies each signature as Oracle's identity service does: over
// the headers as they were sent, with the public key that the key id stands for.
import { execFileSync } from 'node:child_process';
import { createHash, createPublicKey, generateKeyPairSync, verify, X509Certificate } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import type { AuthConfig } from '../../../../src/upstream/vault/config/vault-config.ts';
import { missing } from '../../../support/missing.ts';
import { type StubRequest, startStubVault } from '../../../support/stub-vault.ts';
import { testFolder } from '../../../support/test-folder.ts';
import { authCommon, createTestUpstream, shutdown } from '../../../support/test-upstream.ts';
import { waitFor } from '../../../support/wait-for.ts';

type Headers = Readonly<Record<string, string>>;

/** The key id, where the signature over these headers holds for the key that it stands for. */
function signerOf(headers: Headers, keyOf: (id: string) => string | undefined): string | undefined {
  const fields = Object.fromEntries(
    [...(headers['authorization'] ?? '').matchAll(/(\w+)="([^"]*)"/g)].map(([, name = '', value = '']) => [
      name,
      value,
    ]),
  );
  const { version, algorithm, keyId = '', headers: names = '', signature = '' } = fields;
  const key = keyOf(keyId);
  if (version !== '1' || algorithm !== 'rsa-sha256' || key === undefined) return undefined;
  const text = names
    .split(' ')
    .map((name) => `${name}: ${headers[name] ?? ''}`)
    .join('\n');
  const isGood = verify('sha256', Buffer.from(text), createPublicKey(key), Buffer.from(signature, 'base64'));
  return isGood ? keyId : undefined;
}

/** A mount of `oci` at `auth/cloud`, with the double behind it; `known` has the public keys by their ids. */
async function startOci(t: Test, known: Map<string, string>) {
  const server = await startStubVault();
  t.teardown(server.close);
  const signers: string[] = [];
  server.route(({ method, path, body }) => {
    if (method !== 'POST' || !path.startsWith('auth/cloud/login/')) return undefined;
    const { request_headers: sent } = JSON.parse(body) as { request_headers: Record<string, string[]> };
    const headers = Object.fromEntries(
      Object.entries(sent).map(([name, [value = '']]) => [name.toLowerCase(), value]),
    );
    const signer = signerOf(headers, (id) => known.get(id));
    const isFor = sent['(request-target)']?.[0] === `get /v1/${path}` && path.endsWith('/app');
    const isNamed = headers['host'] === `127.0.0.1:${server.port}`;
    const isNow = Math.abs(Date.parse(headers['date'] ?? '') - Date.now()) < 300_000;
    if (signer === undefined || !isFor || !isNamed || !isNow)
      return { status: 400, json: { errors: ['OCI authentication failed'] } };
    signers.push(signer);
    const auth = { client_token: 'hvs.oci', accessor: 'a', policies: ['cloud'], lease_duration: 3600 };
    return { json: { auth: { ...auth, renewable: false } } };
  });
  return { server, signers };
}

function start(t: Test, address: string, auth: Partial<AuthConfig>, env: Headers) {
  const base = { ...authCommon, method: 'oci', mount: 'cloud', role: 'App', type: 'apikey' } as const;
  const { upstream } = createTestUpstream({
    config: {
      addresses: [address],
      auth: { ...base, configFile: undefined, profile: 'DEFAULT', ...auth } as AuthConfig,
    },
    env,
  });
  t.teardown(() => upstream.close(shutdown));
  upstream.start();
  return upstream;
}

const user = { tenancy: 'ocid1.tenancy.oc1..t', user: 'ocid1.user.oc1..u', fingerprint: '20:3b:97:13' };
const userId = Object.values(user).join('/');

t.test('apikey: the key of variables, of the file of the tools, sealed, and of a session', async (t) => {
  const pair = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const known = new Map(
    [userId, 'ST$session'].map((id) => [id, String(pair.publicKey.export({ type: 'spki', format: 'pem' }))]),
  );
  const { server, signers } = await startOci(t, known);
  const folder = testFolder(t);
  const write = (name: string, text: string): string => {
    writeFileSync(join(folder, name), text, { mode: 0o600 });
    return join(folder, name);
  };
  const key = write('key', String(pair.privateKey.export({ type: 'pkcs8', format: 'pem' })));
  const cipher = { cipher: 'aes-256-cbc', passphrase: 'open sesame' };
  const sealed = write('sealed', String(pair.privateKey.export({ type: 'pkcs8', format: 'pem', ...cipher })));
  const ec = write(
    'ec',
    String(
      generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ type: 'pkcs8', format: 'pem' }),
    ),
  );
  write('token', 'session\n');
  const lines = (fields: Headers) => Object.entries(fields).map(([name, value]) => `${name} = ${value}\n`);
  const config = write(
    'config',
    [
      ...['[DEFAULT]\n# a comment\n', ...lines({ ...user, key_file: '~/key', region: 'eu-frankfurt-1' })],
      ...['[SEALED]\n', ...lines({ ...user, key_file: sealed, pass_phrase: 'open sesame' })],
      ...['[SHUT]\n', ...lines({ ...user, key_file: sealed })],
      ...['[EC]\n', ...lines({ ...user, key_file: ec })],
      ...['[SESSION]\n', ...lines({ tenancy: 't', key_file: key, security_token_file: '~/token' })],
      ...['[HALF]\n', ...lines({ user: 'u', key_file: key })],
    ].join(''),
  );
  const variables = {
    ...{ OCI_tenancy_ocid: user.tenancy, OCI_user_ocid: user.user, OCI_fingerprint: user.fingerprint },
    OCI_private_key_path: key,
  };
  const home = { HOME: folder };
  const good: [Partial<AuthConfig>, Headers, string][] = [
    [{}, variables, userId],
    [{}, { ...home, OCI_CONFIG_FILE: config }, userId],
    [{ configFile: config }, home, userId],
    [{ configFile: config, profile: 'SEALED' }, home, userId],
    [{ configFile: config, profile: 'SESSION' }, home, 'ST$session'],
  ];
  for (const [auth, env, id] of good) {
    const upstream = start(t, server.address, auth, env);
    await upstream.ready(AbortSignal.timeout(60_000));
    t.equal(signers.at(-1), id);
  }
  const bad: [Partial<AuthConfig>, RegExp][] = [
    [{ profile: 'SHUT' }, /sealed is encrypted, and the profile has no pass_phrase/],
    [{ profile: 'EC' }, /ec is no RSA key in PEM/],
    [{ profile: 'HALF' }, /the profile HALF has no tenancy/],
    [{ profile: 'NONE' }, /has no profile NONE/],
    [{ configFile: join(folder, 'none') }, /the configuration of OCI .*none cannot be read/],
  ];
  for (const [auth, message] of bad) {
    const upstream = start(t, server.address, { configFile: config, ...auth }, home);
    await waitFor('the refusal', () => upstream.status().state === 'login_failed');
    t.match(upstream.status().message, message);
  }
  known.clear();
  const refused = start(t, server.address, { configFile: config }, home);
  await waitFor('the refusal', () => refused.status().state === 'login_failed');
  t.match(
    refused.status().message,
    /auth\/cloud\/login\/app: refused with 400 \(OCI authentication failed\)/,
  );
});

const skip = missing('openssl', ['openssl', 'version']);

t.test('instance: its certificate is exchanged for a token over a key of our own', { skip }, async (t) => {
  const folder = testFolder(t);
  const [pem, keyFile] = [join(folder, 'cert.pem'), join(folder, 'key.pem')];
  const subject = '/OU=opc-certtype:instance/OU=opc-tenant:ocid1.tenancy.oc1..home/CN=ocid1.instance.oc1..i';
  const making = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-subj', subject, '-days', '2'];
  execFileSync('openssl', [...making, '-keyout', keyFile, '-out', pem], { stdio: 'ignore' });
  const leaf = new X509Certificate(readFileSync(pem));
  const leafId = `ocid1.tenancy.oc1..home/fed-x509-sha256/${leaf.fingerprint256.toLowerCase()}`;
  const known = new Map([[leafId, String(leaf.publicKey.export({ type: 'spki', format: 'pem' }))]]);
  const { server, signers } = await startOci(t, known);
  const files: Headers = {
    'identity/cert.pem': readFileSync(pem, 'utf8'),
    'identity/key.pem': readFileSync(keyFile, 'utf8'),
    'identity/intermediate.pem': '-----BEGIN CERTIFICATE-----\nMIIB\nMIIC\n-----END CERTIFICATE-----\n',
  };
  server.route(({ url, headers }) => {
    if (!url.startsWith('/opc/v2/')) return undefined;
    if (headers.authorization !== 'Bearer Oracle') return { status: 401 };
    const text = files[url.slice('/opc/v2/'.length)];
    return text === undefined ? { status: 404 } : { text };
  });
  const isExchange = (request: StubRequest): boolean => request.url === '/v1/x509';
  let issued = 0;
  server.route((request) => {
    if (!isExchange(request)) return undefined;
    const { body, headers } = request;
    const all = { ...(headers as Headers), '(request-target)': `post ${request.url}` };
    const digest = createHash('sha256').update(body).digest('base64');
    const isSigned = signerOf(all, (id) => known.get(id)) === leafId;
    if (!isSigned || headers['x-content-sha256'] !== digest) return { status: 401 };
    const sent = JSON.parse(body) as Record<string, string>;
    const token = `token-${++issued}`;
    known.set(`ST$${token}`, `-----BEGIN PUBLIC KEY-----\n${sent['publicKey']}\n-----END PUBLIC KEY-----\n`);
    const isLeaf = Buffer.from(sent['certificate'] ?? '', 'base64').equals(leaf.raw);
    t.match(sent, { fingerprintAlgorithm: 'SHA256', intermediateCertificates: ['MIIBMIIC'] });
    return isLeaf ? { json: { token } } : { status: 400 };
  });
  const env = {
    OCI_METADATA_BASE_URL: `${server.address}/opc/v2`,
    OCI_SDK_AUTH_CLIENT_REGION_URL: server.address,
  };
  const upstream = start(t, server.address, { type: 'instance' }, env);
  await upstream.ready(AbortSignal.timeout(60_000));
  t.equal(signers.at(-1), 'ST$token-1');
  t.same(server.requests.filter(isExchange).length, 1);

  await t.test('no region, no tenancy, no metadata service', async (t) => {
    const { OCI_METADATA_BASE_URL } = env;
    const cases: [Headers, RegExp][] = [
      [{ OCI_METADATA_BASE_URL }, /the metadata service of Oracle Cloud at .*regionInfo answers 404/],
      [
        { ...env, OCI_METADATA_BASE_URL: 'http://127.0.0.1:1' },
        /the metadata service of Oracle Cloud at .* does not answer/,
      ],
    ];
    for (const [variables, message] of cases) {
      const failed = start(t, server.address, { type: 'instance' }, variables);
      await waitFor('the refusal', () => failed.status().state === 'login_failed');
      t.match(failed.status().message, message);
    }
  });
});
