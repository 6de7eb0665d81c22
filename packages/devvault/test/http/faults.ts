import t from 'tap';
import { startDevVault, type TestVault } from '../../../../test/support/dev-vault.ts';

const get = (dev: TestVault, path: string, options: RequestInit = {}): Promise<Response> =>
  fetch(`${dev.address}/v1/${path}`, {
    headers: { 'x-vault-token': dev.rootToken },
    redirect: 'manual',
    ...options,
  });

t.test('answers a status with Retry-After, as often as asked', async (t) => {
  const dev = await startDevVault(t);
  await dev.writeSecret('secret/app', { key: 'value' });
  dev.addFault({ kind: 'status', status: 429, retryAfterSeconds: 7, path: 'secret/', count: 1 });
  const limited = await get(dev, 'secret/data/app');
  t.equal(limited.status, 429);
  t.equal(limited.headers.get('retry-after'), '7');
  t.equal((await get(dev, 'sys/health')).status, 200, 'other paths are well');
  t.equal((await get(dev, 'secret/data/app')).status, 200, 'the count is over');
});

t.test('drops the connection before or after the request has had its effect', async (t) => {
  const dev = await startDevVault(t);
  const write = () => get(dev, 'secret/data/app', { method: 'POST', body: '{"data":{"a":1}}' });
  dev.addFault({ kind: 'drop', count: 1 });
  await t.rejects(write());
  t.equal((await dev.vault.request('GET', 'secret/data/app')).status, 404);
  dev.addFault({ kind: 'drop', isAfterServing: true, count: 1 });
  await t.rejects(write());
  t.equal((await dev.vault.request('GET', 'secret/data/app')).status, 200);
});

t.test('accepts and never answers', async (t) => {
  const dev = await startDevVault(t);
  dev.addFault({ kind: 'half-open', count: 1 });
  await t.rejects(get(dev, 'sys/health', { signal: AbortSignal.timeout(200) }), { name: 'TimeoutError' });
});

t.test('sends what is cut off, no JSON, too much, or late', async (t) => {
  const dev = await startDevVault(t);
  await dev.writeSecret('secret/app', { key: 'value' });
  dev.addFault({ kind: 'truncated', count: 1 });
  await t.rejects(get(dev, 'secret/data/app').then((response) => response.text()));
  dev.addFault({ kind: 'malformed', count: 1 });
  await t.rejects(
    get(dev, 'secret/data/app').then((response) => response.json()),
    SyntaxError,
  );
  dev.addFault({ kind: 'oversized', bytes: 1024 * 1024, count: 1 });
  t.ok((await (await get(dev, 'secret/data/app')).text()).length > 1024 * 1024);
  dev.addFault({ kind: 'latency', latencyMs: 150, count: 1 });
  const before = performance.now();
  t.equal((await get(dev, 'secret/data/app')).status, 200);
  t.ok(performance.now() - before >= 145);
});

t.test('counts requests by method and path', async (t) => {
  const dev = await startDevVault(t);
  await get(dev, 'secret/data/app');
  await get(dev, 'secret/data/app');
  await get(dev, 'secret/metadata/?list=true');
  t.equal(dev.countRequests(), 3);
  t.equal(dev.countRequests(/^GET secret\/data/), 2);
  t.equal(dev.countRequests(/^LIST /), 1);
  dev.vault.resetRequests();
  t.equal(dev.countRequests(), 0);
});

t.test('is told by HTTP as well, by the root token alone', async (t) => {
  const dev = await startDevVault(t);
  const put = (path: string, body: object, token = dev.rootToken) =>
    get(dev, path, { method: 'PUT', body: JSON.stringify(body), headers: { 'x-vault-token': token } });
  t.equal((await put('sys/dev/faults', { kind: 'status', status: 500, count: 1 }, 'nonsense')).status, 403);
  t.equal((await put('sys/dev/faults', { kind: 'nonsense' })).status, 400);
  t.equal((await put('sys/dev/faults', { kind: 'status', status: 502, count: 1 })).status, 204);
  t.equal((await get(dev, 'secret/data/app')).status, 502);
  const counts = (await (await get(dev, 'sys/dev/requests')).json()) as { total: number };
  t.equal(counts.total, 1);
  t.equal((await put('sys/dev/role', { role: 'standby', active_address: 'http://127.0.0.1:1' })).status, 204);
  const redirect = await get(dev, 'secret/data/app?version=1');
  t.equal(redirect.status, 307);
  t.equal(redirect.headers.get('location'), 'http://127.0.0.1:1/v1/secret/data/app?version=1');
  t.equal((await put('sys/dev/role', { role: 'nonsense' })).status, 400);
});

t.test('plays every role of a cluster in health', async (t) => {
  const dev = await startDevVault(t);
  const health = async (query = ''): Promise<number> => (await get(dev, `sys/health${query}`)).status;
  dev.vault.setRole('standby');
  t.equal(await health(), 429);
  t.equal(await health('?standbyok=true'), 200);
  t.equal(await health('?standbycode=299'), 299);
  t.equal((await get(dev, 'secret/data/app')).status, 500, 'no active node known');
  dev.vault.setRole('performance-standby');
  t.equal(await health(), 473);
  t.equal(await health('?perfstandbyok=true'), 200);
  t.equal((await get(dev, 'secret/data/app')).status, 404, 'serves reads itself');
  dev.vault.setRole('dr-secondary');
  t.equal(await health(), 472);
  dev.vault.setRole('active');
  dev.vault.seal();
  t.equal(await health(), 503);
  t.equal((await get(dev, 'secret/data/app')).status, 503);
  dev.vault.unseal();
  t.equal(await health(), 200);
});
