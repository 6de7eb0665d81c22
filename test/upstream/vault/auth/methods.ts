import {
  existsSync,
  mkdirSync,
  readdirSync,
  renameSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import type { AuthConfig } from '../../../../src/upstream/vault/config/vault-config.ts';
import { startDevVault, type TestVault } from '../../../support/dev-vault.ts';
import { startStubVault } from '../../../support/stub-vault.ts';
import { appRole, authCommon, createTestUpstream, shutdown } from '../../../support/test-upstream.ts';
import { startTokenIssuer } from '../../../support/token-issuer.ts';
import { waitFor } from '../../../support/wait-for.ts';

const patience = () => AbortSignal.timeout(60_000);
type Environment = Record<string, string>;

function start(t: Test, vault: TestVault, auth: AuthConfig, env: Environment = {}) {
  const made = createTestUpstream({ config: { addresses: [vault.address], auth }, env });
  t.teardown(() => made.upstream.close(shutdown));
  made.upstream.start();
  return made;
}

async function logIn(t: Test, vault: TestVault, auth: AuthConfig, env: Environment = {}) {
  const made = start(t, vault, auth, env);
  await made.upstream.ready(patience());
  return made;
}

t.test('token: uses the token of the environment, and says what is wrong with it', async (t) => {
  const vault = await startDevVault(t);
  const auth: AuthConfig = { ...authCommon, method: 'token', mount: 'token' };
  const token = await vault.createToken({ policies: ['default', 'web'], ttl: '1h' });
  for (const name of ['VAULT_TOKEN', 'BAO_TOKEN']) {
    const { upstream } = await logIn(t, vault, auth, { [name]: `${token}\n` });
    const { login } = upstream.status();
    t.match(login, { method: 'token', state: 'logged_in', policies: ['default', 'web'], accessor: String });
    t.ok((login.expiresAt ?? 0) > Date.now() + 3_000_000);
  }
  const root = await logIn(t, vault, auth, { VAULT_TOKEN: vault.rootToken });
  t.equal(root.upstream.status().login.expiresAt, undefined, 'the root token has no end');

  const none = start(t, vault, auth);
  await waitFor('the state', () => none.upstream.status().state === 'login_failed');
  t.match(none.upstream.status().message, /\$VAULT_TOKEN is not set; set VAULT_TOKEN/);
  const wrong = start(t, vault, auth, { VAULT_TOKEN: 'hvs.canary' });
  await waitFor('the state', () => wrong.upstream.status().state === 'denied');
  t.match(wrong.upstream.status().message, /the token is not accepted: refused with 403/);
  t.notMatch(JSON.stringify([wrong.logs.lines, wrong.upstream.status()]), 'canary');
});

t.test('token_file: takes a new token at once, and waits for one that is missing', async (t) => {
  const vault = await startDevVault(t);
  const path = join(t.testdir({}), 'token');
  const auth: AuthConfig = {
    ...authCommon,
    minBackoffMs: 60_000,
    maxBackoffMs: 60_000,
    method: 'token_file',
    mount: 'token',
    path,
  };
  const { upstream } = start(t, vault, auth);
  await waitFor('the state', () => upstream.status().state === 'login_failed');
  t.match(upstream.status().message, /auth\.path: .*token does not exist/);
  writeFileSync(path, `${await vault.createToken({ policies: ['first'] })}\n`);
  await upstream.ready(patience());
  t.match(upstream.status().login.policies, ['default', 'first']);
  writeFileSync(`${path}.new`, await vault.createToken({ policies: ['second'] }));
  renameSync(`${path}.new`, path);
  await waitFor('the second token', () => upstream.status().login.policies?.includes('second'));
  await upstream.close({ revokeToken: true, signal: patience() });
  t.equal(vault.countRequests(/revoke-self/), 0, 'a token that was given is not revoked');
});

t.test('approle: the secret id file goes after the login, and memory serves the next one', async (t) => {
  const vault = await startDevVault(t);
  const { roleId, secretId } = await vault.createAppRole('web', {
    token_policies: 'web',
    secret_id_num_uses: 0,
  });
  const folder = t.testdir({ role: `${roleId}\n`, secret: `${secretId}\n` });
  const [roleIdFile, secretIdFile] = [join(folder, 'role'), join(folder, 'secret')];
  const auth = { ...appRole, method: 'approle', roleId: undefined, roleIdFile, secretIdFile } as AuthConfig;
  vault.addFault({
    kind: 'status',
    path: 'auth/approle/login',
    status: 500,
    errors: ['internal error'],
    count: 1,
  });
  const { upstream, logs } = start(t, vault, auth);
  await waitFor('the failure', () => logs.lines.some((line) => line.level === 'error'));
  await upstream.ready(patience());
  await waitFor('the removal', () => !existsSync(secretIdFile));
  t.ok(existsSync(roleIdFile));
  const { accessor } = upstream.status().login;
  await vault.ask('PUT', 'auth/token/revoke-accessor', { accessor });
  await upstream.read(
    { upstream: 'vault', operation: 'read', path: 'auth/token/lookup-self', parameters: {} },
    { signal: patience(), priority: 'interactive' },
  );
  t.not(upstream.status().login.accessor, accessor);
  t.notMatch(JSON.stringify([logs.lines, upstream.status()]), secretId);
});

t.test('approle: a wrong secret id stays where it is, and a right one is tried at once', async (t) => {
  const vault = await startDevVault(t);
  const { roleId, secretId } = await vault.createAppRole('web');
  const secretIdFile = join(t.testdir({ secret: 'wrong' }), 'secret');
  const auth = {
    ...appRole,
    method: 'approle',
    roleId,
    secretIdFile,
    minBackoffMs: 60_000,
    maxBackoffMs: 60_000,
  } as AuthConfig;
  const { upstream } = start(t, vault, auth);
  await waitFor('the state', () => upstream.status().state === 'login_failed');
  t.match(upstream.status().message, /refused with 400 \(.*\); check role id and secret id: a secret id may/);
  t.ok(existsSync(secretIdFile));
  writeFileSync(secretIdFile, `hvs.${'a'.repeat(24)}`);
  await waitFor('what it is', () => /then set secret_id_wrapped: true/.test(upstream.status().message ?? ''));
  writeFileSync(secretIdFile, secretId);
  await upstream.ready(patience());
});

t.test(
  'approle: without remove_secret_id_file the file stays; without a secret id the role id may do',
  async (t) => {
    const vault = await startDevVault(t);
    const { roleId, secretId } = await vault.createAppRole('web');
    const secretIdFile = join(t.testdir({ secret: secretId }), 'secret');
    await logIn(t, vault, {
      ...appRole,
      method: 'approle',
      roleId,
      secretIdFile,
      removeSecretIdFile: false,
    } as AuthConfig);
    t.ok(existsSync(secretIdFile));
    await vault.ask('PUT', 'auth/approle/role/open', {
      bind_secret_id: false,
      secret_id_bound_cidrs: '127.0.0.0/8',
    });
    const open = (await vault.ask('GET', 'auth/approle/role/open/role-id')).data.role_id;
    await logIn(t, vault, { ...appRole, method: 'approle', roleId: open } as AuthConfig);
  },
);

t.test('approle: a wrapped secret id is opened once, after a look at where it was made', async (t) => {
  const vault = await startDevVault(t);
  const { roleId } = await vault.createAppRole('web');
  const wrap = async (path: string, data: object = {}) =>
    (await vault.vault.request('PUT', path, data, { wrapTtlSeconds: 60 })).body.wrap_info.token as string;
  const secretIdFile = join(t.testdir({}), 'secret');
  const auth = {
    ...appRole,
    method: 'approle',
    roleId,
    secretIdFile,
    secretIdWrapped: true,
    minBackoffMs: 60_000,
    maxBackoffMs: 60_000,
  } as AuthConfig;

  const foreign = await wrap('sys/wrapping/wrap', { secret_id: 'planted' });
  writeFileSync(secretIdFile, foreign);
  const { upstream, logs } = start(t, vault, auth);
  await waitFor('the refusal', () => upstream.status().state === 'login_failed');
  t.match(upstream.status().message, /made elsewhere than expected; treat it as tampered with/);
  t.ok(existsSync(secretIdFile), 'evidence is not removed');

  const stolen = await wrap('auth/approle/role/web/secret-id');
  await vault.vault.request('PUT', 'sys/wrapping/unwrap', {}, { token: stolen });
  writeFileSync(secretIdFile, stolen);
  await waitFor('the theft', () => /cannot be opened/.test(upstream.status().message ?? ''));
  t.match(
    upstream.status().message,
    /cannot be opened .*; it was never valid, its time is over, or somebody else has opened it and has the secret id now: look in the audit log of the vault who asked sys\/wrapping\/unwrap for it; if nobody you know, take it for an incident: revoke the secret id by its accessor \(auth\/approle\/role\/ROLE\/secret-id-accessor\/destroy;/,
  );

  writeFileSync(secretIdFile, await wrap('auth/approle/role/web/secret-id'));
  await upstream.ready(patience());
  await waitFor('the removal', () => !existsSync(secretIdFile));
  await vault.ask('PUT', 'auth/token/revoke-accessor', { accessor: upstream.status().login.accessor });
  await upstream.read(
    { upstream: 'vault', operation: 'read', path: 'auth/token/lookup-self', parameters: {} },
    { signal: patience(), priority: 'interactive' },
  );
  t.notMatch(JSON.stringify([logs.lines, upstream.status()]), new RegExp(`${foreign}|${stolen}`));
});

t.test('jwt: logs in with what is in the file now; remove_file removes it after the login', async (t) => {
  const vault = await startDevVault(t);
  const issuer = await startTokenIssuer(t);
  await vault.ask('PUT', 'sys/auth/jwt', { type: 'jwt' });
  await vault.ask('PUT', 'auth/jwt/config', {
    jwks_url: issuer.jwksUrl,
    bound_issuer: 'https://issuer.example',
  });
  await vault.ask('PUT', 'auth/jwt/role/web', {
    role_type: 'jwt',
    user_claim: 'sub',
    bound_audiences: 'vault',
    token_policies: 'web',
  });
  const claims = { iss: 'https://issuer.example', sub: 'job', aud: 'vault' };
  const path = join(t.testdir({ jwt: await issuer.sign({ ...claims, aud: 'other' }) }), 'jwt');
  const auth: AuthConfig = {
    ...authCommon,
    minBackoffMs: 60_000,
    maxBackoffMs: 60_000,
    method: 'jwt',
    mount: 'jwt',
    role: 'web',
    path,
    removeFile: true,
  };
  const { upstream } = start(t, vault, auth);
  await waitFor('the refusal', () => upstream.status().state === 'login_failed');
  t.match(upstream.status().message, /check auth\.role, and issuer, audience and end of the token/);
  t.ok(existsSync(path));
  writeFileSync(path, await issuer.sign(claims));
  await upstream.ready(patience());
  await waitFor('the removal', () => !existsSync(path));
  await vault.ask('PUT', 'auth/token/revoke-accessor', { accessor: upstream.status().login.accessor });
  await upstream.read(
    { upstream: 'vault', operation: 'read', path: 'auth/token/lookup-self', parameters: {} },
    { signal: patience(), priority: 'interactive' },
  );
  t.equal(upstream.status().state, 'ready', 'the removed token served once more');
});

t.test('kubernetes: logs in with the projected token, also after the volume was turned', async (t) => {
  const vault = await startDevVault(t);
  const cluster = await startStubVault();
  t.teardown(cluster.close);
  const projected = (id: string) => {
    const claims = {
      'kubernetes.io': { namespace: 'shop', serviceaccount: { name: 'web', uid: 'uid' } },
      jti: id,
    };
    return `e30.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.sig`;
  };
  const [first, second] = [projected('1'), projected('2')];
  cluster.route((request) => {
    if (!request.url.endsWith('/tokenreviews')) return undefined;
    const { spec } = JSON.parse(request.body) as { spec: { token: string } };
    const user = {
      username: 'system:serviceaccount:shop:web',
      uid: 'uid',
      groups: ['system:serviceaccounts'],
    };
    const status = spec.token === second ? { authenticated: true, user } : { authenticated: false };
    return { status: 201, json: { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenReview', status } };
  });
  await vault.ask('PUT', 'sys/auth/kubernetes', { type: 'kubernetes' });
  await vault.ask('PUT', 'auth/kubernetes/config', { kubernetes_host: cluster.address });
  await vault.ask('PUT', 'auth/kubernetes/role/web', {
    bound_service_account_names: 'web',
    bound_service_account_namespaces: 'shop',
    token_policies: 'web',
  });
  const folder = t.testdir({ '..v1': { token: first } });
  symlinkSync('..v1', join(folder, '..data'));
  symlinkSync('..data/token', join(folder, 'token'));
  const path = join(folder, 'token');
  const auth: AuthConfig = {
    ...authCommon,
    minBackoffMs: 60_000,
    maxBackoffMs: 60_000,
    method: 'kubernetes',
    mount: 'kubernetes',
    role: 'web',
    path,
  };
  const { upstream } = start(t, vault, auth);
  await waitFor('the refusal', () => upstream.status().login.state === 'failed');
  mkdirSync(join(folder, '..v2'));
  writeFileSync(join(folder, '..v2', 'token'), second);
  symlinkSync('..v2', join(folder, '..data_tmp'));
  renameSync(join(folder, '..data_tmp'), join(folder, '..data'));
  unlinkSync(join(folder, '..v1', 'token'));
  await upstream.ready(patience());
});

t.test('userpass and ldap: a password file, read again for each login', async (t) => {
  const vault = await startDevVault(t);
  await vault.ask('PUT', 'sys/auth/userpass', { type: 'userpass' });
  await vault.ask('PUT', 'auth/userpass/users/web', { password: 'right', token_policies: 'web' });
  const passwordFile = join(t.testdir({ password: 'wrong\n' }), 'password');
  const common = {
    ...{ ...authCommon, minBackoffMs: 60_000, maxBackoffMs: 60_000, username: 'web', passwordFile },
    ...{ removeFile: false, removesTarget: false },
  };
  const { upstream, logs } = start(t, vault, { ...common, method: 'userpass', mount: 'userpass' });
  await waitFor('the refusal', () => upstream.status().state === 'login_failed');
  t.match(upstream.status().message, /check auth\.username and the password in auth\.password_file/);
  writeFileSync(passwordFile, 'right\n');
  await upstream.ready(patience());
  t.notMatch(JSON.stringify([logs.lines, upstream.status()]), /"(?:right|wrong)/);

  const directory = await startStubVault();
  t.teardown(directory.close);
  const ldap = createTestUpstream({
    config: { addresses: [directory.address], auth: { ...common, method: 'ldap', mount: 'corp/ldap' } },
  });
  t.teardown(() => ldap.upstream.close(shutdown));
  ldap.upstream.start();
  await ldap.upstream.ready(patience());
  const login = directory.requests.find((request) => request.path === 'auth/corp/ldap/login/web');
  t.same(JSON.parse(login?.body ?? ''), { password: 'right' });
  t.ok(existsSync(passwordFile));

  await t.test('remove_file removes it once it has served, remove_target what a link leads to', async (t) => {
    const folder = t.testdir({ real: 'right\n', other: 'right\n' });
    for (const [name, target, removesTarget] of [
      ['link', 'real', true],
      ['kept', 'other', false],
    ] as const) {
      const path = join(folder, name);
      symlinkSync(target, path);
      const auth: AuthConfig = { ...common, method: 'ldap', mount: 'corp/ldap', passwordFile: path };
      const { upstream } = createTestUpstream({
        config: { addresses: [directory.address], auth: { ...auth, removeFile: true, removesTarget } },
      });
      t.teardown(() => upstream.close(shutdown));
      upstream.start();
      await upstream.ready(patience());
      await waitFor('the removal', () => !existsSync(path));
      t.equal(existsSync(join(folder, target)), !removesTarget);
      t.equal(readdirSync(folder).includes(name), removesTarget);
    }
  });
});

t.test('an empty credential file is told as such', async (t) => {
  const vault = await startDevVault(t);
  const path = join(t.testdir({ token: '\n' }), 'token');
  const { upstream } = start(t, vault, { ...authCommon, method: 'token_file', mount: 'token', path });
  await waitFor('the state', () => upstream.status().state === 'login_failed');
  t.match(upstream.status().message, /auth\.path: .*token is empty/);
});

t.test('mount and namespace of the login are those of the config', async (t) => {
  const vault = await startStubVault();
  t.teardown(vault.close);
  const auth = { ...appRole, mount: 'team/approle', namespace: 'admin' };
  const { upstream } = createTestUpstream({
    config: { addresses: [vault.address], namespace: 'team', auth },
  });
  t.teardown(() => upstream.close(shutdown));
  upstream.start();
  await upstream.ready(patience());
  const login = vault.requests.find((request) => request.path === 'auth/team/approle/login');
  t.equal(login?.headers['x-vault-namespace'], 'admin');
});
