// A static role: its password changes under everybody's hands, so the file has to follow within moments.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { startAgent } from '../support/cli.ts';
import { mountDatabase } from '../support/database-engine.ts';
import { queryPostgres, startPostgres } from '../support/postgres.ts';
import { type ServedVault, withEachVault } from '../support/served-vault.ts';
import { testFolder } from '../support/test-folder.ts';

t.setTimeout(600_000);
t.jobs = 2;

const durationMs = 24_000;

/** How long each spell without a login lasted, from the first that failed to the first that went well. */
async function watchLogins(t: Test, vault: ServedVault): Promise<void> {
  const postgres = await startPostgres(t);
  if (postgres === undefined) return;
  await mountDatabase(vault, postgres, { defaultTtl: '1h', maxTtl: '1h' });
  await queryPostgres(postgres, `create role reporter login password 'first'`);
  await vault.ask('PUT', 'database/config/main', {
    plugin_name: 'postgresql-database-plugin',
    connection_url: `postgresql://{{username}}:{{password}}@${postgres.host}:${postgres.port}/${postgres.database}`,
    username: postgres.user,
    password: postgres.password,
    allowed_roles: '*',
  });
  await vault.ask('PUT', 'database/static-roles/reporter', {
    db_name: 'main',
    username: 'reporter',
    rotation_statements: [`ALTER ROLE "{{name}}" WITH PASSWORD '{{password}}'`],
    rotation_period: '7s',
  });
  const folder = testFolder(t);
  const destination = join(folder, 'password');
  const agent = startAgent(t, {
    folder,
    vault,
    config: {
      upstreams: {
        vault: { kind: 'vault', address: vault.address, auth: { method: 'token' }, events: false },
      },
      secrets: { reporter: { path: 'database/static-creds/reporter', refresh: '10m' } },
      files: [{ contents: '{{ field "reporter" "password" }}', destination }],
    },
  });
  await agent.untilReady();
  const passwords = new Set<string>();
  const spells: number[] = [];
  let failingSince: number | undefined;
  for (const end = Date.now() + durationMs; Date.now() < end; await delay(20)) {
    const password = readFileSync(destination, 'utf8');
    passwords.add(password);
    const isGood = await queryPostgres(postgres, 'select 1', [], { user: 'reporter', password }).then(
      () => true,
      () => false,
    );
    if (!isGood) failingSince ??= Date.now();
    else if (failingSince !== undefined) {
      spells.push(Date.now() - failingSince);
      failingSince = undefined;
    }
  }
  t.ok(passwords.size >= 2, `${passwords.size} passwords`);
  t.ok(spells.length < passwords.size, `${spells.length} spells: ${spells.join(', ')} ms`);
  // The shortest: any may be long where the machine is busy.
  t.ok(spells.length === 0 || Math.min(...spells) < 1500, `spells of ${spells.join(', ')} ms`);
  await agent.stop();
}

withEachVault('the new password of a static role is in the file within moments', watchLogins);
