import { execFileSync, spawnSync } from 'node:child_process';
import { resolve } from 'node:path';
import t from 'tap';

const source = resolve(import.meta.dirname, '../../../src/base/system/harden-process.ts');
const skip = process.platform === 'linux' ? false : 'Linux only';

t.test('makes the process undumpable and its core files empty; children are as ever', { skip }, (t) => {
  const script = `
    import { readFileSync, statSync } from 'node:fs';
    import { execFileSync } from 'node:child_process';
    import { hardenProcess } from ${JSON.stringify(source)};
    const done = hardenProcess();
    const limit = /Max core file size\\s+(\\d+)\\s+(\\d+)/.exec(readFileSync('/proc/self/limits', 'utf8'));
    // The kernel gives /proc/PID of an undumpable process to root.
    console.log(JSON.stringify({ done, soft: limit?.[1], hard: limit?.[2], owner: statSync('/proc/self/environ').uid }));
  `;
  const isRoot = process.getuid?.() === 0;
  const options = { encoding: 'utf8' as const, ...(isRoot ? { uid: 65_534, gid: 65_534 } : {}) };
  // The test runner's own preload could not write its notes as that user.
  const node = (...args: string[]) => ['-u', 'NODE_OPTIONS', process.execPath, ...args];
  if (spawnSync('env', node('-e', '0'), options).status !== 0) {
    t.pass('as another user', { skip: 'that user cannot start node here' });
    t.end();
    return;
  }
  const told = execFileSync('env', node('--input-type=module', '-e', script), options);
  t.strictSame(JSON.parse(told), { done: true, soft: '0', hard: '0', owner: 0 });
  t.end();
});
