// The token auth method: look up, renew and revoke tokens, by id, by accessor, or one's own.
import type { Backend, BackendContext, Call, Route, VaultResponse } from '../backend.ts';
import type { Core } from '../core.ts';
import { secondsField, textField } from '../fields.ts';
import { mountTtl } from '../namespace.ts';
import { authBlock } from '../tokens/login.ts';
import type { TokenEntry } from '../tokens/token-table.ts';
import { decideTtl } from '../tokens/ttl-policy.ts';
import { badRequest, collected, VaultError } from '../vault-error.ts';
import { createChildToken } from './token-create.ts';
import { type TokenRole, tokenRoleRoutes } from './token-role.ts';

export function createTokenAuth(core: Core, _context: BackendContext): Backend {
  const roles = new Map<string, TokenRole>();
  return {
    sudo: ['accessors', 'revoke-orphan'],
    routes: [
      { pattern: 'create', update: (call) => createChildToken(core, call, { isOrphan: false }) },
      { pattern: 'create-orphan', update: (call) => createChildToken(core, call, { isOrphan: true }) },
      { pattern: 'create/:role', update: (call) => createWithRole(core, roles, call) },
      ...lookupRoutes(core),
      ...renewRoutes(core),
      ...revokeRoutes(core),
      { pattern: 'accessors', list: (call) => ({ data: { keys: core.tokens.accessors(call.namespace) } }) },
      { pattern: 'tidy', update: () => ({ status: 202, data: null }) },
      ...tokenRoleRoutes(roles),
    ],
  };
}

function createWithRole(core: Core, roles: Map<string, TokenRole>, call: Call): VaultResponse {
  const role = roles.get(call.params['role'] ?? '');
  if (role === undefined) throw badRequest(`unknown role ${call.params['role']}`);
  return createChildToken(core, call, { isOrphan: false, role });
}

function lookupRoutes(core: Core): Route[] {
  const lookup = (call: Call): VaultResponse => {
    const id = textField(call.data, 'token') || call.clientToken;
    const token = core.tokens.lookup(id);
    if (token === undefined) throw new VaultError(403, ['bad token']);
    return { data: describeToken(core, token) };
  };
  const lookupSelf = (call: Call): VaultResponse => ({ data: describeToken(core, call.token as TokenEntry) });
  return [
    { pattern: 'lookup', read: lookup, update: lookup },
    { pattern: 'lookup-self', read: lookupSelf, update: lookupSelf },
    {
      pattern: 'lookup-accessor',
      update: (call) => ({ data: { ...describeToken(core, byAccessor(core, call)), id: '' } }),
    },
  ];
}

function renewRoutes(core: Core): Route[] {
  return [
    {
      pattern: 'renew',
      update: (call) => {
        const id = textField(call.data, 'token');
        if (id === '') throw badRequest('missing token ID');
        return renewToken(core, call, core.tokens.lookup(id));
      },
    },
    { pattern: 'renew-self', update: (call) => renewToken(core, call, call.token) },
    {
      pattern: 'renew-accessor',
      update: (call) => {
        const response = renewToken(core, call, byAccessor(core, call));
        return { ...response, authBlock: { ...response.authBlock, client_token: '' } };
      },
    },
  ];
}

function renewToken(core: Core, call: Call, token: TokenEntry | undefined): VaultResponse {
  if (token === undefined) throw badRequest('token not found');
  if (token.type === 'batch') throw badRequest('batch tokens cannot be renewed');
  if (token.expiresAtMs === undefined) throw badRequest('lease is not renewable');
  if (!token.renewable) throw badRequest('lease is not renewable');
  const owner = [...token.namespace.auths.values()].find((mount) =>
    `${token.path}/`.startsWith(`auth/${mount.path}`),
  );
  const mount = mountTtl(owner ?? call.mount);
  const answer = decideTtl(
    {
      incrementSeconds: secondsField(call.data, 'increment'),
      ttlSeconds: token.roleTtlSeconds,
      periodSeconds: token.periodSeconds,
      maxTtlSeconds: token.roleMaxTtlSeconds,
      explicitMaxTtlSeconds: token.explicitMaxTtlSeconds,
      mountDefaultSeconds: mount.defaultSeconds,
      mountMaxSeconds: mount.maxSeconds,
      issuedAtMs: token.issuedAtMs,
    },
    core.clock.wall(),
  );
  if (answer === undefined) throw collected(500, 'past the max TTL, cannot renew');
  core.tokens.renew(token, answer.seconds);
  return { authBlock: authBlock(token, answer.seconds), warnings: answer.warnings };
}

function revokeRoutes(core: Core): Route[] {
  const required = (call: Call): string => {
    const id = textField(call.data, 'token');
    if (id === '') throw badRequest('missing token ID');
    if (core.tokens.lookup(id)?.type === 'batch') throw badRequest('batch tokens cannot be revoked');
    return id;
  };
  return [
    { pattern: 'revoke', update: async (call) => void (await core.tokens.revoke(required(call))) },
    {
      pattern: 'revoke-self',
      update: async (call) => {
        if (call.token?.type === 'batch') throw badRequest('batch tokens cannot be revoked');
        await core.tokens.revoke(call.clientToken);
        return undefined;
      },
    },
    {
      pattern: 'revoke-orphan',
      update: async (call) => {
        const id = required(call);
        if (core.tokens.lookup(id) === undefined) throw badRequest('token to revoke not found');
        await core.tokens.revokeOrphan(id);
        return undefined;
      },
    },
    {
      pattern: 'revoke-accessor',
      update: async (call) => {
        const accessor = requiredAccessor(call);
        const token = core.tokens.lookupByAccessor(accessor);
        if (token === undefined) return { data: null, warnings: ['No token found with this accessor'] };
        await core.tokens.revoke(token.id);
        return undefined;
      },
    },
  ];
}

function requiredAccessor(call: Call): string {
  const accessor = textField(call.data, 'accessor');
  if (accessor === '') throw collected(400, 'missing accessor');
  return accessor;
}

function byAccessor(core: Core, call: Call): TokenEntry {
  const token = core.tokens.lookupByAccessor(requiredAccessor(call));
  if (token === undefined) throw collected(400, 'invalid accessor');
  return token;
}

function describeToken(core: Core, token: TokenEntry): object {
  const time = (ms: number): string => new Date(ms).toISOString();
  return {
    id: token.id,
    accessor: token.accessor,
    policies: token.policies,
    path: token.path,
    meta: token.meta,
    display_name: token.displayName,
    num_uses: Math.max(0, token.numUses),
    orphan: token.parent === undefined,
    creation_time: Math.floor(token.issuedAtMs / 1000),
    creation_ttl: token.ttlSeconds,
    expire_time: token.expiresAtMs === undefined ? null : time(token.expiresAtMs),
    ttl: core.tokens.remaining(token),
    explicit_max_ttl: token.explicitMaxTtlSeconds,
    entity_id: token.entityId,
    type: token.type,
    ...(token.role === undefined ? {} : { role: token.role }),
    ...(token.periodSeconds > 0 && token.role === undefined ? { period: token.periodSeconds } : {}),
    ...(token.namespace.path === '' ? {} : { namespace_path: token.namespace.path }),
    ...(token.lastRenewalMs === undefined
      ? {}
      : {
          last_renewal: time(token.lastRenewalMs),
          last_renewal_time: Math.floor(token.lastRenewalMs / 1000),
        }),
    ...(token.expiresAtMs === undefined && core.flavor === 'vault'
      ? {}
      : { renewable: token.renewable, issue_time: time(token.issuedAtMs) }),
  };
}
