import {
  existsSync,
  linkSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { silentLogger } from '../../../src/base/logger.ts';
import { loadMemoryKey } from '../../../src/lease/run/memory-key.ts';

const memory = '/dev/shm';
const skip = existsSync(memory) ? false : 'no file system in memory here';

function place(t: Test): string {
  const folder = mkdtempSync(join(memory, 'latchkey-test-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  return folder;
}

const load = (folders: string[], statePath = '/state') =>
  loadMemoryKey({ folders, statePath, env: {}, logger: silentLogger });

t.test('is made once, for its owner alone, and is another for another state file', { skip }, async (t) => {
  const folder = place(t);
  const key = load([folder]);
  t.equal(key?.length, 32);
  t.same(load([folder]), key);
  t.notSame(load([folder], '/other'), key);
  for (const name of readdirSync(folder)) t.equal(statSync(join(folder, name)).mode & 0o777, 0o600);
});

t.test('is never on a disk', async (t) => {
  const folder = t.testdir();
  t.equal(load([folder, '/nowhere']), undefined);
  t.strictSame(readdirSync(folder), []);
});

t.test('what somebody else may have made is no key', { skip }, async (t) => {
  const attacks: Record<string, (path: string, folder: string) => void> = {
    'a file that others can read': (path) => writeFileSync(path, Buffer.alloc(32), { mode: 0o644 }),
    'a file of another size': (path) => writeFileSync(path, Buffer.alloc(31), { mode: 0o600 }),
    'a link': (path, folder) => {
      writeFileSync(join(folder, 'target'), Buffer.alloc(32), { mode: 0o600 });
      symlinkSync(join(folder, 'target'), path);
    },
    'a second name of a file': (path, folder) => {
      writeFileSync(join(folder, 'target'), Buffer.alloc(32), { mode: 0o600 });
      linkSync(join(folder, 'target'), path);
    },
  };
  for (const [what, attack] of Object.entries(attacks)) {
    const folder = place(t);
    load([folder]);
    const [name = ''] = readdirSync(folder);
    rmSync(join(folder, name));
    attack(join(folder, name), folder);
    t.equal(load([folder]), undefined, what);
    const other = place(t);
    t.equal(load([folder, other])?.length, 32, 'the next place is taken');
  }
});
