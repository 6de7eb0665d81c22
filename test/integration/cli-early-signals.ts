// Signals that come while the agent starts: logrotate and config managers do not ask whether it is ready.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import t from 'tap';
import { startDevVault } from '../support/dev-vault.ts';
import { testFolder } from '../support/test-folder.ts';
import { waitFor } from '../support/wait-for.ts';

const command = resolve(import.meta.dirname, '../../src/cli/commands/agent.ts');

t.test('HUP in the first moment is obeyed later, and ends nothing', async (t) => {
  const folder = testFolder(t);
  const vault = await startDevVault(t);
  await vault.writeSecret('secret/app', { word: 'here' });
  const [config, log, file] = ['latchkey.json', 'agent.log', 'app.conf'].map((name) =>
    join(folder, name),
  ) as [string, string, string];
  writeFileSync(
    config,
    JSON.stringify({
      upstreams: { vault: { address: vault.address, auth: { method: 'token' } } },
      secrets: { app: { path: 'secret/app' } },
      files: [{ contents: '{{ field "app" "word" }}', destination: file }],
      state_dir: join(folder, 'state'),
      log: { file: log, format: 'json' },
    }),
    { mode: 0o600 },
  );
  const script = `
    import { runAgent } from ${JSON.stringify(command)};
    const end = runAgent({ config: [${JSON.stringify(config)}] });
    for (let signal = 0; signal < 3; signal += 1) process.kill(process.pid, 'SIGHUP');
    process.exitCode = await end;`;
  const args = [
    '--disable-sigusr1',
    '--disable-warning=ExperimentalWarning',
    '--input-type=module',
    '-e',
    script,
  ];
  const child = spawn(process.execPath, args, {
    env: { PATH: process.env['PATH'] ?? '', VAULT_TOKEN: vault.rootToken },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  t.teardown(() => child.kill('SIGKILL'));
  await waitFor('the file', () => existsSync(file));
  await waitFor('the reload', () => readFileSync(log, 'utf8').includes('config is the same'));
  child.kill('SIGTERM');
  t.strictSame(await once(child, 'exit'), [0, null]);
});
