// A supervised program that reads a file and is signalled when it changes: neither is there without the other, and what the
// program prints of a value that came later is masked too.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import type { AgentStatus } from '../../src/api/status.ts';
import { startAgent, startProgram } from '../support/cli.ts';
import { startDevVault } from '../support/dev-vault.ts';
import { testFolder } from '../support/test-folder.ts';
import { waitFor } from '../support/wait-for.ts';

/** Ends at once where its file is missing; prints it at its start and at each HUP. */
function reader(folder: string): string[] {
  const file = join(folder, 'word');
  const tell = (what: string) => `echo "${what} $(cat ${file})" | tee -a ${join(folder, 'seen')}`;
  const body = `test -f ${file} || exit 3; trap '${tell('told')}' HUP; ${tell('began')}; while :; do sleep 0.02; done`;
  return ['sh', '-c', body];
}

async function setUp(t: Test, { settle = false, address }: { settle?: boolean; address?: string } = {}) {
  const folder = testFolder(t);
  const vault = await startDevVault(t);
  const settleCommand = ['grep', '-q', 'began', join(folder, 'seen')];
  const config = {
    upstreams: {
      vault: {
        kind: 'vault',
        address: address ?? vault.address,
        events: false,
        auth: { method: 'token' },
      },
    },
    secrets: { app: { path: 'secret/app', refresh: '1h' } },
    files: [
      {
        contents: '{{ field "app" "word" }}',
        destination: join(folder, 'word'),
        notify: { signal: 'HUP', process: 'reader' },
        ...(settle ? { settle: { command: settleCommand, timeout: '15s' } } : {}),
      },
    ],
    processes: [{ name: 'reader', command: reader(folder), output: 'log' }],
  };
  const seen = () => (existsSync(join(folder, 'seen')) ? readFileSync(join(folder, 'seen'), 'utf8') : '');
  return { folder, vault, config, seen };
}

const processOf = async (agent: ReturnType<typeof startAgent>) => {
  const { text } = await agent.ask('/status');
  return (JSON.parse(text) as AgentStatus).processes[0];
};

t.test('it begins when its file is there, and is told of each new one', async (t) => {
  const { folder, vault, config, seen } = await setUp(t);
  const agent = startAgent(t, { folder, vault, config });
  await waitFor('the process to wait', async () => {
    return existsSync(agent.socket) && (await processOf(agent))?.state === 'waiting';
  });
  t.match((await processOf(agent))?.message, `waits for ${join(folder, 'word')} (the file is not there yet)`);
  await vault.writeSecret('secret/app', { word: 'first-value' });
  await agent.ask('/refresh', { method: 'POST' });
  await agent.untilReady();
  await waitFor('the first value', () => seen() === 'began first-value\n');
  await vault.writeSecret('secret/app', { word: 'second-value' });
  await agent.ask('/refresh', { method: 'POST' });
  await waitFor('the second value', () => seen() === 'began first-value\ntold second-value\n');
  await waitFor('both lines in the log', () => /told \[redacted\]/.test(agent.log()));
  t.match(await processOf(agent), { state: 'running', restarts: 0 });
  t.notMatch(agent.log(), /first-value|second-value/);
  t.equal((await agent.stop()).code, 0);
});

t.test('it begins before a probe asks for it', async (t) => {
  const { folder, vault, config, seen } = await setUp(t, { settle: true });
  await vault.writeSecret('secret/app', { word: 'value' });
  const agent = startAgent(t, { folder, vault, config });
  await waitFor('the program', () => seen() === 'began value\n');
  await waitFor('the file', async () => {
    const status = JSON.parse((await agent.ask('/status')).text) as AgentStatus;
    return status.files[0]?.state === 'current';
  });
  t.notMatch(agent.log(), 'settle_failed');
});

t.test('with upstream away it begins with the file of the last run', async (t) => {
  const { folder, vault, config, seen } = await setUp(t, { address: 'http://127.0.0.1:9' });
  writeFileSync(join(folder, 'word'), 'value of before');
  startAgent(t, { folder, vault, config });
  await waitFor('the program', () => seen() === 'began value of before\n');
});

t.test('`run` gives its program the signals that are meant for it', async (t) => {
  const { folder, vault, config, seen } = await setUp(t);
  await vault.writeSecret('secret/app', { word: 'first-value' });
  const path = join(folder, 'run.yaml');
  const secrets = { app: { path: 'secret/app', refresh: '1s' } };
  writeFileSync(path, JSON.stringify({ ...config, secrets, state_dir: join(folder, 'state') }));
  const running = startProgram(t, ['run', '--config', path, '--', ...reader(folder)], {
    env: { VAULT_TOKEN: vault.rootToken },
  });
  await waitFor('the first value', () => seen() === 'began first-value\n');
  await vault.writeSecret('secret/app', { word: 'second-value' });
  await waitFor('the second value', () => seen() === 'began first-value\ntold second-value\n');
  running.child.kill('SIGTERM');
  t.equal((await running.exited).code, 143);
});
