// Leases end with the token that they were issued under: tokens that live for seconds, and real PostgreSQL logins that
// never fail meanwhile.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import t from 'tap';
import { startAgent } from '../support/cli.ts';
import { mountDatabase } from '../support/database-engine.ts';
import { startDevVault } from '../support/dev-vault.ts';
import { queryPostgres, startPostgres } from '../support/postgres.ts';
import { testFolder } from '../support/test-folder.ts';

t.setTimeout(600_000);

const lives = [
  { token_ttl: '10s', token_max_ttl: '10s', seconds: 22 },
  { token_ttl: '4s', token_max_ttl: '12s', seconds: 26 },
  { token_ttl: '10s', token_max_ttl: '10s', token_type: 'batch', seconds: 22 },
];

t.test('no login fails, however short the life of the token', { jobs: 3 }, async (t) => {
  const postgres = await startPostgres(t);
  if (postgres === undefined) return;
  for (const { seconds, ...role } of lives) {
    t.test(JSON.stringify(role), async (t) => {
      const vault = await startDevVault(t);
      await mountDatabase(vault, postgres, { defaultTtl: '1h', maxTtl: '24h' });
      await vault.writePolicy('app', 'path "database/creds/*" { capabilities = ["read"] }');
      const { roleId, secretId } = await vault.createAppRole('app', { ...role, token_policies: 'app' });
      const folder = testFolder(t);
      writeFileSync(join(folder, 'role-id'), roleId, { mode: 0o600 });
      writeFileSync(join(folder, 'secret-id'), secretId, { mode: 0o600 });
      const destination = join(folder, 'database.json');
      const agent = startAgent(t, {
        folder,
        vault,
        config: {
          upstreams: {
            vault: {
              kind: 'vault',
              address: vault.address,
              auth: { method: 'approle', role_id_file: 'role-id', secret_id_file: 'secret-id' },
            },
          },
          secrets: { db: { path: 'database/creds/app' } },
          files: [
            {
              contents:
                '{"user":{{ field "db" "username" | toJSON }},"password":{{ field "db" "password" | toJSON }}}',
              destination,
            },
          ],
        },
      });
      await agent.untilReady();
      const users = new Set<string>();
      const failures: string[] = [];
      let logins = 0;
      for (const end = Date.now() + seconds * 1000; Date.now() < end; await delay(50)) {
        const login = JSON.parse(readFileSync(destination, 'utf8')) as { user: string; password: string };
        users.add(login.user);
        await queryPostgres(postgres, 'select 1', [], login).then(
          () => (logins += 1),
          (error: unknown) => failures.push(`${Date.now() % 100_000} ${login.user}: ${String(error)}`),
        );
      }
      t.strictSame(failures, []);
      t.ok(logins > 50, `${logins} logins`);
      t.ok(users.size >= 3 && users.size <= 6, `${users.size} users: one for each token`);
      await agent.stop();
    });
  }
});
