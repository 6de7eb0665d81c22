// Token roles: what auth/token/create/ROLE may give.
import type { Call, Route } from '../backend.ts';
import { boolField, intField, listField, secondsField, textField } from '../fields.ts';
import { globMatches } from '../policy/glob.ts';
import { sanitizePolicies } from '../tokens/login.ts';
import type { TokenEntry } from '../tokens/token-table.ts';
import { badRequest } from '../vault-error.ts';

export interface TokenRole {
  readonly name: string;
  readonly allowed: readonly string[];
  readonly disallowed: readonly string[];
  readonly allowedGlobs: readonly string[];
  readonly isOrphan: boolean;
  readonly isRenewable: boolean;
  readonly hasNoDefaultPolicy: boolean;
  readonly periodSeconds: number;
  readonly explicitMaxTtlSeconds: number;
  readonly numUses: number;
  readonly pathSuffix: string;
  readonly type: string;
}

export function tokenRoleRoutes(roles: Map<string, TokenRole>): Route[] {
  return [
    { pattern: 'roles', list: () => ({ data: { keys: [...roles.keys()].sort() } }) },
    {
      pattern: 'roles/:role',
      exists: (call) => roles.has(call.params['role'] ?? ''),
      read: (call) => {
        const role = roles.get(call.params['role'] ?? '');
        return role && { data: describe(role) };
      },
      update: (call) => {
        const role = readRole(call);
        roles.set(role.name, role);
        return undefined;
      },
      delete: (call) => void roles.delete(call.params['role'] ?? ''),
    },
  ];
}

function readRole({ data, params }: Call): TokenRole {
  const pathSuffix = textField(data, 'path_suffix');
  if (pathSuffix !== '' && !/\w[\w-.]+\w/.test(pathSuffix)) {
    throw badRequest('given role path suffix contains invalid characters; must match \\w[\\w-.]+\\w');
  }
  const type = textField(data, 'token_type', 'default-service');
  if (!['service', 'batch', 'default-service', 'default-batch'].includes(type))
    throw badRequest(`invalid 'token_type' value "${type}"`);
  return {
    name: params['role'] ?? '',
    allowed: sanitizePolicies(listField(data, 'allowed_policies'), false),
    disallowed: sanitizePolicies(listField(data, 'disallowed_policies'), false),
    allowedGlobs: listField(data, 'allowed_policies_glob'),
    isOrphan: boolField(data, 'orphan'),
    isRenewable: boolField(data, 'renewable', true),
    hasNoDefaultPolicy: boolField(data, 'token_no_default_policy'),
    periodSeconds: secondsField(data, 'token_period') || secondsField(data, 'period'),
    explicitMaxTtlSeconds:
      secondsField(data, 'token_explicit_max_ttl') || secondsField(data, 'explicit_max_ttl'),
    numUses: intField(data, 'token_num_uses'),
    pathSuffix,
    type,
  };
}

/** What a token of the role gets of what is asked for, or by default. Throws a 400 for what the role does not let in. */
export function policiesByRole(
  role: TokenRole,
  asked: readonly string[],
  hasDefault: boolean,
  parent: TokenEntry,
): string[] {
  const { allowed, allowedGlobs, disallowed } = role;
  const takesDefault = hasDefault && !disallowed.includes('default');
  const isFree = allowed.length === 0 && allowedGlobs.length === 0;
  const wanted = asked.length > 0 ? asked : isFree ? parent.policies : allowed;
  const names = sanitizePolicies(wanted, takesDefault);
  for (const name of names) {
    if (disallowed.includes(name)) throw badRequest(`token policy "${name}" is disallowed by this role`);
    const isLetIn =
      isFree ||
      name === 'default' ||
      allowed.includes(name) ||
      allowedGlobs.some((glob) => globMatches(glob, name));
    if (!isLetIn) {
      throw badRequest(
        `token policies (${quoted(names)}) must be subset of the role's allowed policies (${quoted(sanitizePolicies(allowed, takesDefault))}) or glob policies (${quoted(allowedGlobs)})`,
      );
    }
  }
  return names;
}

function describe(role: TokenRole): object {
  return {
    name: role.name,
    allowed_policies: role.allowed,
    disallowed_policies: role.disallowed,
    allowed_policies_glob: role.allowedGlobs,
    disallowed_policies_glob: [],
    orphan: role.isOrphan,
    renewable: role.isRenewable,
    path_suffix: role.pathSuffix,
    period: role.periodSeconds,
    explicit_max_ttl: role.explicitMaxTtlSeconds,
    token_period: role.periodSeconds,
    token_explicit_max_ttl: role.explicitMaxTtlSeconds,
    ...(role.numUses > 0 ? { token_num_uses: role.numUses } : {}),
    token_no_default_policy: role.hasNoDefaultPolicy,
    token_type: role.type,
    allowed_entity_aliases: null,
  };
}

function quoted(names: readonly string[]): string {
  return `[${names.map((name) => `"${name}"`).join(' ')}]`;
}
