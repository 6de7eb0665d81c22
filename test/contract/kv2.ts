import { setTimeout as delay } from 'node:timers/promises';
import { contract } from '../support/contract-server.ts';

contract('KV 2 keeps versions', async (t, server) => {
  const write = (data: object, options = {}) =>
    server.ask('POST', 'secret/data/app', { data: { data, options } });
  t.equal((await write({ a: '1' })).body.data.version, 1);
  t.equal((await write({ a: '2', n: 1.5, big: 12345678901234567890n.toString() })).body.data.version, 2);
  const read = (await server.ask('GET', 'secret/data/app')).body.data;
  t.equal(read.data.a, '2');
  t.match(read.metadata, { version: 2, destroyed: false, deletion_time: '', custom_metadata: null });
  t.equal((await server.ask('GET', 'secret/data/app?version=1')).body.data.data.a, '1');
  t.equal((await server.ask('GET', 'secret/data/app?version=9')).status, 404);
  t.strictSame((await server.ask('GET', 'secret/data/nothing')).body, { errors: [] });
  const metadata = (await server.ask('GET', 'secret/metadata/app')).body.data;
  t.match(metadata, {
    current_version: 2,
    oldest_version: 0,
    max_versions: 0,
    cas_required: false,
    delete_version_after: '0s',
  });
  t.strictSame(Object.keys(metadata.versions), ['1', '2']);
  await server.ask('GET', 'secret/subkeys/app');
  await server.ask('GET', 'secret/data/app?version=nonsense');
});

contract('KV 2 deletes softly, undeletes, destroys', async (t, server) => {
  for (const a of ['1', '2', '3']) await server.ask('POST', 'secret/data/app', { data: { data: { a } } });
  t.equal((await server.ask('DELETE', 'secret/data/app')).status, 204);
  const gone = await server.ask('GET', 'secret/data/app');
  t.equal(gone.status, 404);
  t.equal(gone.body.data.data, null);
  t.ok(gone.body.data.metadata.deletion_time);
  t.equal((await server.ask('POST', 'secret/undelete/app', { data: { versions: [3] } })).status, 204);
  t.equal((await server.ask('GET', 'secret/data/app')).body.data.data.a, '3');
  t.equal((await server.ask('POST', 'secret/delete/app', { data: { versions: '1,2' } })).status, 204);
  t.equal((await server.ask('GET', 'secret/data/app?version=1')).status, 404);
  t.equal((await server.ask('POST', 'secret/destroy/app', { data: { versions: [2] } })).status, 204);
  const destroyed = await server.ask('GET', 'secret/data/app?version=2');
  t.equal(destroyed.status, 404);
  t.equal(destroyed.body.data.metadata.destroyed, true);
  await server.ask('POST', 'secret/undelete/app', { data: { versions: [2] } });
  t.equal((await server.ask('GET', 'secret/data/app?version=2')).status, 404);
  await server.ask('POST', 'secret/delete/app', { data: {} });
  await server.ask('POST', 'secret/destroy/app', { data: {} });
  await server.ask('POST', 'secret/delete/nothing', { data: { versions: [1] } });
  t.equal((await server.ask('DELETE', 'secret/metadata/app')).status, 204);
  t.strictSame((await server.ask('GET', 'secret/data/app')).body, { errors: [] });
  t.equal((await server.ask('GET', 'secret/metadata/app')).status, 404);
});

contract('KV 2 checks and sets', async (t, server) => {
  const write = (cas?: number) =>
    server.ask('POST', 'secret/data/app', {
      data: { data: { a: 'x' }, ...(cas === undefined ? {} : { options: { cas } }) },
    });
  t.equal((await write(0)).status, 200);
  t.strictSame((await write(0)).body.errors, ['check-and-set parameter did not match the current version']);
  t.equal((await write(1)).status, 200);
  await server.ask('POST', 'secret/metadata/app', { data: { cas_required: true } });
  t.strictSame((await write()).body.errors, ['check-and-set parameter required for this call']);
  t.equal((await write(2)).status, 200);
  await server.ask('POST', 'secret/data/app', { data: { a: 'no data field' } });
});

contract('KV 2 patches', async (t, server) => {
  t.equal((await server.ask('PATCH', 'secret/data/app', { data: { data: { a: '1' } } })).status, 404);
  await server.ask('POST', 'secret/data/app', { data: { data: { a: '1', b: '2', c: { d: '3', e: '4' } } } });
  t.equal(
    (await server.ask('PATCH', 'secret/data/app', { data: { data: { a: '9', b: null, c: { d: null } } } }))
      .body.data.version,
    2,
  );
  t.strictSame((await server.ask('GET', 'secret/data/app')).body.data.data, { a: '9', c: { e: '4' } });
  await server.ask('PATCH', 'secret/data/app', { data: { a: '1' } });
  await server.ask('PATCH', 'secret/data/app', {
    data: { data: { a: '1' } },
    headers: { 'content-type': 'application/json' },
  });
  await server.ask('DELETE', 'secret/data/app');
  t.equal((await server.ask('PATCH', 'secret/data/app', { data: { data: { a: '1' } } })).status, 404);
});

contract('KV 2 metadata: custom fields, most versions, own end', async (t, server) => {
  t.equal(
    (
      await server.ask('POST', 'secret/metadata/app', {
        data: { max_versions: 2, custom_metadata: { owner: 'a' }, delete_version_after: '90m' },
      })
    ).status,
    204,
  );
  for (const a of ['1', '2', '3']) await server.ask('POST', 'secret/data/app', { data: { data: { a } } });
  const metadata = (await server.ask('GET', 'secret/metadata/app')).body.data;
  t.strictSame(Object.keys(metadata.versions), ['2', '3']);
  t.match(metadata, { oldest_version: 2, delete_version_after: '1h30m0s', custom_metadata: { owner: 'a' } });
  t.ok(metadata.versions['3'].deletion_time);
  t.strictSame((await server.ask('GET', 'secret/data/app')).body.data.metadata.custom_metadata, {
    owner: 'a',
  });
  t.equal((await server.ask('GET', 'secret/data/app?version=1')).status, 404);
  t.equal(
    (
      await server.ask('PATCH', 'secret/metadata/app', {
        data: { custom_metadata: { owner: null, team: 'b' } },
      })
    ).status,
    204,
  );
  t.strictSame((await server.ask('GET', 'secret/metadata/app')).body.data.custom_metadata, { team: 'b' });
  await server.ask('PATCH', 'secret/metadata/nothing', { data: { custom_metadata: { team: 'b' } } });
  await server.ask('POST', 'secret/metadata/short', { data: { delete_version_after: '1s' } });
  await server.ask('POST', 'secret/data/short', { data: { data: { a: '1' } } });
  await delay(1300);
  const ended = await server.ask('GET', 'secret/data/short');
  t.equal(ended.status, 404);
  t.equal(ended.body.data.data, null);
  await server.ask('POST', 'secret/metadata/bad', { data: { custom_metadata: { '': 'x' } } });
  await server.ask('POST', 'secret/metadata/bad', { data: { max_versions: 'many' } });
  await server.ask('POST', 'secret/metadata/bad', { data: { delete_version_after: 'nonsense' } });
});

contract('KV 2 lists, is configured, and says when its paths are taken for version 1', async (t, server) => {
  for (const path of ['a', 'b/c', 'b/d/e'])
    await server.ask('POST', `secret/data/${path}`, { data: { data: { a: '1' } } });
  t.strictSame((await server.ask('LIST', 'secret/metadata')).body.data.keys, ['a', 'b/']);
  t.strictSame((await server.ask('LIST', 'secret/metadata/b/')).body.data.keys, ['c', 'd/']);
  t.strictSame((await server.ask('GET', 'secret/metadata/b?list=true')).body.data.keys, ['c', 'd/']);
  t.equal((await server.ask('LIST', 'secret/metadata/nothing')).status, 404);
  t.equal(
    (await server.ask('POST', 'secret/config', { data: { max_versions: 5, delete_version_after: '1h' } }))
      .status,
    204,
  );
  t.match((await server.ask('GET', 'secret/config')).body.data, {
    max_versions: 5,
    cas_required: false,
    delete_version_after: '1h0m0s',
  });
  const wrong = await server.ask('GET', 'secret/app');
  t.equal(wrong.status, 404);
  t.match(wrong.body.warnings, [/Invalid path for a versioned K\/V secrets engine/]);
  await server.ask('LIST', 'secret/');
  await server.ask('POST', 'secret/app', { data: { a: '1' } });
  await server.ask('GET', 'secret/data');
  await server.ask('LIST', 'secret/data');
  await server.ask('POST', 'secret/data/', { data: { data: { a: '1' } } });
});
