// Passwords with every awkward character log in to a real PostgreSQL through each file and string that libpq reads.
import { execFile, spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import t from 'tap';

import { queryPostgres, startPostgres } from '../support/postgres.ts';
import { lookupIn, outcome } from '../support/render-text.ts';
import { testFolder } from '../support/test-folder.ts';

const run = promisify(execFile);
const isThere = (command: string) => spawnSync(command, ['--version']).error === undefined;
const passwords = [
  'r&d<x>',
  `it's "$5" \`now\``,
  'a:b\\c:\\\\',
  'p#hash;=%41 +',
  'pässwörd 密码',
  `$\{HOME}\\`,
];

t.test(
  'libpq reads back each password',
  { skip: isThere('psql') ? false : 'psql is not installed' },
  async (t) => {
    const postgres = await startPostgres(t);
    if (postgres === undefined) return;
    await queryPostgres(postgres, 'create role app login');
    const folder = testFolder(t);
    const quote = async (call: string, password: string) => {
      const text = `{{ with secret "s" }}{{ ${call} .Data.v }}{{ end }}`;
      return String(await outcome(text, { lookup: lookupIn({ s: { v: password } }) }));
    };
    for (const password of passwords) {
      await queryPostgres(postgres, `alter role app password '${password.replaceAll("'", "''")}'`);
      const place = `host=127.0.0.1 port=${postgres.port} dbname=${postgres.database}`;
      const passfile = join(folder, 'pgpass');
      writeFileSync(passfile, `*:*:*:app:${await quote('quotePgpass', password)}\n`, { mode: 0o600 });
      const service = join(folder, 'pg_service.conf');
      writeFileSync(service, `[database]\nuser=app\npassword=${await quote('quotePgService', password)}\n`);
      const ways: Readonly<Record<string, { connect: string; env?: Record<string, string> }>> = {
        'the password file': { connect: `${place} user=app`, env: { PGPASSFILE: passfile } },
        'the service file': { connect: place, env: { PGSERVICEFILE: service, PGSERVICE: 'database' } },
        'a connection string': {
          connect: `${place} user=app password=${await quote('quoteConnString', password)}`,
        },
        'a URL': {
          connect: `postgresql://app:${await quote('quoteURL', password)}@127.0.0.1:${postgres.port}/${postgres.database}`,
        },
      };
      for (const [way, { connect, env = {} }] of Object.entries(ways)) {
        const { stdout } = await run('psql', ['-w', '-Atc', 'select current_user', connect], {
          env: { PATH: process.env['PATH'] ?? '', ...env },
        }).catch((error: { stderr: string }) => ({ stdout: error.stderr }));
        t.equal(stdout.trim(), 'app', `${way}: ${password}`);
      }
    }
  },
);
