// sys/policies/acl and the older sys/policy: kept per namespace as text, checked when written.
import type { Call, Route, VaultResponse } from '../backend.ts';
import type { Core } from '../core.ts';
import { textField } from '../fields.ts';
import { parsePolicy } from '../policy/policy-language.ts';
import { badRequest } from '../vault-error.ts';

const builtIn = new Set(['root', 'response-wrapping', 'control-group']);

export function policyRoutes(core: Core): Route[] {
  const nameOf = (call: Call): string => (call.params['name'] ?? '').toLowerCase();
  const names = (call: Call): string[] =>
    [...new Set([...call.namespace.policies.keys(), ...(call.namespace.path === '' ? ['root'] : [])])]
      .filter((name) => name !== 'response-wrapping')
      .sort();
  const textOf = (call: Call): string | undefined =>
    nameOf(call) === 'root' ? '' : call.namespace.policies.get(nameOf(call));
  const extra = core.flavor === 'openbao' ? { cas_required: false } : {};
  const write = (call: Call): VaultResponse | undefined => {
    const name = nameOf(call);
    if (builtIn.has(name)) throw badRequest(`cannot update "${name}" policy`);
    const raw = textField(call.data, 'policy') || textField(call.data, 'rules');
    if (raw === '') throw badRequest("'policy' parameter not supplied or empty");
    const text = decode(raw);
    parsePolicy(text);
    call.namespace.policies.set(name, text);
    return name === call.params['name']
      ? undefined
      : { data: null, warnings: [`policy name was converted to ${name}`] };
  };
  const remove = (call: Call): undefined => {
    const name = nameOf(call);
    if (builtIn.has(name) || name === 'default') throw badRequest(`cannot delete ${name} policy`);
    call.namespace.policies.delete(name);
  };
  return [
    { pattern: 'policies/acl', list: (call) => ({ data: { keys: names(call) } }) },
    {
      pattern: 'policies/acl/:name',
      read: (call) => {
        const policy = textOf(call);
        return policy === undefined ? undefined : { data: { name: nameOf(call), policy, ...extra } };
      },
      update: write,
      delete: remove,
    },
    {
      pattern: 'policy',
      read: (call) => ({ isInjected: true, data: { keys: names(call), policies: names(call) } }),
      list: (call) => ({ isInjected: true, data: { keys: names(call), policies: names(call) } }),
    },
    {
      pattern: 'policy/:name',
      read: (call) => {
        const rules = textOf(call);
        return rules === undefined
          ? undefined
          : { isInjected: true, data: { name: nameOf(call), rules, ...extra } };
      },
      update: write,
      delete: remove,
    },
  ];
}

// The text may come in base64, as older clients send it.
function decode(text: string): string {
  const isBase64 = /^[A-Za-z0-9+/]+={0,2}$/.test(text) && text.length % 4 === 0;
  return isBase64 ? Buffer.from(text, 'base64').toString('utf8') : text;
}
