// Logins to a real PostgreSQL with the credential of a file, again and again: how many went well, and each that did not.
import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import type { Postgres } from '@latchkey/devvault/postgres/postgres.ts';
import { queryPostgres } from './postgres.ts';
import { startLoop } from './program-loops.ts';

export interface LoginCount {
  readonly logins: number;
  readonly failures: readonly string[];
  readonly users: ReadonlySet<string>;
}

/** A program that reads the file at each login. The file is `{"user": …, "password": …}`. */
export function startLogins(postgres: Postgres, file: string, pauseMs = 50): { end(): Promise<LoginCount> } {
  const users = new Set<string>();
  const loop = startLoop(
    'logins',
    async () => {
      const login = JSON.parse(readFileSync(file, 'utf8')) as { user: string; password: string };
      users.add(login.user);
      await queryPostgres(postgres, 'select 1', [], login).catch((error: unknown) => {
        throw new Error(`${login.user}: ${String(error)}`);
      });
    },
    pauseMs,
  );
  return {
    async end() {
      await loop.end();
      const failures = loop.failures().map(({ at, message }) => `${at % 100_000} ${message}`);
      return { logins: loop.successes(), failures, users };
    },
  };
}

export async function countLogins(postgres: Postgres, file: string, durationMs: number): Promise<LoginCount> {
  const logins = startLogins(postgres, file);
  await delay(durationMs);
  return logins.end();
}
