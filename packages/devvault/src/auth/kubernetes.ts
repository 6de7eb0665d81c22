// Kubernetes auth: a service account's token, checked by the cluster itself through TokenReview.
import { isJsonObject, type JsonObject, parseJson } from '../../../../src/base/text/json.ts';
import type { Backend, Call, VaultResponse } from '../backend.ts';
import { boolField, hasField, listField, textField } from '../fields.ts';
import { globMatches } from '../policy/glob.ts';
import { createRoleAuth } from '../role-auth.ts';
import type { RoleCollection } from '../role-collection.ts';
import { badRequest, VaultError } from '../vault-error.ts';
import { postOutside } from './post-outside.ts';

import { describeTokenParams, grantOf, readTokenParams, type TokenParams } from './token-params.ts';

interface Config {
  readonly host: string;
  readonly caCert: string;
  readonly reviewerToken: string;
}

interface Role {
  readonly name: string;
  readonly names: readonly string[];
  readonly namespaces: readonly string[];
  readonly audience: string;
  readonly token: TokenParams;
}

interface ServiceAccount {
  readonly name: string;
  readonly namespace: string;
  readonly uid: string;
}

export function createKubernetes(): Backend {
  return createRoleAuth<Config, Role>({ readConfig, describeConfig, readRole, describeRole, login });
}

function readConfig(data: JsonObject): Config {
  const host = textField(data, 'kubernetes_host');
  if (host === '') throw badRequest('no host provided');
  if (boolField(data, 'disable_local_ca_jwt') && !hasField(data, 'kubernetes_ca_cert')) {
    throw badRequest('kubernetes_ca_cert must be given when disable_local_ca_jwt is true');
  }
  return {
    host,
    caCert: textField(data, 'kubernetes_ca_cert'),
    reviewerToken: textField(data, 'token_reviewer_jwt'),
  };
}

function describeConfig(config: Config): object {
  return {
    disable_iss_validation: true,
    disable_local_ca_jwt: true,
    issuer: '',
    kubernetes_ca_cert: config.caCert,
    kubernetes_host: config.host,
    pem_keys: [],
    token_reviewer_jwt_set: config.reviewerToken !== '',
  };
}

function readRole({ data }: Call, name: string): Role {
  const role = {
    name,
    names: listField(data, 'bound_service_account_names'),
    namespaces: listField(data, 'bound_service_account_namespaces'),
    audience: textField(data, 'audience'),
    token: readTokenParams(data),
  };
  if (role.names.length === 0) throw badRequest('"bound_service_account_names" can not be empty');
  if (role.namespaces.length === 0) {
    throw badRequest(
      '"bound_service_account_namespaces" can not be empty if "bound_service_account_namespace_selector" is not set',
    );
  }
  return role;
}

function describeRole(role: Role): object {
  return {
    ...describeTokenParams(role.token),
    alias_name_source: 'serviceaccount_uid',
    ...(role.audience === '' ? {} : { audience: role.audience }),
    bound_service_account_names: role.names,
    bound_service_account_namespace_selector: '',
    bound_service_account_namespaces: role.namespaces,
  };
}

async function login(
  data: JsonObject,
  roles: RoleCollection<Role>,
  config: Config | undefined,
): Promise<VaultResponse> {
  const roleName = textField(data, 'role');
  if (roleName === '') throw badRequest('missing role');
  const token = textField(data, 'jwt');
  if (token === '') throw badRequest('missing jwt');
  const role = roles.find(roleName);
  if (role === undefined) throw badRequest(`invalid role name "${roleName}"`);
  if (config === undefined) throw new VaultError(500, ['could not load backend configuration']);
  const claimed = serviceAccountOf(token);
  if (!role.namespaces.some((glob) => globMatches(glob, claimed.namespace)))
    throw new VaultError(403, ['namespace not authorized']);
  if (!role.names.some((glob) => globMatches(glob, claimed.name)))
    throw new VaultError(403, ['service account name not authorized']);
  await review(config, role, token, claimed);
  const metadata = {
    role: role.name,
    service_account_name: claimed.name,
    service_account_namespace: claimed.namespace,
    service_account_secret_name: '',
    service_account_uid: claimed.uid,
  };
  return {
    auth: grantOf(role.token, {
      displayName: `${claimed.namespace}-${claimed.name}`,
      alias: claimed.uid,
      metadata,
    }),
  };
}

// The claims are read before anyone has vouched for them: the review below does.
function serviceAccountOf(token: string): ServiceAccount {
  try {
    const claims = parseJson(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString('utf8'));
    const inner = isJsonObject(claims) ? claims['kubernetes.io'] : undefined;
    const account = isJsonObject(inner ?? null) ? (inner as JsonObject) : {};
    const serviceAccount = account['serviceaccount'];
    if (isJsonObject(serviceAccount ?? null)) {
      const { name, uid } = serviceAccount as { name?: string; uid?: string };
      return { name: String(name), uid: String(uid), namespace: String(account['namespace']) };
    }
  } catch {
    // Refused below, without the token.
  }
  throw new VaultError(403, ['permission denied']);
}

async function review(config: Config, role: Role, token: string, claimed: ServiceAccount): Promise<void> {
  const spec = { token, ...(role.audience === '' ? {} : { audiences: [role.audience] }) };
  const body = JSON.stringify({ kind: 'TokenReview', apiVersion: 'authentication.k8s.io/v1', spec });
  const headers = {
    'content-type': 'application/json',
    accept: 'application/json',
    authorization: `Bearer ${config.reviewerToken || token}`,
  };
  const url = `${config.host.replace(/\/$/, '')}/apis/authentication.k8s.io/v1/tokenreviews`;
  const answer = await postOutside(url, headers, body, config.caCert);
  if (answer.status !== 200 && answer.status !== 201) throw new VaultError(403, ['permission denied']);
  const { status } = JSON.parse(answer.body) as {
    status?: { authenticated?: boolean; user?: { username?: string; uid?: string } };
  };
  const expected = `system:serviceaccount:${claimed.namespace}:${claimed.name}`;
  if (!status?.authenticated || status.user?.username !== expected || status.user.uid !== claimed.uid)
    throw new VaultError(403, ['permission denied']);
}
