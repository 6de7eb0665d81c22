// Makes the token that a login or a token creation earns, and the `auth` block that tells of it.
import type { AuthGrant, Call } from '../backend.ts';
import type { Core } from '../core.ts';
import { mountTtl } from '../namespace.ts';
import { badRequest } from '../vault-error.ts';
import type { TokenEntry } from './token-table.ts';
import { decideTtl } from './ttl-policy.ts';

/** The token of a login: an orphan with the role's policies and times. */
export function grantLogin(core: Core, call: Call, grant: AuthGrant): { block: object; warnings: string[] } {
  const policies = sanitizePolicies(grant.policies, !grant.noDefaultPolicy);
  if (policies.includes('root')) throw badRequest('auth methods cannot create root tokens');
  const mount = mountTtl(call.mount);
  const answer = decideTtl(
    { ...times(grant), mountDefaultSeconds: mount.defaultSeconds, mountMaxSeconds: mount.maxSeconds },
    core.clock.wall(),
  ) ?? { seconds: 0, warnings: [] };
  const token = core.tokens.create({
    namespace: call.namespace,
    policies,
    path: call.path,
    meta: grant.metadata,
    displayName: sanitizeDisplayName(
      `${call.mount.path.replace(/\/$/, '')}${grant.displayName === '' ? '' : `-${grant.displayName}`}`,
    ),
    entityId: grant.type === 'batch' ? '' : core.entityId(call.mount, grant.alias),
    type: grant.type ?? 'service',
    numUses: grant.numUses ?? 0,
    periodSeconds: grant.periodSeconds ?? 0,
    explicitMaxTtlSeconds: grant.explicitMaxTtlSeconds ?? 0,
    roleTtlSeconds: grant.ttlSeconds ?? 0,
    roleMaxTtlSeconds: grant.maxTtlSeconds ?? 0,
    ttlSeconds: answer.seconds,
  });
  return { block: authBlock(token, answer.seconds), warnings: answer.warnings };
}

/** The `auth` object of an answer. */
export function authBlock(token: TokenEntry, leaseSeconds: number): object {
  return {
    client_token: token.id,
    accessor: token.accessor,
    policies: token.policies,
    token_policies: token.policies,
    metadata: token.meta,
    lease_duration: leaseSeconds,
    renewable: token.renewable && token.ttlSeconds > 0,
    entity_id: token.entityId,
    token_type: token.type,
    orphan: token.parent === undefined,
    mfa_requirement: null,
    num_uses: Math.max(0, token.numUses),
  };
}

/** Lower case, sorted, each once; `root` stands alone; `default` is added unless refused. */
export function sanitizePolicies(policies: readonly string[], hasDefault: boolean): string[] {
  const names = new Set(policies.map((name) => name.trim().toLowerCase()).filter((name) => name !== ''));
  if (names.has('root')) return ['root'];
  if (hasDefault) names.add('default');
  return [...names].sort();
}

/** What may stand in a display name. */
export function sanitizeDisplayName(name: string): string {
  return name.replace(/[^a-zA-Z0-9-]/g, '-').replace(/-$/, '');
}

function times(grant: AuthGrant) {
  return {
    ttlSeconds: grant.ttlSeconds ?? 0,
    periodSeconds: grant.periodSeconds ?? 0,
    maxTtlSeconds: grant.maxTtlSeconds ?? 0,
    explicitMaxTtlSeconds: grant.explicitMaxTtlSeconds ?? 0,
  };
}
