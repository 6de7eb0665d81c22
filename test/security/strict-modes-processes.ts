// A program that others can change is not started again, however long it was supervised before.
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { startAgent } from '../support/cli.ts';
import { startDevVault } from '../support/dev-vault.ts';
import { needsRoot } from '../support/needs-root.ts';
import { nobody } from '../support/other-user.ts';
import { testFolder } from '../support/test-folder.ts';
import { waitFor } from '../support/wait-for.ts';

for (const how of ['a script', 'a program', 'a program of another user'] as const) {
  t.test(`${how} that a stranger can write`, { skip: needsRoot }, async (t) => {
    const folder = testFolder(t);
    chmodSync(folder, 0o755);
    const vault = await startDevVault(t);
    await vault.writeSecret('secret/a', { word: 'one' });
    const [script, told] = [join(folder, 'serve.sh'), join(folder, 'told')] as const;
    const text = (word: string) => `#!/bin/sh\necho ${word} >> ${told}\nexec sleep 600\n`;
    const ours = (word: string) => {
      writeFileSync(script, text(word));
      chmodSync(script, 0o755);
    };
    ours('first');
    writeFileSync(told, '');
    chmodSync(told, 0o666);
    const restart = { backoff: '50ms..200ms' };
    const agent = startAgent(t, {
      folder,
      vault,
      config: {
        secrets: { a: { path: 'secret/a', refresh: '100ms' } },
        processes: [
          {
            name: 'serve',
            ...(how === 'a program of another user' && { user: 'nobody' }),
            command: how === 'a script' ? ['sh', script] : [script],
            env: { WORD: '{{ field "a" "word" }}' },
            on_rotation: 'restart',
            restart,
          },
        ],
      },
    });
    const holds = (all: string) => waitFor(all, () => existsSync(told) && readFileSync(told, 'utf8') === all);
    const status = async () => {
      const { processes } = JSON.parse((await agent.ask('/status')).text) as {
        processes: { pid?: number; message?: string; state: string }[];
      };
      const [process] = processes;
      if (process === undefined) throw new Error('there is no process');
      return process;
    };
    await holds('first\n');
    const { pid = 0 } = await status();
    chmodSync(script, 0o777);
    const planted = ['--reuid', String(nobody), '--regid', String(nobody), '--clear-groups'];
    const write = ['sh', '-c', 'printf %s "$1" > "$2"', 'sh', text('planted'), script];
    t.equal(spawnSync('setpriv', [...planted, ...write]).status, 0);

    await vault.writeSecret('secret/a', { word: 'two' });
    const refusal = /serve\.sh can be written by everybody \(mode 0777\); chmod o-w /;
    await waitFor('the refusal', async () => refusal.test((await status()).message ?? ''));
    t.match(await status(), { pid, state: 'running' }, 'the one before goes on');
    t.match(agent.log(), refusal);

    process.kill(pid, 'SIGKILL');
    await waitFor('its end', async () => (await status()).state === 'backoff');
    await waitFor('the refusal', async () => refusal.test((await status()).message ?? ''));
    t.equal(readFileSync(told, 'utf8'), 'first\n', 'nothing of theirs was run');
    ours('second');
    await holds('first\nsecond\n');
    t.pass('what is mended is started');
  });
}
