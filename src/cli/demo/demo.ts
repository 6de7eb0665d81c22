// The story of the demo: start everything, rotate the shared key once, and show who picked it up, when, at what cost.
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { freePort } from '../../base/free-port.ts';
import { createPostgres, type Postgres } from '../../devvault/postgres.ts';
import { askAgent } from '../local-client.ts';
import { formatTable } from '../table.ts';
import { type DemoPlaces, databaseTtlSeconds, demoPlaces, writeDemoFiles } from './demo-files.ts';
import { type PaymentsApi, startPaymentsApi } from './payments-api.ts';

export interface Demo {
  start(): Promise<void>;
  /** Rotates the shared key and shows the outcome; false when a call failed or a service did not move. */
  rotate(): Promise<boolean>;
  close(): Promise<void>;
}

interface Running {
  places: DemoPlaces;
  payments: PaymentsApi;
  postgres: Postgres | undefined;
  vaultAddress: string;
  rootToken: string;
}

const services: Readonly<Record<string, string>> = {
  'checkout-api': 'reads its file again on SIGHUP',
  'order-service': 'is reloaded by a command',
  'refund-worker': 'asks the local socket',
  analytics: 'gets its environment at start',
};
const startDeadlineMs = 30_000;
const pickUpDeadlineMs = 30_000;

export function createDemo(options: { say(line: string): void; signal: AbortSignal }): Demo {
  const { say, signal } = options;
  const cleanup = new AsyncDisposableStack();
  let running: Running | undefined;
  let currentKey = newStripeKey();

  async function start(): Promise<void> {
    const folder = mkdtempSync(join(tmpdir(), 'latchkey-demo-'));
    cleanup.defer(() => rmSync(folder, { recursive: true, force: true }));
    const places = demoPlaces(folder);
    const payments = await startPaymentsApi();
    cleanup.defer(() => payments.close());
    payments.accept(currentKey);
    const postgres = await startPostgres(folder, say, signal);
    if (postgres !== undefined) cleanup.defer(() => postgres.close());

    const rootToken = `demo-${randomBytes(12).toString('hex')}`;
    const vaultPort = await freePort();
    const vaultAddress = `http://127.0.0.1:${vaultPort}`;
    const service = [process.execPath, serviceProgram()];
    writeDemoFiles(places, {
      vaultAddress,
      rootToken,
      postgres,
      stripeKey: currentKey,
      paymentsUrl: payments.url,
      service,
    });
    running = { places, payments, postgres, vaultAddress, rootToken };

    const cli = [process.execPath, process.argv[1] ?? ''];
    const vault = [
      ...cli,
      'dev',
      '--listen',
      `127.0.0.1:${vaultPort}`,
      '--root-token',
      rootToken,
      '--seed',
      places.seed,
    ];
    startProgram('vault', vault, {});
    await until('the embedded vault answers', async () => (await fetch(`${vaultAddress}/v1/sys/health`)).ok);
    say(
      `embedded vault      ${vaultAddress}${postgres ? ', database credentials from a real PostgreSQL' : ''}`,
    );

    startProgram('agent', [...cli, 'agent', '--config', places.config], { VAULT_TOKEN: rootToken });
    const files = [places.checkout.settings, places.orders.settings];
    await until('the agent has written the files', async () => files.every((file) => existsSync(file)));
    say(`agent               ${places.socket}`);

    const env = { PAYMENTS_URL: payments.url };
    startProgram(
      'checkout-api',
      [...service, 'sighup', 'checkout-api', places.checkout.settings, places.checkout.pidFile],
      env,
    );
    startProgram(
      'order-service',
      [...service, 'control', 'order-service', places.orders.settings, places.orders.control],
      env,
    );
    startProgram('refund-worker', [...service, 'socket', 'refund-worker', places.socket, 'stripe'], env);
    await until('all services call the payment provider', async () =>
      Object.keys(services).every((name) => payments.calls(name).calls >= 3),
    );
    await until('the agent is ready', async () => (await askReady(places)) === 200);
    for (const [name, how] of Object.entries(services)) say(`${name.padEnd(20)}${how}`);
  }

  function startProgram(name: string, command: readonly string[], env: Record<string, string>): void {
    const [program = '', ...args] = command;
    const child = spawn(program, args, {
      env: { PATH: process.env['PATH'] ?? '', ...env },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    const lastWords: string[] = [];
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      lastWords.push(text);
      if (lastWords.length > 20) lastWords.shift();
    });
    child.on('close', (code, byWhat) => {
      // Ctrl-C reaches the children first: the terminal tells the whole group.
      if (isClosing || byWhat === 'SIGINT') return;
      const words = lastWords.join('').trim().split('\n').slice(-5).join('\n');
      ended ??= new Error(`${name} ended with ${byWhat ?? code}: ${words}`);
    });
    cleanup.defer(() => endProgram(child));
  }
  let isClosing = false;
  /** A program of the demo that ended by itself: nothing of what is waited for comes any more. */
  let ended: Error | undefined;

  async function until(
    what: string,
    condition: () => Promise<boolean>,
    deadlineMs = startDeadlineMs,
  ): Promise<void> {
    const deadline = performance.now() + deadlineMs;
    while (!(await condition().catch(() => false))) {
      signal.throwIfAborted();
      if (ended !== undefined) throw ended;
      if (performance.now() > deadline) throw new Error(`waited ${deadlineMs / 1000} s in vain: ${what}`);
      await delay(25);
    }
  }

  async function rotate(): Promise<boolean> {
    if (running === undefined) throw new Error('not started');
    const { payments, postgres } = running;
    const usersBefore = new Set(payments.calls('order-service').databaseUsers);
    const oldKey = currentKey;
    currentKey = newStripeKey();
    say('\nrotating the shared Stripe key: new key at the provider, then in the vault; nothing is deployed');
    payments.accept(currentKey);
    const begin = performance.now();
    await writeStripeKey(running, currentKey);
    const hasMoved = (name: string) => payments.calls(name).firstUse.has(currentKey);
    const allMoved = await until(
      'all services use the new key',
      async () => Object.keys(services).every(hasMoved),
      pickUpDeadlineMs,
    )
      .then(() => true)
      .catch(() => false);
    signal.throwIfAborted();
    if (ended !== undefined) throw ended;
    if (allMoved) payments.revoke(oldKey);
    // The old key is gone now: whoever still used it would fail in this second.
    await delay(1000, undefined, { signal });
    if (postgres !== undefined) {
      say(`waiting for the database credential (it lives ${databaseTtlSeconds} s) to be replaced under load`);
      await until(
        'the database credential is replaced',
        async () => [...payments.calls('order-service').databaseUsers].some((user) => !usersBefore.has(user)),
        databaseTtlSeconds * 2000,
      );
    }
    return report(payments, begin, currentKey);
  }

  function report(payments: PaymentsApi, begin: number, key: string): boolean {
    const rows = Object.keys(services).map((name) => {
      const { calls, failed, firstUse, queries, failedQueries, databaseUsers } = payments.calls(name);
      const moved = firstUse.get(key);
      const database = queries + failedQueries > 0 ? `${queries} logins as ${databaseUsers.size} users` : '-';
      return [
        name,
        moved === undefined ? 'NOT YET' : `${((moved - begin) / 1000).toFixed(2)} s`,
        String(calls),
        database,
        String(failed + failedQueries),
        '0',
      ];
    });
    say(
      `\n${formatTable(['SERVICE', 'NEW KEY AFTER', 'CALLS', 'DATABASE', 'FAILED CALLS', 'DEPLOYMENTS'], rows).trimEnd()}`,
    );
    for (const name of Object.keys(services)) {
      const { lastFailure } = payments.calls(name);
      if (lastFailure !== undefined) say(`${name}: last failure: ${lastFailure}`);
    }
    return rows.every((row) => row[1] !== 'NOT YET' && row[4] === '0');
  }

  return {
    start,
    rotate,
    async close() {
      isClosing = true;
      await cleanup.disposeAsync();
    },
  };
}

function newStripeKey(): string {
  return `sk_demo_${randomBytes(12).toString('hex')}`;
}

async function writeStripeKey(running: Running, key: string): Promise<void> {
  const answer = await fetch(`${running.vaultAddress}/v1/secret/data/payments/stripe`, {
    method: 'POST',
    headers: { 'x-vault-token': running.rootToken },
    body: JSON.stringify({ data: { api_key: key } }),
  });
  if (!answer.ok) throw new Error(`the vault answered with status ${answer.status}`);
}

async function askReady(places: DemoPlaces): Promise<number> {
  return (await askAgent({ socketPath: places.socket, path: '/readyz' })).status;
}

async function startPostgres(
  folder: string,
  say: (line: string) => void,
  signal: AbortSignal,
): Promise<Postgres | undefined> {
  try {
    return await createPostgres({ folder: join(folder, 'postgres'), signal });
  } catch (error) {
    signal.throwIfAborted();
    say(
      `no PostgreSQL here, so the demo rotates the key only (${error instanceof Error ? error.message : String(error)})`,
    );
    return undefined;
  }
}

function serviceProgram(): string {
  return join(
    import.meta.dirname,
    import.meta.filename.endsWith('.ts') ? 'legacy-service.ts' : 'legacy-service.js',
  );
}

async function endProgram(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGTERM');
  const killer = setTimeout(() => child.kill('SIGKILL'), 3000);
  await ended;
  clearTimeout(killer);
}
