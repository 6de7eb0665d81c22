// A cached lease over the Vault API by the agent and by Vault's or OpenBao's own proxy, before the same embedded vault with a
// real PostgreSQL.
import type { ChildProcess } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { createDevVault } from '@latchkey/devvault/dev-vault.ts';
import { createPostgres } from '@latchkey/devvault/postgres/postgres.ts';
import { freePort } from '../../../src/base/system/free-port.ts';
import type { LoadResult } from '../serve-load.ts';
import { startLoad } from './load.ts';
import { endPeer, memoryOf, middle, namedProgram, ourProgram, startPeer } from './running.ts';

const path = '/v1/database/creds/app';
const roundMs = 1500;

async function untilServed(port: number, token: string): Promise<void> {
  const end = Date.now() + 20_000;
  for (;;) {
    const answer = await fetch(`http://127.0.0.1:${port}${path}`, {
      headers: { 'x-vault-token': token },
    }).catch(() => undefined);
    if (answer?.status === 200 && (await answer.text()).includes('lease_id')) return;
    if (Date.now() > end) throw new Error(`nothing is served on port ${port}`);
    await delay(50);
  }
}

export async function compareWithProxy(rounds: number): Promise<void> {
  const peer = namedProgram('LATCHKEY_TEST_VAULT');
  if (peer === undefined) return;
  console.log('\ncached leases over the Vault API, beside the proxy:');
  const folder = mkdtempSync(join(tmpdir(), 'latchkey-bench-'));
  const vault = createDevVault({ rootToken: 'root' });
  const address = await vault.start();
  const postgres = await createPostgres();
  const children: ChildProcess[] = [];
  const load = startLoad();
  const start = (command: string, args: string[], env: Record<string, string> = {}): ChildProcess => {
    const child = startPeer(command, args, folder, env);
    children.push(child);
    return child;
  };
  try {
    await vault.request('PUT', 'sys/mounts/database', { type: 'database' });
    await vault.request('PUT', 'database/config/main', {
      plugin_name: 'postgresql-database-plugin',
      connection_url: `postgresql://{{username}}:{{password}}@${postgres.host}:${postgres.port}/${postgres.database}`,
      username: postgres.user,
      password: postgres.password,
      allowed_roles: '*',
    });
    await vault.request('PUT', 'database/roles/app', {
      db_name: 'main',
      creation_statements: [`CREATE ROLE "{{name}}" LOGIN PASSWORD '{{password}}'`],
      default_ttl: '1h',
    });

    const [ourPort, theirPort] = [await freePort(), await freePort()];
    const tokenFile = join(folder, 'listener-token');
    const ourConfig = join(folder, 'latchkey.yaml');
    writeFileSync(
      ourConfig,
      JSON.stringify({
        upstreams: { vault: { kind: 'vault', address, auth: { method: 'token' } } },
        listeners: [{ tcp: `127.0.0.1:${ourPort}`, token_file: tokenFile, serve: ['vault'] }],
        log: { level: 'error' },
        state_dir: join(folder, 'state'),
      }),
    );
    writeFileSync(join(folder, 'root-token'), 'root');
    const theirConfig = join(folder, 'proxy.hcl');
    writeFileSync(
      theirConfig,
      `vault { address = "${address}" }
auto_auth { method "token_file" { config = { token_file_path = "${join(folder, 'root-token')}" } } }
cache {}
api_proxy { use_auto_auth_token = true }
listener "tcp" { address = "127.0.0.1:${theirPort}"
  tls_disable = true }
`,
    );
    const ours = start(ourProgram, ['agent', '--config', ourConfig], { VAULT_TOKEN: 'root' });
    const theirs = start(peer, ['proxy', `-config=${theirConfig}`, '-log-level=error']);
    while (!existsSync(tokenFile)) await delay(20);
    const token = readFileSync(tokenFile, 'utf8').trim();
    await untilServed(ourPort, token);
    await untilServed(theirPort, '');

    const measure = (port: number, shown: string, connections: number): Promise<LoadResult> => {
      const proof = shown === '' ? '' : `X-Vault-Token: ${shown}\r\n`;
      const request = `GET ${path} HTTP/1.1\r\nHost: localhost\r\n${proof}Accept: */*\r\n\r\n`;
      return load.run({ target: { host: '127.0.0.1', port }, request, connections, durationMs: roundMs });
    };
    for (const connections of [1, 32]) {
      const results: { our: LoadResult; their: LoadResult }[] = [];
      for (let round = 0; round < rounds; round += 1) {
        const our = await measure(ourPort, token, connections);
        results.push({ our, their: await measure(theirPort, '', connections) });
      }
      const say = (name: string, all: LoadResult[]): string =>
        `${name} ${middle(all.map((one) => one.requestsPerSecond)).toFixed(0)}/s p50 ${middle(all.map((one) => one.p50Us)).toFixed(0)} µs p99 ${middle(all.map((one) => one.p99Us)).toFixed(0)} µs`;
      const ratio = middle(results.map(({ our, their }) => our.requestsPerSecond / their.requestsPerSecond));
      console.log(
        `tcp ${connections}: ${say(
          'latchkey',
          results.map(({ our }) => our),
        )} | ${say(
          'proxy',
          results.map(({ their }) => their),
        )} | ratio ${ratio.toFixed(2)}`,
      );
    }
    console.log(
      `resident: latchkey ${memoryOf(ours.pid).residentMiB.toFixed(0)} MiB | proxy ${memoryOf(theirs.pid).residentMiB.toFixed(0)} MiB`,
    );
  } finally {
    load.end();
    for (const child of children) await endPeer(child);
    await vault.close();
    await postgres.close();
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  }
}
