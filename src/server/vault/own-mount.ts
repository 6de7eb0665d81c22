// The mount `latchkey/` of the Vault dialect: the agent's secrets of every kind by their names, as a KV version 2 engine that is
// only read. Clients that know nothing but Vault get what is in AWS or in a sealed file from here.

import { randomUUID } from 'node:crypto';
import { isJsonObject, JsonNumber, type JsonObject, parseJson, stringifyJson } from '../../base/text/json.ts';
import type { Exchange } from '../http/exchange.ts';
import { methodNotAllowed } from '../http/http-request.ts';
import type { ServerContext } from '../http/server-context.ts';
import type { VaultTarget } from './vault-path-policy.ts';

export interface OwnMount {
  /** False: the request is for the vault. */
  handle(exchange: Exchange, target: VaultTarget): boolean;
}

const mount = 'latchkey/';
const look = `sys/internal/ui/mounts/${mount}`;
/** As a server describes it to a client that wants to know which version of KV it has before it. */
const description = {
  path: mount,
  type: 'kv',
  options: { version: '2' },
  description: 'secrets of this agent by their names',
};

export function createOwnMount(context: ServerContext): OwnMount {
  const { view, secrets, access } = context;

  function names(exchange: Exchange): void {
    if (!exchange.permits({ kind: 'list' })) {
      exchange.deny();
      return;
    }
    const { caller } = exchange.identity;
    const keys = view.names
      .all()
      .map(({ config }) => config.name)
      .filter((name) => access.decideSecret(caller, name).isAllowed);
    if (keys.length === 0) exchange.fail('not_found', 'no secret is yours to read');
    else exchange.answerJson(200, answerOf({ keys: keys.sort() }));
  }

  function read(exchange: Exchange, name: string, isData: boolean): void {
    if (!exchange.permitsSecret(name)) {
      exchange.deny();
      return;
    }
    const found = secrets.read({ name, field: undefined });
    if (!('body' in found)) {
      exchange.failWith(found);
      return;
    }
    const secret = parseJson(found.body.toString('utf8'));
    const { data = {}, version = null, obtained_at: obtainedAt = null } = isJsonObject(secret) ? secret : {};
    const about = {
      created_time: obtainedAt,
      custom_metadata: null,
      deletion_time: '',
      destroyed: false,
      version,
    };
    const body = isData ? { data, metadata: about } : metadataOf(about);
    const bytes = Buffer.from(`${stringifyJson(answerOf(body))}\n`, 'utf8');
    const headers = [
      'Content-Type',
      'application/json',
      'Content-Length',
      String(bytes.length),
      'Cache-Control',
      'no-store',
    ];
    // That a value was handed out is noted for values alone.
    if (isData) exchange.answer(200, headers, bytes, found.delivery);
    else exchange.answer(200, headers, bytes);
  }

  function describe(exchange: Exchange): void {
    if (exchange.permits({ kind: 'list' })) exchange.answerJson(200, answerOf(description));
    else exchange.deny();
  }

  return {
    handle(exchange, target) {
      const { method } = exchange;
      if (`${target.path}/`.startsWith(look) && method === 'GET') {
        describe(exchange);
        return true;
      }
      if (!target.path.startsWith(mount)) return false;
      const [, part, name = ''] = /^(data|metadata)\/?(.*)$/s.exec(target.path.slice(mount.length)) ?? [];
      const isList = method === 'LIST' || (method === 'GET' && target.isList);
      if (method !== 'GET' && !isList) methodNotAllowed(exchange, 'GET, LIST');
      else if (part === 'metadata' && isList && name === '') names(exchange);
      else if (part !== undefined && name !== '' && !isList) read(exchange, name, part === 'data');
      else
        exchange.fail(
          'not_found',
          'expected latchkey/data/NAME, latchkey/metadata/NAME, or a list of latchkey/metadata',
        );
      return true;
    },
  };
}

function metadataOf(about: JsonObject): JsonObject {
  const { version, created_time: time, deletion_time: deleted, destroyed } = about;
  return {
    created_time: time ?? null,
    updated_time: time ?? null,
    current_version: version ?? null,
    oldest_version: version ?? null,
    custom_metadata: null,
    versions: {
      [stringifyJson(version ?? null)]: {
        created_time: time ?? null,
        deletion_time: deleted ?? '',
        destroyed: destroyed ?? false,
      },
    },
  };
}

function answerOf(data: JsonObject): JsonObject {
  return {
    request_id: randomUUID(),
    lease_id: '',
    renewable: false,
    lease_duration: new JsonNumber('0'),
    data,
    wrap_info: null,
    warnings: null,
    auth: null,
  };
}
