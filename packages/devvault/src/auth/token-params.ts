// The `token_*` fields that every auth method's roles share, read, shown and turned into a grant.
import type { JsonObject } from '../../../../src/base/text/json.ts';
import type { AuthGrant } from '../backend.ts';
import { boolField, hasField, intField, listField, secondsField, textField } from '../fields.ts';
import { sanitizePolicies } from '../tokens/login.ts';
import { badRequest } from '../vault-error.ts';

export interface TokenParams {
  policies: string[];
  ttlSeconds: number;
  maxTtlSeconds: number;
  periodSeconds: number;
  explicitMaxTtlSeconds: number;
  numUses: number;
  hasNoDefaultPolicy: boolean;
  type: string;
}

const types = ['default', 'service', 'batch', 'default-service', 'default-batch'];

/** What the request says, over what was there. The older names without `token_` are read too. */
export function readTokenParams(data: JsonObject, before?: TokenParams): TokenParams {
  const seconds = (name: string, old: number): number =>
    hasField(data, `token_${name}`) ? secondsField(data, `token_${name}`) : secondsField(data, name, old);
  const names = ['token_policies', 'policies', 'policy'].find((name) => hasField(data, name));
  const params: TokenParams = {
    policies:
      names === undefined ? (before?.policies ?? []) : sanitizePolicies(listField(data, names), false),
    ttlSeconds: seconds('ttl', before?.ttlSeconds ?? 0),
    maxTtlSeconds: seconds('max_ttl', before?.maxTtlSeconds ?? 0),
    periodSeconds: seconds('period', before?.periodSeconds ?? 0),
    explicitMaxTtlSeconds: secondsField(data, 'token_explicit_max_ttl', before?.explicitMaxTtlSeconds ?? 0),
    numUses: intField(data, 'token_num_uses', before?.numUses ?? intField(data, 'num_uses')),
    hasNoDefaultPolicy: boolField(data, 'token_no_default_policy', before?.hasNoDefaultPolicy ?? false),
    type: textField(data, 'token_type', before?.type ?? 'default'),
  };
  checkTokenParams(params);
  return params;
}

function checkTokenParams(params: TokenParams): void {
  if (!types.includes(params.type)) throw badRequest(`invalid 'token_type' value "${params.type}"`);
  if (params.ttlSeconds < 0) throw badRequest("'token_ttl' cannot be negative");
  if (params.maxTtlSeconds < 0) throw badRequest("'token_max_ttl' cannot be negative");
  if (params.maxTtlSeconds > 0 && params.ttlSeconds > params.maxTtlSeconds) {
    throw badRequest("'token_ttl' cannot be greater than 'token_max_ttl'");
  }
  if (params.numUses < 0) throw badRequest("'token_num_uses' cannot be negative");
  if (params.type === 'batch' && params.numUses > 0)
    throw badRequest("'token_type' cannot be 'batch' when 'token_num_uses' is set");
  if (params.type === 'batch' && params.periodSeconds > 0)
    throw badRequest("'token_type' cannot be 'batch' when set to generate periodic tokens");
}

export function describeTokenParams(params: TokenParams): Record<string, unknown> {
  return {
    token_bound_cidrs: [],
    token_explicit_max_ttl: params.explicitMaxTtlSeconds,
    token_max_ttl: params.maxTtlSeconds,
    token_no_default_policy: params.hasNoDefaultPolicy,
    token_num_uses: params.numUses,
    token_period: params.periodSeconds,
    token_policies: params.policies,
    token_ttl: params.ttlSeconds,
    token_type: params.type,
  };
}

/** What a login under this role earns. */
export function grantOf(
  params: TokenParams,
  who: { displayName: string; alias: string; metadata: Record<string, string> },
): AuthGrant {
  return {
    ...who,
    policies: params.policies,
    ttlSeconds: params.ttlSeconds,
    maxTtlSeconds: params.maxTtlSeconds,
    periodSeconds: params.periodSeconds,
    explicitMaxTtlSeconds: params.explicitMaxTtlSeconds,
    numUses: params.numUses,
    noDefaultPolicy: params.hasNoDefaultPolicy,
    type: params.type.includes('batch') ? 'batch' : 'service',
  };
}
