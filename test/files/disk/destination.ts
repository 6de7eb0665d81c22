import { lchownSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { findDestination } from '../../../src/files/disk/destination.ts';
import { needsRoot } from '../../support/needs-root.ts';
import { testFolder } from '../../support/test-folder.ts';

const wish = (destination: string, createParents = false) => ({
  place: 'files[0]',
  destination,
  createParents,
  uid: undefined,
});

t.test('a file that is not there yet is where the config says', async (t) => {
  const folder = testFolder(t);
  t.match(await findDestination(wish(join(folder, 'a'))), {
    path: join(folder, 'a'),
    folder,
    existing: undefined,
  });
});

t.test('makes parents on request only', async (t) => {
  const folder = testFolder(t);
  const path = join(folder, 'x/y/a');
  await t.rejects(findDestination(wish(path)), { code: 'file_failed', message: /no such folder/ });
  t.match(await findDestination(wish(path, true)), { path });
});

t.test('follows links, of the file and of its folder, also to what is not there yet', async (t) => {
  const folder = testFolder(t);
  mkdirSync(join(folder, 'real'));
  symlinkSync(join(folder, 'real'), join(folder, 'link'));
  symlinkSync('../real/target', join(folder, 'real/first'));
  symlinkSync('first', join(folder, 'real/second'));
  t.match(await findDestination(wish(join(folder, 'link/second'))), { path: join(folder, 'real/target') });
});

t.test('refuses a folder and a circle of links', async (t) => {
  const folder = testFolder(t);
  await t.rejects(findDestination(wish(folder)), { message: /it is a folder \(EISDIR\)/ });
  symlinkSync('b', join(folder, 'a'));
  symlinkSync('a', join(folder, 'b'));
  await t.rejects(findDestination(wish(join(folder, 'a'))), { message: /circle \(ELOOP\)/ });
});

t.test('follows no link that a stranger made to what is not his', { skip: needsRoot }, async (t) => {
  const folder = testFolder(t);
  writeFileSync(join(folder, 'shadow'), 'x');
  symlinkSync('shadow', join(folder, 'conf'));
  lchownSync(join(folder, 'conf'), 65534, 65534);
  await t.rejects(findDestination(wish(join(folder, 'conf'))), {
    code: 'file_failed',
    message: /uid 65534/,
  });
});
