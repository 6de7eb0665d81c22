// sys/wrapping: wrap any data, look at a wrapping token, open it once, or move its content to a fresh one.
import { JsonNumber } from '../../../../src/base/text/json.ts';
import type { Call, Route, VaultResponse } from '../backend.ts';
import type { Core } from '../core.ts';
import { textField } from '../fields.ts';
import type { TokenEntry } from '../tokens/token-table.ts';
import { readWrapped, type Wrapped } from '../tokens/wrapping.ts';
import { badRequest } from '../vault-error.ts';

export function wrappingRoutes(core: Core): Route[] {
  const lookup = (call: Call): VaultResponse => {
    const { wrapped } = open(core, call);
    return {
      data: {
        creation_ttl: new JsonNumber(String(wrapped.ttlSeconds)),
        creation_time: wrapped.creationTime,
        creation_path: wrapped.creationPath,
      },
    };
  };
  return [
    {
      pattern: 'wrapping/wrap',
      update: (call) => {
        if (call.wrapTtlSeconds === 0) throw badRequest('endpoint requires response wrapping to be used');
        return { data: call.data };
      },
    },
    { pattern: 'wrapping/lookup', update: lookup, read: lookup },
    { pattern: 'wrapping/unwrap', update: (call) => unwrap(core, call) },
    { pattern: 'wrapping/rewrap', update: (call) => rewrap(core, call) },
  ];
}

async function unwrap(core: Core, call: Call): Promise<VaultResponse> {
  const { token, wrapped } = open(core, call);
  await core.tokens.revoke(token.id);
  return { raw: { contentType: 'application/json', body: `${wrapped.payload}\n` } };
}

async function rewrap(core: Core, call: Call): Promise<VaultResponse> {
  const { token, wrapped } = open(core, call);
  await core.tokens.revoke(token.id);
  const { ttlSeconds, creationPath, payload } = wrapped;
  return { data: null, rewrap: { ttlSeconds, creationPath, payload } };
}

// The router has seen that the token is a wrapping token; its own last use may be spent already.
function open(core: Core, call: Call): { token: TokenEntry; wrapped: Wrapped } {
  const id = textField(call.data, 'token');
  const token = id === '' ? call.token : core.tokens.lookup(id);
  const wrapped = token && readWrapped(token);
  if (token === undefined || wrapped === undefined)
    throw badRequest('wrapping token is not valid or does not exist');
  return { token, wrapped };
}
