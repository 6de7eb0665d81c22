// A real server that keeps its data is stopped, comes back sealed and is unsealed: the agent hands out what it has, says why it is
// old, and goes on with the same login by itself.
import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { freePort } from '../../src/base/system/free-port.ts';
import { startAgent } from '../support/cli.ts';
import { findRealVault, noRealVault } from '../support/real-vault.ts';
import { testFolder } from '../support/test-folder.ts';
import { waitFor } from '../support/wait-for.ts';

t.setTimeout(120_000);

async function createServer(t: Test, program: string, folder: string) {
  const [port, clusterPort] = [await freePort(), await freePort()];
  const address = `http://127.0.0.1:${port}`;
  const data = t.testdir({ data: {} });
  const config = join(folder, 'server.hcl');
  writeFileSync(
    config,
    `storage "raft" { path = "${join(data, 'data')}" node_id = "a" }
listener "tcp" { address = "127.0.0.1:${port}" cluster_address = "127.0.0.1:${clusterPort}" tls_disable = true }
api_addr = "${address}"
cluster_addr = "http://127.0.0.1:${clusterPort}"
disable_mlock = true
`,
  );
  let child: ChildProcess | undefined;
  const ask = async (method: string, path: string, body?: object, token = '') => {
    const response = await fetch(`${address}/v1/${path}`, {
      method,
      headers: token === '' ? {} : { 'x-vault-token': token },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    return { status: response.status, body: text === '' ? {} : JSON.parse(text) };
  };
  const stop = async (): Promise<void> => {
    if (child === undefined) return;
    const exited = new Promise((resolve) => child?.once('exit', resolve));
    child.kill('SIGTERM');
    await exited;
    child = undefined;
  };
  t.teardown(stop);
  return {
    address,
    ask,
    stop,
    async start() {
      child = spawn(program, ['server', `-config=${config}`], { stdio: 'ignore', env: { HOME: folder } });
      await waitFor(
        'the server',
        async () => (await ask('GET', 'sys/seal-status').catch(() => undefined)) !== undefined,
      );
    },
  };
}

const program = findRealVault();

t.test(
  'the server stops, comes back sealed and is unsealed',
  { skip: program ? false : noRealVault },
  async (t) => {
    const folder = testFolder(t);
    const server = await createServer(t, program ?? '', folder);
    await server.start();
    const { keys, root_token: root } = (
      await server.ask('POST', 'sys/init', { secret_shares: 1, secret_threshold: 1 })
    ).body;
    const unseal = () => server.ask('POST', 'sys/unseal', { key: keys[0] });
    await unseal();
    await waitFor('the mount', async () => {
      const { status, body } = await server.ask(
        'POST',
        'sys/mounts/secret',
        { type: 'kv', options: { version: '2' } },
        root,
      );
      return status < 300 || JSON.stringify(body).includes('already in use');
    });
    const write = async (v: string) =>
      waitFor(
        `a secret ${v}`,
        async () => (await server.ask('POST', 'secret/data/app', { data: { v } }, root)).status === 200,
      );
    await write('one');
    const token = (await server.ask('POST', 'auth/token/create', { ttl: '10m' }, root)).body.auth
      .client_token;
    const agent = startAgent(t, {
      folder,
      vault: { address: server.address, rootToken: token },
      config: {
        secrets: { app: { path: 'secret/app', refresh: '1s' } },
        files: [{ contents: '{{ field "app" "v" }}', destination: 'out' }],
      },
    });
    await agent.untilReady();
    const untilSeen = async (upstream: string, secret: string) =>
      waitFor(
        `${upstream} and ${secret}`,
        async () => {
          const { upstreams, secrets } = JSON.parse((await agent.ask('/status')).text);
          return upstreams[0].state === upstream && secrets[0].state === secret;
        },
        30_000,
      );
    await server.stop();
    await untilSeen('unavailable', 'stale');
    t.match((await agent.ask('/secrets/app')).text, 'one', 'what there is is handed out');
    await server.start();
    await untilSeen('sealed', 'stale');
    await unseal();
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
