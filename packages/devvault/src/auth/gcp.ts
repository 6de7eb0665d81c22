// GCP auth: an instance's identity token (gce) or a JWT that a service account signed (iam). The keys come from
// `jwks_url` in the config, a field of this server alone: the real method asks Google.
import type { JsonObject } from '../../../../src/base/text/json.ts';
import type { Backend, BackendContext, Call, VaultResponse } from '../backend.ts';
import { listField, textField } from '../fields.ts';
import { createRoleAuth } from '../role-auth.ts';
import type { RoleCollection } from '../role-collection.ts';
import { badRequest } from '../vault-error.ts';
import { requireBound } from './bound.ts';
import { claimOf, verifyJwt } from './jwt-keys.ts';

import { describeTokenParams, grantOf, readTokenParams, type TokenParams } from './token-params.ts';

interface Role {
  readonly name: string;
  readonly type: 'gce' | 'iam';
  readonly serviceAccounts: readonly string[];
  readonly projects: readonly string[];
  readonly zones: readonly string[];
  readonly token: TokenParams;
}

const longestLifeSeconds = 900;

export function createGcp(context: BackendContext): Backend {
  return createRoleAuth<{ jwksUrl: string }, Role>({
    listFolder: 'roles',
    config: { jwksUrl: '' },
    readConfig: (data) => ({ jwksUrl: textField(data, 'jwks_url') }),
    describeConfig: ({ jwksUrl }) => ({ jwks_url: jwksUrl }),
    readRole,
    describeRole,
    login: (data, roles, config) => login(context, config?.jwksUrl ?? '', roles, data),
  });
}

function readRole({ data }: Call, name: string): Role {
  const type = textField(data, 'type');
  if (type !== 'gce' && type !== 'iam') throw badRequest(`role type '${type}' is invalid`);
  return {
    name,
    type,
    serviceAccounts: listField(data, 'bound_service_accounts'),
    projects: listField(data, 'bound_projects'),
    zones: listField(data, 'bound_zones'),
    token: readTokenParams(data),
  };
}

function describeRole(role: Role): object {
  return {
    ...describeTokenParams(role.token),
    type: role.type,
    bound_service_accounts: role.serviceAccounts,
    bound_projects: role.projects,
    bound_zones: role.zones,
  };
}

async function login(
  context: BackendContext,
  jwksUrl: string,
  roles: RoleCollection<Role>,
  data: JsonObject,
): Promise<VaultResponse> {
  const roleName = textField(data, 'role');
  if (roleName === '') throw badRequest('role is required');
  const role = roles.find(roleName);
  if (role === undefined) throw badRequest(`role '${roleName}' not found`);
  const nowMs = context.clock.wall();
  const audience = [`vault/${roleName}`, `http://vault/${roleName}`, `https://vault/${roleName}`];
  const claims = await verifyJwt(textField(data, 'jwt'), { publicKeys: [], jwksUrl }, { audience, nowMs });
  const instance = (claimOf(claims, '/google/compute_engine') ?? {}) as Record<string, unknown>;
  const account = String(role.type === 'gce' ? (claims['email'] ?? claims.sub) : claims.sub);
  if (role.type === 'iam' && (claims.exp ?? 0) * 1000 - nowMs > longestLifeSeconds * 1000) {
    throw badRequest('role requires that service account JWTs expire within 900 seconds');
  }
  if (role.type === 'gce' && instance['project_id'] === undefined)
    throw badRequest('unable to find compute_engine claims in the identity token');
  const require = (what: string, value: string, bound: readonly string[]): void =>
    requireBound(`${what} "${value}" is not bound to the role`, value, bound);
  require('service account', account, role.serviceAccounts);
  if (role.type === 'gce') {
    require('project', String(instance['project_id']), role.projects);
    require('zone', String(instance['zone']), role.zones);
  }
  const metadata = {
    role: role.name,
    service_account_email: account,
    ...(role.type === 'gce' ? { project_id: String(instance['project_id']) } : {}),
  };
  return { auth: grantOf(role.token, { displayName: account, alias: account, metadata }) };
}
