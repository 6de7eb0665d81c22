import { appendFileSync, mkdirSync, renameSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { silentLogger } from '../../../src/base/logger.ts';
import { watchFiles } from '../../../src/upstream/http/watch-files.ts';
import { waitFor } from '../../support/wait-for.ts';

async function watch(t: Test, paths: string[]) {
  let changes = 0;
  const watching = await watchFiles({
    paths,
    logger: silentLogger,
    onChange() {
      changes += 1;
    },
  });
  t.teardown(watching.close);
  return async (what: string, act: () => void) => {
    const before = changes;
    act();
    await waitFor(what, () => changes > before);
    t.pass(what);
  };
}

t.test('tells of files that are written, replaced, removed and written again', async (t) => {
  const folder = t.testdir({ a: '1' });
  const [a, b] = [join(folder, 'a'), join(folder, 'b')];
  const expect = await watch(t, [a, b]);
  await expect('appended to', () => appendFileSync(a, '2'));
  await expect('created', () => writeFileSync(b, '1'));
  await expect('replaced', () => {
    writeFileSync(join(folder, 'c'), 'new content');
    renameSync(join(folder, 'c'), a);
  });
  await expect('removed and written again', () => {
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
    await expect(version, () => {
      mkdirSync(join(folder, version));
      writeFileSync(join(folder, version, 'token'), version);
      symlinkSync(version, join(folder, '..data_tmp'));
      renameSync(join(folder, '..data_tmp'), join(folder, '..data'));
    });
  }
});
