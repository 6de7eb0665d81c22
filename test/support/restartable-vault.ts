// A real server that keeps what it holds on disk, so that it can be stopped, started and unsealed again.
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Test } from 'tap';
import { freePort } from '../../src/base/system/free-port.ts';
import { waitFor } from './wait-for.ts';

export interface RestartableVault {
  readonly address: string;
  /** As root. */
  ask(
    method: string,
    path: string,
    body?: object,
  ): Promise<{ status: number; body: Record<string, unknown> }>;
  /** It comes back sealed. */
  start(): Promise<void>;
  unseal(): Promise<void>;
  /** Started and unsealed. */
  up(): Promise<void>;
  down(): Promise<void>;
}

const startMs = 60_000;

/** With KV 2 at `secret/`; ended with the test. */
export async function startRestartableVault(
  t: Test,
  program: string,
  folder: string,
): Promise<RestartableVault> {
  const [port, clusterPort] = [await freePort(), await freePort()];
  const address = `http://127.0.0.1:${port}`;
  mkdirSync(join(folder, 'raft'), { recursive: true });
  const config = `
storage "raft" { path = ${JSON.stringify(join(folder, 'raft'))} node_id = "one" }
listener "tcp" { address = "127.0.0.1:${port}" tls_disable = true cluster_address = "127.0.0.1:${clusterPort}" }
api_addr = "${address}"
cluster_addr = "http://127.0.0.1:${clusterPort}"
${program.endsWith('vault') ? 'disable_mlock = true' : ''}
`;
  writeFileSync(join(folder, 'server.hcl'), config);
  let child: ChildProcess | undefined;
  let token = '';
  let unsealKey = '';

  async function ask(method: string, path: string, body?: object) {
    const answer = await fetch(`${address}/v1/${path}`, {
      method,
      headers: { 'X-Vault-Token': token },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await answer.text();
    return {
      status: answer.status,
      body: text.startsWith('{') ? (JSON.parse(text) as Record<string, unknown>) : {},
    };
  }

  const statusOf = (path: string) =>
    ask('GET', path).then(
      ({ status }) => status,
      () => 0,
    );

  async function start(): Promise<void> {
    child = spawn(program, ['server', `-config=${join(folder, 'server.hcl')}`], {
      env: { PATH: process.env['PATH'] ?? '', HOME: folder },
      stdio: 'ignore',
    });
    await waitFor('the server', async () => (await statusOf('sys/health')) !== 0, startMs);
  }

  async function unseal(): Promise<void> {
    if (unsealKey === '') {
      const { body } = await ask('POST', 'sys/init', { secret_shares: 1, secret_threshold: 1 });
      token = String(body['root_token']);
      unsealKey = String((body['keys'] as string[])[0]);
    }
    await ask('POST', 'sys/unseal', { key: unsealKey });
    await waitFor('the unsealed server', async () => (await statusOf('sys/health')) === 200, startMs);
  }

  async function up(): Promise<void> {
    await start();
    await unseal();
  }

  async function down(): Promise<void> {
    const running = child;
    if (running === undefined) return;
    child = undefined;
    const ended = new Promise((resolve) => running.once('exit', resolve));
    running.kill('SIGTERM');
    await ended;
  }

  t.teardown(down);
  await up();
  await ask('POST', 'sys/mounts/secret', { type: 'kv', options: { version: '2' } });
  return { address, ask, start, unseal, up, down };
}
