// sys/capabilities*: what a token may do on paths.
import type { Call, Route, VaultResponse } from '../backend.ts';
import type { Core } from '../core.ts';
import { listField, textField } from '../fields.ts';
import { capabilitiesOf } from '../router.ts';
import type { TokenEntry } from '../tokens/token-table.ts';
import { badRequest, collected } from '../vault-error.ts';

export function capabilityRoutes(core: Core): Route[] {
  return [
    { pattern: 'capabilities-self', update: (call) => answer(core, call, call.token) },
    {
      pattern: 'capabilities',
      update: (call) => {
        const id = textField(call.data, 'token');
        if (id === '') throw collected(500, 'no token found');
        return answer(core, call, core.tokens.lookup(id));
      },
    },
    {
      pattern: 'capabilities-accessor',
      update: (call) => {
        const accessor = textField(call.data, 'accessor');
        if (accessor === '') throw badRequest('missing accessor');
        const token = core.tokens.lookupByAccessor(accessor);
        if (token === undefined) throw collected(400, 'invalid accessor');
        return answer(core, call, token);
      },
    },
  ];
}

function answer(core: Core, call: Call, token: TokenEntry | undefined): VaultResponse {
  if (token === undefined) throw collected(400, 'invalid token');
  const paths = listField(call.data, 'paths', listField(call.data, 'path'));
  if (paths.length === 0) throw badRequest('paths must be supplied');
  const data: Record<string, string[]> = {};
  for (const path of paths) data[path] = capabilitiesOf(core, token, call.namespace, path);
  const [only] = paths;
  if (paths.length === 1 && only !== undefined) data['capabilities'] = data[only] ?? [];
  return { isInjected: true, data };
}
