import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { isLeftover, leftoverName } from '../../../src/base/paths/leftover-name.ts';
import { sweepLeftovers } from '../../../src/files/disk/leftover.ts';
import { testFolder } from '../../support/test-folder.ts';

/** A name as a process that is dead would have given it. */
const dead = (kind: string, rest: string): string => `.latchkey-${kind}-4194304.1z-0123456789ab-${rest}`;

t.test('a name is hidden, unique, keeps its ending and fits', (t) => {
  const name = leftoverName('staged', '/etc/app.conf');
  t.match(name, /^\.latchkey-staged-\d+\.[0-9a-z]+-[0-9a-f]{12}-app\.conf$/);
  t.not(name, leftoverName('staged', '/etc/app.conf'));
  const long = leftoverName('staged', `/etc/${'é'.repeat(120)}.conf`);
  t.ok(Buffer.byteLength(long) <= 255);
  t.match(long, /\.conf$/);
  t.end();
});

t.test('what a living process made is no leftover, what a dead one made is', (t) => {
  t.notOk(isLeftover(leftoverName('staged', 'a')));
  t.ok(isLeftover(dead('staged', 'a')));
  t.ok(
    isLeftover(leftoverName('staged', 'a').replace(/(\d)\.[0-9a-z]+-/, '$1.1-')),
    'a pid that was used again',
  );
  t.notOk(isLeftover('.latchkey-staged-notes'));
  t.notOk(isLeftover('app.conf'));
  t.notOk(isLeftover(dead('staged', 'a'), 'journal'));
  t.end();
});

t.test('a process that only waits to be reaped is dead', async (t) => {
  // The shell does not reap its child while it reads.
  const shell = spawn('sh', ['-c', 'true & echo $!; exec cat'], { stdio: ['pipe', 'pipe', 'inherit'] });
  const [text] = (await once(shell.stdout, 'data')) as [Buffer];
  t.ok(isLeftover(`.latchkey-staged-${text.toString().trim()}.1-0123456789ab-a`));
  shell.kill();
  await once(shell, 'exit');
});

t.test('sweeps leftovers and nothing else', async (t) => {
  const folder = testFolder(t);
  const kept = join(folder, dead('journal', 'kept'));
  const names = [
    dead('staged', 'a'),
    dead('previous', 'a'),
    dead('journal', 'a'),
    'app.conf',
    '.latchkey-own',
  ];
  for (const name of names) writeFileSync(join(folder, name), '');
  writeFileSync(kept, '');
  t.equal(
    await sweepLeftovers(
      [folder, folder, join(folder, 'none')].map((path) => ({ path, uid: undefined })),
      new Set([kept]),
    ),
    3,
  );
  t.strictSame(
    names.map((name) => existsSync(join(folder, name))),
    [false, false, false, true, true],
  );
  t.ok(existsSync(kept));
});

t.test('names made up by the thousand hold no start up: the rest is for the next', async (t) => {
  const path = testFolder(t);
  for (let index = 0; index < 2010; index += 1) writeFileSync(join(path, dead('staged', String(index))), '');
  const sweep = () => sweepLeftovers([{ path, uid: undefined }], new Set());
  t.equal(await sweep(), 2000);
  t.equal(await sweep(), 10);
  t.strictSame(readdirSync(path), []);
});
