// The files that consul-template and envconsul read of a folder.
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { configFiles } from '../../../src/cli/foreign/config-files.ts';

t.test('a link in a folder counts as the file that it leads to', async (t) => {
  const folder = t.testdir({ available: { 'a.hcl': '' }, enabled: { inner: { 'c.hcl': '' } } });
  const enabled = join(folder, 'enabled');
  symlinkSync('../available/a.hcl', join(enabled, 'a.hcl'));
  symlinkSync('nowhere', join(enabled, 'b.hcl'));
  symlinkSync('inner', join(enabled, 'd'));
  t.strictSame(configFiles([enabled]), [
    join(enabled, 'a.hcl'),
    join(enabled, 'b.hcl'), // its reader says what is wrong
    join(enabled, 'inner/c.hcl'),
  ]);
});

t.test('a mounted ConfigMap is read once', async (t) => {
  const folder = t.testdir({});
  mkdirSync(join(folder, '..2026_11_28_10_00'));
  writeFileSync(join(folder, '..2026_11_28_10_00/a.hcl'), '');
  symlinkSync('..2026_11_28_10_00', join(folder, '..data'));
  symlinkSync('..data/a.hcl', join(folder, 'a.hcl'));
  t.strictSame(configFiles([folder]), [join(folder, 'a.hcl')]);
});
