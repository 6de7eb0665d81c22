// Sockets and token files that somebody removes while the agent runs.
import { existsSync, mkdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { runProgram, startAgent } from '../support/cli.ts';
import { startDevVault } from '../support/dev-vault.ts';
import { testFolder } from '../support/test-folder.ts';
import { waitFor } from '../support/wait-for.ts';

t.test(
  'a socket or a token file that somebody removes is there again, and nothing else has changed',
  async (t) => {
    const folder = testFolder(t);
    const vault = await startDevVault(t);
    await vault.writeSecret('secret/app', { key: 'value' });
    const run = join(folder, 'run');
    mkdirSync(run);
    const [socket, tokenFile] = [join(run, 'agent.sock'), join(run, 'token')];
    const agent = startAgent(t, {
      folder,
      vault,
      config: {
        secrets: { app: { path: 'secret/app' } },
        listeners: [
          { unix: join(folder, 'latchkey.sock'), serve: ['secrets', 'admin', 'metrics'] },
          { unix: socket, mode: '0660', serve: ['secrets'] },
          { tcp: '127.0.0.1:0', token_file: tokenFile, serve: ['secrets'] },
        ],
      },
    });
    await agent.untilReady();
    const get = () => runProgram(t, ['get', '--socket', socket, 'app', 'key'], {});
    t.equal((await get()).stdout, 'value');
    const token = readFileSync(tokenFile, 'utf8');
    const isBack = () =>
      existsSync(socket) && existsSync(tokenFile) && (statSync(socket).mode & 0o777) === 0o660
        ? true
        : undefined;

    rmSync(socket);
    rmSync(tokenFile);
    await waitFor('both to be there again', isBack);
    t.equal((await get()).stdout, 'value');
    t.equal(readFileSync(tokenFile, 'utf8'), token, 'clients that know the token go on');
    t.equal(statSync(tokenFile).mode & 0o777, 0o600);

    rmSync(run, { recursive: true });
    mkdirSync(run);
    await waitFor('both to be there again with their folder', isBack);
    t.equal((await get()).stdout, 'value');
    t.equal(readFileSync(tokenFile, 'utf8'), token);

    const { text } = await agent.ask('/metrics');
    for (const path of [socket, tokenFile]) {
      t.match(text, `latchkey_file_drifts_total{destination="${path}",what="deleted"} 2`, 'counted');
    }
    for (const words of ['the socket: it is there again', 'the token file: it was put right']) {
      t.equal(agent.log().split(words).length - 1, 2, `told: ${words}`);
    }
  },
);
