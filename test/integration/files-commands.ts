// Check and notify commands that misbehave, through the runner that the agent uses.
import { readFileSync, writeFileSync } from 'node:fs';
import t from 'tap';
import { createCommandRunner } from '../../src/supervise/launch/command-runner.ts';
import { createRenderFixture } from '../support/render-fixture.ts';
import { isAlive } from '../support/test-environment.ts';
import { waitFor } from '../support/wait-for.ts';

const text = 'password={{ field "db" "password" }}\n';
const runCommand = createCommandRunner();
const sh = (script: string, timeoutMs = 5000) => ({ command: ['sh', '-c', script], timeoutMs });

t.test('a check that hangs, and its children, are ended; the old file stays', async (t) => {
  const f = createRenderFixture(t, ['db']);
  const pidFile = f.path('pid');
  const check = sh(`grep -q one {staged} || { sleep 60 & echo $! > ${pidFile}; wait; }`, 300);
  const pipeline = f.createPipeline([f.file('app.conf', text, { check })], { runCommand });
  pipeline.start();
  await pipeline.idle();
  f.publish('db', { password: 'one' });
  await pipeline.idle();
  f.publish('db', { password: 'two' });
  const { message } = await waitFor('the failure', () => pipeline.status()[0]?.failure);
  t.match(message, /files\[0\]\.check: sh did not end within 300ms and was killed/);
  t.equal(readFileSync(f.path('app.conf'), 'utf8'), 'password=one\n');
  const child = Number(readFileSync(pidFile, 'utf8'));
  await waitFor('the end of the child', () => !isAlive(child));
});

t.test('a notification that leaves a daemon behind has succeeded', async (t) => {
  const f = createRenderFixture(t, ['db']);
  const pidFile = f.path('pid');
  const notify = [{ kind: 'command' as const, ...sh(`sleep 60 & echo $! > ${pidFile}`) }];
  const pipeline = f.createPipeline([f.file('app.conf', text, { notify })], { runCommand });
  pipeline.start();
  await pipeline.idle();
  f.publish('db', { password: 'one' });
  await pipeline.idle();
  t.match(pipeline.status(), [{ state: 'current' }]);
  const daemon = Number(readFileSync(pidFile, 'utf8'));
  t.ok(isAlive(daemon), 'it is not ours to end');
  process.kill(daemon, 'SIGKILL');
});

t.test('what a check prints of a secret is masked in the error', async (t) => {
  const f = createRenderFixture(t, ['db']);
  const pipeline = f.createPipeline([f.file('app.conf', text, { check: sh('cat {staged}; exit 1') })], {
    runCommand,
  });
  pipeline.start();
  await pipeline.idle();
  f.publish('db', { password: 'canary-value' });
  const { message } = await waitFor('the failure', () => pipeline.status()[0]?.failure);
  t.match(message, /failed with exit code 1: password=/);
  t.notMatch(JSON.stringify([message, f.log, pipeline.explain(f.path('app.conf'))]), 'canary');
});

t.test('sees the staged files of its whole set', async (t) => {
  const f = createRenderFixture(t, ['db']);
  const other = f.path('other');
  const seen = f.path('seen');
  writeFileSync(seen, '');
  const check = sh(`cat {staged:${other}} > ${seen}`);
  const pipeline = f.createPipeline(
    [f.file('one', text, { set: 's', check }), f.file('other', `other ${text}`, { set: 's' })],
    { runCommand },
  );
  pipeline.start();
  await pipeline.idle();
  f.publish('db', { password: 'one' });
  await pipeline.idle();
  t.equal(readFileSync(seen, 'utf8'), 'other password=one\n');
});
