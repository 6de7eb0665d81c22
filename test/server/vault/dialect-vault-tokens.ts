// Logins, token creations and leases of callers' tokens through the built agent, over the embedded vault: what the very
// same request gets again, how long, and what must never be handed out.
import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { startAgent } from '../../support/cli.ts';
import { startDevVault } from '../../support/dev-vault.ts';
import { needsRoot } from '../../support/needs-root.ts';
import { nobody, runAs } from '../../support/other-user.ts';
import { testFolder } from '../../support/test-folder.ts';
import { waitFor } from '../../support/wait-for.ts';

const loginPath = 'auth/approle/login';
const json = (text: string) => JSON.parse(text);
const uid = process.getuid?.() ?? 0;

interface Setup {
  role?: Record<string, unknown>;
  config?: Record<string, unknown>;
  listener?: Record<string, unknown>;
}

async function start(t: Test, { role = {}, config = {}, listener = {} }: Setup = {}) {
  const vault = await startDevVault(t);
  const { roleId, secretId } = await vault.createAppRole('app', { token_ttl: '1h', ...role });
  const folder = testFolder(t);
  const agent = startAgent(t, {
    folder,
    vault,
    config: {
      listeners: [{ unix: join(folder, 'latchkey.sock'), serve: ['secrets', 'admin', 'vault'], ...listener }],
      ...config,
    },
  });
  await agent.untilReady();
  const post = (path: string, fields: object = {}, headers: Record<string, string> = {}) =>
    agent.ask(`/v1/${path}`, { method: 'POST', headers, body: JSON.stringify(fields) });
  const login = (over: object = {}, headers: Record<string, string> = {}) =>
    post(loginPath, { role_id: roleId, secret_id: secretId, ...over }, headers);
  const tokenOf = ({ status, text }: { status: number; text: string }): string => {
    if (status !== 200) throw new Error(`${status} ${text}`);
    return json(text).auth.client_token;
  };
  return {
    ...{ vault, agent, folder, post, login, tokenOf, secretId },
    loginToken: async () => tokenOf(await login()),
    logins: () => vault.countRequests(/^(POST|PUT) auth\/approle\/login$/),
    isAlive: async (token: string) =>
      (await fetch(`${vault.address}/v1/auth/token/lookup-self`, { headers: { 'x-vault-token': token } }))
        .status === 200,
  };
}

t.test('the same login gets the same token, and the vault is asked once', async (t) => {
  const { login, logins, tokenOf, isAlive } = await start(t);
  const answers = await Promise.all(Array.from({ length: 20 }, () => login()));
  const [token = '', ...others] = new Set(answers.map(tokenOf));
  t.strictSame(others, []);
  t.ok(await isAlive(token));
  t.equal(logins(), 1);
  t.equal(answers.filter(({ headers }) => headers['x-cache'] === 'MISS').length, 1);
  const later = await waitFor('a second to pass', async () => {
    const answer = await login();
    return json(answer.text).auth.lease_duration < 3599 ? answer : undefined;
  });
  t.match(later.headers, { 'x-cache': 'HIT', age: /^[1-9]/, 'cache-control': 'no-store' });
  t.equal(tokenOf(later), token);
  t.not(tokenOf(await login({ extra: '1' })), token, 'another body is another login');
  t.not(tokenOf(await login({}, { 'x-vault-token': 'else' })), token, 'and so is another token');
  t.equal(logins(), 3);
});

t.test('errors, wrapped answers and what cannot be renewed are asked for each time', async (t) => {
  const { vault, login, logins, post, tokenOf } = await start(t);
  for (let turn = 0; turn < 2; turn += 1) t.equal((await login({ secret_id: 'wrong' })).status, 400);
  t.equal(logins(), 2);
  const wrap = async () => json((await login({}, { 'x-vault-wrap-ttl': '60s' })).text).wrap_info.token;
  t.not(await wrap(), await wrap());
  for (const fields of [{ num_uses: 5 }, { type: 'batch', policies: ['default'] }, { renewable: false }]) {
    const create = async () => tokenOf(await post('auth/token/create', { ttl: '1h', ...fields }));
    t.not(await create(), await create(), JSON.stringify(fields));
  }
  await vault.ask('PUT', 'auth/approle/role/app', { token_num_uses: 3 });
  t.not(tokenOf(await login()), tokenOf(await login()), 'a login with counted uses');
});

t.test('a token that was revoked through the agent is no longer handed out', async (t) => {
  const { vault, post, loginToken, isAlive } = await start(t);
  const root = { 'x-vault-token': vault.rootToken };
  const accessorOf = async (token: string) =>
    (await vault.ask('PUT', 'auth/token/lookup', { token })).data.accessor;
  const ways: [string, (token: string) => Promise<{ status: number }>][] = [
    ['revoke-self', (token) => post('auth/token/revoke-self', {}, { 'x-vault-token': token })],
    ['revoke', (token) => post('auth/token/revoke', { token }, root)],
    ['revoke-orphan', (token) => post('auth/token/revoke-orphan', { token }, root)],
    [
      'revoke-accessor',
      async (token) => post('auth/token/revoke-accessor', { accessor: await accessorOf(token) }, root),
    ],
    ['revoke-prefix', () => post('sys/leases/revoke-prefix/auth/approle/login', {}, root)],
  ];
  for (const [name, revoke] of ways) {
    const token = await loginToken();
    t.equal(await loginToken(), token);
    t.equal((await revoke(token)).status, 204, name);
    t.notOk(await isAlive(token));
    const next = await loginToken();
    t.not(next, token, name);
    t.ok(await isAlive(next));
  }
});

t.test('a token that was revoked elsewhere is found out', async (t) => {
  const { vault, loginToken, isAlive } = await start(t);
  const token = await loginToken();
  await vault.ask('PUT', 'auth/token/revoke', { token });
  const next = await waitFor('another token', async () => {
    const now = await loginToken();
    return now === token ? undefined : now;
  });
  t.ok(await isAlive(next));
});

t.test('a token lives as long as somebody uses it, and not beyond its longest life', async (t) => {
  const { vault, loginToken, isAlive } = await start(t, { role: { token_ttl: '4s', token_max_ttl: '8s' } });
  const token = await loginToken();
  const dead: number[] = [];
  const next = await waitFor('another token', async () => {
    const asked = performance.now();
    const now = await loginToken();
    if (!(await isAlive(now))) dead.push(performance.now() - asked);
    return now === token ? undefined : now;
  });
  // It had more than a second left; whoever takes longer to look may find it dead.
  t.strictSame(
    dead.filter((ms) => ms < 1000),
    [],
    'no dead token was handed out',
  );
  t.ok(vault.countRequests(/^PUT auth\/token\/renew-self/) > 0, 'it was renewed');
  t.ok(await isAlive(next));
});

t.test('the same creation by the same token gives the same token', async (t) => {
  const { vault, post, loginToken, tokenOf, isAlive } = await start(t, { role: { token_policies: 'maker' } });
  await vault.writePolicy('maker', 'path "auth/token/create" { capabilities = ["update"] }');
  const create = (token?: string) =>
    post('auth/token/create', { ttl: '1h' }, token === undefined ? {} : { 'x-vault-token': token });
  const ofAgent = tokenOf(await create());
  t.equal(tokenOf(await create()), ofAgent);
  const parent = await loginToken();
  const child = tokenOf(await create(parent));
  t.not(child, ofAgent);
  t.equal(tokenOf(await create(parent)), child);
  await post('auth/token/revoke-self', {}, { 'x-vault-token': parent });
  t.notOk(await isAlive(child), 'the vault revokes the children as well');
  t.equal((await create(parent)).status, 403, 'so it is no longer handed out');
  t.equal(tokenOf(await create()), ofAgent);
});

t.test('cache-clear forgets what it names', async (t) => {
  const { vault, loginToken, agent, isAlive } = await start(t);
  const clear = (type: string, value = '') =>
    agent.ask('/agent/v1/cache-clear', { method: 'POST', body: JSON.stringify({ type, value }) });
  let token = await loginToken();
  const { accessor } = (await vault.ask('PUT', 'auth/token/lookup', { token })).data;
  for (const [type, value] of [
    ['token_accessor', accessor],
    ['token', ''],
    ['request_path', '/v1/auth/approle'],
    ['all', 'x'],
  ]) {
    await clear('token', 'another');
    t.equal(await loginToken(), token);
    t.equal((await clear(type, type === 'token' ? token : value)).status, 200);
    t.ok(await isAlive(token), 'it is not revoked');
    const next = await loginToken();
    t.not(next, token, type);
    token = next;
  }
});

t.test('tokens of logins outlive the agent; none is in its log or audit file', async (t) => {
  const audit = join(testFolder(t), 'audit.jsonl');
  const { agent, loginToken, secretId, isAlive } = await start(t, { config: { audit: { file: audit } } });
  const token = await loginToken();
  await loginToken();
  const status = (await agent.ask('/status')).text;
  t.equal((await agent.stop()).code, 0);
  t.ok(await isAlive(token));
  for (const text of [agent.log(), readFileSync(audit, 'utf8'), agent.stderr(), status]) {
    t.notOk(text.includes(token));
    t.notOk(text.includes(secretId));
  }
});

t.test('rules decide before every answer', async (t) => {
  const rule = (path: string) => ({
    strict: true,
    rules: [{ name: 'all', client: { uid }, vault: [{ path, methods: ['GET', 'POST'] }] }],
  });
  const { agent, login } = await start(t, { config: { access: rule('auth/*') } });
  t.equal((await login()).status, 200);
  const config = json(readFileSync(agent.configPath, 'utf8'));
  writeFileSync(agent.configPath, JSON.stringify({ ...config, access: rule('secret/*') }));
  agent.child.kill('SIGHUP');
  await waitFor('the new rules', async () => (await login()).status === 403);
});

const postScript = `
  import { request } from 'node:http';
  const [socketPath, path, body] = process.argv.slice(1);
  request({ socketPath, path, method: 'POST', headers: { host: 'localhost' } }, (answer) => {
    let text = '';
    answer.on('data', (chunk) => { text += chunk; });
    answer.on('end', () => console.log(text));
  }).end(body);
`;

t.test(
  'another user gets a token of its own, unless it shows the same credential',
  { skip: needsRoot },
  async (t) => {
    const anyone = [{ path: 'auth/*', methods: ['POST'] }];
    const { vault, agent, folder, post, tokenOf, secretId, login } = await start(t, {
      listener: { mode: '0666' },
      config: {
        access: {
          rules: [
            { name: 'other', client: { uid: nobody }, vault: anyone },
            { name: 'own', client: { uid }, vault: anyone },
          ],
        },
      },
    });
    chmodSync(folder, 0o755);
    const asNobody = async (path: string, body: string) =>
      json(await runAs(nobody, postScript, [agent.socket, `/v1/${path}`, body])).auth.client_token;
    const own = tokenOf(await post('auth/token/create', { ttl: '1h' }));
    const other = await asNobody('auth/token/create', '{"ttl":"1h"}');
    t.not(other, own);
    t.equal(tokenOf(await post('auth/token/create', { ttl: '1h' })), own);
    const { role_id: roleId } = (await vault.ask('GET', 'auth/approle/role/app/role-id')).data;
    const body = JSON.stringify({ role_id: roleId, secret_id: secretId });
    t.equal(await asNobody(loginPath, body), tokenOf(await login()), 'it could log in anywhere');
    await vault.ask('PUT', 'auth/approle/role/open', {
      bind_secret_id: false,
      token_bound_cidrs: '127.0.0.1/32',
      secret_id_bound_cidrs: '127.0.0.1/32',
    });
    const { role_id: open } = (await vault.ask('GET', 'auth/approle/role/open/role-id')).data;
    const bare = JSON.stringify({ role_id: open });
    t.not(
      await asNobody(loginPath, bare),
      tokenOf(await post(loginPath, { role_id: open })),
      'a name proves nothing',
    );
  },
);
