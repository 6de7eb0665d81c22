import { contract } from '../support/contract-server.ts';

contract('KV 1 keeps the last value', async (t, server) => {
  t.equal(
    (await server.ask('POST', 'sys/mounts/kv1', { data: { type: 'kv', options: { version: '1' } } })).status,
    204,
  );
  t.equal(
    (
      await server.ask('POST', 'kv1/app', {
        data: { a: 'x', n: 12345678901, nested: { b: [1, true, null] } },
      })
    ).status,
    204,
  );
  const read = await server.ask('GET', 'kv1/app');
  t.strictSame(read.body.data, { a: 'x', n: 12345678901, nested: { b: [1, true, null] } });
  t.match(read.body, { lease_id: '', renewable: false, lease_duration: 2764800 });
  await server.ask('PUT', 'kv1/app', { data: { a: 'y' } });
  t.strictSame((await server.ask('GET', 'kv1/app')).body.data, { a: 'y' });
  await server.ask('POST', 'kv1/timed', { data: { a: 'y', ttl: '30s' } });
  t.equal((await server.ask('GET', 'kv1/timed')).body.lease_duration, 30);
  await server.ask('POST', 'kv1/folder/deep/one', { data: { a: 'y' } });
  t.strictSame((await server.ask('LIST', 'kv1')).body.data.keys, ['app', 'folder/', 'timed']);
  t.strictSame((await server.ask('GET', 'kv1/folder?list=true')).body.data.keys, ['deep/']);
  t.equal((await server.ask('DELETE', 'kv1/app')).status, 204);
  t.strictSame((await server.ask('GET', 'kv1/app')).body, { errors: [] });
  t.equal((await server.ask('DELETE', 'kv1/app')).status, 204);
  t.equal((await server.ask('LIST', 'kv1/nothing')).status, 404);
  await server.ask('POST', 'kv1/empty', { data: {} });
  await server.ask('POST', 'kv1/slash/', { data: { a: 'y' } });
  await server.ask('PATCH', 'kv1/app', { data: { a: 'z' } });
});
