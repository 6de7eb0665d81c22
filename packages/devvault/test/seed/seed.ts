import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { startDevVault } from '../../../../test/support/dev-vault.ts';
import { queryPostgres, startPostgres } from '../../../../test/support/postgres.ts';
import { parseSeed, seedFromFile } from '../../src/seed/seed.ts';
import { seedSchema } from '../../src/seed/seed-schema.ts';

const text = `
mounts:
  legacy: { type: kv, options: { version: 1 } }
policies:
  app: |
    path "secret/data/app/*" { capabilities = ["read"] }
secrets:
  secret/app/stripe: { api_key: sk_1, retries: 3 }
  legacy/old: { user: bob }
approles:
  app: { role_id: the-role, secret_id: the-secret, token_policies: [app], token_ttl: 30m }
tokens:
  - { id: seeded, policies: [app], ttl: 1h }
userpass:
  ann: { password: pencil, token_policies: app }
namespaces:
  team-a:
    mounts: { secret: { type: kv, options: { version: 2 } } }
    secrets: { secret/app: { where: team-a } }
`;

t.test('fills mounts, policies, secrets, roles, tokens and namespaces', async (t) => {
  const dev = await startDevVault(t);
  const file = join(t.testdir(), 'seed.yaml');
  writeFileSync(file, text);
  await seedFromFile(dev.vault, file);
  const stripe = await dev.vault.request('GET', 'secret/data/app/stripe', {}, { token: 'seeded' });
  t.strictSame(stripe.body.data.data, { api_key: 'sk_1', retries: 3 });
  t.strictSame((await dev.ask('GET', 'legacy/old')).data, { user: 'bob' });
  const login = await dev.ask('PUT', 'auth/approle/login', { role_id: 'the-role', secret_id: 'the-secret' });
  t.equal(login.auth.lease_duration, 1800);
  t.strictSame((await dev.ask('PUT', 'auth/userpass/login/ann', { password: 'pencil' })).auth.policies, [
    'app',
    'default',
  ]);
  const inner = await dev.vault.request('GET', 'secret/data/app', {}, { namespace: 'team-a' });
  t.equal(inner.body.data.data.where, 'team-a');
});

t.test('configures a database with roles', async (t) => {
  const postgres = await startPostgres(t);
  if (postgres === undefined) return;
  const dev = await startDevVault(t);
  const file = join(t.testdir(), 'seed.yaml');
  const connection_url = `postgresql://{{username}}:{{password}}@127.0.0.1:${postgres.port}/postgres`;
  const creation_statements = [
    `CREATE ROLE "{{name}}" LOGIN PASSWORD '{{password}}' VALID UNTIL '{{expiration}}'`,
  ];
  const databases = {
    main: {
      connection_url,
      username: 'postgres',
      password: postgres.password,
      roles: { app: { creation_statements, default_ttl: '1h' } },
    },
  };
  writeFileSync(file, JSON.stringify({ databases }));
  await seedFromFile(dev.vault, file);
  const { data } = await dev.ask('GET', 'database/creds/app');
  const rows = await queryPostgres(postgres, 'select current_user as name', [], {
    user: data.username,
    password: data.password,
  });
  t.equal(rows[0]?.['name'], data.username);
});

t.test('names every problem with its place and never a value', async (t) => {
  const wrong =
    'secrts: {}\napproles: { app: { role_id: 5 } }\nuserpass: { ann: { pasword: hunter2 } }\nmounts: { x: { typ: kv } }';
  const check = (): unknown => parseSeed(wrong, 'seed.yaml');
  t.throws(check, { code: 'config_invalid', message: /seed.yaml: the file: unknown key secrts/ });
  t.throws(check, { message: /approles.app.role_id: expected a value of type string/ });
  t.throws(check, { message: /userpass.ann.password: expected/ });
  t.throws(check, { message: /mounts.x: unknown key typ/ });
  t.throws(check, { message: /^(?!.*hunter2)/s });
  t.throws(() => parseSeed('a: [', 'seed.yaml'), { message: /^seed.yaml:\d+:\d+: not YAML/ });
});

t.test('says what the vault refused, and where', async (t) => {
  const dev = await startDevVault(t);
  const file = join(t.testdir(), 'seed.yaml');
  writeFileSync(file, 'policies: { broken: "path {" }');
  await t.rejects(seedFromFile(dev.vault, file), {
    message: /policies.broken: the vault refused .* with 400: failed to parse policy/,
  });
  await t.rejects(seedFromFile(dev.vault, '/nowhere.yaml'), {
    message: /cannot read the seed \/nowhere.yaml: ENOENT/,
  });
});

t.test('reads the example of the reference page', async (t) => {
  const page = readFileSync(new URL('../../../../docs/reference/dev-vault.md', import.meta.url), 'utf8');
  const example = /```yaml\n([\s\S]*?)```/.exec(page)?.[1] ?? '';
  const seed = parseSeed(example, 'dev-vault.md');
  t.strictSame(Object.keys(seed).sort(), Object.keys(seedSchema.shape).sort(), 'every key is shown');
  const dev = await startDevVault(t);
  const file = join(t.testdir(), 'seed.yaml');
  writeFileSync(file, example.replace(/^databases:[\s\S]*?(?=^pki:)/m, ''));
  await seedFromFile(dev.vault, file);
});
