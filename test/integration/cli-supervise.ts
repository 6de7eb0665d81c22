// What a rotation and an exit do to supervised programs, and what `run` does before its program starts and to signals.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import type { AgentStatus } from '../../src/api/status.ts';
import { runProgram, startAgent, startProgram } from '../support/cli.ts';
import { mountDatabase } from '../support/database-engine.ts';
import { startDevVault } from '../support/dev-vault.ts';
import { startPostgres } from '../support/postgres.ts';
import { isAlive } from '../support/test-environment.ts';
import { testFolder } from '../support/test-folder.ts';
import { waitFor } from '../support/wait-for.ts';

t.setTimeout(600_000);

async function setUp(t: Test, processes: (folder: string) => object[]) {
  const folder = testFolder(t);
  const vault = await startDevVault(t);
  await vault.writeSecret('secret/app', { word: 'one' });
  const agent = startAgent(t, {
    folder,
    vault,
    config: { secrets: { app: { path: 'secret/app', refresh: '1h' } }, processes: processes(folder) },
  });
  return {
    folder,
    agent,
    rotate: async (word: string) => {
      await vault.writeSecret('secret/app', { word });
      await agent.ask('/refresh', { method: 'POST' });
    },
    process: async (name: string) => {
      const { text } = await agent.ask('/status');
      return (JSON.parse(text) as AgentStatus).processes.find((one) => one.name === name);
    },
  };
}

t.test('a rotation restarts, signals or leaves alone, as the config says', async (t) => {
  const WORD = '{{ field "app" "word" }}';
  const { folder, agent, rotate, process } = await setUp(t, (folder) => [
    {
      name: 'restarted',
      command: ['sh', '-c', `echo "$WORD" >> ${join(folder, 'restarted')}; exec sleep 600`],
      env: { WORD },
    },
    {
      name: 'signalled',
      command: [
        'sh',
        '-c',
        `trap 'echo told >> ${join(folder, 'signalled')}' USR1; while :; do sleep 0.02; done`,
      ],
      env: { WORD },
      on_rotation: 'signal USR1',
    },
    { name: 'alone', command: ['sleep', '600'], env: { WORD }, on_rotation: 'none' },
  ]);
  await agent.untilReady();
  await waitFor('the first start', () => existsSync(join(folder, 'restarted')));
  const names = ['restarted', 'signalled', 'alone'];
  const before = await Promise.all(names.map(process));
  await rotate('two');
  await waitFor('the restart', () => readFileSync(join(folder, 'restarted'), 'utf8') === 'one\ntwo\n');
  await waitFor('the signal', () => existsSync(join(folder, 'signalled')));
  const after = await Promise.all(names.map(process));
  t.not(after[0]?.pid, before[0]?.pid, 'another pid after a restart');
  t.equal(after[1]?.pid, before[1]?.pid);
  t.equal(after[2]?.pid, before[2]?.pid);
  t.notOk(isAlive(before[0]?.pid ?? 0));
});

t.test(
  'a program that dies at once is given up, told in status and readiness, and begins again',
  async (t) => {
    const { folder, agent, rotate, process } = await setUp(t, (folder) => [
      {
        name: 'dies',
        command: [
          'sh',
          '-c',
          `test "$WORD" = two && exec sleep 600; echo no >> ${join(folder, 'tries')}; exit 9`,
        ],
        env: { WORD: '{{ field "app" "word" }}' },
        restart: { on_exit: 'always', backoff: '10ms..10s', max_attempts: 4 },
      },
    ]);
    // The socket is there a moment before anybody listens.
    await waitFor(
      'it to be given up',
      async () => (await process('dies').catch(() => undefined))?.state === 'failed',
    );
    t.match((await process('dies'))?.message, /exit code 9; given up after \d+ in a row/);
    t.match((await agent.ask('/readyz')).text, /process dies: .*given up/);
    const tries = readFileSync(join(folder, 'tries'), 'utf8').trim().split('\n').length;
    t.ok(tries >= 4 && tries <= 5, `${tries} tries`);
    await rotate('two');
    await agent.untilReady();
    t.equal((await process('dies'))?.state, 'running', 'other values, another try');
  },
);

t.test('the old role lives until the new child runs', async (t) => {
  const postgres = await startPostgres(t);
  if (postgres === undefined) return;
  const folder = testFolder(t);
  const vault = await startDevVault(t);
  const database = await mountDatabase(vault, postgres, { defaultTtl: '9s', maxTtl: '9s' });
  const seen = join(folder, 'seen');
  const agent = startAgent(t, {
    folder,
    vault,
    config: {
      secrets: { db: { path: 'database/creds/app', overlap: '1s', on_exit: 'revoke' } },
      processes: [
        {
          name: 'slow',
          // Takes its time to stop: the old login has to work until it is gone.
          command: [
            'sh',
            '-c',
            `trap 'sleep 0.7; exit 0' TERM; echo "$DB_USER" >> ${seen}; while :; do sleep 0.05; done`,
          ],
          env: { DB_USER: '{{ field "db" "username" }}' },
        },
      ],
    },
  });
  await agent.untilReady();
  const users = () => (existsSync(seen) ? readFileSync(seen, 'utf8').trim().split('\n') : []);
  await waitFor('the second child', () => users().length === 2);
  const [first = '', second = ''] = users();
  t.strictSame(new Set(await database.roles()), new Set([first, second]), 'both roles live');
  await waitFor('the old one to be gone', async () => !(await database.roles()).includes(first));
  t.equal((await agent.stop()).code, 0);
  t.strictSame(await database.roles(), []);
});

t.test('run ends with 3, 4 or 5 before its program starts, and waits no longer than told', async (t) => {
  const folder = testFolder(t);
  const vault = await startDevVault(t);
  await vault.writeSecret('secret/app', { word: 'value' });
  await vault.writePolicy('agent', 'path "secret/data/missing" { capabilities = ["read"] }');
  const token = await vault.createToken({ policies: ['agent'] });
  const configPath = join(folder, 'latchkey.yaml');
  const ran = join(folder, 'ran');
  const run = (path: string, place: 'env' | 'file', VAULT_TOKEN: string, timeout = '1s') => {
    writeFileSync(
      configPath,
      JSON.stringify({
        upstreams: { vault: { address: vault.address, auth: { method: 'token' } } },
        secrets: { app: { path } },
        ...(place === 'env'
          ? { processes: [{ name: 'app', command: ['true'], env: { WORD: '{{ field "app" "word" }}' } }] }
          : { files: [{ contents: '{{ field "app" "word" }}', destination: join(folder, 'app.conf') }] }),
        log: { level: 'error' },
        state_dir: join(folder, 'state'),
      }),
    );
    return startProgram(t, ['run', '--timeout', timeout, '--config', configPath, '--', 'touch', ran], {
      env: { VAULT_TOKEN },
    });
  };
  // A busy machine may take longer than that to ask at all.
  const end = async (...args: Parameters<typeof run>) => {
    const ended = await run(...args).exited;
    return /\(pending\)/.test(ended.stderr) ? await run(args[0], args[1], args[2], '20s').exited : ended;
  };
  for (const place of ['env', 'file'] as const) {
    t.match(await end('secret/app', place, token), { code: 3, stderr: /denied by policy/ }, place);
    t.match(await end('secret/app', place, 'wrong'), { code: 3, stderr: /VAULT_TOKEN/ }, place);
    t.match(await end('secret/missing', place, token), { code: 4, stderr: /no such secret/ }, place);
    vault.vault.seal();
    t.match(await end('secret/app', place, token), { code: 5, stderr: /sealed/ }, place);
    vault.vault.unseal();
    vault.addFault({ kind: 'half-open' });
    t.match(await run('secret/app', place, token).exited, { code: 5 }, `${place}: no answer`);
    vault.clearFaults();
  }
  t.notOk(existsSync(ran), 'the program was not started');

  vault.vault.seal();
  vault.vault.resetRequests();
  const waiting = run('secret/app', 'env', token);
  await waitFor('it to ask', () => vault.countRequests() > 0);
  waiting.child.kill('SIGTERM');
  t.match(await waiting.exited, { code: 143 }, 'told to stop while it waits');
});

t.test('run passes every signal on, and leaves no zombie', async (t) => {
  const folder = testFolder(t);
  const configPath = join(folder, 'latchkey.yaml');
  writeFileSync(
    configPath,
    JSON.stringify({
      upstreams: { vault: { address: 'http://127.0.0.1:1', auth: { method: 'token' } } },
      log: { level: 'error' },
      state_dir: join(folder, 'state'),
    }),
  );
  const env = { VAULT_TOKEN: 'none' };
  const names = ['HUP', 'USR1', 'USR2', 'WINCH', 'INT', 'QUIT'];
  const traps = names.map((name) => `trap 'echo ${name}' ${name};`).join(' ');
  const running = startProgram(
    t,
    ['run', '--config', configPath, '--', 'sh', '-c', `${traps} echo up $$; while :; do sleep 0.02; done`],
    { env },
  );
  const up = await waitFor('the program', () => /up (\d+)/.exec(running.stdout()) ?? undefined);
  for (const name of names) {
    running.child.kill(`SIG${name}` as NodeJS.Signals);
    await waitFor(name, () => running.stdout().includes(`${name}\n`));
  }
  running.child.kill('SIGTERM');
  t.match(await running.exited, { code: 143 });
  t.notOk(isAlive(Number(up[1])));
  t.match(
    await runProgram(t, ['run', '--config', configPath, '--', '/nowhere/program'], { env }),
    { code: 127, stderr: /^latchkey: \/nowhere\/program does not exist\n$/ },
    'one line for a program that is not there',
  );
});

t.test('a program that puts itself into the background is told, and is not ready', async (t) => {
  const folder = testFolder(t);
  const vault = await startDevVault(t);
  const pidFile = join(folder, 'pid');
  const script = `setsid sh -c 'echo $$ > ${pidFile}; exec sleep 601' < /dev/null > /dev/null 2>&1 & while [ ! -s ${pidFile} ]; do sleep 0.02; done`;
  const agent = startAgent(t, {
    folder,
    vault,
    config: { processes: [{ name: 'daemon', command: ['sh', '-c', script] }] },
  });
  t.teardown(() => process.kill(Number(readFileSync(pidFile, 'utf8')), 'SIGKILL'));
  const found = async () =>
    (JSON.parse((await agent.ask('/status')).text) as AgentStatus).processes.find(
      ({ state }) => state === 'failed',
    );
  const told = await waitFor('the verdict', () => found().catch(() => undefined));
  const pid = readFileSync(pidFile, 'utf8').trim();
  t.match(told, { ready: false, message: new RegExp(`went into the background as pid ${pid} \\(sleep\\)`) });
  t.equal((await agent.ask('/readyz')).status, 503);
  t.match(agent.log(), /start it in the foreground/);
});
