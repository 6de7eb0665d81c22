import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { createSandbox } from '../../src/content/sandbox.ts';
import { testFolder } from '../support/test-folder.ts';

t.test('opens what is inside and nothing else', (t) => {
  const folder = testFolder(t);
  mkdirSync(join(folder, 'open'));
  mkdirSync(join(folder, 'open-too'));
  writeFileSync(join(folder, 'open/a'), 'a');
  writeFileSync(join(folder, 'open-too/b'), 'b');
  writeFileSync(join(folder, 'c'), 'c');
  symlinkSync('../c', join(folder, 'open/link'));
  const sandbox = createSandbox([join(folder, 'open')]);
  t.equal(sandbox.read(join(folder, 'open/a')).toString(), 'a');
  for (const path of ['open-too/b', 'open/link', 'open/../c']) {
    t.throws(() => sandbox.read(join(folder, path)), {
      code: 'template_failed',
      message: /in none of the folders/,
    });
  }
  t.throws(() => sandbox.read(join(folder, 'open')), { message: /cannot open .* \(EISDIR\)/ });
  t.throws(() => sandbox.read(join(folder, 'open/none')), { message: /cannot open .* \(ENOENT\)/ });
  t.equal(sandbox.allowWrite(join(folder, 'open/new')), join(folder, 'open/new'));
  t.throws(() => sandbox.allowWrite(join(folder, 'open/../new')), { message: /in none of the folders/ });
  t.end();
});

t.test('with no folder nothing is open', (t) => {
  t.throws(() => createSandbox([]).read('/etc/hostname'), { message: 'no folder is open to templates' });
  t.end();
});
