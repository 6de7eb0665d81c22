import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { isFile, isFolder, lookAt, lookExactly } from '../../../src/base/paths/look-at.ts';
import { testFolder } from '../../support/test-folder.ts';

const codeAt = (path: string) => lookAt(path).fault?.code;

t.test('tells what is there, and nothing of what is not', async (t) => {
  const folder = testFolder(t);
  const file = join(folder, 'file');
  writeFileSync(file, 'x');
  symlinkSync(file, join(folder, 'link'));
  t.ok(isFile(file) && isFile(join(folder, 'link')) && isFolder(folder));
  t.notOk(isFolder(file) || isFile(folder));
  t.ok(lookAt(join(folder, 'link'), 'kept').stats?.isSymbolicLink());
  t.equal(lookExactly(file).stats?.size, 1n);
  const nothing = { stats: undefined, fault: undefined };
  t.strictSame(lookAt(join(folder, 'none')), nothing);
  t.strictSame(lookAt(join(file, 'none')), nothing);
  t.strictSame(lookAt(join(file, 'none'), 'kept'), nothing);
});

t.test('throws nothing for what cannot be looked at', async (t) => {
  const folder = testFolder(t);
  mkdirSync(join(folder, 'sub'));
  symlinkSync('round', join(folder, 'round'));
  t.equal(codeAt(join(folder, 'round')), 'ELOOP');
  t.equal(codeAt(join(folder, 'x'.repeat(300))), 'ENAMETOOLONG');
  t.notOk(isFile(join(folder, 'round')) || isFolder(join(folder, 'round')));
  t.match(lookAt(join(folder, 'round')).fault, { what: 'cannot be looked at (ELOOP)', remedy: /remove one/ });
});
