// The connections of a database mount: configured, verified, shown without passwords, and who may use them.
import { describeError } from '../../../../src/base/errors.ts';
import type { JsonObject } from '../../../../src/base/text/json.ts';
import type { Call, Route } from '../backend.ts';
import { boolField, listField, statementsField, textField } from '../fields.ts';
import { newPassword } from '../identifiers.ts';
import { badRequest, collected } from '../vault-error.ts';
import { type Connection, executeStatements, verifyConnection } from './postgres-roles.ts';

export interface Database extends Connection {
  readonly plugin: string;
  allowedRoles: string[];
  rootRotationStatements: string[];
}

const passwordStatement = `ALTER ROLE "{{username}}" WITH PASSWORD '{{password}}'`;

export function databaseRoutes(databases: Map<string, Database>): Route[] {
  const nameOf = (call: Call): string => call.params['name'] ?? '';
  return [
    { pattern: 'config', list: () => ({ data: { keys: [...databases.keys()].sort() } }) },
    {
      pattern: 'config/:name',
      exists: (call) => databases.has(nameOf(call)),
      read: (call) => {
        const database = databases.get(nameOf(call));
        return database && { data: describeDatabase(database) };
      },
      update: async (call) => {
        const database = readDatabase(call.data, databases.get(nameOf(call)));
        if (boolField(call.data, 'verify_connection', true)) await verify(database);
        databases.set(nameOf(call), database);
        return undefined;
      },
      delete: (call) => void databases.delete(nameOf(call)),
    },
    { pattern: 'reset/:name', update: () => undefined },
    {
      pattern: 'rotate-root/:name',
      update: async (call) => void (await rotateRoot(databases.get(nameOf(call)))),
    },
  ];
}

function readDatabase(data: JsonObject, before: Database | undefined): Database {
  const plugin = textField(data, 'plugin_name', before?.plugin ?? '');
  if (plugin === '') throw badRequest('empty plugin name');
  if (plugin !== 'postgresql-database-plugin') {
    throw badRequest(
      `error creating database object: the development vault has postgresql-database-plugin alone, got ${plugin}`,
    );
  }
  const connectionUrl = textField(data, 'connection_url', before?.connectionUrl ?? '');
  if (connectionUrl === '')
    throw badRequest('error creating database object: connection_url cannot be empty');
  return {
    plugin,
    connectionUrl,
    username: textField(data, 'username', before?.username ?? ''),
    password: textField(data, 'password', before?.password ?? ''),
    allowedRoles: listField(data, 'allowed_roles', before?.allowedRoles ?? []),
    rootRotationStatements: statementsField(
      data,
      'root_rotation_statements',
      before?.rootRotationStatements ?? [],
    ),
  };
}

async function verify(database: Database): Promise<void> {
  try {
    await verifyConnection(database);
  } catch (error) {
    throw badRequest(`error creating database object: error verifying connection: ${describeError(error)}`);
  }
}

async function rotateRoot(database: Database | undefined): Promise<void> {
  if (database === undefined) throw collected(500, 'failed to find entry for connection with name');
  if (database.username === '')
    throw collected(500, 'unable to rotate root credentials: no username in configuration');
  const password = newPassword();
  const statements =
    database.rootRotationStatements.length > 0 ? database.rootRotationStatements : [passwordStatement];
  await executeStatements(database, statements, { name: database.username, password });
  database.password = password;
}

function describeDatabase(database: Database): object {
  return {
    allowed_roles: database.allowedRoles,
    connection_details: {
      connection_url: database.connectionUrl.replace(/(:\/\/[^:/@{]+):(?!\{\{)[^@]*@/, '$1:xxxxx@'),
      username: database.username,
    },
    password_policy: '',
    plugin_name: database.plugin,
    plugin_version: '',
    root_credentials_rotate_statements: database.rootRotationStatements,
  };
}

/** The database, if it lets this role; refuses with Vault's words. */
export function requireAllowed(
  databases: ReadonlyMap<string, Database>,
  databaseName: string,
  role: string,
): Database {
  const database = databases.get(databaseName);
  if (database === undefined)
    throw collected(500, `failed to find entry for connection with name: "${databaseName}"`);
  const isAllowed = database.allowedRoles.some((glob) =>
    glob.endsWith('*') ? role.startsWith(glob.slice(0, -1)) : glob === role,
  );
  if (!isAllowed) throw collected(500, `"${role}" is not an allowed role`);
  return database;
}
