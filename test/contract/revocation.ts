// What was issued without a lease is taken back, by the least right that does it, and where nothing does it is said.
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import type { Test } from 'tap';
import { createReference, type Reference } from '../../src/store/reference.ts';
import { parseBody, type SecretAnswer, secretFields } from '../../src/store/secret-version.ts';
import { type ContractServer, contract } from '../support/contract-server.ts';
import { testFolder } from '../support/test-folder.ts';
import { authCommon, createTestUpstream, interactive, shutdown } from '../support/test-upstream.ts';

interface Asked {
  readonly reference: Reference;
  readonly answer: SecretAnswer;
}

/** By a login that may do this and no more. */
async function holderOf(t: Test, server: ContractServer, policy: string) {
  await server.ask('PUT', 'sys/policies/acl/holder', { data: { policy } });
  const { body } = await server.ask('POST', 'auth/token/create', { data: { policies: ['holder'] } });
  const { upstream } = createTestUpstream({
    config: { addresses: [server.address], auth: { ...authCommon, method: 'token', mount: 'token' } },
    env: { VAULT_TOKEN: body.auth.client_token },
  });
  t.teardown(() => upstream.close(shutdown));
  upstream.start();
  await upstream.ready(AbortSignal.timeout(60_000));
  const { revocation } = upstream;
  if (revocation === undefined) throw new Error('a vault has requests for that');
  return {
    async issue(path: string, parameters: Record<string, string> = {}): Promise<Asked> {
      const reference = createReference({ upstream: 'vault', path, operation: 'write', parameters });
      return { reference, answer: await upstream.read(reference, interactive()) };
    },
    why: ({ reference, answer }: Asked) => revocation.whyLasting(reference, answer),
    revoke: ({ reference, answer }: Asked) => revocation.revoke(reference, answer, interactive()),
  };
}

const grant = (...paths: string[]) =>
  paths.map((path) => `path "${path}" { capabilities = ["create", "update"] }`).join('\n');

async function mountPki(server: ContractServer): Promise<void> {
  await server.ask('POST', 'sys/mounts/pki', { data: { type: 'pki' } });
  await server.ask('POST', 'pki/root/generate/internal', { data: { common_name: 'Test Root', ttl: '90m' } });
  const role = { allow_any_name: true, enforce_hostnames: false, key_type: 'ec', max_ttl: '1h' };
  await server.ask('POST', 'pki/roles/web', { data: role });
  await server.ask('POST', 'pki/roles/unstored', { data: { ...role, no_store: true } });
}

/** The serial numbers that the list of the mount names, as openssl reads it. */
async function revokedSerials(server: ContractServer): Promise<string[]> {
  const list = (await server.ask('GET', 'pki/crl/pem', { token: '' })).body;
  const text = execFileSync('openssl', ['crl', '-noout', '-text'], { input: list, encoding: 'utf8' });
  return [...text.matchAll(/Serial Number: ([0-9A-F]+)/g)].map(([, serial = '']) => serial);
}

const serialOf = ({ answer }: Asked) =>
  String(secretFields(answer)['serial_number']).replaceAll(':', '').toUpperCase();

contract(
  'a certificate by its own key, whatever the role stores and whatever its form',
  async (t, server) => {
    await mountPki(server);
    const { issue, why, revoke } = await holderOf(t, server, grant('pki/issue/+', 'pki/revoke-with-key'));
    const certificates = [
      await issue('pki/issue/web', { common_name: 'a' }),
      await issue('pki/issue/unstored', { common_name: 'b' }),
      await issue('pki/issue/web', { common_name: 'c', format: 'pem_bundle', private_key_format: 'pkcs8' }),
      await issue('pki/issue/unstored', { common_name: 'd', format: 'pem_bundle' }),
      ...(server.isEmbedded ? [] : [await issue('pki/issue/unstored', { common_name: 'e', format: 'der' })]),
    ];
    for (const one of certificates) {
      t.equal(why(one), undefined);
      await revoke(one);
      await revoke(one);
    }
    const told = await revokedSerials(server);
    for (const one of certificates) t.ok(told.includes(serialOf(one)), `the list names ${serialOf(one)}`);
  },
);

contract(
  'a certificate whose key is elsewhere takes the right to revoke all of the mount',
  async (t, server) => {
    await mountPki(server);
    const folder = testFolder(t);
    const request = join(folder, 'request');
    const made = `req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=a -keyout ${join(folder, 'key')}`;
    execFileSync('openssl', [...made.split(' '), '-out', request], { stdio: 'ignore' });
    const csr = execFileSync('cat', [request], { encoding: 'utf8' });
    const signing = { common_name: 'a', csr };
    const weak = await holderOf(t, server, grant('pki/sign/web', 'pki/revoke-with-key'));
    await t.rejects(weak.revoke(await weak.issue('pki/sign/web', signing)), {
      code: 'denied',
      message: /revoke it at pki\/revoke: denied by policy/,
      remedy: 'allow update on "pki/revoke" in a policy of this login',
    });
    const strong = await holderOf(t, server, grant('pki/sign/web', 'pki/revoke'));
    const signed = await strong.issue('pki/sign/web', signing);
    await strong.revoke(signed);
    t.ok((await revokedSerials(server)).includes(serialOf(signed)));
  },
);

contract('without the right the least one that would do is named, and no key', async (t, server) => {
  await mountPki(server);
  const { issue, revoke } = await holderOf(t, server, grant('pki/issue/+'));
  const one = await issue('pki/issue/web', { common_name: 'a' });
  const key = String(secretFields(one.answer)['private_key']);
  const error = await revoke(one).then(
    () => undefined,
    (reason: unknown) => reason as Error & { remedy: string },
  );
  t.match(error, { remedy: 'allow update on "pki/revoke-with-key" in a policy of this login' });
  t.notOk(`${error?.message}${error?.remedy}`.includes(key.slice(40, 80)));
  t.notOk((await revokedSerials(server)).includes(serialOf(one)));
});

contract('tokens, secret ids and wrappings by their accessors', async (t, server) => {
  await server.ask('POST', 'sys/auth/approle', { data: { type: 'approle' } });
  await server.ask('POST', 'auth/approle/role/app', { data: { token_policies: 'default' } });
  const rights = grant(
    ...['auth/token/create', 'auth/token/revoke-accessor', 'sys/wrapping/wrap', 'auth/token/renew-self'],
    ...['auth/approle/role/app/secret-id', 'auth/approle/role/app/secret-id-accessor/destroy'],
  );
  const { issue, why, revoke } = await holderOf(t, server, rights);

  const token = await issue('auth/token/create', { ttl: '1h' });
  const auth = parseBody(token.answer)['auth'] as Record<string, string>;
  const lookUp = (value = '') => server.ask('GET', 'auth/token/lookup-self', { token: value });
  t.equal((await lookUp(auth['client_token'])).status, 200);
  t.equal(why(token), undefined);
  await revoke(token);
  await revoke(token);
  t.equal((await lookUp(auth['client_token'])).status, 403);

  const id = await issue('auth/approle/role/app/secret-id');
  const roleId = (await server.ask('GET', 'auth/approle/role/app/role-id')).body.data.role_id;
  const logIn = () =>
    server.ask('POST', 'auth/approle/login', {
      token: '',
      data: { role_id: roleId, secret_id: String(secretFields(id.answer)['secret_id']) },
    });
  t.equal((await logIn()).status, 200);
  t.equal(why(id), undefined);
  await revoke(id);
  t.not((await logIn()).status, 200);
  await revoke(id);

  const own = await issue('auth/token/renew-self');
  t.match(why(own), /the agent itself is logged in with this token/);
  await t.rejects(revoke(own), /logged in with this token/);
});

contract('what no request takes back is said to be so', async (t, server) => {
  const { issue, why, revoke } = await holderOf(t, server, grant('secret/data/made'));
  const version = await issue('secret/data/made', { word: 'w' });
  t.match(
    why(version),
    /no lease, and the vault has no request that takes back what "secret\/data\/made" made/,
  );
  await t.rejects(revoke(version), { code: 'request_invalid' });
});
