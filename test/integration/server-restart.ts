// A real server that keeps its data is stopped, comes back sealed and is unsealed: the agent hands out what it has, says why it is
// old, and goes on with the same login by itself.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { startAgent } from '../support/cli.ts';
import { findRealVault, noRealVault } from '../support/real-vault.ts';
import { startRestartableVault } from '../support/restartable-vault.ts';
import { testFolder } from '../support/test-folder.ts';
import { waitFor } from '../support/wait-for.ts';

t.setTimeout(600_000);

const program = findRealVault();

t.test(
  'the server stops, comes back sealed and is unsealed',
  { skip: program ? false : noRealVault },
  async (t) => {
    const folder = testFolder(t);
    const server = await startRestartableVault(t, program ?? '', folder);
    const write = async (v: string) =>
      waitFor(
        `a secret ${v}`,
        async () => (await server.ask('POST', 'secret/data/app', { data: { v } })).status === 200,
      );
    await write('one');
    const { auth } = (await server.ask('POST', 'auth/token/create', { ttl: '10m' })).body as {
      auth: { client_token: string };
    };
    const agent = startAgent(t, {
      folder,
      vault: { address: server.address, rootToken: auth.client_token },
      config: {
        secrets: { app: { path: 'secret/app', refresh: '1s' } },
        files: [{ contents: '{{ field "app" "v" }}', destination: 'out' }],
      },
    });
    await agent.untilReady();
    const untilSeen = async (upstream: string, secret: string) =>
      waitFor(`${upstream} and ${secret}`, async () => {
        const { upstreams, secrets } = JSON.parse((await agent.ask('/status')).text);
        return upstreams[0].state === upstream && secrets[0].state === secret;
      });
    await server.down();
    await untilSeen('unavailable', 'stale');
    t.match((await agent.ask('/secrets/app')).text, 'one', 'what there is is handed out');
    await server.start();
    await untilSeen('sealed', 'stale');
    await server.unseal();
    await untilSeen('ready', 'fresh');
    await write('two');
    await waitFor('the new value', () => readFileSync(join(folder, 'out'), 'utf8') === 'two');
    const told = agent
      .log()
      .split('\n')
      .filter((line) => /"state":"(unavailable|sealed|serving)"/.test(line));
    t.equal(told.length, 3, 'one line a state');
    await agent.stop();
  },
);
