// Logins to a real PostgreSQL with the credential of a file, again and again: how many went well, and each that did not.
import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import type { Postgres } from '@latchkey/devvault/postgres/postgres.ts';
import { queryPostgres } from './postgres.ts';

export interface LoginCount {
  readonly logins: number;
  readonly failures: readonly string[];
  readonly users: ReadonlySet<string>;
}

/** The file is `{"user": …, "password": …}`. */
export async function countLogins(postgres: Postgres, file: string, durationMs: number): Promise<LoginCount> {
  const users = new Set<string>();
  const failures: string[] = [];
  let logins = 0;
  for (const end = Date.now() + durationMs; Date.now() < end; await delay(50)) {
    const login = JSON.parse(readFileSync(file, 'utf8')) as { user: string; password: string };
    users.add(login.user);
    await queryPostgres(postgres, 'select 1', [], login).then(
      () => (logins += 1),
      (error: unknown) => failures.push(`${Date.now() % 100_000} ${login.user}: ${String(error)}`),
    );
  }
  return { logins, failures, users };
}
