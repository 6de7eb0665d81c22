import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { silentLogger } from '../../../src/base/logger.ts';
import { createFolderSync } from '../../../src/files/disk/folder-sync.ts';
import type { CommitStep } from '../../../src/files/disk/journal.ts';
import { recover } from '../../../src/files/disk/recovery.ts';
import { testFolder } from '../../support/test-folder.ts';

const dead = (kind: string, rest: string): string => `.latchkey-${kind}-4194304.1z-0123456789ab-${rest}`;

function prepare(
  folder: string,
  steps: CommitStep[],
  notify: string[] = [],
  name = dead('journal', 'intent.json'),
) {
  const state = join(folder, 'state');
  mkdirSync(state, { recursive: true });
  writeFileSync(join(state, name), JSON.stringify({ format: 1, steps, notify }));
  return (destinations: string[], isGuest = false) =>
    recover({
      isGuest,
      destinations: destinations.map((destination) => ({ destination, uid: undefined })),
      stateFolder: state,
      syncFolder: createFolderSync(),
      logger: silentLogger,
    });
}

t.test('finishes a commit that had begun, wherever it was', async (t) => {
  const folder = testFolder(t);
  const [a, b, c] = ['a', 'b', 'c'].map((name) => join(folder, name)) as [string, string, string];
  const staged = (name: string): string => join(folder, dead('staged', name));
  writeFileSync(a, 'new'); // renamed already
  writeFileSync(b, 'old');
  writeFileSync(staged('b'), 'new');
  writeFileSync(c, 'old, and longer');
  writeFileSync(staged('c'), 'new');
  const run = prepare(folder, [
    { action: 'rename', from: staged('a'), to: a },
    { action: 'rename', from: staged('b'), to: b },
    { action: 'write', from: staged('c'), to: c },
  ]);
  t.match(await run([a, b, c]), { redone: 2 });
  t.strictSame(
    readdirSync(folder).filter((name) => name.startsWith('.latchkey-')),
    [],
  );
  t.strictSame(
    [a, b, c].map((path) => readFileSync(path, 'utf8')),
    ['new', 'new', 'new'],
  );
  t.strictSame(readdirSync(join(folder, 'state')), ['folders.json']);
  t.match(await run([a, b, c]), { redone: 0 });
});

t.test('goes back when going back had begun', async (t) => {
  const folder = testFolder(t);
  const [a, b] = [join(folder, 'a'), join(folder, 'b')];
  const previous = join(folder, dead('previous', 'a'));
  writeFileSync(a, 'new');
  writeFileSync(b, 'new');
  writeFileSync(previous, 'old');
  const run = prepare(folder, [
    { action: 'rename', from: previous, to: a },
    { action: 'remove', to: b },
  ]);
  await run([a, b]);
  t.equal(readFileSync(a, 'utf8'), 'old');
  t.notOk(existsSync(b));
});

t.test('a journal that was not finished, or is torn, says that nothing had begun', async (t) => {
  const folder = testFolder(t);
  const a = join(folder, 'a');
  const staged = join(folder, dead('staged', 'a'));
  for (const name of [dead('journal', 'intent.json.new'), dead('journal', 'torn')]) {
    writeFileSync(a, 'old');
    writeFileSync(staged, 'new');
    const run = prepare(folder, [{ action: 'rename', from: staged, to: a }], [], name);
    if (name.endsWith('torn')) writeFileSync(join(folder, 'state', name), '{"format":1,"steps":[{"act');
    t.match(await run([a]), { redone: 0 });
    t.notOk(existsSync(staged));
    t.notOk(existsSync(join(folder, 'state', name)));
    t.equal(readFileSync(a, 'utf8'), 'old');
  }
});

t.test('tells which notifications are owed, and keeps the journal until they are sent', async (t) => {
  const folder = testFolder(t);
  const a = join(folder, 'a');
  writeFileSync(a, 'new');
  const run = prepare(
    folder,
    [{ action: 'rename', from: join(folder, dead('staged', 'a')), to: a }],
    [a, '/gone'],
  );
  const journal = join(folder, 'state', dead('journal', 'intent.json'));
  t.strictSame([...(await run([a])).owed], [[a, [journal]]]);
  t.ok(existsSync(journal));
  t.strictSame([...(await run(['/elsewhere/a'])).owed], [], 'no file of the config any more');
  t.notOk(existsSync(journal));
});

t.test('a guest finishes a commit, and leaves what is owed for files of others to their agent', async (t) => {
  const folder = testFolder(t);
  const [a, b] = [join(folder, 'a'), join(folder, 'b')];
  const run = prepare(folder, [{ action: 'rename', from: join(folder, dead('staged', 'a')), to: a }], [a]);
  await run([a]);
  const list = readFileSync(join(folder, 'state', 'folders.json'), 'utf8');
  writeFileSync(join(folder, dead('staged', 'a')), 'new');
  t.match(await run(['/elsewhere/c'], true), { redone: 1 });
  t.equal(readFileSync(join(folder, 'state', 'folders.json'), 'utf8'), list);
  t.strictSame([...(await run([a, b])).owed.keys()], [a], 'the agent still sends it');
});

t.test('sweeps beside the target of a link, and in folders that left the config', async (t) => {
  const folder = testFolder(t);
  for (const name of ['links', 'real', 'former']) mkdirSync(join(folder, name));
  const link = join(folder, 'links/a');
  symlinkSync(join(folder, 'real/a'), link);
  const run = prepare(folder, []);
  await run([link, join(folder, 'former/b')]);
  writeFileSync(join(folder, 'real', dead('staged', 'a')), '');
  writeFileSync(join(folder, 'former', dead('staged', 'b')), '');
  await run([link]);
  t.strictSame([...readdirSync(join(folder, 'real')), ...readdirSync(join(folder, 'former'))], []);
});

t.test('goes on when a commit cannot be finished', async (t) => {
  const folder = testFolder(t);
  const [a, b] = [join(folder, 'a'), join(folder, 'b')];
  mkdirSync(a);
  for (const name of ['a', 'b']) writeFileSync(join(folder, dead('staged', name)), 'new');
  const run = prepare(folder, [
    { action: 'rename', from: join(folder, dead('staged', 'a')), to: a },
    { action: 'rename', from: join(folder, dead('staged', 'b')), to: b },
  ]);
  t.match(await run([a, b]), { redone: 1 });
  t.equal(readFileSync(b, 'utf8'), 'new');
});
