// Compiled code runs unchecked: it must come from a folder that nobody else can write in.
import { spawnSync } from 'node:child_process';
import { chmodSync, chownSync, existsSync, mkdirSync, readdirSync, statSync, symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import t from 'tap';
import { ownCacheFolder } from '../../src/cli/compile-cache.ts';
import { program } from '../support/cli.ts';
import { needsRoot } from '../support/needs-root.ts';
import { nobody } from '../support/other-user.ts';
import { testFolder } from '../support/test-folder.ts';

const PATH = `${dirname(process.execPath)}:${process.env['PATH'] ?? ''}`;
const mode = (path: string) => statSync(path).mode & 0o7777;

function start(env: Record<string, string>, args = ['--help']): number | null {
  return spawnSync(program, args, { env: { PATH, ...env } }).status;
}

t.test('a cache that a stranger made first in the folder for temporary files is not used', async (t) => {
  const shared = testFolder(t, 0o1777);
  const planted = join(shared, 'node-compile-cache');
  mkdirSync(planted);
  chmodSync(planted, 0o777);
  if (needsRoot === false) chownSync(planted, nobody, nobody);
  t.equal(start({ TMPDIR: shared }), 0);
  t.equal(start({ TMPDIR: shared }, ['agent', '--config', join(shared, 'none.yaml')]), 2);
  t.strictSame(readdirSync(planted), [], 'nothing of the program is kept or looked for there');
});

t.test('the variable that Node obeys before the first line is taken out of the environment', async (t) => {
  const folder = testFolder(t);
  t.equal(start({ NODE_COMPILE_CACHE: folder }), 0);
  t.strictSame(readdirSync(folder), []);
});

t.test('compiled code is kept in a folder of the user, and nobody else comes there', async (t) => {
  const home = testFolder(t);
  t.equal(start({ HOME: home }), 0);
  const folder = join(home, '.cache/latchkey');
  t.equal(mode(folder), 0o700);
  t.not(readdirSync(folder).length, 0, 'it is used');
  const cache = testFolder(t, 0o700);
  t.equal(ownCacheFolder({ CACHE_DIRECTORY: `${cache}:/other`, HOME: home }), join(cache, 'code'));
  t.equal(ownCacheFolder({ XDG_CACHE_HOME: cache, HOME: home }), join(cache, 'latchkey'));
  t.equal(ownCacheFolder({ XDG_CACHE_HOME: 'relative' }), undefined);
  t.equal(ownCacheFolder({}), undefined);
});

t.test('a folder that others can write in, or replace, is none', async (t) => {
  const open = testFolder(t, 0o777);
  t.equal(ownCacheFolder({ XDG_CACHE_HOME: open }), undefined, 'in a folder of everybody');
  const sticky = testFolder(t, 0o1777);
  t.equal(ownCacheFolder({ XDG_CACHE_HOME: sticky }), undefined, 'in a sticky folder, as /tmp is one');
  t.notOk(
    existsSync(join(open, 'latchkey')) || existsSync(join(sticky, 'latchkey')),
    'nothing is made there',
  );

  const home = testFolder(t);
  mkdirSync(join(home, 'latchkey'), { mode: 0o700 });
  for (const wrong of [0o770, 0o707, 0o755]) {
    chmodSync(join(home, 'latchkey'), wrong);
    t.equal(ownCacheFolder({ XDG_CACHE_HOME: home }), undefined, wrong.toString(8));
  }
  const linked = testFolder(t);
  mkdirSync(join(linked, 'real'), { mode: 0o700 });
  symlinkSync('real', join(linked, 'latchkey'));
  t.equal(ownCacheFolder({ XDG_CACHE_HOME: linked }), undefined, 'a link');
});

t.test("root uses no folder of another user's making", { skip: needsRoot }, async (t) => {
  const theirs = testFolder(t);
  chownSync(theirs, nobody, nobody);
  t.equal(ownCacheFolder({ HOME: theirs }), undefined, 'as with a sudo that keeps HOME');
  t.equal(start({ HOME: theirs }), 0);
  t.strictSame(readdirSync(theirs), []);

  const home = testFolder(t);
  mkdirSync(join(home, 'latchkey'), { mode: 0o700 });
  chownSync(join(home, 'latchkey'), nobody, nobody);
  t.equal(ownCacheFolder({ XDG_CACHE_HOME: home }), undefined);

  const below = join(theirs, 'below');
  mkdirSync(below, { mode: 0o700 });
  t.equal(ownCacheFolder({ XDG_CACHE_HOME: below }), undefined, 'a folder of ours in one of theirs');
});
