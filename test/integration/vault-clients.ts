// Vault clients that others wrote, pointed at the agent: node-vault from npm and the `bao` or `vault` command where one
// is found (LATCHKEY_TEST_VAULT or the PATH), over the unix socket and over loopback TCP.
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import nodeVault from 'node-vault';
import t, { type Test } from 'tap';
import { freePort } from '../../src/base/system/free-port.ts';
import { startAgent } from '../support/cli.ts';
import { startDevVault, type TestVault } from '../support/dev-vault.ts';
import { findRealVault, noRealVault } from '../support/real-vault.ts';
import { testFolder } from '../support/test-folder.ts';
import { waitFor } from '../support/wait-for.ts';

t.setTimeout(600_000);

const run = promisify(execFile);

async function start(t: Test, vault: Pick<TestVault, 'address' | 'rootToken'>, config: object = {}) {
  const folder = testFolder(t);
  const port = await freePort();
  const agent = startAgent(t, {
    folder,
    vault,
    config: {
      listeners: [
        { unix: join(folder, 'latchkey.sock'), serve: ['secrets', 'admin', 'vault'] },
        { tcp: `127.0.0.1:${port}`, token_file: join(folder, 'token'), serve: ['vault'] },
      ],
      ...config,
    },
  });
  await agent.untilReady();
  const token = readFileSync(join(folder, 'token'), 'utf8');
  return { agent, token, address: `http://127.0.0.1:${port}` };
}

t.test('node-vault reads, writes, lists and deletes through the agent', async (t) => {
  const vault = await startDevVault(t);
  await vault.writeSecret('secret/app', { key: 'one' });
  const { address, token } = await start(t, vault);
  const client = nodeVault({ apiVersion: 'v1', endpoint: address, token });
  t.match(await client.health(), { sealed: false });
  t.match(await client.read('secret/data/app'), { data: { data: { key: 'one' } } });
  const asked = vault.countRequests(/^GET secret\/data\/app/);
  for (let turn = 0; turn < 20; turn += 1) await client.read('secret/data/app');
  t.equal(vault.countRequests(/^GET secret\/data\/app/), asked, 'from memory');
  await client.write('secret/data/app', { data: { key: 'two' } });
  t.match(await client.read('secret/data/app'), { data: { data: { key: 'two' } } }, 'its own write at once');
  t.match(await client.list('secret/metadata'), { data: { keys: ['app'] } }, 'the method LIST');
  const lookup = await client.tokenLookupSelf();
  t.notOk('id' in lookup.data);
  t.notOk('accessor' in lookup.data);
  await client.delete('secret/metadata/app');
  await t.rejects(client.read('secret/data/app'), /404/);
  await t.rejects(
    nodeVault({ endpoint: address, token: 'wrong' }).read('secret/data/app'),
    /403|not allowed/,
  );
});

t.test("a caller's own token goes on", async (t) => {
  const vault = await startDevVault(t);
  await vault.writeSecret('secret/app', { key: 'one' });
  const { agent } = await start(t, vault);
  const own = await vault.createToken({ policies: ['default'] });
  const answer = await agent.ask('/v1/secret/data/app', { headers: { 'x-vault-token': own } });
  t.equal(answer.status, 403, 'and is refused by the vault');
  t.match(await agent.ask('/v1/secret/data/app'), { status: 200 });
});

t.test('node-vault logs in through the agent: the same credential, the same token', async (t) => {
  const vault = await startDevVault(t);
  const { roleId: role_id, secretId: secret_id } = await vault.createAppRole('app', { token_ttl: '1h' });
  const { address, token, agent } = await start(t, vault);
  const logIn = async () => {
    const client = nodeVault({ apiVersion: 'v1', endpoint: address, token });
    return (await client.approleLogin({ role_id, secret_id })).auth.client_token;
  };
  const [first, ...others] = await Promise.all([logIn(), logIn(), logIn()]);
  t.same(others, [first, first]);
  t.equal(vault.countRequests(/^(POST|PUT) auth\/approle\/login/), 1);
  // Over TCP the header is the listener's; over the socket a client's own token goes on.
  const headers = { 'x-vault-token': first };
  t.match(await agent.ask('/v1/auth/token/lookup-self', { headers }), { status: 200, text: /"approle"/ });
  const body = JSON.stringify({ token: first });
  t.equal((await agent.ask('/v1/auth/token/revoke', { method: 'POST', body })).status, 204);
  t.not(await logIn(), first);
});

t.test('the bao or vault command works through the agent', async (t) => {
  const command = findRealVault();
  if (command === undefined) {
    t.pass('the command', { skip: noRealVault });
    return;
  }
  const real = await startReal(t, command);
  const { agent, address, token } = await start(t, real);
  const folder = testFolder(t);
  for (const [how, own] of [
    [{ BAO_ADDR: address, VAULT_ADDR: address }, token],
    [{ BAO_ADDR: `unix://${agent.socket}`, VAULT_ADDR: `unix://${agent.socket}` }, ''],
  ] as const) {
    const env = { ...how, HOME: folder, PATH: process.env['PATH'] ?? '', BAO_TOKEN: own, VAULT_TOKEN: own };
    const cli = async (...args: string[]) =>
      (await run(command, args, { env, timeout: 120_000 })).stdout.trim();
    await cli('kv', 'put', '-mount=secret', 'app', 'key=one');
    t.equal(await cli('kv', 'get', '-mount=secret', '-field=key', 'app'), 'one');
    await cli('kv', 'put', '-mount=secret', 'app', 'key=two');
    t.equal(await cli('kv', 'get', '-mount=secret', '-field=key', 'app'), 'two');
    t.match(await cli('kv', 'list', '-mount=secret'), /app/);
    t.match(await cli('status'), /Sealed +false/);
    t.notMatch(await cli('token', 'lookup'), real.rootToken);
    const make = () => cli('token', 'create', '-field=token', '-policy=default', '-ttl=1h');
    t.equal(await make(), await make(), 'the same creation');
    await cli('kv', 'metadata', 'delete', '-mount=secret', 'app');
    await t.rejects(cli('kv', 'get', '-mount=secret', 'app'));
  }
});

t.test('`kv get` works with a rule for the secret alone', async (t) => {
  const command = findRealVault();
  if (command === undefined) {
    t.pass('the command', { skip: noRealVault });
    return;
  }
  const real = await startReal(t, command);
  await fetch(`${real.address}/v1/secret/data/app`, {
    method: 'POST',
    headers: { 'x-vault-token': real.rootToken },
    body: '{"data":{"key":"one"}}',
  });
  const client = { uid: process.getuid?.() ?? 0 };
  const rules = [
    { name: 'status', client, admin: true },
    { name: 'app', client, vault: [{ path: 'secret/data/app' }] },
  ];
  const { agent } = await start(t, real, { access: { strict: true, rules } });
  const address = `unix://${agent.socket}`;
  const env = {
    BAO_ADDR: address,
    VAULT_ADDR: address,
    HOME: testFolder(t),
    PATH: process.env['PATH'] ?? '',
  };
  const cli = async (...args: string[]) =>
    (await run(command, args, { env, timeout: 120_000 })).stdout.trim();
  t.equal(await cli('kv', 'get', '-mount=secret', '-field=key', 'app'), 'one');
  t.equal(await cli('kv', 'get', '-field=key', 'secret/app'), 'one', 'the version of the mount is found out');
  t.match(await cli('token', 'lookup'), /policies/);
  await t.rejects(cli('kv', 'get', '-mount=secret', 'other'), /403/);
  await t.rejects(cli('kv', 'get', 'cubbyhole/app'), /403/);
});

async function startReal(t: Test, command: string) {
  const port = await freePort();
  const address = `http://127.0.0.1:${port}`;
  const rootToken = 'clients-root';
  const home = testFolder(t);
  const child: ChildProcess = spawn(
    command,
    [
      'server',
      '-dev',
      '-dev-no-store-token',
      `-dev-listen-address=127.0.0.1:${port}`,
      `-dev-root-token-id=${rootToken}`,
    ],
    { env: { HOME: home, PATH: process.env['PATH'] ?? '' }, stdio: 'ignore' },
  );
  const exited = new Promise((resolve) => child.once('exit', resolve));
  t.teardown(async () => {
    child.kill('SIGKILL');
    await exited;
  });
  await waitFor('the real server', () =>
    fetch(`${address}/v1/secret/config`, { headers: { 'x-vault-token': rootToken } }).then(
      ({ status }) => status === 200,
      () => false,
    ),
  );
  return { address, rootToken };
}
