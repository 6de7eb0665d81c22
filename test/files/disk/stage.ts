import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  lstatSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { discardStaged, isStaged, type Output, stageOutput } from '../../../src/files/disk/stage.ts';
import { needsRoot } from '../../support/needs-root.ts';
import { testFolder } from '../../support/test-folder.ts';

function output(destination: string, over: Partial<Output> = {}): Output {
  return {
    place: 'files[0]',
    destination,
    bytes: Buffer.from('new'),
    mode: 0o640,
    uid: undefined,
    gid: undefined,
    createParents: false,
    inPlace: false,
    backup: false,
    ...over,
  };
}

t.test('puts the bytes beside the destination with the mode, whatever the umask', async (t) => {
  const folder = testFolder(t);
  const before = process.umask(0o077);
  const result = await stageOutput(output(join(folder, 'a')), { spareFolder: undefined });
  process.umask(before);
  if (!isStaged(result)) throw new Error('nothing staged');
  t.equal(readFileSync(result.path, 'utf8'), 'new');
  t.equal(statSync(result.path).mode & 0o7777, 0o640);
  t.strictSame(readdirSync(folder).length, 1);
});

t.test('gives it its owner and group', { skip: needsRoot }, async (t) => {
  const folder = testFolder(t);
  const wish = output(join(folder, 'a'), { uid: 65534, gid: 12345 });
  const result = await stageOutput(wish, { spareFolder: undefined });
  if (!isStaged(result)) throw new Error('nothing staged');
  t.match(statSync(result.path), { uid: 65534, gid: 12345 });
});

t.test('the same bytes need no staging; the mode is mended', async (t) => {
  const folder = testFolder(t);
  const path = join(folder, 'a');
  writeFileSync(path, 'new');
  chmodSync(path, 0o644);
  t.match(await stageOutput(output(path), { spareFolder: undefined }), { wasMended: true });
  t.equal(statSync(path).mode & 0o7777, 0o640);
  t.match(await stageOutput(output(path), { spareFolder: undefined }), { wasMended: false });
});

t.test('the same bytes need no staging; the group is mended', { skip: needsRoot }, async (t) => {
  const path = join(testFolder(t), 'a');
  writeFileSync(path, 'new');
  t.match(await stageOutput(output(path, { gid: 12345 }), { spareFolder: undefined }), { wasMended: true });
  t.equal(statSync(path).gid, 12345);
});

t.test('stages next to the target of a link and leaves the link', async (t) => {
  const folder = testFolder(t);
  writeFileSync(join(folder, 'real'), 'old');
  symlinkSync('real', join(folder, 'link'));
  const result = await stageOutput(output(join(folder, 'link')), { spareFolder: undefined });
  t.ok(isStaged(result) && result.target.path === join(folder, 'real'));
  t.ok(lstatSync(join(folder, 'link')).isSymbolicLink());
});

const attributeProgram = 'chattr';

t.test('an append-only folder gets one file, however often it is tried', { skip: needsRoot }, async (t) => {
  const folder = testFolder(t);
  const attributes = (flag: string) => spawnSync(attributeProgram, [flag, folder]).status;
  if (attributes('+a') !== 0) {
    return void t.pass('append-only', { skip: 'no chattr, or a file system without attributes' });
  }
  t.teardown(() => attributes('-a'));
  const options = { spareFolder: testFolder(t) };
  const first = await stageOutput(output(join(folder, 'a')), options);
  if (!isStaged(first)) throw new Error('nothing staged');
  await discardStaged(first);
  t.equal(readdirSync(folder).length, 1, 'the kernel lets it be made, and not removed');
  for (let round = 0; round < 3; round++) {
    await t.rejects(stageOutput(output(join(folder, 'b')), options), {
      code: 'file_failed',
      message: /b: not permitted, though this is root \(EPERM\)/,
    });
  }
  const aside = await stageOutput(output(join(folder, 'c'), { inPlace: true }), options);
  t.match(aside, { home: { folder: options.spareFolder } }, 'what is written in place lies elsewhere');
  t.equal(readdirSync(folder).length, 1);
  attributes('-a');
  const last = await stageOutput(output(join(folder, 'a')), options);
  if (!isStaged(last)) throw new Error('nothing staged');
  t.strictSame(
    readdirSync(folder).map((name) => join(folder, name)),
    [last.path],
    'what was left is gone',
  );
});
