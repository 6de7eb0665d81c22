// AppRole: roles with a role id, secret ids with life and uses, login. The secret ids' own paths are approle-secret-ids.ts.
import type { Backend, BackendContext, Call, Route, VaultResponse } from '../backend.ts';
import { boolField, hasField, intField, secondsField, textField } from '../fields.ts';
import { newUuid } from '../identifiers.ts';
import { createRoleCollection, type RoleCollection } from '../role-collection.ts';
import { badRequest, collected, VaultError } from '../vault-error.ts';
import { isSpent, type SecretId, secretIdRoutes } from './approle-secret-ids.ts';
import { describeTokenParams, grantOf, readTokenParams, type TokenParams } from './token-params.ts';

export interface AppRole {
  readonly name: string;
  roleId: string;
  bindSecretId: boolean;
  secretIdTtlSeconds: number;
  secretIdNumUses: number;
  token: TokenParams;
  /** By the secret id itself. */
  readonly secretIds: Map<string, SecretId>;
}

export function createAppRole(context: BackendContext): Backend {
  const collection = createRoleCollection<AppRole>({
    folder: 'role',
    read(call, name, before) {
      const role = readRole(call, name, before);
      const taken = [...roles.values()].some((item) => item.roleId === role.roleId && item.name !== name);
      if (taken) throw collected(500, 'role_id already in use');
      return role;
    },
    describe,
  });
  const { roles, routes } = collection;
  return {
    unauthenticated: ['login'],
    routes: [
      { pattern: 'login', update: (call) => login(context, roles, call) },
      ...routes,
      ...fieldRoutes(collection),
      ...secretIdRoutes(context, collection),
      { pattern: 'tidy/secret-id', update: () => ({ status: 202, data: null }) },
    ],
  };
}

function login(context: BackendContext, roles: ReadonlyMap<string, AppRole>, { data }: Call): VaultResponse {
  const roleId = textField(data, 'role_id').trim();
  if (roleId === '') throw new VaultError(500, ['missing role_id']);
  const role = [...roles.values()].find((item) => item.roleId === roleId);
  if (role === undefined) throw badRequest('invalid role or secret ID');
  const metadata = role.bindSecretId ? useSecretId(context, role, textField(data, 'secret_id').trim()) : {};
  return {
    auth: grantOf(role.token, {
      displayName: '',
      alias: role.roleId,
      metadata: { ...metadata, role_name: role.name },
    }),
  };
}

function useSecretId(context: BackendContext, role: AppRole, id: string): Readonly<Record<string, string>> {
  if (id === '') throw badRequest('missing secret_id');
  const secretId = role.secretIds.get(id);
  if (secretId === undefined) throw badRequest('invalid role or secret ID');
  if (isSpent(secretId, context.clock.wall())) {
    role.secretIds.delete(id);
    throw badRequest('invalid role or secret ID');
  }
  if (secretId.numUses === 1) role.secretIds.delete(id);
  else if (secretId.numUses > 1) secretId.numUses--;
  secretId.updatedMs = context.clock.wall();
  return secretId.metadata;
}

function readRole({ data }: Call, name: string, before: AppRole | undefined): AppRole {
  const role: AppRole = {
    name,
    roleId: textField(data, 'role_id') || (before?.roleId ?? newUuid()),
    bindSecretId: boolField(data, 'bind_secret_id', before?.bindSecretId ?? true),
    secretIdTtlSeconds: secondsField(data, 'secret_id_ttl', before?.secretIdTtlSeconds ?? 0),
    secretIdNumUses: intField(data, 'secret_id_num_uses', before?.secretIdNumUses ?? 0),
    token: readTokenParams(data, before?.token),
    secretIds: before?.secretIds ?? new Map(),
  };
  if (role.secretIdNumUses < 0) throw badRequest('secret_id_num_uses cannot be negative');
  if (
    !role.bindSecretId &&
    !hasField(data, 'secret_id_bound_cidrs') &&
    !hasField(data, 'token_bound_cidrs')
  ) {
    throw collected(500, 'at least one constraint should be enabled on the role');
  }
  return role;
}

function describe(role: AppRole): object {
  return {
    bind_secret_id: role.bindSecretId,
    local_secret_ids: false,
    secret_id_bound_cidrs: null,
    secret_id_num_uses: role.secretIdNumUses,
    secret_id_ttl: role.secretIdTtlSeconds,
    ...describeTokenParams(role.token),
  };
}

// The single fields that have paths of their own, as far as they are used: role-id is read everywhere.
function fieldRoutes(roles: RoleCollection<AppRole>): Route[] {
  const of = (call: Call): AppRole | undefined => roles.find(call.params['role'] ?? '');
  return [
    {
      pattern: 'role/:role/role-id',
      read: (call) => {
        const role = of(call);
        return role && { data: { role_id: role.roleId } };
      },
      update: (call) => {
        const role = of(call);
        if (role === undefined) throw new VaultError(404, []);
        const id = textField(call.data, 'role_id');
        if (id === '') throw badRequest('missing role_id');
        role.roleId = id;
        return undefined;
      },
    },
    {
      pattern: 'role/:role/policies',
      read: (call) => {
        const role = of(call);
        return role && { data: { token_policies: role.token.policies } };
      },
      update: (call) => {
        const role = of(call);
        if (role === undefined) throw new VaultError(404, []);
        role.token = readTokenParams(call.data, role.token);
        return undefined;
      },
    },
  ];
}
