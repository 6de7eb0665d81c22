// A vault's database engine on a real PostgreSQL, and what became of its roles and leases.
import type { Postgres } from '@latchkey/devvault/postgres/postgres.ts';
import { queryPostgres } from './postgres.ts';
import type { ServedVault } from './served-vault.ts';

export interface DatabaseEngine {
  /** The roles that the engine made and that still are there. */
  roles(): Promise<string[]>;
  /** The lease ids that the vault still has. */
  leases(): Promise<string[]>;
}

/** Mounts `database/` with the role `app`: `database/creds/app`. */
export async function mountDatabase(
  vault: ServedVault,
  postgres: Postgres,
  ttl: { defaultTtl: string; maxTtl: string },
): Promise<DatabaseEngine> {
  await vault.ask('PUT', 'sys/mounts/database', { type: 'database' });
  await vault.ask('PUT', 'database/config/main', {
    plugin_name: 'postgresql-database-plugin',
    connection_url: `postgresql://{{username}}:{{password}}@${postgres.host}:${postgres.port}/${postgres.database}`,
    username: postgres.user,
    password: postgres.password,
    allowed_roles: 'app',
  });
  await vault.ask('PUT', 'database/roles/app', {
    db_name: 'main',
    creation_statements: [
      `CREATE ROLE "{{name}}" LOGIN PASSWORD '{{password}}' VALID UNTIL '{{expiration}}'`,
    ],
    default_ttl: ttl.defaultTtl,
    max_ttl: ttl.maxTtl,
  });
  return {
    async roles() {
      const rows = await queryPostgres(
        postgres,
        "select rolname from pg_roles where rolname like 'v-%' order by rolname",
      );
      return rows.map(({ rolname }) => String(rolname));
    },
    async leases() {
      const { status, body } = await vault.request('LIST', 'sys/leases/lookup/database/creds/app');
      return status === 404 ? [] : (body.data.keys as string[]);
    },
  };
}
