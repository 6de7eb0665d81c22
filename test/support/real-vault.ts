// A real vault: its program is LATCHKEY_TEST_VAULT, or `bao` or `vault` on the PATH; undefined where there is none.
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Test } from 'tap';
import { isExecutable } from '../../src/base/system/executable.ts';
import { freePort } from '../../src/base/system/free-port.ts';

const startDeadlineMs = 30_000;

export const noRealVault = 'neither bao nor vault on the PATH, and LATCHKEY_TEST_VAULT is not set';

export function findRealVault(): string | undefined {
  const named = process.env['LATCHKEY_TEST_VAULT'];
  if (named) return named;
  const folders = (process.env['PATH'] ?? '').split(delimiter);
  return folders.flatMap((folder) => [join(folder, 'bao'), join(folder, 'vault')]).find(isExecutable);
}

export interface RealVault {
  readonly address: string;
  readonly rootToken: string;
  readonly unsealKey: string;
}

/** Starts it in its dev mode; ended with the test, by its process id. */
export async function startRealVault(t: Test, binary: string, rootToken: string): Promise<RealVault> {
  const home = mkdtempSync(join(tmpdir(), 'latchkey-contract-'));
  const port = await freePort();
  const address = `http://127.0.0.1:${port}`;
  const flags = [
    'server',
    '-dev',
    '-dev-no-store-token',
    `-dev-listen-address=127.0.0.1:${port}`,
    `-dev-root-token-id=${rootToken}`,
  ];
  const env = { HOME: home, PATH: process.env['PATH'] ?? '', VAULT_ADDR: address, BAO_ADDR: address };
  const child = launch(binary, flags, env);
  t.teardown(async () => {
    await stop(child);
    rmSync(home, { recursive: true, force: true });
  });
  let output = '';
  const keep = (piece: Buffer): void => {
    output = `${output}${piece}`.slice(-20_000);
  };
  child.stdout?.on('data', keep);
  child.stderr?.on('data', keep);
  await untilHealthy(child, { address, rootToken }, () => output);
  const unsealKey = /Unseal Key: (\S+)/.exec(output)?.[1] ?? '';
  return { address, rootToken, unsealKey };
}

// Ends with its owner, however that one dies, where the machine has setpriv.
function launch(binary: string, flags: string[], env: Record<string, string>): ChildProcess {
  const options = { env, stdio: ['ignore', 'pipe', 'pipe'] as ['ignore', 'pipe', 'pipe'] };
  const setpriv = '/usr/bin/setpriv';
  if (!existsSync(setpriv)) return spawn(binary, flags, options);
  return spawn(setpriv, ['--pdeathsig', 'KILL', '--', binary, ...flags], options);
}

async function untilHealthy(
  child: ChildProcess,
  { address, rootToken }: { address: string; rootToken: string },
  output: () => string,
): Promise<void> {
  const deadline = performance.now() + startDeadlineMs;
  while (performance.now() < deadline && child.exitCode === null) {
    const status = await fetch(`${address}/v1/secret/config`, {
      headers: { 'x-vault-token': rootToken },
    }).then(
      (r) => r.status,
      () => 0,
    );
    if (status === 200 && /Unseal Key: \S+/.test(output())) return;
    await delay(100);
  }
  throw new Error(`the real server did not start: ${output().trim().split('\n').slice(-3).join(' | ')}`);
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), 5000);
  await exited;
  clearTimeout(timer);
}
