// A file that is given to somebody else can be opened by nobody but its writer until it is theirs: who has it open by then reads
// all that comes.
import fs, { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { testFolder } from '../support/test-folder.ts';

/** The modes that files have when their owner or mode is about to be set. */
const before: number[] = [];
for (const name of ['fchown', 'fchmod'] as const) {
  const real = fs[name] as (fd: number, ...rest: unknown[]) => void;
  const looked = (fd: number, ...rest: unknown[]): void => {
    before.push(fs.fstatSync(fd).mode & 0o777);
    real(fd, ...rest);
  };
  Object.assign(fs, { [name]: looked });
}
// What it uses of Node it takes when it is loaded.
const { isStaged, stageOutput } = await import('../../src/files/disk/stage.ts');

t.test('a staged file is its writer’s alone until it is given away', async (t) => {
  const umask = process.umask(0);
  t.teardown(() => process.umask(umask));
  const folder = testFolder(t);
  const staged = await stageOutput(
    {
      ...{ place: 'files[0]', destination: join(folder, 'app.conf'), bytes: Buffer.from('secret') },
      ...{ mode: 0o664, uid: process.getuid?.(), gid: process.getgid?.() },
      ...{ createParents: false, inPlace: false, backup: false },
    },
    { spareFolder: undefined },
  );
  t.ok(isStaged(staged));
  t.strictSame(before, [0o600, 0o600], 'when its owner is set, and its mode after that');
  const [name = ''] = readdirSync(folder);
  t.equal(statSync(join(folder, name)).mode & 0o777, 0o664);
});
