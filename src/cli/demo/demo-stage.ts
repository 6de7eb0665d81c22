// All that the demo shows, running for real: a vault, an agent, a payment provider, a database where PostgreSQL is here, and
// four services that share one Stripe key. What is done with them is the story's (demo-story.ts) or the page's (demo-page.ts).
import { randomBytes } from 'node:crypto';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { createPostgres, type Postgres } from '@latchkey/devvault/postgres/postgres.ts';
import { freePort } from '../../base/system/free-port.ts';
import { askAgent, askAgentOrThrow } from '../../client/local-client.ts';
import {
  type DemoParts,
  type DemoPlaces,
  demoPlaces,
  writeDemoConfig,
  writeDemoFiles,
} from './demo-files.ts';
import { createDemoPrograms, type DemoPrograms } from './demo-programs.ts';
import { type PaymentsApi, startPaymentsApi } from './payments-api.ts';

export interface DemoStage {
  readonly places: DemoPlaces;
  readonly payments: PaymentsApi;
  readonly programs: DemoPrograms;
  readonly hasDatabase: boolean;
  /** How to start the program of the services. */
  readonly service: readonly string[];
  /** The newest key. */
  key(): string;
  /** Another, which the provider accepts from now on. */
  newKey(): string;
  /** Counted from 1: keys are told apart so, and never shown. */
  keyNumber(key: string): number;
  /** Puts a key in the vault: all that an operator does for a rotation. */
  putKey(key: string): Promise<void>;
  /** Of the refund worker alone, by its rule; in force when this resolves. */
  setRefundsAccess(mayRead: boolean): Promise<void>;
  refundsMayRead(): boolean;
  /** Rejects when it takes too long, or a program has ended. */
  until(what: string, condition: () => Promise<boolean>, deadlineMs?: number): Promise<void>;
  /** Rejects when a program ends by itself, or all is stopped. */
  untilEnded(): Promise<never>;
  close(): Promise<void>;
}

interface StageOptions {
  say(line: string): void;
  readonly signal: AbortSignal;
}

export const orderService = 'order-service';
export const refundWorker = 'refund-worker';
/** Their names, and how each gets its settings. */
export const services: Readonly<Record<string, string>> = {
  'checkout-api': 'reads its file again on SIGHUP',
  [orderService]: 'is reloaded by a command',
  [refundWorker]: 'asks the agent',
  analytics: 'gets its environment at start',
};
/** This very command. */
const cli: readonly string[] = [process.execPath, process.argv[1] ?? ''];
const startDeadlineMs = 30_000;
const lookMs = 200;

/** Starts everything; says each part as it comes. What was started is ended when a later part fails. */
export async function startDemoStage({ say, signal }: StageOptions): Promise<DemoStage> {
  const programs = createDemoPrograms();
  await using cleanup = new AsyncDisposableStack();
  const folder = mkdtempSync(join(tmpdir(), 'latchkey-demo-'));
  cleanup.defer(() => rmSync(folder, { recursive: true, force: true }));
  const places = demoPlaces(folder);
  const payments = await startPaymentsApi();
  cleanup.defer(() => payments.close());
  const postgres = await startPostgres(folder, say, signal);
  if (postgres !== undefined) cleanup.defer(() => postgres.close());
  cleanup.defer(() => programs.close());

  const service = [process.execPath, serviceProgram()];
  const parts = await newParts({ postgres, paymentsUrl: payments.url, service });
  payments.accept(parts.stripeKey);
  writeDemoFiles(places, parts);

  const until = untilOf(programs, signal);
  const stage = { places, payments, programs, hasDatabase: postgres !== undefined, service, until };
  await startVault(stage, parts, say);
  await startAgent(stage, parts, say);
  await startServices(stage, parts, say);
  const kept = cleanup.move();
  const keys = [parts.stripeKey];
  let mayRead = true;
  return {
    ...stage,
    key: () => keys.at(-1) ?? '',
    newKey() {
      const key = newStripeKey();
      keys.push(key);
      payments.accept(key);
      return key;
    },
    keyNumber: (key) => keys.indexOf(key) + 1,
    putKey: (key) => writeStripeKey(parts, key),
    async setRefundsAccess(refundsMayRead) {
      writeDemoConfig(places, parts, { refundsMayRead });
      await askAgentOrThrow({ socketPath: places.socket, method: 'POST', path: '/reload' });
      mayRead = refundsMayRead;
    },
    refundsMayRead: () => mayRead,
    async untilEnded() {
      for (;;) {
        programs.throwIfEnded();
        await delay(lookMs, undefined, { signal });
      }
    },
    close: () => kept.disposeAsync(),
  };
}

type FixedParts = Pick<DemoParts, 'postgres' | 'paymentsUrl' | 'service'>;

async function newParts(fixed: FixedParts): Promise<DemoParts> {
  return {
    ...fixed,
    vaultAddress: `http://127.0.0.1:${await freePort()}`,
    rootToken: `demo-${randomBytes(12).toString('hex')}`,
    stripeKey: newStripeKey(),
    refundsPort: await freePort(),
  };
}

/** Looks again and again: the programs are others', and tell nothing. */
function untilOf(programs: DemoPrograms, signal: AbortSignal): DemoStage['until'] {
  return async (what, condition, deadlineMs = startDeadlineMs) => {
    const deadline = performance.now() + deadlineMs;
    while (!(await condition().catch(() => false))) {
      signal.throwIfAborted();
      programs.throwIfEnded();
      if (performance.now() > deadline) throw new Error(`waited ${deadlineMs / 1000} s in vain: ${what}`);
      await delay(25);
    }
  };
}

type Half = Pick<DemoStage, 'places' | 'payments' | 'programs' | 'service' | 'until'>;
type Say = (line: string) => void;

async function startVault({ places, programs, until }: Half, parts: DemoParts, say: Say): Promise<void> {
  const { vaultAddress, postgres } = parts;
  const listen = new URL(vaultAddress).host;
  const options = ['--listen', listen, '--seed', places.seed];
  programs.start('vault', [...cli, 'dev', ...options], {});
  await until('the embedded vault answers', async () => (await fetch(`${vaultAddress}/v1/sys/health`)).ok);
  say(
    `embedded vault      ${vaultAddress}${postgres ? ', database credentials from a real PostgreSQL' : ''}`,
  );
}

async function startAgent({ places, programs, until }: Half, parts: DemoParts, say: Say): Promise<void> {
  programs.start('agent', [...cli, 'agent', '--config', places.config], { VAULT_TOKEN: parts.rootToken });
  const files = [places.checkout.settings, places.orders.settings, places.refunds.token];
  await until('the agent has written the files', async () => files.every((file) => existsSync(file)));
  say(`agent               ${places.socket}`);
}

async function startServices(half: Half, parts: DemoParts, say: Say): Promise<void> {
  const { places, programs, payments, service, until } = half;
  const { checkout, orders, refunds } = places;
  const startService = (kind: string, name: string, ...args: string[]): void =>
    programs.start(name, [...service, kind, name, ...args], { PAYMENTS_URL: payments.url });
  startService('sighup', 'checkout-api', checkout.settings, checkout.pidFile);
  startService('control', orderService, orders.settings, orders.control);
  const question = `http://127.0.0.1:${parts.refundsPort}/secrets/stripe/api_key`;
  startService('agent', refundWorker, question, refunds.token);
  await until('all services call the payment provider', async () =>
    Object.keys(services).every((name) => payments.calls(name).calls >= 3),
  );
  const isReady = async () => (await askAgent({ socketPath: places.socket, path: '/readyz' })).status === 200;
  await until('the agent is ready', isReady);
  for (const [name, how] of Object.entries(services)) say(`${name.padEnd(20)}${how}`);
}

function newStripeKey(): string {
  return `sk_demo_${randomBytes(12).toString('hex')}`;
}

async function writeStripeKey({ vaultAddress, rootToken }: DemoParts, key: string): Promise<void> {
  const answer = await fetch(`${vaultAddress}/v1/secret/data/payments/stripe`, {
    method: 'POST',
    headers: { 'x-vault-token': rootToken },
    body: JSON.stringify({ data: { api_key: key } }),
  });
  if (!answer.ok) throw new Error(`the vault answered with status ${answer.status}`);
}

async function startPostgres(folder: string, say: Say, signal: AbortSignal): Promise<Postgres | undefined> {
  try {
    return await createPostgres({ folder: join(folder, 'postgres'), signal });
  } catch (error) {
    signal.throwIfAborted();
    const why = error instanceof Error ? error.message : String(error);
    say(`no PostgreSQL here, so the demo rotates the key only (${why})`);
    return undefined;
  }
}

function serviceProgram(): string {
  return join(
    import.meta.dirname,
    import.meta.filename.endsWith('.ts') ? 'legacy-service.ts' : 'legacy-service.js',
  );
}
