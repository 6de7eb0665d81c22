// Real PostgreSQL roles under continuous use: replaced before they end, no failed login, the old one gone after overlap.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { startAgent } from '../support/cli.ts';
import { mountDatabase } from '../support/database-engine.ts';
import { startDevVault } from '../support/dev-vault.ts';
import { loginContents } from '../support/login-agent.ts';
import { startLogins } from '../support/login-count.ts';
import { queryPostgres, startPostgres } from '../support/postgres.ts';
import { testFolder } from '../support/test-folder.ts';
import { waitFor } from '../support/wait-for.ts';

t.test('a database credential is replaced under load with no failed login', async (t) => {
  const postgres = await startPostgres(t);
  if (postgres === undefined) return;
  const vault = await startDevVault(t);
  await mountDatabase(vault, postgres, { defaultTtl: '8s', maxTtl: '12s' });
  const folder = testFolder(t);
  const destination = join(folder, 'database.json');
  const agent = startAgent(t, {
    folder,
    vault,
    config: {
      secrets: { db: { path: 'database/creds/app', overlap: '1s', on_exit: 'revoke' } },
      files: [
        {
          contents: loginContents,
          destination,
        },
      ],
    },
  });
  await agent.untilReady();

  const loop = startLogins(postgres, destination, 20);
  await waitFor('the credential to be replaced twice', () => loop.users().size >= 3);
  const { failures, users } = await loop.end();
  t.strictSame(failures, [], 'no failed login');

  const [first] = users;
  await waitFor('the old role is gone after overlap', async () => {
    const rows = await queryPostgres(postgres, 'select 1 from pg_roles where rolname = $1', [first]);
    return rows.length === 0;
  });
  const alive = async () =>
    (await queryPostgres(postgres, "select rolname from pg_roles where rolname like 'v-%'")).length;
  t.ok((await alive()) <= 2, 'no more than the current and the retiring role');

  const { code } = await agent.stop();
  t.equal(code, 0);
  t.equal(await alive(), 0, 'on_exit: revoke leaves no role behind');
  t.ok(existsSync(destination), 'the file stays');
});
