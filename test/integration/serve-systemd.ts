import { chmodSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { createAuditLog } from '../../src/audit/audit-log.ts';
import { refusalFileOf } from '../../src/audit/refusal-trail.ts';
import { silentLogger } from '../../src/base/logger.ts';
import { createSystemClock } from '../../src/base/time/clock.ts';
import type { AccessConfig } from '../../src/config/resolved.ts';
import { needsRoot } from '../support/needs-root.ts';
import { nobody, runAs } from '../support/other-user.ts';
import { startServing, unixListener } from '../support/serving.ts';
import { loadCredential, readFrom } from '../support/systemd-client.ts';
import { waitFor } from '../support/wait-for.ts';

const rules: AccessConfig = {
  strict: false,
  rules: [
    {
      name: 'billing',
      client: { unit: 'billing.service' },
      allow: ['stripe', 'big', 'late', 'app.db'],
      vault: [],
      admin: false,
    },
    { name: 'web', client: { unit: 'web@*.service' }, allow: ['cert'], vault: [], admin: false },
  ],
};
/** More than systemd takes: the unit fails. */
const refused = 1024 * 1024 + 1;

async function open(t: { teardown(callback: () => unknown): void }, more: object = {}) {
  const serving = await startServing({
    rules,
    listeners: (folder) => [unixListener(join(folder, 'credentials.sock'), ['systemd'], { mode: 0o666 })],
    ...more,
  });
  t.teardown(() => serving.close());
  chmodSync(serving.folder, 0o755);
  serving.put('stripe', '{"key":"sk_1","rate":1.50}');
  const path = join(serving.folder, 'credentials.sock');
  return { serving, path };
}

t.test('a field is its raw bytes, a whole secret its fields as JSON', async (t) => {
  const { serving, path } = await open(t);
  t.strictSame(serving.problems, []);
  t.equal(String(await loadCredential(path, 'billing.service', 'stripe.key')), 'sk_1');
  t.equal(String(await loadCredential(path, 'billing.service', 'stripe')), '{"key":"sk_1","rate":1.50}');
  serving.put('cert', { 'tls.pem': 'PEM' });
  t.equal(String(await loadCredential(path, 'web@eu.service', 'cert.tls.pem')), 'PEM');
  serving.put('app.db', { user: 'u' });
  t.equal(String(await loadCredential(path, 'billing.service', 'app.db.user')), 'u');
});

t.test('a unit without a rule, an unknown name and an unknown field make the unit fail', async (t) => {
  const { path } = await open(t);
  const cases: [string, string][] = [
    ['other.service', 'stripe.key'],
    ['web@eu.service', 'stripe'],
    ['billing.service', 'ghost'],
    ['billing.service', 'stripe.ghost'],
    ['billing.service', 'stripe.'],
    ['billing.service', '.key'],
  ];
  for (const [unit, id] of cases) {
    const bytes = await loadCredential(path, unit, id);
    t.ok(bytes.length >= refused, `${unit} ${id}`);
    t.notMatch(String(bytes.subarray(0, 100)), 'sk_1');
  }
});

t.test('a secret that is longer than systemd takes makes the unit fail', async (t) => {
  const { serving, path } = await open(t);
  serving.put('big', { exact: 'x'.repeat(1024 * 1024), more: 'x'.repeat(1024 * 1024 + 1) });
  t.equal((await loadCredential(path, 'billing.service', 'big.exact')).length, 1024 * 1024);
  t.ok((await loadCredential(path, 'billing.service', 'big.more')).length > 1024 * 1024 + 1);
});

t.test('a unit that starts before the secret is there waits for it', async (t) => {
  const { serving, path } = await open(t);
  serving.open('late');
  const loading = loadCredential(path, 'billing.service', 'late.key');
  await waitFor('the connection', () => serving.server.status()[0]?.connections === 1);
  serving.put('late', { key: 'here' });
  t.equal(String(await loading), 'here');
});

t.test('a unit that is not served in time fails instead of starting with nothing', async (t) => {
  const { serving, path } = await open(t);
  serving.open('late');
  const loading = loadCredential(path, 'billing.service', 'late.key');
  await waitFor('the connection', () => serving.server.status()[0]?.connections === 1);
  await serving.server.close({ drainMs: 5000 });
  t.ok((await loading).length > refused, 'the agent stops');
});

t.test('beyond max_connections a unit fails', async (t) => {
  const { serving, path } = await open(t, {
    listeners: (folder: string) => [
      unixListener(join(folder, 'credentials.sock'), ['systemd'], { maxConnections: 1 }),
    ],
  });
  serving.open('late');
  const first = loadCredential(path, 'billing.service', 'late.key');
  await waitFor('the connection', () => serving.server.status()[0]?.connections === 1);
  t.ok((await loadCredential(path, 'billing.service', 'stripe.key')).length > refused);
  serving.put('late', { key: 'here' });
  t.equal(String(await first), 'here');
});

t.test('a client that is not systemd is refused', async (t) => {
  const { path } = await open(t);
  const unit = '/unit/billing.service/stripe.key';
  for (const address of [
    undefined,
    `\0xyz${unit}`,
    `\0ab/unit/billing.service`,
    `\0ab${unit}/more`,
    `\0${unit}`,
  ]) {
    t.ok((await readFrom(path, address)).length > refused, JSON.stringify(address));
  }
});

t.test('another user cannot pass for systemd', { skip: needsRoot }, async (t) => {
  const { path } = await open(t);
  const script = `
    const { loadCredential } = await import(process.argv[1]);
    const bytes = await loadCredential(process.argv[2], 'billing.service', 'stripe.key');
    console.log(String(bytes).slice(0, 17), bytes.length);`;
  const client = join(import.meta.dirname, '../support/systemd-client.ts');
  const [text, length] = (await runAs(nobody, script, [client, path])).trim().split(/ (?=\d+$)/);
  t.equal(text, 'latchkey: refused');
  t.ok(Number(length) > refused);
});

t.test('each delivery is audited and in the ledger; what cannot be recorded is not delivered', async (t) => {
  const folder = t.testdir();
  const file = join(folder, 'audit.jsonl');
  const settings = { file, onFailure: 'deny', maxBytes: 0, keepFiles: 0 } as const;
  const audit = createAuditLog({ settings, clock: createSystemClock(), logger: silentLogger });
  const { serving, path } = await open(t, { audit });
  await loadCredential(path, 'billing.service', 'stripe.key');
  await loadCredential(path, 'other.service', 'stripe.key');
  const requestsIn = (name: string): object[] =>
    readFileSync(name, 'utf8')
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as { event: string })
      .filter(({ event }) => event === 'request');
  const lines = [...requestsIn(file), ...requestsIn(refusalFileOf(file))];
  const common = { dialect: 'systemd', method: 'LoadCredential', name: 'stripe', field: 'key' };
  t.match(lines, [
    {
      ...common,
      caller: { uid: process.getuid?.(), unit: 'billing.service' },
      allowed: true,
      reason: 'rule billing',
      version: 1,
      status: 200,
    },
    { ...common, caller: { unit: 'other.service' }, allowed: false, status: 403 },
  ]);
  t.match(serving.ledger.whoHas('vault:read secret/stripe'), [
    { consumer: 'caller:unit billing.service', number: 1 },
  ]);
  audit.close();
  t.ok((await loadCredential(path, 'billing.service', 'stripe.key')).length >= refused);
});
