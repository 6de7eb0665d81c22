// The Vault dialect of the built agent over a stand-in for a vault, which counts what it is asked.
import { createHash, randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { connect } from 'node:net';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import t, { type Test } from 'tap';
import { refusalFileOf } from '../../../src/audit/refusal-trail.ts';
import { startAgent } from '../../support/cli.ts';
import { kv2, type StubVault, startStubVault } from '../../support/stub-vault.ts';
import { testFolder } from '../../support/test-folder.ts';
import { waitFor } from '../../support/wait-for.ts';

const ownToken = 'own-auto-auth-token';

interface Setup {
  listener?: Record<string, unknown>;
  config?: Record<string, unknown>;
  env?: Record<string, string>;
  /** Instead of being ready: what /readyz tells. */
  until?: RegExp;
}

async function start(t: Test, { listener = {}, config = {}, env = {}, until }: Setup = {}) {
  const vault = await startStubVault();
  t.teardown(vault.close);
  const folder = testFolder(t);
  const agent = startAgent(t, {
    folder,
    vault: { address: vault.address, rootToken: ownToken },
    env,
    config: {
      listeners: [{ unix: join(folder, 'latchkey.sock'), serve: ['secrets', 'admin', 'vault'], ...listener }],
      ...config,
    },
  });
  if (until === undefined) await agent.untilReady();
  else
    await waitFor(String(until), async () =>
      until.test((await agent.ask('/readyz').catch(() => ({ text: '' }))).text),
    );
  return { vault, agent, folder };
}

/** Leases at `database/creds/app`, each with its own number; renewals and revocations as a vault does them. */
function serveLeases(vault: StubVault, { ttl = 3600, renewable = true } = {}) {
  let minted = 0;
  const revoked = new Set<string>();
  vault.route(({ path, body }) => {
    if (path === 'database/creds/app') {
      minted += 1;
      const lease = { lease_id: `database/creds/app/${minted}`, lease_duration: ttl, renewable };
      return { json: { request_id: 'r', ...lease, data: { username: `u${minted}`, password: 'p' } } };
    }
    if (path === 'sys/leases/renew') {
      const { lease_id: id } = JSON.parse(body);
      if (revoked.has(id)) return { status: 400, json: { errors: ['lease not found'] } };
      return { json: { request_id: 'r', lease_id: id, lease_duration: ttl, renewable: true } };
    }
    if (path === 'sys/leases/revoke') {
      revoked.add(JSON.parse(body).lease_id);
      return { status: 204 };
    }
    if (path.startsWith('sys/leases/revoke-prefix/')) {
      for (let number = 1; number <= minted; number += 1) revoked.add(`database/creds/app/${number}`);
      return { status: 204 };
    }
    return undefined;
  });
  return { minted: () => minted };
}

const json = (text: string) => JSON.parse(text);

t.test('callers at once, a name and later callers share one lease', async (t) => {
  const { vault, agent } = await start(t, {
    config: { secrets: { db: { path: 'database/creds/app', required: false } } },
  });
  const leases = serveLeases(vault);
  const answers = await Promise.all(Array.from({ length: 20 }, () => agent.ask('/v1/database/creds/app')));
  for (const { status, text } of answers) {
    t.equal(status, 200);
    t.match(json(text), { lease_id: 'database/creds/app/1', data: { username: 'u1' } });
  }
  t.equal(leases.minted(), 1);
  const later = await agent.ask('/v1/database/creds/app');
  t.match(later.headers, { 'x-cache': 'HIT', age: /^\d+$/ });
  const traced = await agent.ask('/v1/database/creds/app', { headers: { 'x-request-id': '1' } });
  t.match(
    traced.headers,
    { 'x-cache': 'HIT' },
    'headers that mean nothing to Vault do not make another lease',
  );
  await waitFor('the name', async () => (await agent.ask('/secrets/db')).status === 200);
  t.match(json((await agent.ask('/secrets/db')).text), { data: { username: 'u1' } });
  t.equal(leases.minted(), 1);
  const holders = json((await agent.ask('/who-has/db')).text);
  t.match(holders, { holders: [{ consumer: /^caller:uid/ }] }, 'the ledger knows who has it');
});

t.test('of one path no more than a few queries are kept, whatever a caller makes up', async (t) => {
  const { vault, agent } = await start(t);
  vault.route(({ path }) => (path.startsWith('secret/data/') ? { json: kv2({ at: path }) } : undefined));
  const cacheOf = async (path: string) => (await agent.ask(`/v1/secret/data/${path}`)).headers['x-cache'];
  t.equal(await cacheOf('other'), 'MISS');
  for (let made = 1; made <= 40; made += 1) t.equal(await cacheOf(`app?made=${made}`), 'MISS', `${made}`);
  for (let made = 25; made <= 40; made += 1)
    t.equal(await cacheOf(`app?made=${made}`), 'HIT', `${made} again`);
  t.equal(await cacheOf('app?made=1'), 'MISS', 'what was asked for longest ago made room');
  t.equal(await cacheOf('other'), 'HIT', 'and no other path did');
});

t.test(
  'a reload to another vault, by another name or address, ends what the cache has of the one before',
  async (t) => {
    const { vault: first, agent } = await start(t);
    const second = await startStubVault();
    t.teardown(second.close);
    for (const [vault, of] of [
      [first, 'first'],
      [second, 'second'],
    ] as const)
      vault.route(({ path }) => (path === 'secret/data/app' ? { json: kv2({ of }) } : undefined));
    const valueNow = async () => json((await agent.ask('/v1/secret/data/app')).text).data.data.of;
    const config = json(readFileSync(agent.configPath, 'utf8'));
    const reload = async (upstreams: object) => {
      writeFileSync(agent.configPath, JSON.stringify({ ...config, upstreams }), { mode: 0o600 });
      t.equal((await agent.ask('/reload', { method: 'POST' })).status, 200);
    };
    const [[name, upstream] = []] = Object.entries(config.upstreams as Record<string, object>);
    t.equal(await valueNow(), 'first');
    t.equal(await valueNow(), 'first', 'from the cache');
    await reload({ other: { ...upstream, address: second.address } });
    t.equal(await valueNow(), 'second');
    await reload({ other: { ...upstream, address: first.address } });
    await waitFor('the value of the other address', async () => (await valueNow()) === 'first');
    await reload({ [`${name}`]: { ...upstream, address: second.address } });
    await waitFor('the value of the first name', async () => (await valueNow()) === 'second');
  },
);

t.test('lease_duration counts down, the rest stays as the vault wrote it', async (t) => {
  const { vault, agent } = await start(t);
  const body = (left: number) =>
    `{ "lease_id":"database/creds/x/1",  "renewable" : true,"lease_duration" :${left}, "data":{"lease_duration":"\\u003cmine\\u003e","n":1.50}}`;
  vault.route(({ path }) => (path === 'database/creds/x' ? { text: body(3600) } : undefined));
  const first = await agent.ask('/v1/database/creds/x');
  t.match(first.headers, { 'x-cache': 'MISS' });
  const left = await waitFor('a second to pass', async () => {
    const { text } = await agent.ask('/v1/database/creds/x');
    const { lease_duration: now } = json(text);
    return now < 3599 && text === body(now) ? now : undefined;
  });
  t.ok(left > 3000);
});

t.test("a static role's ttl counts down too", async (t) => {
  const { vault, agent } = await start(t);
  const data = { username: 'static', password: 'p', ttl: 500, rotation_period: 600 };
  vault.route(({ path }) =>
    path === 'database/static-creds/app' ? { json: { lease_id: '', lease_duration: 0, data } } : undefined,
  );
  await agent.ask('/v1/database/static-creds/app');
  await waitFor('the ttl to fall', async () => {
    const answer = await agent.ask('/v1/database/static-creds/app');
    return answer.headers['x-cache'] === 'HIT' && json(answer.text).data.ttl < 499;
  });
});

t.test("a client's renewal is answered from what is left, or brings the engine's forward", async (t) => {
  const { vault, agent } = await start(t);
  serveLeases(vault, { ttl: 9 });
  await agent.ask('/v1/database/creds/app');
  const renew = () =>
    agent.ask('/v1/sys/leases/renew', { method: 'PUT', body: '{"lease_id":"database/creds/app/1"}' });
  const first = json((await renew()).text);
  t.match(first, { lease_id: 'database/creds/app/1', renewable: true });
  t.ok(first.lease_duration > 0 && first.lease_duration <= 8, `${first.lease_duration} of 9 s are left`);
  t.equal(vault.count('sys/leases/renew'), 0, 'from memory');
  const left = [first.lease_duration];
  await waitFor('a renewal upstream', async () => {
    left.push(json((await renew()).text).lease_duration);
    return vault.count('sys/leases/renew') > 0;
  });
  await waitFor('what it brought', async () => json((await renew()).text).lease_duration > Math.min(...left));
  const other = await agent.ask('/v1/sys/leases/renew', { method: 'PUT', body: '{"lease_id":"not/ours"}' });
  t.equal(other.status, 200, 'a lease of somebody else goes on to the vault');
});

t.test('what was revoked through the agent is no longer handed out', async (t) => {
  const { vault, agent } = await start(t);
  serveLeases(vault, { ttl: 3600 });
  const user = async () => json((await agent.ask('/v1/database/creds/app')).text).data.username;
  t.equal(await user(), 'u1');
  const revoke = (path: string, body = '') =>
    agent.ask(`/v1/sys/leases/${path}`, { method: 'PUT', ...(body === '' ? {} : { body }) });
  t.equal((await revoke('revoke', '{"lease_id":"database/creds/app/1"}')).status, 204);
  t.not(await user(), 'u1');
  t.equal((await revoke('revoke-prefix/database/creds')).status, 204);
  t.notOk(['u1', 'u2'].includes(await user()));
  const { lease_id: id, data } = json((await agent.ask('/v1/database/creds/app')).text);
  const chunked = await agent.ask('/v1/sys/leases/revoke', {
    method: 'PUT',
    headers: { 'transfer-encoding': 'chunked' },
    body: JSON.stringify({ lease_id: id }),
  });
  t.equal(chunked.status, 204);
  t.not(await user(), data.username, 'however the body was sent');
});

t.test('after a revocation one other credential is made, within the floor too, and shared', async (t) => {
  const { vault, agent } = await start(t);
  const { minted } = serveLeases(vault, { ttl: 3600 });
  const user = async () => json((await agent.ask('/v1/database/creds/app')).text).data?.username;
  t.equal(await user(), 'u1');
  const body = '{"lease_id":"database/creds/app/1"}';
  t.equal((await agent.ask('/v1/sys/leases/revoke', { method: 'PUT', body })).status, 204);
  t.same(new Set(await Promise.all([user(), user(), user()])), new Set(['u2']));
  t.equal(minted(), 2);
  t.match(
    json((await agent.ask('/status')).text).leases,
    [{ state: 'retiring' }, { state: 'current' }],
    'and owned',
  );
});

t.test('whose token a request goes by is as use_auto_auth_token says', async (t) => {
  const cases: [boolean | string, string | undefined, string | undefined][] = [
    [true, undefined, ownToken],
    [true, 's.mine', 's.mine'],
    [false, undefined, undefined],
    [false, 's.mine', 's.mine'],
    ['force', 's.mine', ownToken],
  ];
  for (const mode of [true, false, 'force']) {
    const { vault, agent } = await start(t, { listener: { use_auto_auth_token: mode } });
    vault.route(({ path }) => (path === 'sys/thing' ? { json: { data: {} } } : undefined));
    for (const [, shown, expected] of cases.filter(([of]) => of === mode)) {
      await agent.ask('/v1/sys/thing', { headers: shown === undefined ? {} : { 'x-vault-token': shown } });
      t.equal(vault.requests.at(-1)?.headers['x-vault-token'], expected, `${mode} ${shown}`);
    }
    if (mode !== true) continue;
    await agent.ask('/v1/sys/thing', { headers: { authorization: 'Bearer s.mine' } });
    t.match(vault.requests.at(-1)?.headers, { 'x-vault-token': 's.mine', authorization: undefined });
  }
});

t.test("a caller's own token is never answered from the agent's cache", async (t) => {
  const { vault, agent } = await start(t);
  vault.route(({ path, headers }) => {
    if (path !== 'secret/data/app') return undefined;
    return headers['x-vault-token'] === ownToken
      ? { json: kv2({ of: 'agent' }) }
      : { status: 403, json: { errors: ['permission denied'] } };
  });
  t.equal((await agent.ask('/v1/secret/data/app')).status, 200);
  t.equal((await agent.ask('/v1/secret/data/app')).headers['x-cache'], 'HIT');
  const own = await agent.ask('/v1/secret/data/app', { headers: { 'x-vault-token': 's.mine' } });
  t.match(own, { status: 403, text: '{"errors":["permission denied"]}' });
  const wrapped = await agent.ask('/v1/secret/data/app', { headers: { 'x-vault-wrap-ttl': '60s' } });
  t.notOk('x-cache' in wrapped.headers, 'a wrapped answer is one of its own');
});

t.test('errors of the vault pass through; a vault that is away is told in its own shape', async (t) => {
  const { vault, agent } = await start(t);
  const answers: [number, string][] = [
    [400, '{"errors":["bad"]}'],
    [404, '{"errors":[]}'],
    [418, 'no json at all'],
    [500, '{"errors":["broken"]}'],
  ];
  for (const [status, text] of answers) {
    vault.route(({ path }) => (path === `sys/e${status}` ? { status, text } : undefined));
    t.match(await agent.ask(`/v1/sys/e${status}`), { status, text });
  }
  vault.route(({ path }) =>
    path === 'secret/data/no' ? { status: 403, json: { errors: ['no'] } } : undefined,
  );
  t.match(await agent.ask('/v1/secret/data/no'), { status: 403, text: '{"errors":["no"]}' });
  await vault.close();
  t.match(await agent.ask('/v1/sys/health'), { status: 502, text: /^\{"errors":\[".+"\]\}\n$/ });
});

t.test('a cached secret outlives the vault, marked stale', async (t) => {
  const { vault, agent } = await start(t, { config: {} });
  vault.route(({ path }) => (path === 'secret/data/app' ? { json: kv2({ a: '1' }) } : undefined));
  await agent.ask('/v1/secret/data/app');
  await vault.close();
  await agent.ask('/agent/v1/cache-clear', { method: 'POST', body: '{"type":"all"}' });
  await waitFor('the mark', async () => {
    const answer = await agent.ask('/v1/secret/data/app');
    t.equal(answer.status, 200);
    return answer.headers['latchkey-stale'] === 'true';
  });
});

t.test("answers about the agent's own token lose its id and accessor", async (t) => {
  const { vault, agent } = await start(t);
  const data = { id: ownToken, accessor: 'acc', ttl: 3600 };
  vault.route(({ path }) => {
    if (path === 'auth/token/lookup-self' || path === 'auth/token/lookup') return { json: { data } };
    if (path === 'auth/token/renew-self') {
      return { json: { data: {}, auth: { client_token: ownToken, accessor: 'acc', lease_duration: 3600 } } };
    }
    return undefined;
  });
  const lookup = await agent.ask('/v1/auth/token/lookup-self', { headers: { 'x-vault-wrap-ttl': '60s' } });
  t.strictSame(json(lookup.text).data, { ttl: 3600 });
  t.notOk('x-vault-wrap-ttl' in (vault.requests.at(-1)?.headers ?? {}), 'nor can it be wrapped away');
  const renewed = await agent.ask('/v1/auth/token/renew-self', { method: 'PUT', body: '{}' });
  t.match(json(renewed.text).auth, { client_token: '', accessor: '', lease_duration: 3600 });
  const byToken = await agent.ask('/v1/auth/token/lookup', { method: 'POST', body: '{"token":""}' });
  t.strictSame(json(byToken.text).data, { ttl: 3600 });
  const other = await agent.ask('/v1/auth/token/lookup-self', { headers: { 'x-vault-token': 's.mine' } });
  t.match(json(other.text), { data: { ttl: 3600 } });
});

t.test('bodies of any size stream both ways', async (t) => {
  const { vault, agent } = await start(t);
  const big = randomBytes(8 * 1024 * 1024).toString('hex');
  vault.route(({ path, body }) => (path === 'sys/big' ? { text: body } : undefined));
  const digest = await new Promise<string>((resolve, reject) => {
    const sent = request(
      { socketPath: agent.socket, path: '/v1/sys/big', method: 'PUT', headers: { host: 'localhost' } },
      (answer) => {
        const hash = createHash('sha256');
        answer.on('data', (chunk) => hash.update(chunk));
        answer.on('end', () => resolve(hash.digest('hex')));
      },
    );
    sent.on('error', reject);
    Readable.from([big.slice(0, 1000), big.slice(1000)]).pipe(sent);
  });
  t.equal(digest, createHash('sha256').update(big).digest('hex'));
});

t.test('LIST is taken on a kept-alive connection, between other requests', async (t) => {
  const { vault, agent } = await start(t);
  vault.route(({ path, url }) =>
    path === 'secret/metadata/' ? { json: { data: { keys: [url] } } } : undefined,
  );
  const socket = connect(agent.socket);
  t.teardown(() => socket.destroy());
  let got = '';
  socket.setEncoding('latin1').on('data', (text: string) => {
    got += text;
  });
  const send = async (line: string, expected: RegExp) => {
    got = '';
    socket.write(`${line} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
    t.match(await waitFor(line, () => (expected.test(got) ? got : undefined)), expected);
  };
  await send('GET /v1/sys/health', /^HTTP\/1\.1 200/);
  await send('LIST /v1/secret/metadata/', /^HTTP\/1\.1 200.*list=true/s);
  await send('LIST /v1/secret/metadata/?after=a', /^HTTP\/1\.1 200.*after=a&list=true/s);
  await send('GET /v1/sys/health', /^HTTP\/1\.1 200/);
  await send('BREW /v1/sys/health', /^HTTP\/1\.1 400/);
  await waitFor('the connection to be counted out', async () => {
    const { text } = await agent.ask('/metrics');
    return /latchkey_connections_open\{[^}]*\} [12]\n/.test(text) || /connections\{[^}]*\} [12]\n/.test(text);
  });
});

t.test('LIST behind a request that is not answered yet is refused', async (t) => {
  const { vault, agent } = await start(t);
  vault.route(({ path }) => (path === 'slow/read' ? () => undefined : undefined));
  const socket = connect(agent.socket);
  t.teardown(() => socket.destroy());
  let got = '';
  socket.setEncoding('latin1').on('data', (text: string) => {
    got += text;
  });
  socket.write('GET /v1/slow/read HTTP/1.1\r\nHost: localhost\r\n\r\n');
  await waitFor('the vault to be asked', () => vault.count('slow/read') === 1);
  socket.write('LIST /v1/secret/metadata/ HTTP/1.1\r\nHost: localhost\r\n\r\n');
  await waitFor('the end', () => socket.closed);
  t.match(got, /^HTTP\/1\.1 400/);
});

t.test('the local paths: cache-clear, quit, metrics; X-Vault-Request where it is wanted', async (t) => {
  const { vault, agent } = await start(t, {
    listener: { require_request_header: true, enable_quit: true },
  });
  const headers = { 'x-vault-request': 'true' };
  vault.route(({ path }) => (path === 'secret/data/app' ? { json: kv2({ a: '1' }) } : undefined));
  t.match(await agent.ask('/v1/sys/health'), { status: 412, text: /X-Vault-Request/ });
  t.equal((await agent.ask('/v1/secret/data/app', { headers })).status, 200);
  const before = vault.count('secret/data/app');
  const clear = (body: string, root = 'agent') =>
    agent.ask(`/${root}/v1/cache-clear`, { method: 'POST', headers, body });
  t.equal((await clear('{"type":"request_path","value":"/v1/secret/other"}')).status, 200);
  t.equal(vault.count('secret/data/app'), before);
  t.equal((await clear('{"type":"request_path","value":"/v1/secret/"}', 'proxy')).status, 200);
  t.equal(vault.count('secret/data/app'), before + 1);
  for (const body of ['{"type":"x"}', '{"type":"lease"}', '{}', 'no json']) {
    t.match(await clear(body), { status: 400, text: /"errors"/ }, body);
  }
  t.equal((await agent.ask('/agent/v1/cache-clear', { headers })).status, 405);
  t.match(await agent.ask('/agent/v1/metrics', { headers }), { status: 200, text: /^# HELP/ });
  t.equal((await agent.ask('/agent/v1/quit', { method: 'POST', headers })).status, 200);
  t.equal((await agent.exited).code, 0);
});

t.test('rules allow by path and method; twisted spellings are refused', async (t) => {
  const { vault, agent } = await start(t, {
    config: {
      access: {
        strict: true,
        rules: [
          {
            name: 'billing',
            client: { uid: process.getuid?.() ?? 0 },
            vault: [
              { path: 'secret/data/billing/*', methods: ['GET'] },
              { path: 'secret/metadata/*', methods: ['LIST'] },
              { path: 'team/*', methods: ['GET'] },
            ],
          },
        ],
      },
    },
  });
  vault.route(({ path }) => (path.startsWith('secret/data/') ? { json: kv2({ path }) } : undefined));
  const status = async (path: string, options = {}) => (await agent.ask(`/v1/${path}`, options)).status;
  t.equal(await status('secret/data/billing/db'), 200);
  t.equal(await status('secret/data/billing/db', { method: 'DELETE' }), 403);
  t.equal(await status('secret/data/billing/a\\b'), 200, 'a backslash belongs to a name');
  t.equal(await status('secret/data/billing/a%5Cb'), 200, 'escaped as well: it is in memory');
  t.equal(await status('secret/data/billing\\a'), 403, 'and is no slash for the rules');
  t.strictSame(
    vault.requests.filter(({ path }) => /^secret.*b$/.test(path)).map(({ url }) => url),
    ['/v1/secret/data/billing/db', '/v1/secret/data/billing/a%5Cb'],
    'it goes on escaped',
  );
  t.equal(await status('secret/data/billing/db?list=true'), 403, 'a list is another right');
  t.equal(await status('secret/data/billing/db', { headers: { 'x-vault-namespace': 'other' } }), 403);
  t.equal(await status('secret/data/billing/db?scan=true'), 403, 'and so is a list of all below');
  t.equal(await status('secret/data/billing/db?version=1;list=true'), 403, 'some servers part at semicolons');
  t.equal(await status('secret/metadata/billing'), 403, 'a right to lists is none to read');
  t.equal(await status('secret/metadata/billing?list=false&list=true'), 400, 'servers take the first');
  t.equal(await status('secret/metadata/billing?scan=0&list=1'), 400);
  t.equal(await status('secret/data/other'), 403);
  t.equal(await status('sys/health'), 403);
  for (const path of [
    'secret/data/billing/../other',
    'secret/data/billing/%2e%2e/other',
    'secret/data/billing%2fdb',
    'secret/data/billing/db#x?list=true',
    'secret/data/billing/db?#&list=true',
    'secret//data/billing/db',
    'secret/data/billing/%zz',
    'secret/data/billing/..%5cother',
    'secret/data/billing/a%5C..%5Cother',
    'secret/data/billing/..\\other',
    'secret/data/billing/a\\..\\other',
    'secret\\..\\data/billing/db',
  ]) {
    t.equal(await status(path), 400, path);
  }
  t.equal((await agent.ask('/agent/v1/cache-clear', { method: 'POST', body: '{"type":"all"}' })).status, 403);
  t.notOk(vault.requests.some(({ path }) => path.includes('other')));
});

t.test('goes to the namespace that the rules were asked about', async (t) => {
  const { vault, agent } = await start(t, {
    env: { VAULT_NAMESPACE: 'own' },
    config: {
      access: {
        strict: true,
        rules: [
          {
            name: 'team',
            client: { uid: process.getuid?.() ?? 0 },
            vault: [
              { path: '//team/*', methods: ['GET'] },
              { path: 'inner/*', methods: ['GET'] },
              { path: 'secret/data/app', methods: ['GET'] },
            ],
          },
        ],
      },
    },
  });
  vault.route(({ path }) => (path.startsWith('secret/data/') ? { json: kv2({ path }) } : undefined));
  const seen = async (path: string, headers: Record<string, string>) => {
    const before = vault.requests.length;
    const { status } = await agent.ask(`/v1/secret/data/${path}`, { headers });
    const namespace = vault.requests.slice(before).find((request) => request.path === `secret/data/${path}`)
      ?.headers['x-vault-namespace'];
    return { status, namespace };
  };
  const asked = { 'x-vault-namespace': 'team' };
  t.match(await seen('db', asked), { status: 200, namespace: 'team' });
  t.match(await seen('db', { 'x-vault-namespace': '/team/' }), { status: 200, namespace: 'team' });
  t.match(await seen('db', { 'x-vault-namespace': 'own/inner' }), { status: 200, namespace: 'own/inner' });
  t.match(
    await seen('db', { 'x-vault-namespace': 'inner' }),
    { status: 403, namespace: undefined },
    'another of that name',
  );
  t.match(
    await seen('db', { ...asked, connection: 'keep-alive, x-vault-namespace' }),
    { status: 200, namespace: 'team' },
    'though Connection calls the header its own',
  );
  t.match(
    await seen('app', { 'x-vault-namespace': '', 'x-vault-wrap-ttl': '1m' }),
    { status: 200, namespace: 'own' },
    'an empty one is none',
  );
  for (const twisted of ['team/..', 'team/../own', 'team//x', './team', 'team/./x', 'team\\..']) {
    t.match(
      await seen('db', { 'x-vault-namespace': twisted }),
      { status: 400, namespace: undefined },
      twisted,
    );
  }
});

t.test('the audit file has what was asked and why it was refused, but no token', async (t) => {
  const file = join(testFolder(t), 'audit.jsonl');
  const { agent } = await start(t, { config: { audit: { file } } });
  await agent.ask('/v1/auth/token/revoke/hvs.CANARY', { method: 'PUT' });
  await agent.ask('/v1/team/auth/token/lookup/hvs.CANARY');
  await agent.ask('/v1/a//b');
  const text = readFileSync(file, 'utf8');
  t.notMatch(text, /CANARY/);
  const lines = text.trimEnd().split('\n').map(json);
  t.match(lines.slice(-3), [
    { path: '/v1/auth/token/revoke/…', status: 404, allowed: true },
    { event: 'forward', path: '/v1/team/auth/token/lookup/…', allowed: true },
    { path: '/v1/team/auth/token/lookup/…', allowed: true },
  ]);
  const refused = readFileSync(refusalFileOf(file), 'utf8').trimEnd().split('\n').map(json);
  t.match(refused.at(-1), { path: '/v1/a//b', status: 400, allowed: false, reason: 'not decided' });
});

t.test('what cannot be recorded is not done upstream either', async (t) => {
  const folder = testFolder(t);
  const file = join(folder, 'audit.jsonl');
  mkdirSync(file);
  const { vault, agent } = await start(t, {
    config: { audit: { file } },
    until: /not ready: audit: nothing is served: the audit file cannot be written/,
  });
  vault.route(({ path }) => (path === 'secret/data/app' ? { status: 204 } : undefined));
  const write = () => agent.ask('/v1/secret/data/app', { method: 'PUT', body: '{}' });
  t.match(await write(), {
    status: 503,
    text: /"errors":\["the audit file cannot be written: .*make .* writable/,
  });
  t.equal(vault.count('secret/data/app'), 0);
  t.equal((await agent.ask('/v1/database/creds/app')).status, 503);
  t.equal(vault.count('database/creds/app'), 0, 'no credential is made for nobody');
  rmdirSync(file);
  await agent.untilReady();
  t.equal((await write()).status, 204);
  t.equal(vault.count('secret/data/app'), 1);
});

t.test('what is passed on is recorded before the vault hears of it', async (t) => {
  const file = join(testFolder(t), 'audit.jsonl');
  const { vault, agent } = await start(t, { config: { audit: { file } } });
  const before = new Map<string, string>();
  vault.route(({ path }) => {
    before.set(path, readFileSync(file, 'utf8'));
    return path === 'secret/data/app' ? { status: 204 } : undefined;
  });
  await agent.ask('/v1/secret/data/app', { method: 'PUT', body: '{}' });
  await agent.ask('/v1/database/creds/app');
  for (const [path, method] of [
    ['secret/data/app', 'PUT'],
    ['database/creds/app', 'GET'],
  ] as const) {
    const lines = before.get(path)?.trimEnd().split('\n').map(json);
    const line = { event: 'forward', dialect: 'vault', method, path: `/v1/${path}`, allowed: true };
    t.match(lines?.at(-1), { ...line, status: undefined }, path);
    const after = readFileSync(file, 'utf8').trimEnd().split('\n').map(json);
    t.match(
      after.filter((one) => one.path === `/v1/${path}`),
      [{ event: 'forward' }, { event: 'request' }],
    );
  }
});

t.test('a rule that is gone ends what is under way', async (t) => {
  const rule = (path: string) => ({
    strict: true,
    rules: [
      { name: 'all', client: { uid: process.getuid?.() ?? 0 }, vault: [{ path, methods: ['GET', 'POST'] }] },
    ],
  });
  const { vault, agent } = await start(t, { config: { access: rule('*') } });
  vault.route(({ path }) =>
    path === 'sys/monitor' ? (response) => response.writeHead(200).write('a line') : undefined,
  );
  vault.route(({ path }) => (path.startsWith('slow/') ? () => undefined : undefined));
  const stream = request({
    socketPath: agent.socket,
    path: '/v1/sys/monitor',
    headers: { host: 'localhost' },
  });
  stream.on('error', () => undefined); // it is cut, which is what this is about
  const cut = new Promise<void>((resolve) => {
    stream.on('response', (answer) =>
      answer
        .on('error', () => undefined)
        .on('close', resolve)
        .resume(),
    );
  });
  stream.end();
  const pending = [agent.ask('/v1/slow/read'), agent.ask('/v1/slow/write', { method: 'POST', body: '{}' })];
  await waitFor('all three upstream', () =>
    ['sys/monitor', 'slow/read', 'slow/write'].every((path) => vault.count(path) === 1),
  );
  const config = JSON.parse(readFileSync(agent.configPath, 'utf8'));
  writeFileSync(agent.configPath, JSON.stringify({ ...config, access: rule('other') }));
  agent.child.kill('SIGHUP');
  await cut;
  for (const { status } of await Promise.all(pending)) t.equal(status, 403);
});
