// The timeline of real rotations, against what happened: a poll, a failing check, a failing notification, a lease that is revoked.
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import t from 'tap';
import type { RotationStory, StepEvent, TimelineAnswer } from '../../src/api/timeline.ts';
import { askSocket, runProgram, startAgent, type TestAgent } from '../support/cli.ts';
import { mountDatabase } from '../support/database-engine.ts';
import { startDevVault } from '../support/dev-vault.ts';
import { startPostgres } from '../support/postgres.ts';
import { testFolder } from '../support/test-folder.ts';
import { waitFor } from '../support/wait-for.ts';

const timelineOf = async (agent: TestAgent, name: string): Promise<TimelineAnswer> =>
  JSON.parse((await agent.ask(`/timeline/${name}`)).text);
const newest = async (agent: TestAgent, name: string): Promise<RotationStory | undefined> =>
  (await timelineOf(agent, name)).rotations[0];
const stepsOf = (story: RotationStory | undefined, subject: string | null): string[] =>
  (story?.steps ?? [])
    .filter((one) => one.subject === subject)
    .map(({ step, failure, count }) => (failure === null ? step : `${step}: ${failure.code} ×${count}`));

t.test(
  'a poll, a check that fails and then does not, a notification and its probe, and who read it',
  async (t) => {
    const folder = testFolder(t);
    const vault = await startDevVault(t);
    await vault.writeSecret('secret/app', { word: 'canary-one' });
    const [destination, bad, told] = ['app.conf', 'bad', 'told'].map((name) => join(folder, name)) as [
      string,
      string,
      string,
    ];
    const agent = startAgent(t, {
      folder,
      vault,
      config: {
        // Only polls are to find it.
        upstreams: {
          vault: { kind: 'vault', address: vault.address, auth: { method: 'token' }, events: false },
        },
        secrets: { app: { path: 'secret/app', refresh: '200ms' } },
        files: [
          {
            destination,
            contents: '{{ field "app" "word" }}',
            wait: '0s..0s',
            check: { command: ['sh', '-c', `if [ -e ${bad} ]; then echo no good >&2; exit 1; fi`] },
            notify: { command: ['sh', '-c', `echo >> ${told}; [ ! -e ${bad}.notify ]`] },
            settle: { command: ['true'] },
          },
        ],
        processes: [
          {
            name: 'legacy',
            command: ['sleep', '1000'],
            env: { WORD: '{{ field "app" "word" }}' },
            on_rotation: 'restart',
          },
        ],
      },
    });
    await agent.untilReady();
    t.strictSame((await timelineOf(agent, 'app')).rotations, [], 'the first version is no rotation');
    // This process holds version 1 from here on.
    await agent.ask('/secrets/app/word');

    await t.test('a rotation that goes well', async (t) => {
      const before = Date.now();
      await vault.writeSecret('secret/app', { word: 'canary-two' });
      await waitFor('the process to run with it', async () =>
        stepsOf(await newest(agent, 'app'), 'process:legacy').includes('moved'),
      );
      await waitFor(
        'the file',
        async () => stepsOf(await newest(agent, 'app'), `file:${destination}`).length === 5,
      );
      const asked = Date.now();
      t.match(
        (await newest(agent, 'app'))?.held_by,
        [/^caller:uid \d+, pid \d+@/],
        'this process has the old one',
      );
      t.equal((await newest(agent, 'app'))?.state, 'running');
      await agent.ask('/secrets/app/word');
      const { current_version, rotations } = await timelineOf(agent, 'app');
      const [story] = rotations;
      t.match(story, {
        name: 'app',
        from_version: 1,
        to_version: 2,
        by: 'poll',
        state: 'done',
        held_by: [],
        omitted: 0,
      });
      t.strictSame([current_version, rotations.length], [2, 1]);
      t.strictSame(stepsOf(story, `file:${destination}`), [
        'rendered',
        'checked',
        'committed',
        'notified',
        'settled',
      ]);
      t.strictSame(stepsOf(story, `caller:uid ${process.getuid?.()}, pid ${process.pid}`), [
        'read',
        'let_go',
      ]);
      t.strictSame(stepsOf(story, null), ['noticed', 'fetched']);
      const began = Date.parse(story?.began_at ?? '');
      t.ok(began >= before - 250 && began <= asked, 'it began with the poll that found it');
      const offsets = story?.steps.map(({ offset_ms }) => offset_ms) ?? [];
      t.strictSame(
        offsets,
        offsets.toSorted((a, b) => a - b),
        'in order',
      );
      const read = story?.steps.find(({ step }) => step === 'read');
      t.ok(Date.parse(read?.at ?? '') >= asked - 1, 'at the time of the wall clock');
      t.equal(story?.steps[0]?.offset_ms, 0);
      // The vault of this test goes by the same clock.
      const changed = Date.parse(story?.changed_upstream_at ?? '');
      t.ok(changed >= before - 1 && changed <= asked, 'when it was written upstream');
      const file = story?.steps.filter(({ subject }) => subject === `file:${destination}`) ?? [];
      const fetched = story?.steps.find(({ step }) => step === 'fetched')?.offset_ms ?? 0;
      const sum = file.reduce((all, { took_ms }) => all + took_ms, fetched);
      t.ok(Math.abs(sum - (file.at(-1)?.offset_ms ?? 0)) < 0.1, 'the parts make up the whole');
    });

    await t.test('a check fails, is tried again, and goes well in the end', async (t) => {
      writeFileSync(bad, '');
      await vault.writeSecret('secret/app', { word: 'canary-three' });
      await waitFor('the check to fail twice', async () =>
        stepsOf(await newest(agent, 'app'), `file:${destination}`).some((one) =>
          /^checked: check_failed ×[2-9]/.test(one),
        ),
      );
      const failing = await newest(agent, 'app');
      t.match(failing, { to_version: 3, state: 'failing' });
      t.strictSame(stepsOf(failing, `file:${destination}`).length, 2, 'rendered once, checked and failed');
      t.match(
        failing?.steps.find(({ failure }) => failure !== null)?.failure?.message,
        /exit code 1: no good/,
      );
      t.equal(readFileSync(destination, 'utf8'), 'canary-two');
      t.match(await runProgram(t, ['timeline', 'app', '--last', '1', '--socket', agent.socket]), {
        code: 1,
        stdout:
          /^app: version 2 → 3, by poll, \d+s ago: FAILING\n[\s\S]*checked ✗ +file:[\s\S]*times: [\s\S]*\(check_failed\)/,
      });
      rmSync(bad);
      await vault.writeSecret('secret/app', { word: 'canary-four' });
      await waitFor('the next', async () => (await newest(agent, 'app'))?.to_version === 4);
      await waitFor('the file', async () =>
        stepsOf(await newest(agent, 'app'), `file:${destination}`).includes('settled'),
      );
      t.equal(readFileSync(destination, 'utf8'), 'canary-four');
      t.equal((await timelineOf(agent, 'app')).rotations[1]?.state, 'overtaken');
    });

    await t.test('a notification fails', async (t) => {
      writeFileSync(`${bad}.notify`, '');
      await vault.writeSecret('secret/app', { word: 'canary-five' });
      await waitFor('the notification to fail', async () =>
        stepsOf(await newest(agent, 'app'), `file:${destination}`).some((one) =>
          one.startsWith('notified: notify_failed'),
        ),
      );
      t.match(await newest(agent, 'app'), { to_version: 5, state: 'failing' });
      rmSync(`${bad}.notify`);
      await waitFor('it to be told in the end', async () =>
        stepsOf(await newest(agent, 'app'), `file:${destination}`).includes('settled'),
      );
      t.strictSame(
        stepsOf(await newest(agent, 'app'), `file:${destination}`)
          .map((one) => one.replace(/×.*/, ''))
          .slice(0, 6),
        ['rendered', 'checked', 'committed', 'notified: notify_failed ', 'notified', 'settled'],
      );
      await agent.ask('/secrets/app/word');
      await waitFor('all of it', async () => (await newest(agent, 'app'))?.state === 'done');
    });

    await t.test('what is told: of all, in 80 columns, as metrics, without a value', async (t) => {
      const all = JSON.parse((await agent.ask('/timeline?last=2')).text) as TimelineAnswer;
      t.strictSame([all.name, all.rotations.map(({ to_version }) => to_version)], [null, [5, 4]]);
      const shown = await runProgram(t, ['timeline', '--last', '9', '--socket', agent.socket]);
      t.equal(shown.code, 0);
      t.ok(
        shown.stdout.split('\n').every((line) => line.length <= 80),
        shown.stdout,
      );
      t.match(shown.stdout, /app: version 1 → 2, by poll, \d+s ago: in place in \d/);
      const metrics = (await agent.ask('/metrics')).text;
      const counted = (step: string) =>
        Number(
          new RegExp(`latchkey_rotation_step_seconds_count\\{step="${step}"\\} (\\d+)`).exec(metrics)?.[1] ??
            0,
        );
      const told = all.rotations.length;
      t.equal(told, 2);
      const four = JSON.parse((await agent.ask('/timeline/app?last=8')).text) as TimelineAnswer;
      for (const step of ['fetched', 'committed', 'notified', 'settled', 'moved', 'let_go']) {
        const happened = four.rotations
          .flatMap(({ steps }) => steps)
          .filter((one) => one.step === step && one.failure === null);
        t.equal(counted(step), happened.length, step);
      }
      t.equal(counted('fetched'), 4);
      t.notMatch(JSON.stringify(four) + shown.stdout, /canary-/);
      t.match(await agent.ask('/timeline/apple'), { status: 404 });
      t.match(await agent.ask('/timeline/app?last=x'), { status: 400 });
      t.match(await runProgram(t, ['timeline', 'apple', '--socket', agent.socket]), { code: 4 });
    });

    await t.test('live', async (t) => {
      let text = '';
      const stream = request({ socketPath: agent.socket, path: '/changes', agent: false }, (answer) => {
        answer.setEncoding('utf8').on('data', (chunk: string) => {
          text += chunk;
        });
      });
      t.teardown(() => stream.destroy());
      stream.end();
      await waitFor('the stream', () => text.includes('retry:'));
      await vault.writeSecret('secret/app', { word: 'canary-six' });
      await waitFor('the end of it', () => text.includes('"settled"') && text.includes('event: changed'));
      const steps = [...text.matchAll(/event: step\ndata: (.*)\n/g)].map(
        ([, data = '']) => JSON.parse(data) as StepEvent,
      );
      t.match(steps.slice(0, 2), [
        { name: 'app', step: 'noticed' },
        { name: 'app', step: 'fetched', to_version: 6 },
      ]);
      t.notMatch(text, /canary-/);
    });
  },
);

t.test('asked for in vain, then with success: one that leases, and its old lease', async (t) => {
  const postgres = await startPostgres(t);
  if (postgres === undefined) return;
  const folder = testFolder(t);
  const vault = await startDevVault(t);
  await mountDatabase(vault, postgres, { defaultTtl: '1h', maxTtl: '24h' });
  const agent = startAgent(t, {
    folder,
    vault,
    config: {
      secrets: { db: { path: 'database/creds/app', overlap: '1s' } },
      files: ['username', 'password'].map((field) => ({
        contents: `{{ field "db" "${field}" }}`,
        destination: join(folder, field),
        set: 'login',
      })),
    },
  });
  await agent.untilReady();
  vault.addFault({ kind: 'status', status: 500, path: 'database/creds/app' });
  t.match(await runProgram(t, ['rotate', 'db', '--socket', agent.socket]), { code: 5 });
  const failed = await newest(agent, 'db');
  t.match(failed, { by: 'asked', to_version: null, state: 'failing' });
  t.match(stepsOf(failed, null), ['noticed', /^fetched: upstream_unavailable/]);
  vault.clearFaults();
  t.match(await runProgram(t, ['refresh', 'db', '--socket', agent.socket]), { code: 0 });
  t.match(await newest(agent, 'db'), { to_version: null, state: 'nothing' }, 'it fails no more');
  t.match(await runProgram(t, ['rotate', 'db', '--socket', agent.socket]), {
    code: 0,
    stderr: /; `latchkey timeline db` tells each step/,
  });
  await waitFor('the old lease to be revoked', async () =>
    stepsOf(await newest(agent, 'db'), null).includes('revoked'),
  );
  const story = await newest(agent, 'db');
  t.match(story, { by: 'asked', from_version: 1, to_version: 2, state: 'done' });
  const letGo = story?.steps.find(({ step }) => step === 'let_go');
  const revoked = story?.steps.find(({ step }) => step === 'revoked');
  t.equal(letGo?.subject, `file:${join(folder, 'password')}`, 'the last of the set');
  t.ok((revoked?.took_ms ?? 0) >= 1000, 'after its overlap');
  t.match(await askSocket(agent.socket, '/who-has/db'), { status: 200 });
});
