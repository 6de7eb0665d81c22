// The story of the demo: start everything, rotate the shared key once, and show who picked it up, when, at what cost.
import { randomBytes } from 'node:crypto';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { createPostgres, type Postgres } from '@latchkey/devvault/postgres/postgres.ts';
import { freePort } from '../../base/system/free-port.ts';
import { askAgent } from '../../client/local-client.ts';
import { formatTable } from '../text/table.ts';
import { type DemoPlaces, databaseTtlSeconds, demoPlaces, writeDemoFiles } from './demo-files.ts';
import { createDemoPrograms } from './demo-programs.ts';
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
/** This very command. */
const cli = [process.execPath, process.argv[1] ?? ''];
const startDeadlineMs = 30_000;
const pickUpDeadlineMs = 30_000;

export function createDemo(options: { say(line: string): void; signal: AbortSignal }): Demo {
  const { say, signal } = options;
  const cleanup = new AsyncDisposableStack();
  const programs = createDemoPrograms();
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
    const vaultAddress = `http://127.0.0.1:${await freePort()}`;
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
    await startVault(running);
    await startAgent(running);
    await startServices(running, service);
  }

  async function startVault({ places, postgres, vaultAddress, rootToken }: Running): Promise<void> {
    const listen = new URL(vaultAddress).host;
    const options = ['--listen', listen, '--root-token', rootToken, '--seed', places.seed];
    programs.start('vault', [...cli, 'dev', ...options], {});
    await until('the embedded vault answers', async () => (await fetch(`${vaultAddress}/v1/sys/health`)).ok);
    say(
      `embedded vault      ${vaultAddress}${postgres ? ', database credentials from a real PostgreSQL' : ''}`,
    );
  }

  async function startAgent({ places, rootToken }: Running): Promise<void> {
    programs.start('agent', [...cli, 'agent', '--config', places.config], { VAULT_TOKEN: rootToken });
    const files = [places.checkout.settings, places.orders.settings];
    await until('the agent has written the files', async () => files.every((file) => existsSync(file)));
    say(`agent               ${places.socket}`);
  }

  async function startServices({ places, payments }: Running, service: readonly string[]): Promise<void> {
    const { checkout, orders, socket } = places;
    const startService = (kind: string, name: string, ...args: string[]): void =>
      programs.start(name, [...service, kind, name, ...args], { PAYMENTS_URL: payments.url });
    startService('sighup', 'checkout-api', checkout.settings, checkout.pidFile);
    startService('control', 'order-service', orders.settings, orders.control);
    startService('socket', 'refund-worker', socket, 'stripe');
    await until('all services call the payment provider', async () =>
      Object.keys(services).every((name) => payments.calls(name).calls >= 3),
    );
    await until('the agent is ready', async () => (await askReady(places)) === 200);
    for (const [name, how] of Object.entries(services)) say(`${name.padEnd(20)}${how}`);
  }

  async function until(
    what: string,
    condition: () => Promise<boolean>,
    deadlineMs = startDeadlineMs,
  ): Promise<void> {
    const deadline = performance.now() + deadlineMs;
    while (!(await condition().catch(() => false))) {
      signal.throwIfAborted();
      programs.throwIfEnded();
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
    programs.throwIfEnded();
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
      await programs.close();
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
