// JWT auth: a token signed by a known issuer, bound by audience, subject and claims.
import type { JWTPayload } from 'jose';
import type { JsonObject } from '../../../../src/base/text/json.ts';
import type { Backend, BackendContext, Call, VaultResponse } from '../backend.ts';
import { listField, mapField, statementsField, textField, textMapField } from '../fields.ts';
import { globMatches } from '../policy/glob.ts';
import { createRoleAuth } from '../role-auth.ts';
import type { RoleCollection } from '../role-collection.ts';
import { badRequest, collected } from '../vault-error.ts';
import { claimOf, type JwtKeys, verifyJwt } from './jwt-keys.ts';

import { describeTokenParams, grantOf, readTokenParams, type TokenParams } from './token-params.ts';

interface Config extends JwtKeys {
  readonly boundIssuer: string;
  readonly defaultRole: string;
}

interface Role {
  readonly userClaim: string;
  readonly boundAudiences: readonly string[];
  readonly boundSubject: string;
  readonly boundClaims: Readonly<Record<string, readonly string[]>>;
  readonly boundClaimsType: string;
  readonly claimMappings: Readonly<Record<string, string>>;
  readonly token: TokenParams;
}

export function createJwt(context: BackendContext): Backend {
  return createRoleAuth<Config, Role>({
    readConfig,
    describeConfig,
    readRole,
    describeRole,
    login: (data, roles, config) => login(context, config, roles, data),
  });
}

function readConfig(data: JsonObject): Config {
  const config = {
    publicKeys: statementsField(data, 'jwt_validation_pubkeys'),
    jwksUrl: textField(data, 'jwks_url'),
    boundIssuer: textField(data, 'bound_issuer'),
    defaultRole: textField(data, 'default_role'),
  };
  const ways = Number(config.publicKeys.length > 0) + Number(config.jwksUrl !== '');
  if (ways !== 1) {
    throw badRequest(
      "exactly one of 'jwt_validation_pubkeys', 'jwks_url' or 'oidc_discovery_url' must be set",
    );
  }
  for (const pem of config.publicKeys) {
    if (!pem.includes('-----BEGIN'))
      throw badRequest('error parsing public key: data does not contain any valid public keys');
  }
  return config;
}

function describeConfig(config: Config): object {
  return {
    bound_issuer: config.boundIssuer,
    default_role: config.defaultRole,
    jwks_ca_pem: '',
    jwks_url: config.jwksUrl,
    jwt_supported_algs: [],
    jwt_validation_pubkeys: config.publicKeys,
    oidc_client_id: '',
    oidc_discovery_ca_pem: '',
    oidc_discovery_url: '',
  };
}

function readRole({ data }: Call): Role {
  const roleType = textField(data, 'role_type', 'oidc');
  if (roleType !== 'jwt') throw badRequest(`the development vault has role_type jwt alone, got ${roleType}`);
  const userClaim = textField(data, 'user_claim');
  if (userClaim === '') throw badRequest('a user claim must be defined on the role');
  const role: Role = {
    userClaim,
    boundAudiences: listField(data, 'bound_audiences'),
    boundSubject: textField(data, 'bound_subject'),
    boundClaims: readBoundClaims(data),
    boundClaimsType: textField(data, 'bound_claims_type', 'string'),
    claimMappings: textMapField(data, 'claim_mappings') ?? {},
    token: readTokenParams(data),
  };
  const isBound =
    role.boundAudiences.length > 0 || role.boundSubject !== '' || Object.keys(role.boundClaims).length > 0;
  if (!isBound) throw badRequest('must have at least one bound constraint when creating/updating a role');
  return role;
}

function readBoundClaims(data: JsonObject): Record<string, string[]> {
  const claims = mapField(data, 'bound_claims') ?? {};
  return Object.fromEntries(
    Object.entries(claims).map(([name, value]) => [
      name,
      Array.isArray(value) ? value.map(String) : [String(value)],
    ]),
  );
}

function describeRole(role: Role): object {
  return {
    ...describeTokenParams(role.token),
    bound_audiences: role.boundAudiences,
    bound_claims: role.boundClaims,
    bound_claims_type: role.boundClaimsType,
    bound_subject: role.boundSubject,
    claim_mappings: role.claimMappings,
    role_type: 'jwt',
    user_claim: role.userClaim,
  };
}

async function login(
  context: BackendContext,
  config: Config | undefined,
  roles: RoleCollection<Role>,
  data: JsonObject,
): Promise<VaultResponse> {
  if (config === undefined) throw badRequest('could not load configuration');
  const roleName = textField(data, 'role', config.defaultRole);
  if (roleName === '') throw badRequest('missing role');
  const role = roles.find(roleName);
  if (role === undefined) throw badRequest(`role "${roleName}" could not be found`);
  const token = textField(data, 'jwt');
  if (token === '') throw badRequest('missing token');
  const claims = await verifyJwt(token, config, {
    issuer: config.boundIssuer,
    audience: role.boundAudiences,
    subject: role.boundSubject,
    nowMs: context.clock.wall(),
  });
  if (claims.aud !== undefined && role.boundAudiences.length === 0) {
    throw badRequest('audience claim found in JWT but no audiences bound to the role');
  }
  const user = claimOf(claims, role.userClaim);
  if (typeof user !== 'string') throw badRequest(`claim "${role.userClaim}" not found in token`);
  checkBoundClaims(role, claims);
  return {
    auth: grantOf(role.token, {
      displayName: user,
      alias: user,
      metadata: { ...mappedClaims(role, claims), role: roleName },
    }),
  };
}

function checkBoundClaims(role: Role, claims: JWTPayload): void {
  for (const [name, wanted] of Object.entries(role.boundClaims)) {
    const value = claimOf(claims, name);
    if (value === undefined) throw badRequest(`error validating claims: claim "${name}" is missing`);
    const got = (Array.isArray(value) ? value : [value]).map(String);
    const matches = (item: string, bound: string): boolean =>
      role.boundClaimsType === 'glob' ? globMatches(bound, item) : item === bound;
    if (!got.some((item) => wanted.some((bound) => matches(item, bound)))) {
      throw badRequest(
        `error validating claims: claim "${name}" does not match any associated bound claim values`,
      );
    }
  }
}

function mappedClaims(role: Role, claims: JWTPayload): Record<string, string> {
  const metadata: Record<string, string> = {};
  for (const [claim, key] of Object.entries(role.claimMappings)) {
    const value = claimOf(claims, claim);
    if (value === undefined) continue;
    if (typeof value === 'object') throw collected(400, `error converting claim '${claim}' to string`);
    metadata[key] = String(value);
  }
  return metadata;
}
