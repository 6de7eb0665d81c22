// As pid 1 of a pid namespace: orphans are reaped, and the exits of the agent's own children are not lost.

import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import t from 'tap';

const harness = join(import.meta.dirname, '../support/supervise-harness.ts');
const canUnshare = spawnSync('unshare', ['--pid', '--fork', '--mount-proc', 'true']).status === 0;
const skip = canUnshare ? false : 'needs the right to make a pid namespace';

const countZombies = `grep -l '^State:.Z' /proc/[0-9]*/status 2>/dev/null | wc -l`;

t.test('reaps what is left to it, and keeps the exit code of its own child', { skip }, async (t) => {
  // Ten orphans that end at once; then the child waits until no zombie is left (exit 0) or loses patience (exit 9).
  const script = `
    for i in 1 2 3 4 5 6 7 8 9 10; do sh -c 'sleep 0.1 & exit 0'; done
    sleep 0.3
    before=$(${countZombies})
    for i in $(seq 200); do [ $(${countZombies}) = 0 ] && break; sleep 0.05; done
    echo "before $before after $(${countZombies})"
    exit 5`;
  const child = spawn(
    'unshare',
    ['--pid', '--fork', '--mount-proc', process.execPath, harness, 'reap', 'sh', '-c', script],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  t.teardown(() => child.kill('SIGKILL'));
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text;
  });
  t.strictSame(await once(child, 'exit'), [5, null]);
  t.match(output, /^before [1-9]\d* after 0\n$/);
});
