// Azure auth: a managed identity's access token. The keys come from `jwks_url` in the config, a field of this server
// alone; the real method asks Entra for them and the resource manager for the machine.
import type { JsonObject } from '../../../../src/base/text/json.ts';
import type { Backend, BackendContext, Call, VaultResponse } from '../backend.ts';
import { listField, textField } from '../fields.ts';
import { createRoleAuth } from '../role-auth.ts';
import type { RoleCollection } from '../role-collection.ts';
import { badRequest } from '../vault-error.ts';
import { requireBound } from './bound.ts';
import { verifyJwt } from './jwt-keys.ts';

import { describeTokenParams, grantOf, readTokenParams, type TokenParams } from './token-params.ts';

interface Config {
  readonly tenantId: string;
  readonly resource: string;
  readonly jwksUrl: string;
}

interface Role {
  readonly name: string;
  readonly servicePrincipals: readonly string[];
  readonly subscriptions: readonly string[];
  readonly resourceGroups: readonly string[];
  readonly token: TokenParams;
}

export function createAzure(context: BackendContext): Backend {
  return createRoleAuth<Config, Role>({
    readConfig,
    describeConfig: ({ tenantId, resource, jwksUrl }) => ({
      tenant_id: tenantId,
      resource,
      jwks_url: jwksUrl,
    }),
    readRole,
    describeRole,
    login: (data, roles, config) => login(context, config, roles, data),
  });
}

function readConfig(data: JsonObject): Config {
  return {
    tenantId: textField(data, 'tenant_id'),
    resource: textField(data, 'resource'),
    jwksUrl: textField(data, 'jwks_url'),
  };
}

function readRole({ data }: Call, name: string): Role {
  return {
    name,
    servicePrincipals: listField(data, 'bound_service_principal_ids'),
    subscriptions: listField(data, 'bound_subscription_ids'),
    resourceGroups: listField(data, 'bound_resource_groups'),
    token: readTokenParams(data),
  };
}

function describeRole(role: Role): object {
  return {
    ...describeTokenParams(role.token),
    bound_service_principal_ids: role.servicePrincipals,
    bound_subscription_ids: role.subscriptions,
    bound_resource_groups: role.resourceGroups,
  };
}

async function login(
  context: BackendContext,
  config: Config | undefined,
  roles: RoleCollection<Role>,
  data: JsonObject,
): Promise<VaultResponse> {
  const roleName = textField(data, 'role');
  if (textField(data, 'jwt') === '') throw badRequest('jwt is required');
  if (roleName === '') throw badRequest('role is required');
  if (config === undefined) throw badRequest('unable to retrieve backend configuration');
  const role = roles.find(roleName);
  if (role === undefined) throw badRequest(`invalid role name "${roleName}"`);
  const expected = { audience: [config.resource], nowMs: context.clock.wall() };
  const claims = await verifyJwt(
    textField(data, 'jwt'),
    { publicKeys: [], jwksUrl: config.jwksUrl },
    expected,
  );
  const objectId = String(claims['oid'] ?? '');
  requireBound('service principal not authorized', objectId, role.servicePrincipals);
  requireBound('subscription not authorized', textField(data, 'subscription_id'), role.subscriptions);
  requireBound('resource group not authorized', textField(data, 'resource_group_name'), role.resourceGroups);
  const names = ['resource_group_name', 'subscription_id', 'vm_name', 'vmss_name'];
  const given = Object.fromEntries(
    names.map((name) => [name, textField(data, name)]).filter(([, value]) => value !== ''),
  );
  return {
    auth: grantOf(role.token, {
      displayName: `azure-${objectId}`,
      alias: objectId,
      metadata: { role: role.name, ...given },
    }),
  };
}
