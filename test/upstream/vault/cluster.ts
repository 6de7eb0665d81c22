import { Readable } from 'node:stream';
import t, { type Test } from 'tap';
import { createReference } from '../../../src/store/reference.ts';
import { createFastClock } from '../../support/fast-clock.ts';
import { kv2, type StubVault, startStubVault } from '../../support/stub-vault.ts';
import { createTestUpstream, interactive, shutdown } from '../../support/test-upstream.ts';
import { waitFor } from '../../support/wait-for.ts';

const reference = createReference({ upstream: 'vault', path: 'secret/app' });
const patience = () => AbortSignal.timeout(60_000);
const isSealed = { status: 503, json: { errors: ['Vault is sealed'] } };

async function startNode(t: Test, port?: number): Promise<StubVault> {
  const vault = await startStubVault(port === undefined ? {} : { port });
  t.teardown(vault.close);
  vault.route((request) => (request.path === 'secret/data/app' ? { json: kv2({ a: '1' }) } : undefined));
  return vault;
}

async function startUpstream(t: Test, addresses: string[], factor = 10, timeoutSeconds = 60) {
  const made = createTestUpstream({
    config: { addresses, timeoutMs: timeoutSeconds * 1000 * factor },
    clock: createFastClock(factor),
  });
  t.teardown(() => made.upstream.close(shutdown));
  made.upstream.start();
  return made;
}

t.test('a node that is gone or sealed is passed over, and preferred again when it is back', async (t) => {
  const [first, second] = [await startNode(t), await startNode(t)];
  const { upstream } = await startUpstream(t, [first.address, second.address], 200);
  await upstream.ready(patience());
  t.equal(upstream.status().address, first.address);

  let sealed = true;
  first.route((request) => {
    if (!sealed) return undefined;
    return request.path === 'sys/health' ? { status: 503, json: { sealed: true } } : isSealed;
  });
  t.ok(await upstream.read(reference, interactive()), 'no request fails');
  t.match(upstream.status(), { state: 'ready', address: second.address });
  sealed = false;
  await waitFor('the return', () => upstream.status().address === first.address);

  await first.close();
  t.ok(await upstream.read(reference, interactive()));
  t.equal(upstream.status().address, second.address);
  await startNode(t, first.port);
  await waitFor('the return', () => upstream.status().address === first.address);
  t.equal(upstream.status().state, 'ready');
});

t.test('only when every node is away is the upstream away', async (t) => {
  const [first, second] = [await startNode(t), await startNode(t)];
  const { upstream } = await startUpstream(t, [first.address, second.address], 50);
  await upstream.ready(patience());
  await first.close();
  await second.close();
  await t.rejects(upstream.read(reference, interactive()), { code: 'upstream_unavailable' });
  t.equal(upstream.status().state, 'unavailable');
  await startNode(t, second.port);
  await waitFor('the recovery', () => upstream.status().state === 'ready');
  t.equal(upstream.status().address, second.address);
});

t.test('a request that may have had an effect is not repeated at another node', async (t) => {
  const [first, second] = [await startNode(t), await startNode(t)];
  const { upstream } = await startUpstream(t, [first.address, second.address]);
  await upstream.ready(patience());
  first.route((request) =>
    request.path === 'database/creds/app' ? (response) => response.destroy() : undefined,
  );
  const credentials = createReference({ upstream: 'vault', path: 'database/creds/app' });
  await t.rejects(upstream.read(credentials, interactive()), { code: 'upstream_unavailable' });
  t.equal(first.count('database/creds/app'), 1);
  t.equal(second.count('database/creds/app'), 0);
});

t.test('a half-open node is left for another one by the look at its health', async (t) => {
  const [first, second] = [await startNode(t), await startNode(t)];
  const { upstream } = await startUpstream(t, [first.address, second.address], 10, 2);
  await upstream.ready(patience());
  await upstream.read(reference, interactive());
  first.route(({ path }) => (path.startsWith('sys/internal/') ? undefined : () => {}));
  // It may have made a credential, and nobody knows.
  const credentials = createReference({ upstream: 'vault', path: 'database/creds/app' });
  await t.rejects(upstream.read(credentials, interactive()), { code: 'upstream_unavailable' });
  t.equal(second.count('database/creds/app'), 0);
  await waitFor('the other node', () => upstream.status().address === second.address);
  t.ok(await upstream.read(reference, interactive()));
});

t.test(
  'who may be asked twice is, where a node hangs: at another one, long before the time is over',
  async (t) => {
    const [first, second] = [await startNode(t), await startNode(t)];
    const { upstream } = await startUpstream(t, [first.address, second.address], 20, 3);
    await upstream.ready(patience());
    await upstream.read(reference, interactive());
    first.route(() => () => {});
    t.ok(await upstream.read(reference, interactive()), 'no request fails');
    t.ok(second.count('secret/data/app') > 0);
  },
);

t.test('connections that died without a word are left, and none that is new waits for them', async (t) => {
  const node = await startNode(t);
  const { upstream } = await startUpstream(t, [node.address], 20, 3);
  await upstream.ready(patience());
  await Promise.all([upstream.read(reference, interactive()), upstream.read(reference, interactive())]);
  const dead = new Set(node.requests.map(({ socket }) => socket));
  node.route(({ socket }) => (dead.has(socket) ? () => {} : undefined));
  t.ok(await upstream.read(reference, interactive()), 'no request fails');
});

t.test('a server that answers nobody is told to be away while requests still wait', async (t) => {
  const node = await startNode(t);
  const { upstream } = await startUpstream(t, [node.address], 20, 9);
  await upstream.ready(patience());
  await upstream.read(reference, interactive());
  let hangs = true;
  node.route(() => (hangs ? () => {} : undefined));
  let isOver = false;
  const late = upstream
    .read(reference, { signal: AbortSignal.timeout(60_000), priority: 'interactive' })
    .then(
      () => {
        isOver = true;
      },
      () => {
        isOver = true;
      },
    );
  await waitFor('the state', () => upstream.status().state === 'unavailable');
  t.notOk(isOver);
  t.match(upstream.status().message, /has not answered for 30 s/);
  hangs = false;
  await waitFor('its return', () => upstream.status().state === 'ready');
  await upstream.close(shutdown);
  await late;
});

t.test('follows the redirect of a standby, with the token and the body', async (t) => {
  const [standby, active] = [await startNode(t), await startNode(t)];
  standby.route((request) => {
    if (request.path === 'sys/leader') return { json: { leader_address: active.address } };
    return { status: 307, headers: { location: `${active.address}${request.url}` } };
  });
  const { upstream } = await startUpstream(t, [standby.address]);
  await upstream.ready(patience());
  await upstream.read(reference, interactive());
  await upstream.leases.renew('lease/1', 60, interactive()).catch(() => {});
  const renewal = active.requests.find((request) => request.path === 'sys/leases/renew');
  t.match(renewal, { method: 'PUT', headers: { 'x-vault-token': 's.token-1' } });
  t.same(JSON.parse(renewal?.body ?? ''), { lease_id: 'lease/1', increment: 60 });
  t.match(upstream.status(), { state: 'ready', address: standby.address });
});

t.test('a standby that redirects into a void or in a circle is a state with a remedy', async (t) => {
  const [standby, gone] = [await startNode(t), await startNode(t)];
  await gone.close();
  let location = gone.address;
  standby.route((request) => {
    if (request.path === 'sys/health') return { status: 472, json: {} };
    if (request.path === 'sys/leader') return { json: { leader_address: location } };
    return { status: 307, headers: { location: `${location}${request.url}` } };
  });
  const { upstream } = await startUpstream(t, [standby.address]);
  await waitFor('the state', () => upstream.status().state === 'standby');
  t.match(upstream.status().message, /the standby .* redirects to .*, and there nothing accepts connections/);
  location = standby.address;
  standby.requests.length = 0;
  const circle = await startUpstream(t, [standby.address]);
  await waitFor('the state', () => circle.upstream.status().state === 'standby');
  t.match(circle.upstream.status().message, /redirects in a circle; set api_addr/);
  t.equal(standby.count('auth/approle/login'), 4, 'followed three times');
});

t.test('never follows a redirect away from TLS or to another kind of address', async (t) => {
  const standby = await startNode(t);
  standby.route(() => ({ status: 307, headers: { location: 'ftp://127.0.0.1/v1/secret' } }));
  const { upstream } = await startUpstream(t, [standby.address]);
  await waitFor('the state', () => upstream.status().state === 'answer_invalid');
  t.match(upstream.status().message, /redirects to where no vault can be reached safely/);
});

t.test('a redirect to where nobody announced a leader is not followed, and nothing goes there', async (t) => {
  const [standby, stranger] = [await startNode(t), await startNode(t)];
  standby.route((request) => {
    if (request.path === 'sys/health') return { status: 429, json: { standby: true } };
    if (request.path === 'sys/leader') return { json: { leader_address: 'https://active.example:8200' } };
    return { status: 307, headers: { location: `${stranger.address}${request.url}` } };
  });
  const { upstream } = await startUpstream(t, [standby.address]);
  await waitFor('the state', () => upstream.status().state === 'standby');
  t.match(upstream.status().message, /which is no address of the config nor the leader that it announces/);
  t.equal(stranger.requests.length, 0);
});

for (const status of [301, 302, 307, 308]) {
  t.test(
    `a redirect (${status}) to another address of the config is followed, and no caller sees it`,
    async (t) => {
      const [standby, active] = [await startNode(t), await startNode(t)];
      standby.route(({ url }) => ({
        status,
        headers: { location: `${active.address}${url}`, 'content-type': 'text/html' },
        text: '<html>moved</html>',
      }));
      const { upstream } = await startUpstream(t, [standby.address, active.address]);
      await upstream.ready(patience());
      t.ok(await upstream.read(reference, interactive()));
      const answer = await upstream.vault.forward({
        method: 'PUT',
        path: '/v1/secret/data/app',
        query: '',
        namespace: undefined,
        headers: {},
        body: Buffer.from('{}'),
        token: 'auto',
        signal: patience(),
      });
      answer.body.resume();
      t.equal(answer.status, 200);
      t.match(active.requests.at(-1), { method: 'PUT', body: '{}' });
    },
  );
}

t.test(
  'a redirect to elsewhere by what stands before a vault is told, and no caller follows it',
  async (t) => {
    const front = await startNode(t);
    front.route(({ path, url }) =>
      path === 'auth/approle/login'
        ? undefined
        : { status: 301, headers: { location: `https://login.example${url}` } },
    );
    const { upstream } = await startUpstream(t, [front.address]);
    await upstream.ready(patience());
    await t.rejects(
      upstream.vault.forward({
        method: 'GET',
        path: '/v1/secret/data/app',
        query: '',
        namespace: undefined,
        headers: {},
        body: undefined,
        token: 'auto',
        signal: patience(),
      }),
      { code: 'upstream_answer_invalid', message: /redirects to https:\/\/login\.example/ },
    );
  },
);

t.test('a standby that leads into a void is asked less and less often, in one log line', async (t) => {
  const standby = await startNode(t);
  standby.route((request) => {
    if (request.path === 'sys/health') return { status: 429, json: { standby: true } };
    if (request.path === 'sys/leader') return { json: { leader_address: 'http://127.0.0.1:9' } };
    return { status: 307, headers: { location: `http://127.0.0.1:9${request.url}` } };
  });
  const { upstream, logs } = await startUpstream(t, [standby.address], 100);
  await waitFor('ten looks', () => standby.count('sys/health') >= 10);
  t.equal(upstream.status().state, 'standby');
  t.equal(standby.count('auth/approle/login'), 1, 'only the looks ask');
  t.equal(logs.lines.filter(({ fields }) => 'state' in fields).length, 1);
});

for (const size of [1000, 300_000, 5_000_000]) {
  t.test(`a body of ${size} bytes that can be sent only once reaches the active node`, async (t) => {
    const [standby, active] = [await startNode(t), await startNode(t)];
    standby.route((request) => {
      if (request.path === 'sys/leader') return { json: { leader_address: active.address } };
      return { status: 307, headers: { location: `${active.address}${request.url}` } };
    });
    active.route((request) =>
      request.path === 'secret/data/big' ? { json: { size: request.body.length } } : undefined,
    );
    const { upstream } = await startUpstream(t, [standby.address]);
    await upstream.ready(patience());
    const answer = await upstream.vault.forward({
      method: 'POST',
      path: '/v1/secret/data/big',
      query: '',
      headers: {},
      namespace: undefined,
      body: Readable.from([Buffer.alloc(size, 'x')]),
      token: 'auto',
      signal: patience(),
    });
    t.equal(answer.status, 200);
    t.match(JSON.parse((await answer.body.toArray()).join('')), { size });
  });
}
