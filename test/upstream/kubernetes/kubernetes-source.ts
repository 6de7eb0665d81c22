import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { startKindSource } from '../../support/kind-source.ts';
import { startFakeKubernetes } from '../../support/kinds/kubernetes-kind.ts';
import { testFolder } from '../../support/test-folder.ts';
import { waitFor } from '../../support/wait-for.ts';

t.test(
  'a watch tells a change at once, and lives through bookmarks, its end, a lost connection and 410',
  async (t) => {
    const fake = await startFakeKubernetes(t);
    fake.put('db', { user: 'joe' });
    const up = await startKindSource(t, { kind: 'kubernetes', kubeconfig: fake.kubeconfig });
    t.same(await up.fields('db'), { user: 'joe' });
    await waitFor('it is watched', () => fake.watches() === 1);
    const told = () => up.changed.length;
    const rotate = async (what: string, user: string) => {
      const before = told();
      fake.put('db', { user });
      await waitFor(what, () => told() > before);
      t.same(await up.fields('db'), { user });
    };
    await rotate('a change is told', 'ann');
    const before = told();
    fake.bookmark();
    await rotate('one after a bookmark too', 'eve');
    t.equal(told(), before + 1, 'a bookmark is no change');
    fake.service.drop();
    await waitFor('it is watched again', () => fake.watches() === 1);
    await rotate('and tells again', 'bob');
    const watches = fake.service.requests.filter(({ query }) => query.get('watch') === '1');
    t.equal(watches.at(-1)?.query.get('allowWatchBookmarks'), 'true');
    t.equal(watches.at(-1)?.query.get('fieldSelector'), 'metadata.name=db');
    fake.oldest = 1_000_000;
    const seen = told();
    fake.service.drop();
    await waitFor('too old: it is read again, not trusted', () => told() > seen);
    fake.oldest = 0;
    await waitFor('and watched from now on', () => fake.watches() === 1);
    await rotate('as before', 'zoe');
    t.equal(fake.watches(), 1, 'one watch for one secret');
  },
);

t.test('what changed while nothing was connected is told after it', async (t) => {
  const fake = await startFakeKubernetes(t);
  fake.put('db', { user: 'joe' });
  const up = await startKindSource(t, { kind: 'kubernetes', kubeconfig: fake.kubeconfig });
  await up.read('db');
  await waitFor('it is watched', () => fake.watches() === 1);
  await fake.service.down();
  fake.put('db', { user: 'ann' });
  await fake.service.up();
  await waitFor('it is told', () => up.changed.includes('db'));
});

t.test('in a pod: the service account, its namespace and authority; the token is read again', async (t) => {
  const fake = await startFakeKubernetes(t);
  fake.put('app', { binary: Buffer.from([255, 0]), text: 'x' });
  const folder = testFolder(t);
  mkdirSync(join(folder, 'sa'));
  const { clusters } = JSON.parse((await import('node:fs')).readFileSync(fake.kubeconfig, 'utf8'));
  writeFileSync(
    join(folder, 'sa/ca.crt'),
    Buffer.from(clusters[0].cluster['certificate-authority-data'], 'base64'),
  );
  writeFileSync(join(folder, 'sa/namespace'), 'apps');
  writeFileSync(join(folder, 'sa/token'), 'token-1', { mode: 0o600 });
  const env = {
    KUBERNETES_SERVICE_HOST: '127.0.0.1',
    KUBERNETES_SERVICE_PORT: String(fake.service.port),
    KUBERNETES_SERVICEACCOUNT_DIR: join(folder, 'sa'),
  };
  const up = await startKindSource(t, { kind: 'kubernetes', watch: false }, { env });
  t.same(await up.fields('app'), { binary: '/wA=', text: 'x' });
  const { content } = await up.read('apps/app#binary');
  t.same(content.form === 'bytes' && content.value.bytes(), Buffer.from([255, 0]));
  t.equal(fake.watches(), 0);
  fake.token = 'turned';
  await t.rejects(up.read('app'), { code: 'token_invalid' });
  writeFileSync(join(folder, 'sa/token'), 'turned');
  t.match(await up.fields('app'), { text: 'x' });
  await t.rejects(up.read('app#none'), { code: 'not_found', message: 'secret apps/app has no key none' });
  for (const path of ['a/b/c', 'UPPER', '../x', 'a/'])
    await t.rejects(up.read(path), { code: /request_invalid|not_found/ });
  const nowhere = await startKindSource(t, { kind: 'kubernetes' });
  await t.rejects(nowhere.read('x'), { code: 'login_failed', message: /this is no pod/ });
});

t.test('a poll asks for the version alone', async (t) => {
  const fake = await startFakeKubernetes(t);
  fake.put('db', { user: 'joe' });
  const up = await startKindSource(t, { kind: 'kubernetes', kubeconfig: fake.kubeconfig, watch: false });
  const answer = await up.read('db');
  t.equal(await up.isCurrent('db', answer), true);
  t.match(fake.service.requests.at(-1)?.headers.accept, /PartialObjectMetadata/);
  fake.put('db', { user: 'ann' });
  t.equal(await up.isCurrent('db', answer), false);
});

t.test('a kubeconfig with a credential plugin', async (t) => {
  const fake = await startFakeKubernetes(t);
  fake.put('db', { user: 'joe' });
  const { readFileSync } = await import('node:fs');
  const config = JSON.parse(readFileSync(fake.kubeconfig, 'utf8'));
  const folder = testFolder(t);
  writeFileSync(
    join(folder, 'plugin'),
    `#!/bin/sh\nprintf '{"kind":"ExecCredential","status":{"token":"%s"}}' "$TOKEN-$1"\n`,
    { mode: 0o700 },
  );
  config.users[0].user = {
    exec: {
      command: './plugin',
      args: ['1'],
      env: [{ name: 'TOKEN', value: 'token' }],
      apiVersion: 'client.authentication.k8s.io/v1',
    },
  };
  writeFileSync(join(folder, 'config'), JSON.stringify(config), { mode: 0o600 });
  const up = await startKindSource(t, { kind: 'kubernetes', kubeconfig: join(folder, 'config') });
  t.same(await up.fields('db'), { user: 'joe' });
  config.users[0].user.exec.args = ['canary'];
  writeFileSync(join(folder, 'config2'), JSON.stringify(config), { mode: 0o600 });
  const wrong = await startKindSource(t, { kind: 'kubernetes', kubeconfig: join(folder, 'config2') });
  await t.rejects(wrong.read('db'), { code: 'token_invalid' });
});
