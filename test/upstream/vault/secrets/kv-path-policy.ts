import t from 'tap';
import {
  apiPath,
  type Mount,
  metadataPath,
  mountOf,
} from '../../../../src/upstream/vault/secrets/kv-path-policy.ts';

const secret: Mount = { prefix: 'secret/', kvVersion: 2 };

t.test('puts data/ or metadata/ after a version 2 mount where the path lacks it', async (t) => {
  const table: [string, 'read' | 'list' | 'write', string][] = [
    ['secret/app', 'read', 'secret/data/app'],
    ['secret/data/app', 'read', 'secret/data/app'],
    ['secret/metadata/app', 'read', 'secret/metadata/app'],
    ['secret/database', 'read', 'secret/data/database'],
    ['secret', 'read', 'secret/data'],
    ['secret/data', 'read', 'secret/data/data'],
    ['secret/metadata', 'read', 'secret/data/metadata'],
    ['secret/metadata', 'list', 'secret/metadata'],
    ['secret/app', 'write', 'secret/data/app'],
    ['secret/team', 'list', 'secret/metadata/team'],
    ['secret/data/team', 'list', 'secret/metadata/team'],
    ['secret/metadata/team', 'list', 'secret/metadata/team'],
    ['secret', 'list', 'secret/metadata'],
  ];
  for (const [path, operation, expected] of table) {
    t.equal(apiPath(path, secret, operation), expected, `${operation} ${path}`);
  }
});

t.test('leaves version 1, other engines and unknown mounts alone', async (t) => {
  for (const mount of [
    undefined,
    { prefix: 'secret/', kvVersion: 1 },
    { prefix: 'secret/', kvVersion: 0 },
  ] as const) {
    t.equal(apiPath('secret/app', mount, 'read'), 'secret/app');
  }
});

t.test('knows a nested mount, and a namespace in the path', async (t) => {
  const told = { path: 'kv/team/', type: 'kv', version: '2' };
  t.same(mountOf('kv/team/app', told), { prefix: 'kv/team/', kvVersion: 2, type: 'kv' });
  const inNamespace = mountOf('ns1/kv/team/app', told);
  t.same(inNamespace, { prefix: 'ns1/kv/team/', kvVersion: 2, type: 'kv' });
  t.equal(apiPath('ns1/kv/team/app', inNamespace, 'read'), 'ns1/kv/team/data/app');
  const fromRoot = { path: 'team/sub/secret/', type: 'kv', version: '2' };
  const child = mountOf('sub/secret/app', fromRoot);
  t.same(
    child,
    { prefix: 'sub/secret/', kvVersion: 2, type: 'kv' },
    'as OpenBao tells it to a client in team',
  );
  t.equal(apiPath('sub/secret/app', child, 'read'), 'sub/secret/data/app');
  t.same(mountOf('team/sub/secret/app', fromRoot).prefix, 'team/sub/secret/');
  t.same(mountOf('secret/app', fromRoot).prefix, 'secret/');
  t.same(mountOf('a/a/x', { ...fromRoot, path: 'a/a/' }).prefix, 'a/a/');
  t.same(mountOf('database/creds/x', { path: 'database/', type: 'database', version: '' }).kvVersion, 0);
  t.same(mountOf('old/x', { path: 'old/', type: 'generic', version: '' }).kvVersion, 1);
});

t.test('finds the metadata of a data path', async (t) => {
  t.equal(metadataPath('secret/app/db', secret), 'secret/metadata/app/db');
  t.equal(metadataPath('secret/data/app/db', secret), 'secret/metadata/app/db');
  t.equal(metadataPath('secret/app', { prefix: 'secret/', kvVersion: 1 }), undefined);
  t.equal(metadataPath('secret/metadata/app', secret), undefined);
});
