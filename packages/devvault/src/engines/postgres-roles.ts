// Creates, renews, changes and drops PostgreSQL roles over a connection, with the statements of Vault's plugin.
// Knows nothing of leases; `pg` is loaded when the first connection is made.
import type { Client } from 'pg';
import { collected } from '../vault-error.ts';

export interface Connection {
  connectionUrl: string;
  username: string;
  password: string;
}

export interface RoleValues {
  name: string;
  password?: string;
  expiration?: string;
}

const endOfBlock = /\bEND\b/;

/** Connects and leaves again; rejects with PostgreSQL's reason. */
export async function verifyConnection(connection: Connection): Promise<void> {
  await withClient(connection, async (client) => void (await client.query('select 1')));
}

/** Runs every statement in one transaction, `{{name}}`, `{{password}}` and `{{expiration}}` filled in. */
export async function runStatements(
  connection: Connection,
  statements: readonly string[],
  values: RoleValues,
): Promise<void> {
  await alone(connection, async (client) => {
    await client.query('BEGIN');
    try {
      for (const query of statements.flatMap(splitStatement)) await client.query(fillIn(query, values));
      await client.query('COMMIT');
    } catch (error) {
      await client.query('ROLLBACK').catch(() => {});
      throw failedQuery(error, connection, values);
    }
  });
}

/** As `runStatements`; a refusal becomes the answer that Vault gives for a query that failed. */
export async function executeStatements(
  connection: Connection,
  statements: readonly string[],
  values: RoleValues,
): Promise<void> {
  try {
    await runStatements(connection, statements, values);
  } catch (error) {
    throw error instanceof QueryError ? collected(500, `failed to execute query: ${error.message}`) : error;
  }
}

/** What the plugin does without revocation statements: takes away every privilege, then drops the role. */
export async function dropRole(connection: Connection, name: string): Promise<void> {
  await alone(connection, async (client) => {
    const found = await client.query('SELECT 1 FROM pg_roles WHERE rolname=$1', [name]);
    if (found.rowCount === 0) return;
    const grants = await client.query(
      'SELECT DISTINCT table_schema FROM information_schema.role_column_grants WHERE grantee=$1',
      [name],
    );
    const database = await client.query('SELECT current_database() AS name');
    const user = client.escapeIdentifier(name);
    const schemas = (grants.rows as { table_schema: string }[]).map((row) =>
      client.escapeIdentifier(row.table_schema),
    );
    const queries = [
      ...schemas.flatMap((schema) => [
        `REVOKE ALL PRIVILEGES ON ALL TABLES IN SCHEMA ${schema} FROM ${user}`,
        `REVOKE USAGE ON SCHEMA ${schema} FROM ${user}`,
      ]),
      `REVOKE ALL PRIVILEGES ON ALL TABLES IN SCHEMA public FROM ${user}`,
      `REVOKE ALL PRIVILEGES ON ALL SEQUENCES IN SCHEMA public FROM ${user}`,
      `REVOKE USAGE ON SCHEMA public FROM ${user}`,
      `REVOKE CONNECT ON DATABASE ${client.escapeIdentifier(String(database.rows[0]?.name))} FROM ${user}`,
      `DROP ROLE IF EXISTS ${user}`,
    ];
    for (const query of queries) await client.query(query);
  });
}

/**
 * One change of roles at a time: two sessions that grant or revoke on the same schema or database fail with `tuple
 * concurrently updated`. The lock ends with the session.
 */
function alone(connection: Connection, work: (client: Client) => Promise<void>): Promise<void> {
  return withClient(connection, async (client) => {
    await client.query("SELECT pg_advisory_lock(hashtext('latchkey development vault'))");
    await work(client);
  });
}

async function withClient(connection: Connection, work: (client: Client) => Promise<void>): Promise<void> {
  const { Client } = (await import('pg')).default;
  const client = new Client({
    connectionString: fillConnectionUrl(connection),
    connectionTimeoutMillis: 10_000,
  });
  // A server that goes away between two queries is told by the next query.
  client.on('error', () => {});
  try {
    await client.connect();
    await work(client);
  } catch (error) {
    throw error instanceof QueryError ? error : failedQuery(error, connection, { name: '' });
  } finally {
    await client.end().catch(() => {});
  }
}

function fillConnectionUrl(connection: Connection): string {
  return connection.connectionUrl
    .replaceAll('{{username}}', encodeURIComponent(connection.username))
    .replaceAll('{{password}}', encodeURIComponent(connection.password));
}

function fillIn(query: string, values: RoleValues): string {
  return query
    .replaceAll('{{name}}', values.name)
    .replaceAll('{{username}}', values.name)
    .replaceAll('{{password}}', values.password ?? '')
    .replaceAll('{{expiration}}', values.expiration ?? '');
}

// A block with END is one statement; anything else is split at semicolons, as the plugin does.
function splitStatement(statement: string): string[] {
  const bare = statement.replace(/".*?"|'.*?'/g, '');
  const pieces = endOfBlock.test(bare) ? [statement] : statement.split(';');
  return pieces.map((piece) => piece.trim()).filter((piece) => piece !== '');
}

/** What PostgreSQL said, without any password. */
class QueryError extends Error {}

function failedQuery(error: unknown, connection: Connection, values: RoleValues): Error {
  const { message, code } = error as { message?: string; code?: string };
  let text = message || code || 'connection failed';
  for (const secret of [values.password, connection.password]) {
    if (secret) text = text.replaceAll(secret, '[password]');
  }
  return new QueryError(`ERROR: ${text}${code ? ` (SQLSTATE ${code})` : ''}`);
}
