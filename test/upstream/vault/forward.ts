import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import t, { type Test } from 'tap';
import type { ForwardedRequest } from '../../../src/base/forwarded.ts';
import { SecretValue } from '../../../src/base/secret-value.ts';
import { startStubVault } from '../../support/stub-vault.ts';
import { createTestUpstream, shutdown } from '../../support/test-upstream.ts';

function request(over: Partial<ForwardedRequest>): ForwardedRequest {
  return {
    method: 'GET',
    path: '/v1/secret/data/app',
    query: '',
    headers: {},
    namespace: undefined,
    body: undefined,
    token: 'auto',
    signal: AbortSignal.timeout(60_000),
    ...over,
  };
}

async function startBoth(t: Test, addresses: string[] = []) {
  const vault = await startStubVault();
  t.teardown(vault.close);
  const { upstream } = createTestUpstream({
    config: { addresses: [...addresses, vault.address], namespace: 'team' },
  });
  t.teardown(() => upstream.close(shutdown));
  upstream.start();
  await upstream.ready(AbortSignal.timeout(60_000));
  vault.requests.length = 0;
  return { vault, upstream };
}

t.test('passes method, path, query, headers and body on as they came, and the answer back', async (t) => {
  const { vault, upstream } = await startBoth(t);
  vault.route(() => ({
    status: 418,
    text: 'not json at all',
    headers: { 'x-answer': 'yes', 'content-type': 'text/plain' },
  }));
  const answer = await upstream.vault.forward(
    request({
      method: 'PATCH',
      path: '/v1/secret/data/a%2Fb%20c',
      query: 'x=1&y=%26',
      headers: {
        'content-type': 'application/merge-patch+json',
        'x-vault-wrap-ttl': '60s',
        'x-vault-token': 'of the caller',
        host: 'localhost:1',
        connection: 'close, x-hop',
        'x-hop': '1',
        'transfer-encoding': 'chunked',
      },
      body: Buffer.from('{"a":1}'),
    }),
  );
  t.match(answer, { status: 418, headers: { 'x-answer': 'yes' } });
  t.equal(await text(answer.body), 'not json at all');
  const [seen] = vault.requests;
  t.match(seen, { method: 'PATCH', url: '/v1/secret/data/a%2Fb%20c?x=1&y=%26', body: '{"a":1}' });
  t.match(seen?.headers, {
    'content-type': 'application/merge-patch+json',
    'x-vault-wrap-ttl': '60s',
    'x-vault-token': 's.token-1',
    'x-vault-namespace': 'team',
    host: `127.0.0.1:${vault.port}`,
  });
  t.equal(seen?.headers['x-hop'], undefined);
});

t.test("sends the caller's own token and namespace, or none", async (t) => {
  const { vault, upstream } = await startBoth(t);
  const token = SecretValue.fromText('of-the-caller');
  (
    await upstream.vault.forward(
      request({
        token,
        namespace: 'other',
        headers: { 'X-Vault-Namespace': 'a', connection: 'x-vault-namespace' },
      }),
    )
  ).body.resume();
  (await upstream.vault.forward(request({ token: undefined }))).body.resume();
  t.match(vault.requests[0]?.headers, { 'x-vault-token': 'of-the-caller', 'x-vault-namespace': 'other' });
  t.equal(vault.requests[1]?.headers['x-vault-token'], undefined);
});

t.test('streams a body in and an answer out', async (t) => {
  const { vault, upstream } = await startBoth(t);
  vault.route((seen) => (response) => {
    response.write(`got ${seen.body.length},`);
    setImmediate(() => response.end('done'));
  });
  const chunks = Array.from({ length: 100 }, () => Buffer.alloc(10_000, 'x'));
  const answer = await upstream.vault.forward(request({ method: 'POST', body: Readable.from(chunks) }));
  t.equal(await text(answer.body), 'got 1000000,done');
});

t.test('a dead token is replaced and the request repeated; a 403 of policy comes back whole', async (t) => {
  const { vault, upstream } = await startBoth(t);
  vault.route((seen) =>
    seen.headers['x-vault-token'] === 's.token-1'
      ? { status: 403, json: { errors: ['permission denied'] } }
      : undefined,
  );
  vault.route((seen) =>
    seen.headers['x-vault-token'] === 's.token-2' && seen.path.startsWith('secret/')
      ? { status: 403, json: { errors: ['1 error occurred:\n\t* permission denied\n\n'] } }
      : undefined,
  );
  const answer = await upstream.vault.forward(request({}));
  t.equal(answer.status, 403);
  t.match(JSON.parse(await text(answer.body)), { errors: [/1 error occurred/] });
  t.equal(vault.count('auth/approle/login'), 1);
  t.equal(vault.count('secret/data/app'), 2);
});

t.test('a sealed node is passed over; when all are sealed the answer comes back as it is', async (t) => {
  const sealed = await startStubVault();
  t.teardown(sealed.close);
  const { vault, upstream } = await startBoth(t, [sealed.address]);
  const isSealed = { status: 503, json: { errors: ['Vault is sealed'] } };
  sealed.route(() => isSealed);
  vault.route((seen) => (seen.path === 'sys/x' ? { text: 'served' } : undefined));
  const served = await upstream.vault.forward(request({ path: '/v1/sys/x' }));
  t.equal(await text(served.body), 'served');
  vault.route(() => isSealed);
  const refused = await upstream.vault.forward(request({ path: '/v1/sys/x' }));
  t.equal(refused.status, 503);
  t.match(await text(refused.body), /Vault is sealed/);
  t.equal(upstream.status().state, 'sealed');
  await t.rejects(upstream.vault.forward(request({})), { code: 'upstream_sealed' });
});

t.test('gives up when the caller does', async (t) => {
  const { vault, upstream } = await startBoth(t);
  vault.route(() => () => {});
  const controller = new AbortController();
  const forwarding = upstream.vault.forward(request({ signal: controller.signal }));
  forwarding.catch(() => {});
  controller.abort();
  await t.rejects(forwarding, { code: 'aborted' });
});
