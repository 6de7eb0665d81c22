// The database secrets engine over PostgreSQL: connections, roles, credentials with leases. Static roles are
// database-static.ts, SQL is postgres-roles.ts.
import type { JsonObject } from '../../../../src/base/text/json.ts';
import type { Backend, BackendContext, Call, LeaseGrant, Route, VaultResponse } from '../backend.ts';
import { hasField, secondsField, statementsField, textField } from '../fields.ts';
import { newPassword, randomBase62 } from '../identifiers.ts';
import { mountTtl } from '../namespace.ts';
import { decideTtl } from '../tokens/ttl-policy.ts';
import { badRequest, collected } from '../vault-error.ts';
import { type Database, databaseRoutes, requireAllowed } from './database-connections.ts';
import { createStaticRoles, type StaticRoles } from './database-static.ts';
import { dropRole, executeStatements, runStatements } from './postgres-roles.ts';

interface Role {
  readonly database: string;
  readonly creation: string[];
  readonly revocation: string[];
  readonly rollback: string[];
  readonly renewal: string[];
  readonly defaultTtlSeconds: number;
  readonly maxTtlSeconds: number;
}

// Vault gives the database's own end some slack, so that it never comes before the lease's.
const expirationSlackMs = 5000;
const renewStatement = `ALTER ROLE "{{name}}" VALID UNTIL '{{expiration}}'`;

export function createDatabase(context: BackendContext): Backend {
  const databases = new Map<string, Database>();
  const roles = new Map<string, Role>();
  const statics = createStaticRoles(context, databases, (name) => roles.has(name));
  return {
    routes: [
      ...databaseRoutes(databases),
      ...roleRoutes(roles, statics),
      { pattern: 'creds/:name', read: (call) => createCredentials(context, databases, roles, call) },
      ...statics.routes,
    ],
    close: () => statics.close(),
  };
}

function roleRoutes(roles: Map<string, Role>, statics: StaticRoles): Route[] {
  const nameOf = (call: Call): string => call.params['name'] ?? '';
  return [
    { pattern: 'roles', list: () => ({ data: { keys: [...roles.keys()].sort() } }) },
    {
      pattern: 'roles/:name',
      exists: (call) => roles.has(nameOf(call)),
      read: (call) => {
        const role = roles.get(nameOf(call));
        return role && { data: describeRole(role) };
      },
      update: (call) => {
        if (statics.has(nameOf(call))) throw badRequest('Role and Static Role names must be unique');
        roles.set(nameOf(call), readRole(call.data, roles.get(nameOf(call))));
        return undefined;
      },
      delete: (call) => void roles.delete(nameOf(call)),
    },
  ];
}

function readRole(data: JsonObject, before: Role | undefined): Role {
  const database = textField(data, 'db_name', before?.database ?? '');
  if (database === '') throw badRequest('database name is required');
  return {
    database,
    creation: statementsField(data, 'creation_statements', before?.creation),
    revocation: statementsField(data, 'revocation_statements', before?.revocation),
    rollback: statementsField(data, 'rollback_statements', before?.rollback),
    renewal: statementsField(data, 'renew_statements', before?.renewal),
    defaultTtlSeconds: hasField(data, 'default_ttl')
      ? secondsField(data, 'default_ttl')
      : (before?.defaultTtlSeconds ?? 0),
    maxTtlSeconds: hasField(data, 'max_ttl') ? secondsField(data, 'max_ttl') : (before?.maxTtlSeconds ?? 0),
  };
}

function describeRole(role: Role): object {
  return {
    creation_statements: role.creation,
    credential_type: 'password',
    db_name: role.database,
    default_ttl: role.defaultTtlSeconds,
    max_ttl: role.maxTtlSeconds,
    renew_statements: role.renewal,
    revocation_statements: role.revocation,
    rollback_statements: role.rollback,
  };
}

async function createCredentials(
  context: BackendContext,
  databases: Map<string, Database>,
  roles: Map<string, Role>,
  call: Call,
): Promise<VaultResponse> {
  const roleName = call.params['name'] ?? '';
  const role = roles.get(roleName);
  if (role === undefined) throw badRequest(`unknown role: ${roleName}`);
  const database = requireAllowed(databases, role.database, roleName);
  if (role.creation.length === 0) throw collected(500, 'empty creation statements');
  const mount = mountTtl(context.mount);
  const now = context.clock.wall();
  const ttl = decideTtl(
    {
      ttlSeconds: role.defaultTtlSeconds,
      maxTtlSeconds: role.maxTtlSeconds,
      mountDefaultSeconds: mount.defaultSeconds,
      mountMaxSeconds: mount.maxSeconds,
    },
    now,
  );
  const name = newUsername(call.token?.displayName ?? '', roleName, now);
  const password = newPassword();
  const expiration = expirationText(now + (ttl?.seconds ?? 0) * 1000);
  await executeStatements(database, role.creation, { name, password, expiration });
  const currentRole = (): Role => roles.get(roleName) ?? role;
  return { data: { password, username: name }, lease: leaseOf(database, currentRole, name) };
}

// The times are read from the role at every renewal, so that a shortened role shortens its leases.
function leaseOf(database: Database, role: () => Role, name: string): LeaseGrant {
  return {
    renewable: true,
    get ttlSeconds() {
      return role().defaultTtlSeconds;
    },
    get maxTtlSeconds() {
      return role().maxTtlSeconds;
    },
    revoke: () =>
      role().revocation.length > 0
        ? runStatements(database, role().revocation, { name })
        : dropRole(database, name),
    renew: (expiresAtMs) => {
      const statements = role().renewal.length > 0 ? role().renewal : [renewStatement];
      return runStatements(database, statements, { name, expiration: expirationText(expiresAtMs) });
    },
  };
}

function newUsername(displayName: string, roleName: string, nowMs: number): string {
  const parts = [
    'v',
    displayName.slice(0, 8),
    roleName.slice(0, 8),
    randomBase62(20),
    Math.floor(nowMs / 1000),
  ];
  return parts.join('-').slice(0, 63);
}

function expirationText(ms: number): string {
  return new Date(ms + expirationSlackMs)
    .toISOString()
    .replace('T', ' ')
    .replace(/\.\d+Z$/, '+0000');
}
