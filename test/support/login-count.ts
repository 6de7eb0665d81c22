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

/** What a credential is good for at the least once another one is in the file. */
const overlapMs = 1000;

interface Logins {
  users(): ReadonlySet<string>;
  end(): Promise<LoginCount>;
}

/** A program that reads the file at each login. The file is `{"user": …, "password": …}`. */
export function startLogins(postgres: Postgres, file: string, pauseMs = 50): Logins {
  const users = new Set<string>();
  const loop = startLoop(
    'logins',
    async () => {
      const begun = performance.now();
      const text = readFileSync(file, 'utf8');
      const login = JSON.parse(text) as { user: string; password: string };
      users.add(login.user);
      await queryPostgres(postgres, 'select 1', [], login).catch((error: unknown) => {
        const tookMs = Math.round(performance.now() - begun);
        // Where the machine is so busy that the login comes after the overlap, the program is what was slow.
        if (tookMs >= overlapMs && readFileSync(file, 'utf8') !== text) return;
        throw new Error(`${login.user}: ${String(error)} (after ${tookMs} ms)`);
      });
    },
    pauseMs,
  );
  return {
    users: () => users,
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
