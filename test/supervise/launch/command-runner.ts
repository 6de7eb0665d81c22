import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { SecretValue } from '../../../src/base/secret-value.ts';
import { type Clock, createSystemClock } from '../../../src/base/time/clock.ts';
import { createCommandRunner } from '../../../src/supervise/launch/command-runner.ts';
import { recordLogs } from '../../support/record-logs.ts';
import { isAlive, readWhenThere } from '../../support/test-environment.ts';
import { testFolder } from '../../support/test-folder.ts';
import { waitFor } from '../../support/wait-for.ts';

const run = createCommandRunner();

const timeoutMs = 60_000;

/** The time of a command ends when the test says so, all else in its own. */
function createEndlessTime(): { clock: Clock; endTime(): void } {
  const system = createSystemClock();
  let isOver = false;
  let end = () => {};
  const setTimer: Clock['setTimer'] = (delayMs, callback) => {
    if (delayMs !== timeoutMs) return system.setTimer(delayMs, callback);
    // The program may be on its way before the runner has set its timer.
    if (isOver) return system.setTimer(0, callback);
    end = callback;
    return { cancel() {} };
  };
  const endTime = () => {
    isOver = true;
    end();
  };
  return { clock: { ...system, setTimer }, endTime };
}

t.test('runs without a shell, with placeholders in every argument', async (t) => {
  const result = await run({
    command: ['sh', '-c', 'echo "$0|$1"', 'a {staged} {other} {{staged}}', '$HOME;{staged}'],
    timeoutMs,
    placeholders: { staged: '/tmp/x {staged}' },
  });
  t.match(result, { code: 0, signal: null, timedOut: false });
  t.equal(result.lastLine, 'a /tmp/x {staged} {other} {/tmp/x {staged}}|$HOME;/tmp/x {staged}');
});

t.test('tells the exit code and the last line that is not empty, without colours', async (t) => {
  const result = await run({
    command: ['sh', '-c', 'echo first; printf "\\033[31mwrong\\033[0m thing\\n\\n" >&2; exit 3'],
    timeoutMs,
  });
  t.match(result, { code: 3, lastLine: 'wrong thing' });
});

t.test('masks secrets in the log and in the last line', async (t) => {
  const { logger, lines } = recordLogs();
  const result = await createCommandRunner({ logger })({
    command: ['sh', '-c', 'echo password hunter2; echo bad hunter2 >&2; exit 1'],
    timeoutMs,
    masks: [SecretValue.fromText('hunter2')],
  });
  t.match(result.lastLine, /\[redacted\]$/);
  t.equal(lines.filter(({ level }) => level === 'info').length, 2);
  t.notMatch(JSON.stringify([lines, result]), 'hunter2');
});

t.test('gives the command a clean environment', async (t) => {
  const result = await createCommandRunner({
    env: { PATH: process.env['PATH'], VAULT_TOKEN: 'x', LANG: 'C' },
  })({
    command: ['sh', '-c', 'echo "$LANG,$VAULT_TOKEN"'],
    timeoutMs,
  });
  t.equal(result.lastLine, 'C,');
});

t.test('rejects with a clear error when there is no such program', async (t) => {
  await t.rejects(run({ command: ['no-such-program'], timeoutMs }), {
    code: 'process_failed',
    message: /there is no program no-such-program in /,
  });
  await t.rejects(run({ command: ['/etc/passwd'], timeoutMs }), {
    message: '/etc/passwd is not executable',
  });
});

t.test('ends the whole process group when the time is over', async (t) => {
  const file = join(testFolder(t), 'pid');
  const { clock, endTime } = createEndlessTime();
  t.teardown(endTime);
  const running = createCommandRunner({ clock })({
    command: ['sh', '-c', `sh -c 'trap "" TERM; echo $$ > ${file}; while :; do sleep 0.05; done' & wait`],
    timeoutMs,
  });
  const pid = Number(await waitFor('the pid', () => readWhenThere(file)));
  endTime();
  t.match(await running, { timedOut: true, code: null, signal: 'SIGTERM' });
  await waitFor('the grandchild to be gone', () => !isAlive(pid));
});

t.test('kills what ignores TERM', async (t) => {
  const file = join(testFolder(t), 'pid');
  const { clock, endTime } = createEndlessTime();
  t.teardown(endTime);
  const running = createCommandRunner({ clock })({
    command: ['sh', '-c', `trap "" TERM; echo stubborn; echo $$ > ${file}; while :; do sleep 0.05; done`],
    timeoutMs,
  });
  await waitFor('it to ignore TERM', () => readWhenThere(file));
  endTime();
  t.match(await running, { timedOut: true, signal: 'SIGKILL', lastLine: 'stubborn' });
});

t.test('is not held by a grandchild that keeps the pipe open, and leaves it running', async (t) => {
  const file = join(testFolder(t), 'pid');
  const result = await run({
    command: ['sh', '-c', `sleep 600 & echo $! > ${file}; echo done`],
    timeoutMs,
  });
  t.match(result, { code: 0, timedOut: false, lastLine: 'done' });
  const pid = Number(readFileSync(file, 'utf8'));
  t.ok(isAlive(pid));
  process.kill(pid, 'SIGKILL');
});

t.test('ends the command when it is aborted', async (t) => {
  const controller = new AbortController();
  const running = run({ command: ['sleep', '600'], timeoutMs, signal: controller.signal });
  controller.abort();
  await running.then(
    (result) => t.match(result, { timedOut: false, code: null }),
    (error: unknown) => t.match(error, { code: 'aborted' }),
  );
  await t.rejects(run({ command: ['true'], timeoutMs: 1, signal: AbortSignal.abort() }), { code: 'aborted' });
});
