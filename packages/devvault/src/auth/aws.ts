// AWS auth, type iam: the caller posts a signed GetCallerIdentity request; STS, or its stand-in, says who signed it.
import { isJsonObject, type JsonObject, type JsonValue, parseJson } from '../../../../src/base/text/json.ts';
import type { Backend, Call, VaultResponse } from '../backend.ts';
import { listField, textField } from '../fields.ts';
import { globMatches } from '../policy/glob.ts';
import { createRoleCollection, type RoleCollection } from '../role-collection.ts';
import { badRequest } from '../vault-error.ts';
import { postOutside } from './post-outside.ts';
import { describeTokenParams, grantOf, readTokenParams, type TokenParams } from './token-params.ts';

interface Config {
  readonly stsEndpoint: string;
  readonly serverId: string;
}

interface Role {
  readonly principals: readonly string[];
  readonly token: TokenParams;
}

const defaultStsEndpoint = 'https://sts.amazonaws.com';

export function createAws(): Backend {
  let config: Config = { stsEndpoint: '', serverId: '' };
  const collection = createRoleCollection<Role>({
    folder: 'role',
    listFolder: 'roles',
    read: (call) => readRole(call),
    describe: describeRole,
  });
  return {
    unauthenticated: ['login'],
    routes: [
      {
        pattern: 'config/client',
        read: () => ({
          data: { sts_endpoint: config.stsEndpoint, iam_server_id_header_value: config.serverId },
        }),
        update: ({ data }) => {
          config = {
            stsEndpoint: textField(data, 'sts_endpoint'),
            serverId: textField(data, 'iam_server_id_header_value'),
          };
          return undefined;
        },
      },
      ...collection.routes,
      { pattern: 'login', update: (call) => login(config, collection, call) },
    ],
  };
}

function readRole({ data }: Call): Role {
  const type = textField(data, 'auth_type', 'iam');
  if (type !== 'iam') throw badRequest(`the development vault has auth_type iam alone, got ${type}`);
  return { principals: listField(data, 'bound_iam_principal_arn'), token: readTokenParams(data) };
}

function describeRole(role: Role): object {
  return { ...describeTokenParams(role.token), auth_type: 'iam', bound_iam_principal_arn: role.principals };
}

async function login(config: Config, roles: RoleCollection<Role>, { data }: Call): Promise<VaultResponse> {
  const request = readSignedRequest(data, config);
  const headers = { ...request.headers, 'content-type': 'application/x-www-form-urlencoded; charset=utf-8' };
  const endpoint = config.stsEndpoint || defaultStsEndpoint;
  const answer = await postOutside(`${endpoint.replace(/\/$/, '')}/`, headers, request.body);
  if (answer.status !== 200) {
    throw badRequest(`error making upstream request: received error code ${answer.status} from STS`);
  }
  const identity = {
    arn: xmlValue(answer.body, 'Arn'),
    userId: xmlValue(answer.body, 'UserId'),
    account: xmlValue(answer.body, 'Account'),
  };
  const arn = canonicalArn(identity.arn);
  const roleName = textField(data, 'role') || (arn.split('/').pop() ?? '');
  const role = roles.find(roleName);
  if (role === undefined) throw badRequest(`entry for role "${roleName}" not found`);
  if (role.principals.length > 0 && !role.principals.some((glob) => globMatches(glob, arn))) {
    throw badRequest(`IAM Principal "${identity.arn}" does not belong to the role "${roleName}"`);
  }
  const metadata = {
    account_id: identity.account,
    auth_type: 'iam',
    canonical_arn: arn,
    client_arn: identity.arn,
    client_user_id: identity.userId.split(':')[0] ?? '',
    role_id: '',
  };
  return {
    auth: grantOf(role.token, { displayName: arn.split('/').pop() ?? '', alias: identity.userId, metadata }),
  };
}

function readSignedRequest(
  data: JsonObject,
  config: Config,
): { headers: Record<string, string>; body: string } {
  if (textField(data, 'iam_http_request_method') === '') throw badRequest('missing iam_http_request_method');
  if (textField(data, 'iam_http_request_method') !== 'POST')
    throw badRequest('invalid iam_http_request_method; currently only POST is supported');
  const body = decode(data, 'iam_request_body');
  const url = decode(data, 'iam_request_url');
  const headers = parseHeaders(data['iam_request_headers']);
  if (!body.includes('Action=GetCallerIdentity'))
    throw badRequest('iam_request_body did not match expected GetCallerIdentity request');
  if (!URL.canParse(url)) throw badRequest('error parsing iam_request_url');
  if (config.serverId !== '') checkServerId(headers, config.serverId);
  return { headers: { ...headers, host: headers['host'] ?? new URL(url).host }, body };
}

function decode(data: JsonObject, name: string): string {
  const text = textField(data, name);
  if (text === '') throw badRequest(`missing ${name}`);
  return Buffer.from(text, 'base64').toString('utf8');
}

// Base64 of a JSON object, or the object itself; each value a text or a list of texts.
function parseHeaders(value: JsonValue | undefined): Record<string, string> {
  let parsed: JsonValue = value ?? null;
  if (typeof value === 'string') {
    try {
      parsed = parseJson(value.startsWith('{') ? value : Buffer.from(value, 'base64').toString('utf8'));
    } catch {
      throw badRequest('failed to JSON decode iam_request_headers');
    }
  }
  if (!isJsonObject(parsed)) throw badRequest('missing iam_request_headers');
  const first = (item: JsonValue): string => String(Array.isArray(item) ? item[0] : item);
  const headers = Object.entries(parsed).map(([name, item]): [string, string] => [
    name.toLowerCase(),
    first(item),
  ]);
  return Object.fromEntries(headers.filter(([name]) => name !== 'content-length'));
}

function checkServerId(headers: Record<string, string>, wanted: string): void {
  const value = headers['x-vault-aws-iam-server-id'];
  if (value === undefined)
    throw badRequest(
      'error validating X-Vault-AWS-IAM-Server-ID header: missing header "X-Vault-AWS-IAM-Server-ID"',
    );
  if (value !== wanted)
    throw badRequest(
      `error validating X-Vault-AWS-IAM-Server-ID header: expected "${wanted}" but got another`,
    );
  if (!/SignedHeaders=[^,]*x-vault-aws-iam-server-id/.test(headers['authorization'] ?? '')) {
    throw badRequest("error validating X-Vault-AWS-IAM-Server-ID header: header wasn't signed");
  }
}

function xmlValue(xml: string, name: string): string {
  return new RegExp(`<${name}>([^<]*)</${name}>`).exec(xml)?.[1] ?? '';
}

// A session of a role counts as the role.
function canonicalArn(arn: string): string {
  const session = /^arn:([^:]+):sts::(\d+):assumed-role\/([^/]+)\//.exec(arn);
  return session === null ? arn : `arn:${session[1]}:iam::${session[2]}:role/${session[3]}`;
}
