// Leases that the built agent keeps for callers: under tokens that they got through it, and by writes under its own. A
// stand-in for a vault gives them and tells who renewed and revoked what.
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { startAgent } from '../../support/cli.ts';
import { startStubVault } from '../../support/stub-vault.ts';
import { testFolder } from '../../support/test-folder.ts';
import { waitFor } from '../../support/wait-for.ts';

const ownToken = 'own-auto-auth-token';
const json = (text: string) => JSON.parse(text);

async function start(t: Test, { ttl = 3600, renewable = true } = {}) {
  const vault = await startStubVault();
  t.teardown(vault.close);
  let minted = 0;
  const dead = new Set<string>();
  vault.route(({ path, headers }) => {
    if (path.startsWith('auth/') && dead.has(String(headers['x-vault-token']))) {
      return { status: 403, json: { errors: ['permission denied'] } };
    }
    if (path === 'gcp/key/app' || path === 'database/creds/app') {
      minted += 1;
      const lease = { lease_id: `${path}/${minted}`, lease_duration: ttl, renewable };
      return { json: { request_id: 'r', ...lease, data: { number: minted }, wrap_info: null, auth: null } };
    }
    return undefined;
  });
  vault.route(({ path, body }) => {
    if (path === 'sys/leases/renew') {
      return { json: { lease_id: json(body).lease_id, lease_duration: ttl, renewable: true } };
    }
    return /^(sys\/leases\/revoke|auth\/token\/revoke)/.test(path) ? { status: 204 } : undefined;
  });
  const folder = testFolder(t);
  const agent = startAgent(t, {
    folder,
    vault: { address: vault.address, rootToken: ownToken },
    config: {
      listeners: [{ unix: join(folder, 'latchkey.sock'), serve: ['secrets', 'admin', 'vault'] }],
    },
  });
  await agent.untilReady();
  const send = (method: string, path: string, token: string | undefined, fields?: object) =>
    agent.ask(`/v1/${path}`, {
      method,
      headers: token === undefined ? {} : { 'x-vault-token': token },
      ...(fields === undefined ? {} : { body: JSON.stringify(fields) }),
    });
  const number = async (answer: Promise<{ text: string }>): Promise<number> =>
    json((await answer).text).data.number;
  return {
    ...{ vault, agent, send, dead },
    login: async (password: string): Promise<string> =>
      json((await send('POST', 'auth/userpass/login/joe', undefined, { password })).text).auth.client_token,
    creds: (token: string) => number(send('GET', 'database/creds/app', token)),
    key: (fields: object = { ttl: '1h' }) => number(send('POST', 'gcp/key/app', undefined, fields)),
    asked: (path: string) => vault.requests.filter((request) => request.path === path),
  };
}

t.test('a lease by a token that was got through the agent is kept for that token alone', async (t) => {
  const { login, creds, send, asked, dead } = await start(t);
  const one = await login('one');
  const two = await login('two');
  const answers = await Promise.all(Array.from({ length: 10 }, () => creds(one)));
  t.same(new Set(answers), new Set([1]), 'one request in flight');
  const again = await send('GET', 'database/creds/app', one);
  t.match(again.headers, { 'x-cache': 'HIT', age: /^\d+$/ });
  t.equal(await creds(two), 2);
  t.not(await creds('s.unknown'), await creds('s.unknown'), 'nothing is kept for a token of elsewhere');
  t.equal(await creds(one), 1);
  await send('PUT', 'sys/leases/revoke', one, { lease_id: 'database/creds/app/1' });
  t.equal(await creds(one), 5, 'revoked: another');
  t.equal(await creds(two), 2);
  await send('POST', 'auth/token/revoke-self', two);
  dead.add(two);
  t.equal(await creds(two), 6, 'asked for upstream: the token took its leases with it');
  t.equal(asked('sys/leases/renew').length, 0);
});

t.test('whatever is revoked puts in doubt what hangs on other tokens', async (t) => {
  const { login, creds, send, dead } = await start(t);
  const one = await login('one');
  t.equal(await creds(one), 1);
  dead.add(one);
  await send('POST', 'auth/token/revoke-accessor', 'root', { accessor: 'of its parent' });
  t.equal(await creds(one), 2);
});

t.test("a lease is renewed by its token, and is not revoked at the agent's exit", async (t) => {
  const { agent, login, creds, asked } = await start(t, { ttl: 3 });
  const token = await login('one');
  const first = await creds(token);
  await waitFor('two renewals', () => asked('sys/leases/renew').length >= 2);
  t.equal(await creds(token), first);
  t.equal(asked('sys/leases/renew')[0]?.headers['x-vault-token'], token);
  t.equal((await agent.stop()).code, 0);
  t.equal(asked('sys/leases/revoke').length, 0);
  t.equal(asked('auth/token/revoke-self').length, 0);
});

t.test("a lease by a write under the agent's own token is the lease engine's", async (t) => {
  const { agent, key, asked, send } = await start(t, { ttl: 3 });
  t.same(new Set(await Promise.all([key(), key(), key()])), new Set([1]));
  t.equal(await key({ ttl: '2h' }), 2);
  const leases = async () => json((await agent.ask('/status')).text).leases;
  t.match(await leases(), [{ key: 'vault:write gcp/key/app' }, { key: 'vault:write gcp/key/app' }]);
  await waitFor('two renewals of each', () => asked('sys/leases/renew').length >= 4);
  t.equal(asked('sys/leases/renew')[0]?.headers['x-vault-token'], ownToken);
  t.equal(await key(), 1);
  await send('PUT', 'sys/leases/revoke', undefined, { lease_id: 'gcp/key/app/1' });
  t.equal(await key(), 3);
  await agent.stop();
  const revoked = asked('sys/leases/revoke').map(({ body }) => json(body).lease_id);
  t.same(revoked.sort(), ['gcp/key/app/1', 'gcp/key/app/2', 'gcp/key/app/3'], 'the first by the caller');
});

t.test('a credential that cannot be renewed is made again each time', async (t) => {
  const { login, creds, key } = await start(t, { renewable: false });
  t.not(await key(), await key());
  const token = await login('one');
  t.not(await creds(token), await creds(token));
});
