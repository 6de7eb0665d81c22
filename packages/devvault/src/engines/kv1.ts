// Key-value secrets, version 1: the last value only; a field `ttl` or `lease` becomes the lease time shown.
import { type JsonObject, stringifyJson } from '../../../../src/base/text/json.ts';
import type { Backend, BackendContext, Call } from '../backend.ts';
import { parseSeconds } from '../fields.ts';
import { mountTtl } from '../namespace.ts';
import { badRequest } from '../vault-error.ts';
import { listKeys } from './list-keys.ts';

export function createKv1(context: BackendContext): Backend {
  const secrets = new Map<string, JsonObject>();
  const path = (call: Call): string => call.params['path'] ?? '';
  const tell = (operation: string, call: Call): void =>
    context.publish(`kv-v1/${operation}`, {
      path: `${context.mount.path}${path(call)}`,
      operation,
      modified: 'true',
    });
  return {
    routes: [
      {
        pattern: '*path',
        exists: (call) => secrets.has(path(call)),
        read: (call) => {
          const data = secrets.get(path(call));
          if (data === undefined) return undefined;
          return {
            data,
            leased: {
              id: '',
              renewable: false,
              seconds: leaseSeconds(data) ?? mountTtl(context.mount).defaultSeconds,
            },
          };
        },
        update: (call) => {
          if (path(call) === '') throw badRequest('missing path');
          if (Object.keys(call.data).length === 0) throw badRequest('missing data fields');
          secrets.set(path(call), call.data);
          tell('write', call);
          return undefined;
        },
        delete: (call) => {
          secrets.delete(path(call));
          tell('delete', call);
          return undefined;
        },
        list: (call) => ({ data: { keys: listKeys(secrets.keys(), path(call)) } }),
      },
    ],
  };
}

function leaseSeconds(data: JsonObject): number | undefined {
  const text = data['ttl'] ?? data['lease'];
  if (text === undefined || text === null) return undefined;
  return parseSeconds(typeof text === 'string' ? text : stringifyJson(text));
}
