// What the ground under a file can do to it: each failure has an outcome in docs/reference/files.md.
import {
  mkdirSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  statSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { createSystemClock } from '../../src/base/time/clock.ts';
import { createAccounts } from '../../src/files/disk/accounts.ts';
import type { FilePipeline } from '../../src/files/file-pipeline.ts';
import { apply } from '../support/apply.ts';
import { mount, remount } from '../support/mounts.ts';
import { needsRoot } from '../support/needs-root.ts';
import { createRenderFixture, type RenderFixture } from '../support/render-fixture.ts';
import { waitFor } from '../support/wait-for.ts';

const text = 'password={{ field "db" "password" }}\n';

const read = (path: string): string => readFileSync(path, 'utf8');
const litter = (folder: string): string[] =>
  readdirSync(folder).filter((name) => name.startsWith('.latchkey-'));

async function startWith(f: RenderFixture, pipeline: FilePipeline, password: string): Promise<void> {
  pipeline.start();
  await pipeline.idle();
  f.publish('db', { password });
  await pipeline.idle();
}

function failed(pipeline: FilePipeline, at = 0): Promise<string> {
  return waitFor('a failure', () => pipeline.status()[at]?.failure?.message);
}

function current(pipeline: FilePipeline): Promise<true> {
  return waitFor('the retry', () => pipeline.status().every(({ state }) => state === 'current'));
}

t.test(
  'a full disk: the old file stays, nothing staged stays, and it is written when there is room',
  async (t) => {
    const f = createRenderFixture(t, ['db']);
    const disk = f.path('disk');
    mkdirSync(disk);
    if (!mount(t, disk, '-t', 'tmpfs', '-o', 'size=64k', 'tmpfs')) return;
    const pipeline = f.createPipeline([
      f.file('disk/app.conf', text, { set: 'both' }),
      f.file('other.conf', text, { set: 'both' }),
    ]);
    await startWith(f, pipeline, 'one');
    t.throws(() => writeFileSync(join(disk, 'filler'), Buffer.alloc(1 << 20)), { code: 'ENOSPC' });
    f.publish('db', { password: 'x'.repeat(5000) });
    t.match(
      await failed(pipeline),
      /cannot write .*disk\/app\.conf: no space left on the file system \(ENOSPC\)/,
    );
    t.equal(read(join(disk, 'app.conf')), 'password=one\n');
    t.equal(read(f.path('other.conf')), 'password=one\n', 'nor is the other file of the set written');
    t.strictSame([...litter(disk), ...litter(f.folder)], []);
    unlinkSync(join(disk, 'filler'));
    await current(pipeline);
    t.equal(statSync(join(disk, 'app.conf')).size, 5010);
  },
);

t.test('a folder that goes read-only and comes back', async (t) => {
  const f = createRenderFixture(t, ['db']);
  const disk = f.path('disk');
  mkdirSync(disk);
  if (!mount(t, disk, '-t', 'tmpfs', 'tmpfs')) return;
  const pipeline = f.createPipeline([f.file('disk/app.conf', text), f.file('other.conf', text)]);
  await startWith(f, pipeline, 'one');
  remount(disk, 'ro');
  f.publish('db', { password: 'two' });
  t.match(
    await failed(pipeline),
    /the file system is read-only \(EROFS\).*mount it writable .*ReadWritePaths=/,
  );
  await waitFor('the other file', () => read(f.path('other.conf')) === 'password=two\n');
  t.equal(read(join(disk, 'app.conf')), 'password=one\n');
  remount(disk, 'rw');
  await current(pipeline);
  t.equal(read(join(disk, 'app.conf')), 'password=two\n');
});

t.test('a rollback that fails is not gone on with after later files took their place', async (t) => {
  const f = createRenderFixture(t, ['db']);
  const disk = f.path('disk');
  mkdirSync(disk);
  if (!mount(t, disk, '-t', 'tmpfs', 'tmpfs')) return;
  const once = `test -e ${f.path('mark')} || mount -o remount,ro ${disk}; touch ${f.path('mark')}`;
  const told = `! grep -q two ${disk}/a || { ${once}; exit 1; }`;
  const notify = [{ kind: 'command' as const, command: ['sh', '-c', told], timeoutMs: 60_000 }];
  const pipeline = f.createPipeline([
    f.file('disk/a', text, { set: 'both', onFailure: 'rollback', notify }),
    f.file('disk/b', text, { set: 'both' }),
  ]);
  await startWith(f, pipeline, 'one');
  f.publish('db', { password: 'two' });
  await waitFor('the failed rollback', () => f.log.some(({ message }) => /cannot put back/.test(message)));
  t.match(litter(f.path('state')), [/journal/], 'a start now would go on with it');
  f.publish('db', { password: 'three' });
  remount(disk, 'rw');
  await current(pipeline);
  t.equal(read(join(disk, 'a')), 'password=three\n');
  t.strictSame([...litter(disk), ...litter(f.path('state'))], []);
});

t.test('a destination that becomes a folder', async (t) => {
  const f = createRenderFixture(t, ['db']);
  const pipeline = f.createPipeline([f.file('app.conf', text)]);
  await startWith(f, pipeline, 'one');
  rmSync(f.path('app.conf'));
  mkdirSync(f.path('app.conf'));
  f.publish('db', { password: 'two' });
  t.match(await failed(pipeline), /files\[0\]\.destination: .*it is a folder \(EISDIR\).*remove the folder/);
  t.strictSame(litter(f.folder), []);
  rmdirSync(f.path('app.conf'));
  await current(pipeline);
  t.equal(read(f.path('app.conf')), 'password=two\n');
});

t.test('an owner that disappears and comes back', { skip: needsRoot }, async (t) => {
  const f = createRenderFixture(t, ['db']);
  let uid: number | undefined = 12345;
  const accounts = createAccounts({
    // Each question is a second after the last, so that nothing is remembered.
    clock: { ...createSystemClock(), now: () => performance.now() * 1e6 },
    findUser: () => (uid === undefined ? undefined : { uid }),
  });
  const pipeline = f.createPipeline([f.file('app.conf', text, { owner: 'app' })], { accounts });
  await startWith(f, pipeline, 'one');
  t.equal(statSync(f.path('app.conf')).uid, 12345);
  uid = undefined;
  f.publish('db', { password: 'two' });
  t.match(await failed(pipeline), /files\[0\]\.owner: no user named "app" on this host; create the user/);
  t.equal(read(f.path('app.conf')), 'password=one\n');
  uid = 54321;
  await current(pipeline);
  t.equal(statSync(f.path('app.conf')).uid, 54321);
});

t.test('a symlinked destination is written through, and the link stays', async (t) => {
  const f = createRenderFixture(t, ['db']);
  mkdirSync(f.path('real'));
  symlinkSync('real/app.conf', f.path('app.conf'));
  const pipeline = f.createPipeline([f.file('app.conf', text)]);
  await startWith(f, pipeline, 'one');
  t.equal(read(f.path('real/app.conf')), 'password=one\n');
  f.publish('db', { password: 'two' });
  await pipeline.idle();
  t.equal(read(f.path('app.conf')), 'password=two\n');
  t.strictSame(readdirSync(f.path('real')), ['app.conf']);
});

t.test('a bind-mounted file cannot be renamed over; in place it can be written', async (t) => {
  const f = createRenderFixture(t, ['db']);
  writeFileSync(f.path('outside'), 'old');
  writeFileSync(f.path('app.conf'), '');
  if (!mount(t, f.path('app.conf'), '--bind', f.path('outside'))) return;
  const file = f.file('app.conf', text);
  const pipeline = f.createPipeline([file]);
  await startWith(f, pipeline, 'one');
  t.match(await failed(pipeline), /mount point, which cannot be renamed over \(EBUSY\).*in_place: true/);
  t.equal(read(f.path('app.conf')), 'old');
  t.strictSame(litter(f.folder), []);
  await apply(pipeline.prepare([{ ...file, inPlace: true }]));
  await current(pipeline);
  t.equal(read(f.path('outside')), 'password=one\n');
});

t.test('a bind-mounted file in a folder that is closed is staged elsewhere', async (t) => {
  const f = createRenderFixture(t, ['db']);
  const disk = f.path('disk');
  mkdirSync(disk);
  if (!mount(t, disk, '-t', 'tmpfs', 'tmpfs')) return;
  const path = join(disk, 'app.conf');
  writeFileSync(path, '');
  writeFileSync(f.path('outside'), 'old, and longer than the new one');
  if (!mount(t, path, '--bind', f.path('outside'))) return;
  remount(disk, 'ro');
  mkdirSync(f.path('state'));
  const check = { command: ['grep', '-q', 'password', '{staged}'], timeoutMs: 60_000 };
  const pipeline = f.createPipeline([f.file('disk/app.conf', text, { inPlace: true, check })]);
  await startWith(f, pipeline, 'one');
  await current(pipeline);
  t.equal(read(f.path('outside')), 'password=one\n');
  t.strictSame(litter(f.path('state')), []);
});

t.test('removes on exit what says so, and FIFOs, and nothing else', async (t) => {
  const f = createRenderFixture(t, ['db']);
  const pipeline = f.createPipeline([
    f.file('removed', text, { removeOnExit: true, backup: true }),
    f.file('kept', text),
    f.file('fifo', text, { fifo: true }),
  ]);
  await startWith(f, pipeline, 'one');
  f.publish('db', { password: 'two' });
  await pipeline.idle();
  t.strictSame(readdirSync(f.folder).sort(), ['fifo', 'kept', 'removed', 'removed.bak', 'state']);
  await pipeline.close({ signal: AbortSignal.timeout(60_000) });
  t.strictSame(readdirSync(f.folder).sort(), ['kept', 'state']);
});

t.test(
  'a killed agent owes a notification: the next one sends it, though the file has its bytes already',
  async (t) => {
    const f = createRenderFixture(t, ['db']);
    const mark = f.path('mark');
    const file = f.file('app.conf', text, {
      notify: [{ kind: 'command', command: ['sh', '-c', `echo told >> ${mark}`], timeoutMs: 60_000 }],
    });
    writeFileSync(file.destination, 'password=one\n', { mode: 0o600 });
    mkdirSync(f.path('state'));
    const journal = '.latchkey-journal-4194304.1z-0123456789ab-intent.json';
    writeFileSync(join(f.path('state'), journal), JSON.stringify({ steps: [], notify: [file.destination] }));
    const pipeline = f.createPipeline([file]);
    pipeline.start();
    await pipeline.idle();
    t.equal(read(mark), 'told\n', 'before any secret is there');
    t.match(pipeline.status(), [{ state: 'waiting', isReady: false }]);
    t.strictSame(litter(f.path('state')), []);
    f.publish('db', { password: 'one' });
    await pipeline.idle();
    t.equal(read(mark), 'told\n');
  },
);
