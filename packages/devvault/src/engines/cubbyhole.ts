// The cubbyhole: a small store that belongs to one token and ends with it.
import type { Backend, Call, VaultResponse } from '../backend.ts';
import { badRequest } from '../vault-error.ts';
import { listKeys } from './list-keys.ts';

export function createCubbyhole(): Backend {
  const store = (call: Call) => call.token?.cubbyhole ?? new Map();
  const list = (call: Call): VaultResponse => ({
    data: { keys: listKeys(store(call).keys(), call.params['path'] ?? '') },
  });
  return {
    routes: [
      {
        pattern: '*path',
        exists: (call) => store(call).has(call.params['path'] ?? ''),
        read: (call) => {
          const data = store(call).get(call.params['path'] ?? '');
          return data === undefined ? undefined : { data };
        },
        update: (call) => {
          const path = call.params['path'] ?? '';
          if (path === '') throw badRequest('missing path');
          if (Object.keys(call.data).length === 0) throw badRequest('missing data fields');
          store(call).set(path, call.data);
          return undefined;
        },
        delete: (call) => void store(call).delete(call.params['path'] ?? ''),
        list,
      },
    ],
  };
}
