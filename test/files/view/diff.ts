import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, writeFileSync } from 'node:fs';
import t from 'tap';
import { createRenderFixture } from '../../support/render-fixture.ts';

const template = `# database
host={{ field "db" "host" }}
user=app
password={{ field "db" "password" }}
encoded={{ field "db" "password" | base64Encode }}
timeout=30
`;
const password = 'Tr0ub4dor-and-3';
const encoded = Buffer.from(password).toString('base64');

t.test(
  'shows what would change, and no secret: not a new one, not an encoded one, not an old one',
  async (t) => {
    const f = createRenderFixture(t, ['db']);
    const old = `# database\nhost=db.old.example\nuser=app\npassword=older-secret-9\nencoded=b2xkZXI=\ntimeout=60\n`;
    writeFileSync(f.path('app.conf'), old);
    const pipeline = f.createPipeline([f.file('app.conf', template)]);
    const pending = pipeline.diff(AbortSignal.timeout(60_000));
    setImmediate(() => f.publish('db', { host: 'db.example', password }));
    const [diff] = await pending;
    t.equal(diff?.change, 'content');
    t.match(diff?.message, 'mode 0644 to 0600');
    t.match(diff?.diff, /^--- .*app\.conf\n\+\+\+ .*app\.conf\n@@ -1,6 \+1,6 @@\n # database\n/);
    t.match(diff?.diff, '-password=[masked]\n');
    t.match(diff?.diff, '+password=[masked]\n');
    t.match(diff?.diff, '+timeout=30\n');
    for (const secret of [
      password,
      'Tr0ub4dor',
      encoded,
      encoded.slice(0, 8),
      'older',
      'b2xkZXI',
      'old.example',
    ]) {
      t.notMatch(diff?.diff, secret);
    }
    t.strictSame(f.committed, []);
  },
);

t.test('tells of files that stay, are new, differ only in their mode, cannot be made or wait', async (t) => {
  const f = createRenderFixture(t, ['db', 'none']);
  writeFileSync(f.path('same'), 'a');
  chmodSync(f.path('same'), 0o600);
  writeFileSync(f.path('mode'), 'a');
  chmodSync(f.path('mode'), 0o644);
  const pipeline = f.createPipeline([
    f.file('same', 'a'),
    f.file('mode', 'a'),
    f.file('folder/new', 'a\n', { createParents: true }),
    f.file('none/new', 'a\n'),
    f.file('missing', '{{ field "none" "x" }}'),
    f.file('bad', '{{ if }}'),
  ]);
  const pending = pipeline.diff(AbortSignal.timeout(60_000));
  setImmediate(() => f.refuse('none', 'denied', 'permission denied'));
  t.match(await pending, [
    { change: 'none', diff: '' },
    { change: 'attributes', message: 'mode 0644 to 0600' },
    { change: 'create', diff: `--- /dev/null\n+++ ${f.path('folder/new')}\n@@ -1,0 +1,1 @@\n+a\n` },
    { change: 'failed', message: /no such folder/ },
    { change: 'missing', message: /^none: .*permission denied/ },
    { change: 'failed', message: /bad/ },
  ]);
  t.notOk(existsSync(f.path('folder')));
});

const maker = 'mkfifo';

t.test('a pipe that is there has nothing to compare', async (t) => {
  const f = createRenderFixture(t, ['db']);
  if (spawnSync(maker, [f.path('pipe')]).status !== 0) return void t.pass('no mkfifo', { skip: 'no mkfifo' });
  const pipeline = f.createPipeline([f.file('pipe', template, { fifo: true })]);
  const pending = pipeline.diff(AbortSignal.timeout(60_000));
  setImmediate(() => f.publish('db', { host: 'db.example', password }));
  t.match(await pending, [{ change: 'none', diff: '' }]);
});
