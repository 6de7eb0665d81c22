// What is told and done when somebody else deletes or changes a file that was committed.
import {
  chmodSync,
  chownSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import type { FileConfig } from '../../src/config/resolved.ts';
import { createRenderFixture } from '../support/render-fixture.ts';
import { waitFor } from '../support/wait-for.ts';

const text = 'password={{ field "db" "password" }}\n';
const content = 'password=one\n';

async function committed(t: Test, over: Partial<FileConfig> = {}, name = 'app/app.conf') {
  const f = createRenderFixture(t, ['db']);
  mkdirSync(join(f.folder, 'app'));
  const notify = [{ kind: 'command' as const, command: ['true'], timeoutMs: 60_000 }];
  const file = f.file(name, text, { notify, ...over });
  const drifted: string[] = [];
  const pipeline = f.createPipeline([file], {
    observer: {
      committed: (destination) => f.committed.push(destination),
      notified: (what) => f.notified.push(what),
      drifted: (_destination, what) => drifted.push(what),
    },
  });
  pipeline.start();
  await pipeline.idle();
  f.publish('db', { password: 'one' });
  await pipeline.idle();
  t.equal(readFileSync(file.destination, 'utf8'), content);
  const [status] = pipeline.status();
  t.equal(status?.isReady, true);
  const isRight = () => {
    const stats = statSync(file.destination, { throwIfNoEntry: false });
    return (
      stats?.isFile() === true &&
      readFileSync(file.destination, 'utf8') === content &&
      (stats.mode & 0o777) === file.mode
    );
  };
  return { ...f, pipeline, file, drifted, isRight, path: file.destination };
}

const changes: Readonly<Record<string, { what: string; isTold: boolean; change(path: string): void }>> = {
  deleted: { what: 'deleted', isTold: true, change: (path) => rmSync(path) },
  truncated: { what: 'content', isTold: true, change: (path) => truncateSync(path) },
  overwritten: { what: 'content', isTold: true, change: (path) => writeFileSync(path, 'tampered\n') },
  'overwritten with the same size and times': {
    what: 'content',
    isTold: true,
    change(path) {
      const { atime, mtime } = statSync(path);
      writeFileSync(path, content.replace('one', 'bad'));
      utimesSync(path, atime, mtime);
    },
  },
  'replaced by another file': {
    what: 'content',
    isTold: true,
    change(path) {
      writeFileSync(`${path}.mine`, 'mine\n');
      renameSync(`${path}.mine`, path);
    },
  },
  'made readable for all': { what: 'mode', isTold: false, change: (path) => chmodSync(path, 0o644) },
};

for (const [name, { what, isTold, change }] of Object.entries(changes)) {
  t.test(`a file that was ${name} is put right at once`, async (t) => {
    const { pipeline, path, isRight, drifted, notified, log } = await committed(t);
    // The watch is there a moment after the commit.
    await waitFor('the change to be noticed', async () => {
      if (drifted.length === 0 && isRight()) change(path);
      return drifted.length > 0;
    });
    await waitFor('the file to be right', isRight);
    await pipeline.idle();
    t.equal(drifted[0], what);
    t.ok(
      log.some(
        ({ level, message }) =>
          level === 'warn' && /^somebody else .*: it was put right$/.test(String(message)),
      ),
    );
    if (isTold) await waitFor('its program to be told again', () => notified.length > 1);
    else t.equal(notified.length, 1, 'the bytes are the same for its program');
    t.match(pipeline.status(), [{ isReady: true, drift: { what, isOpen: false } }]);
    t.match(pipeline.explain(path)?.why.join('\n'), /somebody else .* ago.*: it was put right/);
  });
}

t.test('whoever asks finds what no watch told', async (t) => {
  const { pipeline, path, isRight, drifted, log } = await committed(t);
  rmSync(path);
  await pipeline.verify();
  await pipeline.idle();
  t.ok(isRight());
  t.strictSame(drifted, ['deleted']);
  const commits = log.filter(({ message }) => message === 'file committed');
  t.strictSame(
    commits.map(({ fields }) => typeof fields['latency_ms']),
    ['number', 'undefined'],
    'what is put right is no rotation',
  );
});

t.test('whoever asks for one secret has those files looked at that use it, and no other', async (t) => {
  const f = createRenderFixture(t, ['db', 'mail']);
  const [db, mail] = [f.file('db.conf', text), f.file('mail.conf', '{{ field "mail" "password" }}')];
  const looked: string[] = [];
  const pipeline = f.createPipeline([db, mail], {
    // Nothing is watched then: what is found is found by the look.
    isOneShot: true,
    observer: { drifted: (destination) => looked.push(destination) },
  });
  pipeline.start();
  await pipeline.idle();
  f.publish('db', { password: 'one' });
  f.publish('mail', { password: 'two' });
  await pipeline.idle();
  for (const { destination } of [db, mail]) rmSync(destination);
  await pipeline.verify([f.keyOf('mail')]);
  await pipeline.idle();
  t.strictSame(looked, [mail.destination]);
});

t.test('a folder that a service manager empties and makes again', async (t) => {
  const { folder, isRight } = await committed(t);
  await waitFor('the file to be there again', async () => {
    // Nothing makes it while there is no folder: it comes with the folder.
    if (isRight()) {
      rmSync(join(folder, 'app'), { recursive: true, maxRetries: 9 });
      mkdirSync(join(folder, 'app'));
      return false;
    }
    return waitFor('the file', isRight);
  });
  t.ok(isRight());
});

t.test('a folder that is gone is made again where parents are', async (t) => {
  const { pipeline, folder, isRight } = await committed(t, { createParents: true });
  rmSync(join(folder, 'app'), { recursive: true, maxRetries: 9 });
  await pipeline.verify();
  await pipeline.idle();
  t.ok(isRight());
});

t.test('a folder that is exchanged, and comes back, is watched as before', async (t) => {
  const { folder, isRight, path } = await committed(t);
  const [app, old] = [join(folder, 'app'), join(folder, 'app.old')];
  mkdirSync(join(folder, 'other'));
  for (const round of [1, 2]) {
    renameSync(app, old);
    symlinkSync(join(folder, 'other'), app);
    await waitFor('the file where the link leads', isRight);
    rmSync(app);
    renameSync(old, app);
    writeFileSync(path, `tampered ${round}\n`);
    await waitFor('the file to be put right', isRight);
    chmodSync(path, 0o666);
    await waitFor('its mode too', isRight);
    t.ok(isRight());
  }
});

t.test('a destination behind a link is watched where it leads', async (t) => {
  const f = createRenderFixture(t, ['db']);
  mkdirSync(join(f.folder, 'real'));
  mkdirSync(join(f.folder, 'app'));
  symlinkSync(join(f.folder, 'real', 'target'), join(f.folder, 'app', 'link'));
  const pipeline = f.createPipeline([f.file('app/link', text)]);
  pipeline.start();
  await pipeline.idle();
  f.publish('db', { password: 'one' });
  await pipeline.idle();
  const real = join(f.folder, 'real', 'target');
  await waitFor('the change to be undone', async () => {
    if (f.committed.length === 1) writeFileSync(real, 'tampered\n');
    return f.committed.length > 1;
  });
  await waitFor('the file', () => readFileSync(real, 'utf8') === content);
});

t.test('on_drift: report tells it once, leaves it, and sees when it is right again', async (t) => {
  const { pipeline, path, drifted, log, committed: commits } = await committed(t, { onDrift: 'report' });
  for (let look = 0; look < 3; look++) {
    writeFileSync(path, 'tampered\n');
    await pipeline.verify();
  }
  t.strictSame(drifted, ['content']);
  t.equal(readFileSync(path, 'utf8'), 'tampered\n');
  t.equal(commits.length, 1);
  t.equal(log.filter(({ message }) => /it is left so/.test(String(message))).length, 1);
  t.match(
    pipeline.unwell(),
    [{ isReady: true, drift: { what: 'content', isOpen: true } }],
    'told, but what others made of it holds nobody back',
  );
  writeFileSync(path, content);
  await pipeline.verify();
  t.match(pipeline.status(), [{ isReady: true, drift: { isOpen: false } }], 'somebody put it right');
  t.strictSame(pipeline.unwell(), []);
  rmSync(path);
  await pipeline.verify();
  t.match(pipeline.unwell(), [{ isReady: false, drift: { what: 'deleted' } }], 'no file is no file');
});

t.test('what differs in nothing that matters is nobody’s fault', async (t) => {
  const { pipeline, path, drifted, notified, log } = await committed(t);
  chmodSync(path, 0o600);
  writeFileSync(path, content);
  await pipeline.verify();
  await pipeline.idle();
  t.strictSame(drifted, []);
  t.equal(notified.length, 1);
  t.notOk(log.some(({ message }) => /somebody else/.test(String(message))));
});

t.test('two writers that undo each other do not do it at full speed', async (t) => {
  const { pipeline, path, drifted } = await committed(t);
  for (let round = 0; round < 8; round++) {
    writeFileSync(path, `mine ${round}\n`);
    await pipeline.verify();
    await pipeline.idle();
  }
  t.equal(drifted.length, 3, 'the first three at once, then with growing waits');
});

t.test(
  'another owner',
  { skip: process.getuid?.() === 0 ? false : 'only root gives files away' },
  async (t) => {
    const { pipeline, path, drifted } = await committed(t, { owner: '0', group: '0' });
    chownSync(path, 61_001, 61_001);
    await pipeline.verify();
    await pipeline.idle();
    t.equal(statSync(path).uid, 0);
    t.strictSame(drifted, ['owner']);
  },
);

t.test('what happens to a file while another one of its set is put right is put right next', async (t) => {
  const f = createRenderFixture(t, ['db']);
  const release = f.path('go-on');
  const wait = `touch ${f.path('told')}; test ! -e ${f.path('slow')} || until test -e ${release}; do sleep 0.02; done`;
  const notify = [{ kind: 'command' as const, command: ['sh', '-c', wait], timeoutMs: 20_000 }];
  const [a, b] = [f.file('a.conf', text, { set: 'pair', notify }), f.file('b.conf', text, { set: 'pair' })];
  const alone = f.file('alone.conf', text);
  const pipeline = f.createPipeline([a, b, alone]);
  pipeline.start();
  await pipeline.idle();
  f.publish('db', { password: 'one' });
  await pipeline.idle();
  const isThere = (file: FileConfig) => statSync(file.destination, { throwIfNoEntry: false }) !== undefined;
  rmSync(a.destination);
  await waitFor('the watch', () => isThere(a));
  await pipeline.idle();
  writeFileSync(f.path('slow'), '');
  rmSync(f.path('told'));
  rmSync(a.destination);
  await waitFor('the first to be put right, and its program to be told', async () => {
    await pipeline.verify();
    return isThere(a) && statSync(f.path('told'), { throwIfNoEntry: false }) !== undefined;
  });
  rmSync(b.destination);
  rmSync(alone.destination);
  await waitFor('all that is noticed to be looked at', () => isThere(alone));
  t.notOk(isThere(b), 'the program is still being told');
  writeFileSync(release, '');
  await waitFor('the second', () => isThere(b));
});
