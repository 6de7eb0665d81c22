// auth/token/create and its variants: whose child the token is, which policies it may have, how long it lives.
import type { Call, VaultResponse } from '../backend.ts';
import type { Core } from '../core.ts';
import {
  boolField,
  hasField,
  intField,
  listField,
  parseSeconds,
  secondsField,
  textField,
  textMapField,
} from '../fields.ts';
import { mountTtl } from '../namespace.ts';
import { authBlock, sanitizeDisplayName, sanitizePolicies } from '../tokens/login.ts';
import type { TokenEntry } from '../tokens/token-table.ts';
import { decideTtl } from '../tokens/ttl-policy.ts';
import { badRequest } from '../vault-error.ts';
import { policiesByRole, type TokenRole } from './token-role.ts';

interface Times {
  ttlSeconds: number;
  periodSeconds: number;
  explicitMaxTtlSeconds: number;
}

/** Refuses with Vault's words; see Vault's API documentation of the token auth method. */
export function createChildToken(
  core: Core,
  call: Call,
  options: { isOrphan: boolean; role?: TokenRole },
): VaultResponse {
  const parent = call.token as TokenEntry;
  const { data } = call;
  if (parent.type === 'batch') throw badRequest('batch tokens cannot create more tokens');
  if (parent.numUses !== 0) throw badRequest('restricted use token cannot generate child tokens');
  const isSudo = core.aclOf(parent).allows({ path: call.path, capability: 'sudo', needsSudo: true });
  const type = tokenType(call, options.role);
  const policies = choosePolicies(call, parent, options.role, isSudo);
  const isRoot = policies.includes('root');
  if (isRoot && !parent.policies.includes('root'))
    throw badRequest('root tokens may not be created without parent token being root');
  if (isRoot && type === 'batch') throw badRequest('batch tokens cannot be root tokens');
  const times = chooseTimes(call, options.role, isSudo);
  const warnings: string[] = [];
  const ttlSeconds = finalTtl(core, call, times, isRoot, warnings);
  if (ttlSeconds === 0 && parent.ttlSeconds !== 0)
    throw badRequest('expiring root tokens cannot create non-expiring root tokens');
  const isOrphan = options.role?.isOrphan ?? orphan(data, options.isOrphan, isSudo);
  const id = customId(call, isSudo);
  if (id !== undefined && core.tokens.lookup(id) !== undefined)
    throw badRequest('cannot create a token with a duplicate ID');
  if (id !== undefined) {
    warnings.push(
      'Supplying a custom ID for the token uses the weaker SHA1 hashing instead of the more secure SHA2-256 HMAC for token obfuscation. SHA1 hashed tokens on the wire leads to less secure lookups.',
    );
  }
  const displayName = textField(data, 'display_name');
  const token = core.tokens.create({
    ...(id === undefined ? {} : { id }),
    namespace: call.namespace,
    ...(isOrphan ? {} : { parent: parent.id }),
    policies,
    path: `${call.path}${options.role?.pathSuffix ? `/${options.role.pathSuffix}` : ''}`,
    meta: textMapField(data, 'meta') ?? textMapField(data, 'metadata') ?? null,
    displayName: displayName === '' ? 'token' : sanitizeDisplayName(`token-${displayName}`),
    entityId: isOrphan ? '' : parent.entityId,
    ...(options.role === undefined ? {} : { role: options.role.name }),
    type,
    numUses: numUses(call, options.role),
    renewable: boolField(data, 'renewable', true) && (options.role?.isRenewable ?? true),
    periodSeconds: times.periodSeconds,
    explicitMaxTtlSeconds: times.explicitMaxTtlSeconds,
    ttlSeconds,
  });
  for (const name of policies) {
    if (name !== 'root' && !call.namespace.policies.has(name))
      warnings.push(`Policy "${name}" does not exist`);
  }
  return { authBlock: authBlock(token, ttlSeconds), warnings };
}

function tokenType(call: Call, role: TokenRole | undefined): 'service' | 'batch' {
  const asked = textField(call.data, 'type');
  const type = role?.type === 'batch' || role?.type === 'service' ? role.type : asked || 'service';
  if (type === 'service') return 'service';
  if (type !== 'batch') throw badRequest("invalid 'token_type' value");
  for (const name of ['explicit_max_ttl', 'num_uses', 'period']) {
    if (secondsField(call.data, name) !== 0) throw badRequest(`batch tokens cannot have "${name}" set`);
  }
  return 'batch';
}

function choosePolicies(
  call: Call,
  parent: TokenEntry,
  role: TokenRole | undefined,
  isSudo: boolean,
): string[] {
  const hasDefault = !boolField(call.data, 'no_default_policy') && !role?.hasNoDefaultPolicy;
  const asked = sanitizePolicies(listField(call.data, 'policies'), false);
  for (const name of asked) {
    if (name === 'response-wrapping' || name === 'control-group')
      throw badRequest(`cannot assign policy "${name}"`);
  }
  if (role !== undefined) return policiesByRole(role, asked, hasDefault, parent);
  if (asked.length === 0)
    return sanitizePolicies(parent.policies, hasDefault && !parent.policies.includes('root'));
  if (!isSudo) {
    const held = new Set(sanitizePolicies(parent.policies, hasDefault));
    if (!parent.policies.includes('root') && asked.some((name) => !held.has(name))) {
      throw badRequest('child policies must be subset of parent');
    }
    if (!parent.policies.includes('default') && !parent.policies.includes('root')) return asked;
  }
  return sanitizePolicies(asked, hasDefault);
}

function chooseTimes(call: Call, role: TokenRole | undefined, isSudo: boolean): Times {
  const { data } = call;
  const ttlSeconds = durationText(data, 'ttl') || durationText(data, 'lease');
  const asked = { period: durationText(data, 'period'), explicitMax: durationText(data, 'explicit_max_ttl') };
  if (ttlSeconds < 0) throw badRequest('ttl must be positive');
  if (asked.period < 0) throw badRequest('period must be positive');
  if (asked.explicitMax < 0) throw badRequest('explicit_max_ttl must be positive');
  if (asked.period > 0 && role === undefined && !isSudo)
    throw badRequest('root or sudo privileges required to create periodic token');
  const least = (a: number, b: number): number => (a > 0 && b > 0 ? Math.min(a, b) : a || b);
  return {
    ttlSeconds,
    periodSeconds: least(asked.period, role?.periodSeconds ?? 0),
    explicitMaxTtlSeconds: least(asked.explicitMax, role?.explicitMaxTtlSeconds ?? 0),
  };
}

// These fields are texts to the real server, which parses them itself and so complains in Go's words.
function durationText(data: Call['data'], name: string): number {
  const text = textField(data, name);
  const seconds = text === '' ? 0 : parseSeconds(text);
  if (seconds === undefined) throw badRequest(`time: invalid duration ${JSON.stringify(text)}`);
  return seconds;
}

function finalTtl(core: Core, call: Call, times: Times, isRoot: boolean, warnings: string[]): number {
  if (isRoot && times.ttlSeconds === 0 && times.periodSeconds === 0) return times.explicitMaxTtlSeconds;
  const mount = mountTtl(call.mount);
  const answer = decideTtl(
    { ...times, mountDefaultSeconds: mount.defaultSeconds, mountMaxSeconds: mount.maxSeconds },
    core.clock.wall(),
  );
  warnings.push(...(answer?.warnings ?? []));
  return answer?.seconds ?? 0;
}

function orphan(data: Call['data'], isOrphanPath: boolean, isSudo: boolean): boolean {
  if (!boolField(data, 'no_parent')) return isOrphanPath;
  if (!isSudo) throw badRequest('root or sudo privileges required to create orphan token');
  return true;
}

function customId(call: Call, isSudo: boolean): string | undefined {
  if (!hasField(call.data, 'id') || textField(call.data, 'id') === '') return undefined;
  const id = textField(call.data, 'id');
  if (!isSudo) throw badRequest('root or sudo privileges required to specify token id');
  if (call.namespace.path !== '')
    throw badRequest('token IDs can only be manually specified in the root namespace');
  for (const prefix of ['hvs.', 's.']) {
    if (id.startsWith(prefix)) throw badRequest(`custom token ID cannot have the '${prefix}' prefix`);
  }
  if (id.includes('.')) throw badRequest("custom token ID cannot have a '.' in the value");
  return id;
}

function numUses(call: Call, role: TokenRole | undefined): number {
  const asked = intField(call.data, 'num_uses');
  if (asked < 0) throw badRequest('number of uses cannot be negative');
  const capped = role?.numUses ?? 0;
  return asked > 0 && capped > 0 ? Math.min(asked, capped) : asked || capped;
}
