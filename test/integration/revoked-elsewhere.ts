// Somebody revokes a lease in the vault: who has set `refresh` has another credential within that time, and none of it is made
// in a loop. Against every vault that is there.
import { readFileSync } from 'node:fs';
import t from 'tap';
import { mountDatabase } from '../support/database-engine.ts';
import { loginContents, startLoginAgent } from '../support/login-agent.ts';
import { queryPostgres, startPostgres } from '../support/postgres.ts';
import { withEachVault } from '../support/served-vault.ts';
import { waitFor } from '../support/wait-for.ts';

t.setTimeout(120_000);

withEachVault('a lease that was revoked in the vault', async (t, vault) => {
  const postgres = await startPostgres(t);
  if (postgres === undefined) return;
  const database = await mountDatabase(vault, postgres, { defaultTtl: '80s', maxTtl: '24h' });
  const agent = await startLoginAgent(t, vault, {
    policy: 'path "database/creds/*" { capabilities = ["read"] }',
    role: { token_ttl: '1h' },
    config: {
      secrets: { db: { path: 'database/creds/app', refresh: '1s' } },
      files: [{ contents: loginContents, destination: 'database.json' }],
    },
  });
  await agent.untilReady();
  const userNow = () => (JSON.parse(readFileSync(agent.loginFile, 'utf8')) as { user: string }).user;
  const first = userNow();
  await vault.ask('PUT', 'sys/leases/revoke-prefix/database/creds/app');
  t.strictSame(await database.roles(), [], 'it works no more');
  // Without `refresh` it would be found after 48 s.
  await waitFor('another one', () => userNow() !== first, 20_000);
  const expiresAt = async () =>
    (JSON.parse((await agent.ask('/secrets/db')).text) as { expires_at: string }).expires_at;
  const [second, end] = [userNow(), await expiresAt()];
  await waitFor('a look at that one', async () => (await expiresAt()) !== end, 20_000);
  const login = JSON.parse(readFileSync(agent.loginFile, 'utf8')) as { user: string; password: string };
  t.equal(login.user, second);
  await t.resolves(queryPostgres(postgres, 'select 1', [], login));
  t.match(agent.log(), /the lease is gone upstream; another one is asked for/);
  t.equal((await database.roles()).length, 1, 'one other credential');
  await agent.stop();
});
