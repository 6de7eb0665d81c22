// `run` from outside: exit codes and signals go through; a supervisor that is killed takes its children along.
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import t from 'tap';
import { isAlive, readWhenThere } from '../support/test-environment.ts';
import { waitFor } from '../support/wait-for.ts';

const harness = join(import.meta.dirname, '../support/supervise-harness.ts');
const hasSetpriv =
  spawnSync('setpriv', ['--help'], { encoding: 'utf8' }).stdout?.includes('--pdeathsig') === true;

function start(t: { teardown(callback: () => void): void }, ...words: string[]) {
  const child = spawn(process.execPath, [harness, ...words], { stdio: ['ignore', 'pipe', 'inherit'] });
  t.teardown(() => child.kill('SIGKILL'));
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text;
  });
  return { child, output: () => output };
}

t.test('passes the exit code back, and the environment on', async (t) => {
  for (const [script, code] of [
    ['exit 0', 0],
    ['[ $MARK = set ] && exit 42', 42],
    ['kill -TERM $$', 143],
    ['kill -KILL $$', 137],
  ] as const) {
    const { child } = start(t, 'run', 'sh', '-c', script);
    t.strictSame(await once(child, 'exit'), [code, null], script);
  }
  const { child } = start(t, 'run', 'no-such-program');
  t.strictSame(await once(child, 'exit'), [126, null], 'a program that cannot be started');
});

t.test('passes signals on', async (t) => {
  const file = join(t.testdir({}), 'seen');
  const traps = ['HUP', 'USR1', 'USR2', 'QUIT', 'INT']
    .map((name) => `trap 'echo ${name} >> ${file}' ${name};`)
    .join(' ');
  const { child } = start(
    t,
    'run',
    'sh',
    '-c',
    `${traps} trap 'exit 7' TERM; echo up >> ${file}; while :; do sleep 0.02; done`,
  );
  await waitFor('the program', () => readWhenThere(file));
  for (const name of ['HUP', 'USR1', 'USR2', 'QUIT', 'INT'] as const) {
    child.kill(`SIG${name}`);
    await waitFor(name, () => readWhenThere(file)?.endsWith(`${name}\n`));
  }
  child.kill('SIGTERM');
  t.strictSame(await once(child, 'exit'), [7, null]);
});

t.test(
  'a supervisor that is killed takes its children along',
  { skip: !hasSetpriv && 'setpriv is missing' },
  async (t) => {
    const { child, output } = start(t, 'supervise', 'sleep', '600');
    const pid = Number((await waitFor('the pid', () => /^pid (\d+)\n/.exec(output()) ?? undefined))[1]);
    // Until setpriv has made way for the program, the kernel has not been asked yet.
    await waitFor('the program', () => readWhenThere(`/proc/${pid}/comm`) === 'sleep\n');
    child.kill('SIGKILL');
    await once(child, 'exit');
    await waitFor('the child to be gone', () => !isAlive(pid));
  },
);
