// Real PostgreSQL roles under continuous use: replaced before they end, no failed login, the old one gone after overlap.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import t from 'tap';
import { startAgent } from '../support/cli.ts';
import { mountDatabase } from '../support/database-engine.ts';
import { startDevVault } from '../support/dev-vault.ts';
import { loginContents } from '../support/login-agent.ts';
import { queryPostgres, startPostgres } from '../support/postgres.ts';
import { testFolder } from '../support/test-folder.ts';
import { waitFor } from '../support/wait-for.ts';

interface Login {
  user: string;
  password: string;
}

t.test('a database credential is replaced under load with no failed login', async (t) => {
  const postgres = await startPostgres(t);
  if (postgres === undefined) return;
  const vault = await startDevVault(t);
  await mountDatabase(vault, postgres, { defaultTtl: '4s', maxTtl: '6s' });
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

  const users = new Set<string>();
  const failures: string[] = [];
  let logins = 0;
  const end = Date.now() + 16_000;
  while (Date.now() < end && (users.size < 3 || logins < 100)) {
    const login = JSON.parse(readFileSync(destination, 'utf8')) as Login;
    users.add(login.user);
    try {
      await queryPostgres(postgres, 'select 1', [], login);
      logins += 1;
    } catch (error) {
      failures.push(`${login.user}: ${error instanceof Error ? error.message : String(error)}`);
    }
    await delay(20);
  }
  t.strictSame(failures, [], 'no failed login');
  t.ok(users.size >= 3, `the credential was replaced (${users.size} users, ${logins} logins)`);

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
