// A real PostgreSQL for a test, ended with it; a test is skipped with the reason where none can be had.

import { createPostgres, type Postgres, type PostgresOptions } from '@latchkey/devvault/postgres/postgres.ts';
import type { Test } from 'tap';
import { describeError } from '../../src/base/errors.ts';

/** Undefined when there is none: the caller returns, the skip is reported already. */
export async function startPostgres(t: Test, options: PostgresOptions = {}): Promise<Postgres | undefined> {
  try {
    const postgres = await createPostgres(options);
    t.teardown(() => postgres.close());
    return postgres;
  } catch (error) {
    t.pass('needs a PostgreSQL', { skip: describeError(error) });
    return undefined;
  }
}

/** Runs one statement as the superuser, or as `login`. */
export async function queryPostgres(
  postgres: Postgres,
  text: string,
  values: unknown[] = [],
  login: { user: string; password: string } = postgres,
): Promise<Record<string, unknown>[]> {
  const { Client } = (await import('pg')).default;
  const { host, port, database } = postgres;
  const client = new Client({ host, port, database, user: login.user, password: login.password });
  await client.connect();
  try {
    return (await client.query(text, values)).rows as Record<string, unknown>[];
  } finally {
    await client.end();
  }
}
