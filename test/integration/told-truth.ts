// What metrics, status and answers say, against what happened.
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import t from 'tap';
import { runProgram, startAgent } from '../support/cli.ts';
import { startDevVault } from '../support/dev-vault.ts';
import { startPlainAgent } from '../support/plain-agent.ts';
import { testFolder } from '../support/test-folder.ts';
import { waitFor } from '../support/wait-for.ts';

t.test('a rotation is timed to the end of its notification, and counted once', async (t) => {
  const folder = testFolder(t);
  const vault = await startDevVault(t);
  await vault.writeSecret('secret/app', { word: 'one' });
  const [destination, told, go] = ['app.conf', 'told', 'go'].map((name) => join(folder, name)) as [
    string,
    string,
    string,
  ];
  // The program that is notified ends when the test lets it.
  const notify = { command: ['sh', '-c', `echo >> ${told}; until [ -e ${go} ]; do sleep 0.02; done`] };
  writeFileSync(go, '');
  const agent = startAgent(t, {
    folder,
    vault,
    config: {
      secrets: { app: { path: 'secret/app', refresh: '100ms' } },
      files: [
        {
          destination,
          contents: '{{ with secret "secret/app" }}{{ .Data.data.word }}{{ end }}',
          wait: '0s..0s',
          notify: [notify],
        },
      ],
    },
  });
  await agent.untilReady();
  const metrics = async () => (await agent.ask('/metrics')).text;
  const sampleOf = (text: string, name: string, labels = ''): number =>
    Number(
      text
        .split('\n')
        .find((line) => line.startsWith(`${name}${labels} `))
        ?.split(' ')[1] ?? 0,
    );
  const countOf = async () => sampleOf(await metrics(), 'latchkey_rotation_seconds_count');
  // From the first answer to the first file is one too.
  await waitFor('the first', async () => (await countOf()) === 1);
  const sum = sampleOf(await metrics(), 'latchkey_rotation_seconds_sum');
  rmSync(go);
  await vault.writeSecret('secret/app', { word: 'two' });
  await waitFor('the new file', () => readFileSync(destination, 'utf8') === 'two');
  const committedAt = performance.now();
  await waitFor('the notification', () => readFileSync(told, 'utf8').length >= 2);
  // The agent works on meanwhile: it reads again what has not changed.
  const readsOf = async () =>
    sampleOf(await metrics(), 'latchkey_upstream_requests_total', '{upstream="vault",outcome="ok"}');
  const reads = await readsOf();
  await waitFor('three more reads', async () => (await readsOf()) >= reads + 3);
  t.equal(await countOf(), 1, 'not yet: the program still runs');
  t.notOk(existsSync(go));
  const waitedSeconds = (performance.now() - committedAt) / 1000;
  writeFileSync(go, '');
  await waitFor('the rotation', async () => (await countOf()) === 2);
  const after = await metrics();
  t.ok(sampleOf(after, 'latchkey_rotation_seconds_sum') - sum >= waitedSeconds, 'with the notification');
  t.equal(sampleOf(after, 'latchkey_secret_rotations_total', '{name="app"}'), 1);
  t.equal(sampleOf(after, 'latchkey_file_writes_total', `{destination="${destination}"}`), 2);
});

t.test('a new file or template is no rotation of a value that has long been there', async (t) => {
  const { agent, folder } = await startPlainAgent(t);
  const config = JSON.parse(readFileSync(agent.configPath, 'utf8')) as Record<string, unknown>;
  const added = { contents: 'v1 {{ field "app" "word" }}', destination: join(folder, 'added'), mode: '0600' };
  const reloadWith = async (changes: object): Promise<void> => {
    const files = [{ ...added, ...changes }];
    writeFileSync(agent.configPath, JSON.stringify({ ...config, files }));
    t.equal((await agent.ask('/reload', { method: 'POST' })).status, 200);
  };
  const commits = () =>
    agent
      .log()
      .split('\n')
      .filter((line) => line.includes('"file.committed"') && line.includes('/added'))
      .map((line) => JSON.parse(line) as { latency_ms?: number });
  const rotations = async () =>
    /^latchkey_rotation_seconds_count (\d+)$/m.exec((await agent.ask('/metrics')).text)?.[1];
  const before = await rotations();
  const steps = [{}, { contents: 'v2 {{ field "app" "word" }}' }];
  for (const [index, step] of steps.entries()) {
    await reloadWith(step);
    await waitFor('the file', () => commits().length === index + 1);
  }
  t.strictSame(
    commits().map(({ latency_ms: ms }) => ms),
    [undefined, undefined],
  );
  t.equal(await rotations(), before);
});

t.test('what is owed does not come and go with its tries: one verdict, and no line for each', async (t) => {
  const folder = testFolder(t);
  const vault = await startDevVault(t);
  await vault.writeSecret('secret/app', { word: 'one' });
  const [tries, stop] = [join(folder, 'tries'), join(folder, 'stop')];
  const command = ['sh', '-c', `echo >> ${tries}; sleep 0.1; test -e ${stop}`];
  const agent = startAgent(t, {
    folder,
    vault,
    config: {
      secrets: { app: { path: 'secret/app' } },
      files: [
        {
          destination: join(folder, 'app.conf'),
          contents: '{{ field "app" "word" }}',
          settle: { command, timeout: '1s' },
        },
      ],
    },
  });
  await waitFor(
    'the settling has failed',
    () => existsSync(agent.logPath) && /"settle_failed"/.test(agent.log()),
  );
  await agent.untilReady();
  const countOf = () => readFileSync(tries, 'utf8').length;
  const before = countOf();
  const answers = new Set<number>();
  await waitFor('more tries', async () => {
    answers.add((await agent.ask('/readyz')).status);
    return countOf() >= before + 8;
  });
  t.strictSame([...answers], [200]);
  t.notMatch(agent.log(), '"agent.not-ready"');
  t.match((await agent.ask('/status')).text, '1 file failing');
  writeFileSync(stop, '');
  await waitFor('it is well', async () => !(await agent.ask('/status')).text.includes('1 file failing'));
});

t.test('answers and denials are counted as callers got them', async (t) => {
  const { agent } = await startPlainAgent(t);
  for (let index = 0; index < 3; index += 1) t.equal((await agent.ask('/secrets/app')).status, 200);
  t.equal((await agent.ask('/secrets/none')).status, 404);
  t.equal((await agent.ask('/secrets/app', { headers: { origin: 'https://example.com' } })).status, 403);
  const { text } = await agent.ask('/metrics');
  t.match(text, /^latchkey_requests_total\{dialect="secrets",status="200"\} 3$/m);
  t.match(text, /^latchkey_requests_total\{dialect="secrets",status="404"\} 1$/m);
  t.match(text, /^latchkey_requests_total\{dialect="secrets",status="403"\} 1$/m);
  t.match(text, /^latchkey_denials_total\{why="origin"\} 1$/m);
});

t.test('every answer writes a secret without an end the same way', async (t) => {
  const { agent } = await startPlainAgent(t);
  for (const path of ['/secrets/app', '/secrets', '/status']) {
    const { text } = await agent.ask(path);
    t.strictSame([...new Set(text.match(/"expires_at": ?[^,}]*/g))], ['"expires_at":null'], path);
  }
});

t.test('one numbering of versions, whoever tells of them', async (t) => {
  const folder = testFolder(t);
  const vault = await startDevVault(t);
  for (const word of ['one', 'two', 'three']) await vault.writeSecret('secret/app', { word });
  const destination = join(folder, 'word');
  const agent = startAgent(t, {
    folder,
    vault,
    config: {
      secrets: { app: { path: 'secret/app' } },
      files: [{ contents: '{{ field "app" "word" }}', destination }],
    },
  });
  await agent.untilReady();
  const ask = async (...args: string[]) => {
    const { stdout, stderr } = await runProgram(t, [...args, '--socket', agent.socket]);
    return stdout + stderr;
  };
  const { secrets } = JSON.parse((await agent.ask('/status')).text);
  t.match(secrets, [{ version: 3, consumers: [{ consumer: `file:${destination}`, version: 3 }] }]);
  t.match(await ask('explain', 'app'), /version 3, obtained[\s\S]*held by file:\S+: version 3/);
  t.match(await ask('explain', destination), /version 3 in the file, 3 now/);
  t.match(await ask('who-has', 'app'), /file:\S+ +3 +current/);
  t.match(await ask('timeline', 'app'), /^app \(version 3\)/);
  t.match(await ask('get', 'app'), /"version":3/);
  t.match(await ask('get', 'ap'), /there is no secret named "ap"; did you mean app\?/);
  t.match(await ask('get', 'app', 'wrod'), /did you mean "word"\?/);
});
