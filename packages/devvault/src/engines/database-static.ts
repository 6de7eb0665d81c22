// Static roles: a database user that exists already, whose password the vault changes every rotation period.
import { describeError } from '../../../../src/base/errors.ts';
import type { BackendContext, Call, Route, VaultResponse } from '../backend.ts';
import { hasField, secondsField, statementsField, textField } from '../fields.ts';
import { newPassword } from '../identifiers.ts';
import { createExpiry } from '../tokens/expiry.ts';
import { badRequest } from '../vault-error.ts';
import { type Database, requireAllowed } from './database-connections.ts';
import { executeStatements } from './postgres-roles.ts';

export interface StaticRoles {
  readonly routes: Route[];
  has(name: string): boolean;
  close(): void;
}

interface StaticRole {
  readonly name: string;
  readonly database: string;
  readonly username: string;
  rotationPeriodSeconds: number;
  rotation: string[];
  password: string;
  rotatedMs: number;
}

const shortestPeriodSeconds = 5;
const retryMs = 10_000;
const passwordStatement = `ALTER ROLE "{{username}}" WITH PASSWORD '{{password}}'`;

export function createStaticRoles(
  context: BackendContext,
  databases: ReadonlyMap<string, Database>,
  isDynamic: (name: string) => boolean,
): StaticRoles {
  const roles = new Map<string, StaticRole>();
  const expiry = createExpiry(context.clock);

  const schedule = (role: StaticRole, atMs: number): void => {
    expiry.set(role.name, atMs, () => {
      rotate(role).catch((error) => {
        context.logger.warn(
          { role: role.name, error: describeError(error) },
          'static role could not be rotated',
        );
        schedule(role, context.clock.wall() + retryMs);
      });
    });
  };
  const rotate = async (role: StaticRole): Promise<void> => {
    const database = requireAllowed(databases, role.database, role.name);
    const password = newPassword();
    const statements = role.rotation.length > 0 ? role.rotation : [passwordStatement];
    await executeStatements(database, statements, { name: role.username, password });
    role.password = password;
    role.rotatedMs = context.clock.wall();
    const data_path = `${context.mount.path}static-creds/${role.name}`;
    context.publish('database/rotate', {
      path: `${context.mount.path}rotate-role/${role.name}`,
      data_path,
      name: role.name,
      modified: 'true',
    });
    schedule(role, role.rotatedMs + role.rotationPeriodSeconds * 1000);
  };
  const write = async (call: Call): Promise<undefined> => {
    const before = roles.get(nameOf(call));
    if (isDynamic(nameOf(call))) throw badRequest('Role and Static Role names must be unique');
    const role = readStaticRole(call, before);
    if (before === undefined) await rotate(role);
    else schedule(role, role.rotatedMs + role.rotationPeriodSeconds * 1000);
    roles.set(role.name, role);
  };
  return {
    has: (name) => roles.has(name),
    close: () => expiry.close(),
    routes: [
      { pattern: 'static-roles', list: () => ({ data: { keys: [...roles.keys()].sort() } }) },
      {
        pattern: 'static-roles/:name',
        exists: (call) => roles.has(nameOf(call)),
        read: (call) => {
          const role = roles.get(nameOf(call));
          return role && { data: describeRole(role) };
        },
        update: write,
        delete: (call) => {
          expiry.clear(nameOf(call));
          roles.delete(nameOf(call));
          return undefined;
        },
      },
      {
        pattern: 'static-creds/:name',
        read: (call) => credentials(context, databases, roles.get(nameOf(call)), nameOf(call)),
      },
      {
        pattern: 'rotate-role/:name',
        update: async (call) => {
          const role = roles.get(nameOf(call));
          if (role === undefined) throw badRequest('no static role found for role name');
          await rotate(role);
          return undefined;
        },
      },
    ],
  };
}

function readStaticRole(call: Call, before: StaticRole | undefined): StaticRole {
  const { data } = call;
  const database = textField(data, 'db_name', before?.database ?? '');
  const username = textField(data, 'username', before?.username ?? '');
  if (database === '') throw badRequest('database name is a required field');
  if (username === '') throw badRequest('username is a required field to create a static account');
  if (before !== undefined && before.username !== username)
    throw badRequest('cannot update static account username');
  if (before === undefined && !hasField(data, 'rotation_period')) {
    throw badRequest('rotation_period is required to create static accounts');
  }
  const rotationPeriodSeconds = secondsField(data, 'rotation_period', before?.rotationPeriodSeconds ?? 0);
  if (rotationPeriodSeconds < shortestPeriodSeconds) {
    throw badRequest(`rotation_period must be ${shortestPeriodSeconds} seconds or more`);
  }
  const rotation = statementsField(data, 'rotation_statements', before?.rotation ?? []);
  if (before !== undefined) return Object.assign(before, { rotationPeriodSeconds, rotation });
  return {
    name: nameOf(call),
    database,
    username,
    rotationPeriodSeconds,
    rotation,
    password: '',
    rotatedMs: 0,
  };
}

function credentials(
  context: BackendContext,
  databases: ReadonlyMap<string, Database>,
  role: StaticRole | undefined,
  name: string,
): VaultResponse {
  if (role === undefined) throw badRequest(`unknown role: ${name}`);
  requireAllowed(databases, role.database, role.name);
  const nextMs = role.rotatedMs + role.rotationPeriodSeconds * 1000;
  return {
    data: {
      last_vault_rotation: new Date(role.rotatedMs).toISOString(),
      password: role.password,
      rotation_period: role.rotationPeriodSeconds,
      ttl: Math.max(0, Math.round((nextMs - context.clock.wall()) / 1000)),
      username: role.username,
    },
  };
}

function describeRole(role: StaticRole): object {
  return {
    credential_type: 'password',
    db_name: role.database,
    last_vault_rotation: new Date(role.rotatedMs).toISOString(),
    rotation_period: role.rotationPeriodSeconds,
    rotation_statements: role.rotation,
    username: role.username,
  };
}

function nameOf(call: Call): string {
  return call.params['name'] ?? '';
}
