// What the agent logs is changed while it runs, for a time or until a reload; its lines have names that stay.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import type { AgentStatus } from '../../src/api/status.ts';
import { runProgram, startAgent } from '../support/cli.ts';
import { startDevVault } from '../support/dev-vault.ts';
import { testFolder } from '../support/test-folder.ts';
import { waitFor } from '../support/wait-for.ts';

interface Line {
  readonly level: number;
  readonly event?: string;
  readonly msg: string;
  readonly [field: string]: unknown;
}

t.test('the level of the log is another at once, and the one of the config again', async (t) => {
  const folder = testFolder(t);
  const vault = await startDevVault(t);
  await vault.writeSecret('secret/app', { word: 'first' });
  const audit = join(folder, 'audit.jsonl');
  const agent = startAgent(t, {
    folder,
    vault,
    upstream: { events: false },
    config: {
      secrets: { app: { path: 'secret/app', refresh: '1h' } },
      files: [{ contents: '{{ field "app" "word" }}', destination: join(folder, 'app.conf') }],
      log: { level: 'warn', format: 'json', file: join(folder, 'agent.log') },
      audit: { file: audit },
    },
  });
  await agent.untilReady();
  const ask = (...args: string[]) => runProgram(t, args, { env: { LATCHKEY_SOCKET: agent.socket } });
  const lines = (): Line[] =>
    readFileSync(join(folder, 'agent.log'), 'utf8')
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as Line);
  const rotate = async (word: string): Promise<void> => {
    await vault.writeSecret('secret/app', { word });
    t.equal((await ask('refresh')).code, 0);
  };
  const status = async (): Promise<AgentStatus> =>
    JSON.parse((await agent.ask('/status')).text) as AgentStatus;

  await rotate('second');
  t.notMatch(lines(), [{ event: 'secret.rotated' }], 'the config says warn');
  t.match(await ask('log-level'), { code: 0, stderr: 'warn, as the config says\n' });

  t.match(await ask('log-level', 'debug'), {
    code: 0,
    stderr: 'debug until the next reload, then warn as the config says\n',
  });
  await rotate('third');
  const told = lines();
  t.match(
    told.find(({ event }) => event === 'log.level-changed'),
    { level: 30, now: 'debug', before: 'warn' },
  );
  t.match(
    told.find(({ event }) => event === 'secret.rotated'),
    { secret: 'app', version: 3 },
  );
  t.match(
    told.find(({ event }) => event === 'file.committed'),
    { destination: join(folder, 'app.conf') },
  );
  t.strictSame(
    told.filter(({ level, event }) => level >= 30 && event === undefined),
    [],
    'every line from info on has its event',
  );
  t.match((await status()).log, { level: 'debug', config_level: 'warn', until: null });
  t.match((await agent.ask('/metrics')).text, /^latchkey_log_level 20$/m);
  t.match(readFileSync(audit, 'utf8'), /"method":"POST","path":"\/log-level\/debug","allowed":true/);

  t.equal((await agent.ask('/reload', { method: 'POST' })).status, 200);
  t.match((await status()).log, { level: 'warn', config_level: 'warn', until: null }, 'after a reload');

  const short = await ask('log-level', 'info', '--for', '1s', '--json');
  const { level, until } = JSON.parse(short.stdout) as AgentStatus['log'];
  t.equal(level, 'info');
  t.ok(Date.parse(until ?? '') > Date.now() - 60_000, until ?? 'none');
  await waitFor('the level of the config', async () => (await status()).log.level === 'warn');
  t.equal((await status()).log.until, null);
  const last = lines().at(-1);
  t.match(last, { event: 'log.level-changed', now: 'warn', before: 'info' }, 'the end of it is told');

  await ask('log-level', 'error', '--for', '10m');
  t.match(await ask('log-level', 'config'), { code: 0, stderr: 'warn, as the config says\n' });
  t.equal((await status()).log.until, null);

  for (const [words, code] of [
    [['log-level', 'loud'], 2],
    [['log-level', '--for', '10m'], 2],
    [['log-level', 'debug', '--for', 'long'], 2],
    [['log-level', 'debug', '--for', '60d'], 2],
  ] as const)
    t.equal((await ask(...words)).code, code, words.join(' '));
  t.equal((await agent.ask('/log-level/silent', { method: 'POST' })).status, 400);
  t.equal((await agent.ask('/log-level/debug')).status, 405);
  t.equal((await status()).log.level, 'warn', 'what was refused changed nothing');
});
