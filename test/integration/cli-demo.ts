// The demo as the README has it.
import { readdirSync, readFileSync } from 'node:fs';
import t from 'tap';
import { runProgram, startProgram } from '../support/cli.ts';
import { testFolder } from '../support/test-folder.ts';
import { waitFor } from '../support/wait-for.ts';

t.setTimeout(600_000);

t.test('rotates once, with no failed call and no deployment, and leaves nothing', async (t) => {
  const TMPDIR = testFolder(t);
  const { code, stdout, stderr } = await runProgram(t, ['demo', '--once'], { env: { TMPDIR } });
  t.equal(code, 0, stderr);
  for (const name of ['checkout-api', 'order-service', 'refund-worker', 'analytics']) {
    t.match(stdout, new RegExp(`^${name} +\\d+\\.\\d\\d s +\\d+ .* 0 +0$`, 'm'), name);
  }
  t.strictSame(readdirSync(TMPDIR), []);
});

t.test('says so at once when one of its programs ends', async (t) => {
  const demo = startProgram(t, ['demo', '--once']);
  await waitFor('the agent', () => demo.stdout().includes('agent  '));
  const children = readFileSync(`/proc/${demo.pid}/task/${demo.pid}/children`, 'utf8').trim().split(' ');
  const agent = children.find((pid) => readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('\0agent\0'));
  process.kill(Number(agent), 'SIGKILL');
  t.match(await demo.exited, { code: 1, stderr: /^latchkey: demo: agent ended with SIGKILL/ });
});

for (const [what, signal, code, again] of [
  ['Ctrl-C', 'SIGINT', 130],
  ['Ctrl-C that npm passes on too', 'SIGINT', 130, 'SIGINT'],
  ['closing the terminal', 'SIGHUP', 129],
] as const) {
  t.test(`${what} in the middle leaves nothing`, async (t) => {
    const TMPDIR = testFolder(t);
    const demo = startProgram(t, ['demo', '--once'], { env: { TMPDIR } });
    await waitFor('the rotation', () => demo.stdout().includes('rotating'));
    demo.child.kill(signal);
    if (again !== undefined) setTimeout(() => demo.child.kill(again), 20);
    t.equal((await demo.exited).code, code);
    t.strictSame(readdirSync(TMPDIR), []);
  });
}
