import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { commitFiles } from '../../../src/files/disk/commit.ts';
import { createFolderSync } from '../../../src/files/disk/folder-sync.ts';
import { isStaged, type StagedFile, stageOutput } from '../../../src/files/disk/stage.ts';
import { testFolder } from '../../support/test-folder.ts';

async function stage(
  folder: string,
  name: string,
  over: { inPlace?: boolean; backup?: boolean } = {},
): Promise<StagedFile> {
  const result = await stageOutput(
    {
      place: 'files[0]',
      destination: join(folder, name),
      bytes: Buffer.from(`new ${name}`),
      mode: 0o600,
      uid: undefined,
      gid: undefined,
      createParents: false,
      inPlace: false,
      backup: false,
      ...over,
    },
    { spareFolder: undefined },
  );
  if (!isStaged(result)) throw new Error('nothing staged');
  return result;
}

const read = (folder: string, name: string): string => readFileSync(join(folder, name), 'utf8');
const litter = (folder: string): string[] =>
  readdirSync(folder).filter((name) => name.startsWith('.latchkey-'));

function createTools(folder: string) {
  return { stateFolder: join(folder, 'state'), syncFolder: createFolderSync() };
}

t.test('makes all files of a set the new ones, and leaves nothing', async (t) => {
  const folder = testFolder(t);
  writeFileSync(join(folder, 'a'), 'old');
  const files = [await stage(folder, 'a'), await stage(folder, 'b')];
  const commit = await commitFiles({ files, canRestore: false, notify: [] }, createTools(folder));
  t.equal(read(folder, 'a'), 'new a');
  t.equal(read(folder, 'b'), 'new b');
  t.notOk(commit.hasPrevious);
  await commit.finish(true);
  t.strictSame([...litter(folder), ...litter(join(folder, 'state'))], []);
});

t.test('one that cannot be replaced brings back those that were', async (t) => {
  const folder = testFolder(t);
  writeFileSync(join(folder, 'a'), 'old a', { mode: 0o644 });
  const before = statSync(join(folder, 'a'));
  const files = [await stage(folder, 'a'), await stage(folder, 'b'), await stage(folder, 'c')];
  // What was a free name when it was staged is a folder when it is renamed.
  mkdirSync(join(folder, 'c'));
  const failed = commitFiles({ files, canRestore: false, notify: [] }, createTools(folder));
  await t.rejects(failed, { code: 'file_failed', message: /cannot replace .*\/c: it is a folder/ });
  t.equal(read(folder, 'a'), 'old a');
  t.match(statSync(join(folder, 'a')), { ino: before.ino, mode: before.mode });
  t.notOk(existsSync(join(folder, 'b')));
  t.strictSame([...litter(folder), ...litter(join(folder, 'state'))], []);
});

t.test('keeps a journal as long as notifications are owed, without content', async (t) => {
  const folder = testFolder(t);
  const files = [await stage(folder, 'a')];
  const plan = { files, canRestore: false, notify: [join(folder, 'a')] };
  const commit = await commitFiles(plan, createTools(folder));
  await commit.finish(false);
  const [journal = ''] = litter(join(folder, 'state'));
  const text = readFileSync(join(folder, 'state', journal), 'utf8');
  t.match(JSON.parse(text), { notify: [join(folder, 'a')], steps: [{ action: 'rename' }] });
  t.notMatch(text, /new a/);
  t.equal(statSync(join(folder, 'state', journal)).mode & 0o777, 0o600);
  await commit.finish(true);
  t.strictSame(litter(join(folder, 'state')), []);
});

t.test('goes on without a journal when the state folder is closed, and says so', async (t) => {
  const folder = testFolder(t);
  writeFileSync(join(folder, 'blocked'), '');
  const files = [await stage(folder, 'a'), await stage(folder, 'b')];
  const failures: unknown[] = [];
  const tools = {
    ...createTools(folder),
    stateFolder: join(folder, 'blocked/state'),
    onJournal: (error: unknown) => failures.push(error),
  };
  const commit = await commitFiles({ files, canRestore: false, notify: ['x'] }, tools);
  t.equal(commit.journalPath, undefined);
  t.match(failures, [{ code: 'ENOTDIR' }]);
  await commit.finish(true);
  t.equal(read(folder, 'a'), 'new a');
  t.strictSame(litter(folder), []);
});

t.test('restores bytes, mode and the file itself, and removes what was not there', async (t) => {
  const folder = testFolder(t);
  writeFileSync(join(folder, 'a'), 'old a', { mode: 0o644 });
  const before = statSync(join(folder, 'a'));
  const files = [await stage(folder, 'a'), await stage(folder, 'b')];
  const commit = await commitFiles({ files, canRestore: true, notify: [] }, createTools(folder));
  await commit.restore();
  await commit.finish(true);
  t.match(statSync(join(folder, 'a')), { ino: before.ino, mode: before.mode });
  t.equal(read(folder, 'a'), 'old a');
  t.notOk(existsSync(join(folder, 'b')));
  t.strictSame([...litter(folder), ...litter(join(folder, 'state'))], []);
});

t.test('writes in place into the same file where it must, and restores that too', async (t) => {
  const folder = testFolder(t);
  writeFileSync(join(folder, 'a'), 'something old and longer', { mode: 0o644 });
  const before = statSync(join(folder, 'a')).ino;
  const files = [await stage(folder, 'a', { inPlace: true })];
  const commit = await commitFiles({ files, canRestore: true, notify: [] }, createTools(folder));
  t.equal(read(folder, 'a'), 'new a');
  t.match(statSync(join(folder, 'a')), { ino: before, mode: 0o100600 });
  await commit.restore();
  await commit.finish(true);
  t.equal(read(folder, 'a'), 'something old and longer');
  t.match(statSync(join(folder, 'a')), { ino: before, mode: 0o100644 });
  t.strictSame(litter(folder), []);
});

t.test('keeps the file before as a backup, with its mode', async (t) => {
  const folder = testFolder(t);
  writeFileSync(join(folder, 'a'), 'old a', { mode: 0o640 });
  const files = [await stage(folder, 'a', { backup: true })];
  const commit = await commitFiles({ files, canRestore: false, notify: [] }, createTools(folder));
  await commit.finish(true);
  t.equal(read(folder, 'a.bak'), 'old a');
  t.equal(statSync(join(folder, 'a.bak')).mode & 0o777, 0o640);
  t.equal(read(folder, 'a'), 'new a');
  t.strictSame(litter(folder), []);
});
