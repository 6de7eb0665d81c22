import {
  appendFileSync,
  chmodSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { silentLogger } from '../../../src/base/logger.ts';
import { createFileWatch } from '../../../src/base/paths/file-watch.ts';
import { waitFor } from '../../support/wait-for.ts';

async function watch(t: Test, paths: string[], options: { folders?: string[]; tellsGone?: boolean } = {}) {
  const told: string[] = [];
  const { folders = [], ...others } = options;
  const watching = createFileWatch({
    ...others,
    logger: silentLogger,
    onChange: (changed) => void told.push(...changed),
  });
  t.teardown(watching.close);
  await watching.set(paths, folders);
  return async (what: string, path: string, act: () => void) => {
    told.length = 0;
    act();
    await waitFor(what, () => told.includes(path));
    t.pass(what);
  };
}

t.test('tells of files that are written, replaced, removed and written again', async (t) => {
  const folder = t.testdir({ a: '1' });
  const [a, b] = [join(folder, 'a'), join(folder, 'b')];
  const expect = await watch(t, [a, b]);
  await expect('appended to', a, () => appendFileSync(a, '2'));
  await expect('created', b, () => writeFileSync(b, '1'));
  await expect('replaced', a, () => {
    writeFileSync(join(folder, 'c'), 'new content');
    renameSync(join(folder, 'c'), a);
  });
  await expect('removed and written again', a, () => {
    unlinkSync(a);
    writeFileSync(a, 'again');
  });
});

t.test('tells of a volume whose symlink is turned, as Kubernetes does it', async (t) => {
  const folder = t.testdir({ '..v1': { token: 'first' } });
  symlinkSync('..v1', join(folder, '..data'));
  symlinkSync('..data/token', join(folder, 'token'));
  const expect = await watch(t, [join(folder, 'token')]);
  for (const version of ['..v2', '..v3']) {
    await expect(version, join(folder, 'token'), () => {
      mkdirSync(join(folder, version));
      writeFileSync(join(folder, version, 'token'), version);
      symlinkSync(version, join(folder, '..data_tmp'));
      renameSync(join(folder, '..data_tmp'), join(folder, '..data'));
    });
  }
});

t.test('tells of what a link leads to, and of the link', async (t) => {
  const folder = t.testdir({ there: { real: '1', other: '1' }, here: {} });
  const [link, real, other] = [
    join(folder, 'here', 'link'),
    join(folder, 'there', 'real'),
    join(folder, 'there', 'other'),
  ];
  symlinkSync(real, link);
  const expect = await watch(t, [link]);
  await expect('written where it leads', link, () => writeFileSync(real, '22'));
  await expect('turned', link, () => {
    symlinkSync(other, `${link}.new`);
    renameSync(`${link}.new`, link);
  });
  await expect('written where it leads now', link, () => writeFileSync(other, '333'));
});

t.test('tells of a file whose folder comes later, and comes again', async (t) => {
  const folder = join(t.testdir(), 'a', 'b');
  const file = join(folder, 'file');
  const expect = await watch(t, [file]);
  for (const what of ['comes', 'comes again']) {
    await expect(what, file, () => {
      rmSync(folder, { recursive: true, force: true });
      mkdirSync(folder, { recursive: true });
      writeFileSync(file, what);
    });
  }
});

t.test(
  'tells of all that comes into a folder, of modes, and where it is wished of what has gone',
  async (t) => {
    const folder = t.testdir({ a: '1' });
    const [a, b] = [join(folder, 'a'), join(folder, 'b')];
    const expect = await watch(t, [a], { folders: [folder], tellsGone: true });
    await expect('another file', b, () => writeFileSync(b, '1'));
    await expect('a mode', a, () => chmodSync(a, 0o600));
    await expect('gone', a, () => unlinkSync(a));
  },
);

t.test(
  'tells of what takes the place of a folder or a link on the way, and of what comes back',
  async (t) => {
    const base = t.testdir({ app: { conf: { a: 'first' } }, other: { conf: { a: 'other' } } });
    const [app, other, current] = [join(base, 'app'), join(base, 'other'), join(base, 'current')];
    symlinkSync('app', current);
    const turn = (target: string) => {
      symlinkSync(target, join(base, 'next'));
      renameSync(join(base, 'next'), current);
    };
    const path = join(current, 'conf', 'a');
    const expect = await watch(t, [path], { tellsGone: true });
    for (const round of ['', ', once more']) {
      await expect(`the link turned${round}`, path, () => turn('other'));
      await expect(`written where it leads now${round}`, path, () =>
        appendFileSync(join(other, 'conf/a'), '+'),
      );
      await expect(`turned back${round}`, path, () => turn('app'));
      await expect(`the folder above moved away${round}`, path, () => {
        renameSync(app, join(base, 'app.old'));
        mkdirSync(join(app, 'conf'), { recursive: true });
      });
      await expect(`written in the one that has its place${round}`, path, () =>
        writeFileSync(join(app, 'conf', 'a'), `new${round}`),
      );
      await expect(`back${round}`, path, () => {
        rmSync(app, { recursive: true, maxRetries: 9 });
        renameSync(join(base, 'app.old'), app);
      });
      await expect(`a link in place of the folder${round}`, path, () => {
        renameSync(join(app, 'conf'), join(app, 'conf.real'));
        symlinkSync(join(other, 'conf'), join(app, 'conf'));
      });
      await expect(`the folder in place of the link${round}`, path, () => {
        unlinkSync(join(app, 'conf'));
        renameSync(join(app, 'conf.real'), join(app, 'conf'));
      });
      await expect(`written again${round}`, path, () => appendFileSync(join(app, 'conf/a'), '+'));
    }
  },
);

/** Whether this process is woken by what happens in the folder: the kernel lists the inodes that it watches. */
function isWatched(folder: string): boolean {
  const inode = `ino:${statSync(folder).ino.toString(16)} `;
  return readdirSync('/proc/self/fdinfo').some((fd) => {
    try {
      return readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8').includes(inode);
    } catch {
      return false; // The one that lists them.
    }
  });
}

t.test('a folder on the way in which others write without end is left alone', async (t) => {
  const above = t.testdir({ on: { deep: { a: '1' } } });
  const folder = join(above, 'on', 'deep');
  const expect = await watch(t, [join(folder, 'a')]);
  t.ok(isWatched(join(above, 'on')));
  await waitFor('the watch of the noisy folder ends', () => {
    // Of one file the kernel tells but once until somebody has read it.
    for (let line = 0; line < 100; line += 1) appendFileSync(join(above, 'on', `log${line % 2}`), 'a line\n');
    return !isWatched(join(above, 'on'));
  });
  t.ok(isWatched(folder));
  t.ok(isWatched(above), 'only that one');
  await expect('the file itself is watched on', join(folder, 'a'), () =>
    writeFileSync(join(folder, 'a'), '2'),
  );
});
