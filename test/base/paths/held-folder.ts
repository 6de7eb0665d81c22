// Which walks of a path are done at once, and that those refuse what the others do.
import fs, { chownSync, mkdirSync, rmSync, statSync, symlinkSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import t from 'tap';
import { type HeldFolder, holdFolder, holdFolderSync } from '../../../src/base/paths/held-folder.ts';
import { isLocalDevice } from '../../../src/base/paths/local-device.ts';
import { trusting } from '../../../src/base/paths/path-trust.ts';

/** The same wish twice would share a walk, so each is another one's. */
let owner = 1_000_000;

/** With whether a thread of the pool was asked. */
async function walk(path: string): Promise<{ folder: HeldFolder; waits: boolean }> {
  owner += 1;
  const underWay = () => process.getActiveResourcesInfo().filter((name) => name === 'FSReqCallback').length;
  const before = underWay();
  const folder = holdFolder(path, { trust: trusting(owner) });
  const waits = underWay() > before;
  return { folder: await folder, waits };
}

t.test('a path that was local the last time is walked at once', async (t) => {
  const path = join(t.testdir({ conf: {} }), 'conf');
  const first = await walk(path);
  t.ok(first.waits, 'nothing was known');
  const second = await walk(path);
  t.equal(second.waits, !isLocalDevice(first.folder.stats.dev));
  t.equal(second.folder.stats.ino, first.folder.stats.ino);
  for (const { folder } of [first, second]) folder.release();
});

t.test('makes a folder with its very mode, whatever the umask', async (t) => {
  const umask = process.umask(0o077);
  t.teardown(() => process.umask(umask));
  const home = t.testdir({});
  (await holdFolder(join(home, 'a/b'), { trust: trusting(), createMode: 0o755 })).release();
  holdFolderSync(join(home, 'c'), { trust: trusting(), createMode: 0o750 }).release();
  const modes = ['a', 'a/b', 'c'].map((name) => statSync(join(home, name)).mode & 0o777);
  t.strictSame(modes, [0o755, 0o755, 0o750]);
  t.equal(process.umask(), 0o077, 'which is as it was');
});

t.test('one that leads to what the kernel makes is not, nor one whose walk has failed', async (t) => {
  const folder = t.testdir({ conf: {} });
  const link = join(folder, 'link');
  symlinkSync(`/proc/${process.pid}`, link);
  for (let round = 0; round < 2; round += 1) {
    const { folder: held, waits } = await walk(link);
    t.ok(waits);
    held.release();
  }
  const missing = join(folder, 'missing');
  for (let round = 0; round < 2; round += 1) await t.rejects(walk(missing), { code: 'ENOENT' });
});

t.test(
  'one that leads elsewhere meanwhile waits in the pool from there on, and the next time although it fails',
  async (t) => {
    const folder = t.testdir({ real: { sub: {} } });
    const link = join(folder, 'link');
    symlinkSync('real', link);
    const path = join(link, 'sub');
    const before = [await walk(path), await walk(path)];
    t.equal(before[1]?.waits, !isLocalDevice(before[0]?.folder.stats.dev ?? 0));
    for (const { folder: held } of before) held.release();
    rmSync(link);
    symlinkSync('/sys', link);
    const now = t.capture(fs, 'openSync', fs.openSync);
    await t.rejects(walk(path), { code: 'ENOENT' });
    const names = now().map(({ args: [opened] }) => basename(String(opened)));
    t.notOk(names.includes('sub'), 'what lies in the other one is opened in the pool');
    const underWay = () => process.getActiveResourcesInfo().filter((name) => name === 'FSReqCallback').length;
    const idle = underWay();
    const next = walk(path);
    t.ok(underWay() > idle);
    await t.rejects(next, { code: 'ENOENT' });
  },
);

const isRoot = process.getuid?.() === 0;

const strangers = 'a stranger who took the place of a folder meanwhile is refused at once too';
t.test(strangers, { skip: isRoot ? false : 'needs root: a folder of a stranger' }, async (t) => {
  const path = join(t.testdir({ conf: { deep: {} } }), 'conf', 'deep');
  const before = await walk(path);
  before.folder.release();
  rmSync(dirname(path), { recursive: true });
  mkdirSync(`${dirname(path)}-other/deep`, { recursive: true });
  chownSync(`${dirname(path)}-other`, 54_321, 54_321);
  symlinkSync(`${dirname(path)}-other`, dirname(path));
  await t.rejects(walk(path), { name: 'PathFault' });
});
