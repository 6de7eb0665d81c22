import { contract } from '../support/contract-server.ts';

const quota = 'sys/quotas/rate-limit';

contract('a rate limit quota holds for its mount or path, and tells how long', async (t, server) => {
  const asked = (path: string) =>
    fetch(`${server.address}/v1/${path}`, { headers: { 'x-vault-token': 'contract-root' } });
  t.equal((await server.ask('GET', 'sys/quotas/config')).status, 200);
  await server.ask('POST', 'sys/quotas/config', { data: { enable_rate_limit_response_headers: true } });
  t.match((await server.ask('GET', 'sys/quotas/config')).body.data, {
    enable_rate_limit_response_headers: true,
  });
  t.equal((await server.ask('LIST', quota)).status, 404);
  t.equal((await server.ask('GET', `${quota}/none`)).status, 404);
  await server.ask('POST', `${quota}/bad`, { data: { rate: 0 } });
  await server.ask('POST', `${quota}/bad`, { data: { rate: 1, path: 'nomount/x' } });
  t.equal(
    (await server.ask('POST', `${quota}/kv`, { data: { path: 'secret/', rate: 2, interval: '60s' } })).status,
    204,
  );
  await server.ask('POST', `${quota}/again`, { data: { path: 'secret/', rate: 3 } });
  t.match((await server.ask('GET', `${quota}/kv`)).body.data, { path: 'secret/', rate: 2, interval: 60 });
  t.strictSame((await server.ask('LIST', quota)).body.data.keys, ['kv']);
  const seen = [];
  for (const path of ['secret/config', 'secret/data/none', 'secret/config']) {
    const { status, headers } = await asked(path);
    seen.push([status, headers.get('x-ratelimit-limit'), headers.get('x-ratelimit-remaining')]);
    const wait = Number(headers.get('retry-after') ?? '0');
    if (status === 429) t.ok(wait > 50 && wait <= 60, `retry after ${wait} s`);
  }
  t.strictSame(seen, [
    [200, '2', '1'],
    [404, '2', '0'],
    [429, '2', '0'],
  ]);
  await server.ask('GET', 'secret/data/none');
  t.equal((await server.ask('GET', 'sys/mounts')).status, 200, 'another mount');
  await server.ask('POST', `${quota}/path`, { data: { path: 'secret/data/app', rate: 5, interval: '60s' } });
  t.equal((await server.ask('GET', 'secret/data/app')).status, 404, 'a path with a quota of its own');
  t.equal((await server.ask('DELETE', `${quota}/kv`)).status, 204);
  t.equal((await server.ask('GET', 'secret/config')).status, 200, 'the quota is gone');
});
