// What becomes of files that hold credentials which serve once: removed, kept in memory, forgotten when refused.
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { readCredential } from '../../../../src/upstream/vault/auth/read-credential.ts';
import type { AuthConfig } from '../../../../src/upstream/vault/config/vault-config.ts';
import { grantedAuth, type StubVault, startStubVault } from '../../../support/stub-vault.ts';
import { appRole, authCommon, createTestUpstream, shutdown } from '../../../support/test-upstream.ts';
import { waitFor } from '../../../support/wait-for.ts';

const refused = { status: 400, json: { errors: ['no'] } };
const patience = () => AbortSignal.timeout(60_000);

async function stub(t: Test): Promise<StubVault> {
  const vault = await startStubVault();
  t.teardown(vault.close);
  return vault;
}

function start(t: Test, vault: StubVault, auth: AuthConfig) {
  const { upstream } = createTestUpstream({ config: { addresses: [vault.address], auth } });
  t.teardown(() => upstream.close(shutdown));
  upstream.start();
  return upstream;
}

const logins = (vault: StubVault) =>
  vault.requests.filter(({ path }) => path.endsWith('/login')).map(({ body }) => JSON.parse(body));

t.test('approle: remove_secret_id_file decides whether the file is there after the login', async (t) => {
  for (const removeSecretIdFile of [true, false]) {
    const vault = await stub(t);
    const secretIdFile = join(t.testdir({ secret: 'the-secret-id' }), 'secret');
    const upstream = start(t, vault, { ...appRole, secretIdFile, removeSecretIdFile } as AuthConfig);
    await upstream.ready(patience());
    await upstream.close(shutdown);
    t.equal(existsSync(secretIdFile), !removeSecretIdFile);
    t.same(logins(vault), [{ role_id: 'role-id', secret_id: 'the-secret-id' }]);
  }
});

t.test('a credential file as editors leave it: a mark of its byte order, blanks and line ends', async (t) => {
  const vault = await stub(t);
  const folder = t.testdir({
    role: '\ufeffthe-role\r\n',
    secret: '\ufeffthe-secret \n\n',
    empty: '\ufeff\n',
  });
  const [roleIdFile, secretIdFile] = [join(folder, 'role'), join(folder, 'secret')];
  const files = { roleIdFile, roleId: undefined, secretIdFile, removeSecretIdFile: false };
  await start(t, vault, { ...appRole, ...files } as AuthConfig).ready(patience());
  t.same(logins(vault), [{ role_id: 'the-role', secret_id: 'the-secret' }]);
  await t.rejects(readCredential('auth.role_id_file', join(folder, 'empty'), {}), { message: /is empty$/ });
});

t.test('what is to be written to an empty file is named', async (t) => {
  const vault = await stub(t);
  for (const [secretIdWrapped, wanted] of [
    [false, 'a new secret id'],
    [true, 'a new wrapping token of a secret id'],
  ] as const) {
    const secretIdFile = join(t.testdir({ secret: '\n' }), 'secret');
    const upstream = start(t, vault, { ...appRole, secretIdFile, secretIdWrapped } as AuthConfig);
    await waitFor('the login has failed', () => upstream.status().state === 'login_failed');
    t.match(upstream.status().message, `secret is empty; write ${wanted} to it; the agent goes on by itself`);
  }
});

t.test('approle: what was unwrapped outlives a refused login, its used-up token does not', async (t) => {
  for (const [creationPath, isGood] of [
    ['auth/approle/role/app/secret-id', true],
    ['auth/approle/role/app/custom-secret-id', true],
    ['auth/approle/role/app/secret-id-accessor', false],
    ['auth/other/role/app/secret-id', false],
  ] as const) {
    const vault = await stub(t);
    vault.route(({ path }) => {
      if (path === 'sys/wrapping/lookup') return { json: { data: { creation_path: creationPath } } };
      if (path === 'sys/wrapping/unwrap') return { json: { data: { secret_id: 'unwrapped' } } };
      return path.endsWith('/login') && vault.count('auth/approle/login') < 2 ? refused : undefined;
    });
    const secretIdFile = join(t.testdir({ secret: 's.wrapping' }), 'secret');
    const upstream = start(t, vault, { ...appRole, secretIdFile, secretIdWrapped: true } as AuthConfig);
    if (!isGood) {
      const said = new Set<string | undefined>();
      upstream.listen({ status: ({ message }) => said.add(message) });
      await waitFor('the refusal', () =>
        [...said, upstream.status().message].join().includes('made elsewhere than expected'),
      );
      continue;
    }
    await waitFor('a refused login', () => logins(vault).length > 0);
    t.notOk(existsSync(secretIdFile), 'left there, it would look like a theft at the next start');
    await upstream.ready(patience());
    t.equal(vault.count('sys/wrapping/unwrap'), 1);
    t.same(new Set(logins(vault).map((body) => body.secret_id)), new Set(['unwrapped']));
  }
});

t.test('approle: a wrapping token whose opening nobody answered is not told as a theft alone', async (t) => {
  const vault = await stub(t);
  vault.route(({ path }) => {
    const isOpened = vault.count('sys/wrapping/unwrap') > 0;
    if (path === 'sys/wrapping/lookup' && !isOpened)
      return { json: { data: { creation_path: 'auth/approle/role/app/secret-id' } } };
    if (path === 'sys/wrapping/unwrap') return (response) => response.destroy();
    const json = { errors: ['wrapping token is not valid or does not exist'] };
    return path === 'sys/wrapping/lookup' ? { status: 400, json } : undefined;
  });
  const secretIdFile = join(t.testdir({ secret: 's.wrapping' }), 'secret');
  const upstream = start(t, vault, { ...appRole, secretIdFile, secretIdWrapped: true } as AuthConfig);
  await waitFor('the refusal', () => upstream.status().message?.includes('cannot be opened'));
  t.match(upstream.status().message, /has the secret id now \(or this agent: it asked for it before, and no/);
  t.equal(vault.count('sys/wrapping/unwrap'), 1);
});

t.test('jwt: a removed token serves until it is refused', async (t) => {
  const vault = await stub(t);
  let isRefused = false;
  vault.route(({ path }) => {
    if (!path.endsWith('/login')) return undefined;
    if (isRefused) return refused;
    return {
      json: { auth: grantedAuth(`s.${vault.requests.length}`, { lease_duration: 2, renewable: false }) },
    };
  });
  const path = join(t.testdir({ jwt: 'first' }), 'jwt');
  const upstream = start(t, vault, {
    ...authCommon,
    method: 'jwt',
    mount: 'jwt',
    role: 'app',
    path,
    removeFile: true,
  });
  await upstream.ready(patience());
  await waitFor('a second login', () => logins(vault).length >= 2);
  t.notOk(existsSync(path));
  isRefused = true;
  await waitFor('the wish for another one', () => /does not exist/.test(upstream.status().message ?? ''));
  const before = logins(vault);
  t.same(new Set(before.map(({ jwt }) => jwt)), new Set(['first']));
  isRefused = false;
  writeFileSync(path, 'second');
  await waitFor('the new one', () => logins(vault).at(-1)?.jwt === 'second');
});
