// One login: sends the credentials, opens a wrapped answer, reads the grant. When it happens is the session's matter.
import { type ErrorCode, LatchkeyError } from '../../../base/errors.ts';
import { SecretValue } from '../../../base/secret-value.ts';
import { isJsonObject, type JsonValue } from '../../../base/text/json.ts';
import {
  answerJson,
  answerTexts,
  invalidAnswer,
  isOfPolicy,
  quoteTexts,
  type VaultAnswer,
} from '../answer-policy.ts';
import type { Credentials } from '../auth/auth-method.ts';
import type { AuthConfig } from '../config/vault-config.ts';
import { longestSeconds, seconds } from '../secrets/issued-life.ts';
import type { VaultClient } from '../vault-client.ts';

/** What a login brought. */
export interface Grant {
  readonly token: SecretValue;
  readonly accessor: string | undefined;
  readonly policies: readonly string[];
  /** 0: the token has no end. */
  readonly ttlSeconds: number;
  readonly isRenewable: boolean;
  /** The login made it, so that closing may revoke it. */
  readonly isOwn: boolean;
}

/** The login was refused by the vault, or there was nothing to log in with. */
export class LoginError extends LatchkeyError {
  readonly isDenied: boolean;
  /** The vault has answered that the credential is not good. */
  readonly isOfCredential: boolean;

  constructor(
    message: string,
    options: { isDenied?: boolean; isOfCredential?: boolean; remedy?: string; cause?: unknown } = {},
  ) {
    const { isDenied, isOfCredential, ...rest } = options;
    super('login_failed', message, rest);
    this.name = 'LoginError';
    this.isDenied = isDenied ?? false;
    this.isOfCredential = isOfCredential ?? false;
  }
}

export interface LoginOptions {
  readonly client: VaultClient;
  readonly auth: AuthConfig;
  /** Told of each login that was answered, and how. */
  readonly onLogin: (outcome: 'ok' | ErrorCode) => void;
  readonly signal: AbortSignal;
}

/** Of a login's body, what the operator wrote and errors may show: the name of a role. */
const shownFields = new Set(['role', 'name']);

export async function logIn(credentials: Credentials, options: LoginOptions): Promise<Grant> {
  if (credentials.kind === 'token')
    return (await lookUpToken(credentials.token, options)) ?? unknownGrant(credentials.token);
  const { client, auth, signal } = options;
  const path = `auth/${auth.mount}/${credentials.path}`;
  const answer = await client.request({
    method: 'POST',
    path,
    body: credentials.body,
    namespace: auth.namespace,
    signal,
    priority: 'interactive',
    isVital: true,
    headers: {
      ...credentials.headers,
      ...(auth.wrapTtlSeconds === undefined ? {} : { 'x-vault-wrap-ttl': `${auth.wrapTtlSeconds}s` }),
    },
  });
  const secrets = Object.entries({ ...credentials.body, ...credentials.headers }).flatMap(([name, value]) =>
    typeof value === 'string' && !shownFields.has(name) ? [value] : [],
  );
  options.onLogin(answer.status === 200 ? 'ok' : 'login_failed');
  if (answer.status !== 200) throw refusedLogin(answer, path, auth, secrets);
  return grantOf(auth.wrapTtlSeconds === undefined ? answer : await unwrap(answer, path, options), path);
}

async function unwrap(answer: VaultAnswer, path: string, options: LoginOptions): Promise<VaultAnswer> {
  const info = answerJson(answer)?.['wrap_info'];
  const token = isJsonObject(info) ? info['token'] : undefined;
  const creationPath = isJsonObject(info) ? info['creation_path'] : undefined;
  const accessor = isJsonObject(info) ? text(info['wrapped_accessor']) : undefined;
  if (typeof token !== 'string') throw invalidAnswer(`login at ${path} with wrap_ttl`, answer);
  if (creationPath !== path)
    throw new LoginError(`the login at ${path} was answered by a wrapping token of another path`);
  const opened = await options.client.request({
    method: 'POST',
    path: 'sys/wrapping/unwrap',
    token: SecretValue.fromText(token),
    namespace: options.auth.namespace,
    signal: options.signal,
    priority: 'interactive',
  });
  if (opened.status === 200) return opened;
  throw new LoginError(
    `the wrapped login answer cannot be opened${quoteTexts(answerTexts(opened), [token])}`,
    {
      remedy: `raise auth.wrap_ttl, if its time was over; else somebody on the way has opened it and has the token of this login: revoke that by its accessor (auth/token/revoke-accessor${accessor === undefined ? '' : `, ${accessor}`}), and look in the audit log of the vault who asked sys/wrapping/unwrap`,
    },
  );
}

function grantOf(answer: VaultAnswer, path: string): Grant {
  const auth = answerJson(answer)?.['auth'];
  if (!isJsonObject(auth) || typeof auth['client_token'] !== 'string' || auth['client_token'] === '') {
    if (isJsonObject(auth) && isJsonObject(auth['mfa_requirement'])) {
      throw new LoginError(`login at ${path}: the vault asks for a second factor`, {
        remedy: 'exempt this role from login MFA: an agent has no second factor',
      });
    }
    throw invalidAnswer(`login at ${path}`, answer);
  }
  return {
    token: SecretValue.fromText(auth['client_token']),
    accessor: text(auth['accessor']),
    policies: texts(auth['policies'] ?? auth['token_policies']),
    ttlSeconds: tokenSeconds(auth['lease_duration'], answer, path),
    isRenewable: auth['renewable'] === true,
    isOwn: true,
  };
}

/** Of a token that there is; undefined: its policy forbids it to look itself up. Throws `LoginError` and as requests do. */
export async function lookUpToken(token: SecretValue, options: LoginOptions): Promise<Grant | undefined> {
  const { client, auth, signal } = options;
  const path = 'auth/token/lookup-self';
  const answer = await client.request({
    method: 'GET',
    path,
    isHarmless: true,
    token,
    namespace: auth.namespace,
    signal,
    priority: 'interactive',
  });
  if (answer.status === 403 && isOfPolicy(answer)) return undefined;
  if (answer.status !== 200) throw refusedLogin(answer, path, auth, [token.text()]);
  const data = answerJson(answer)?.['data'];
  if (!isJsonObject(data)) throw invalidAnswer(path, answer);
  const ttlSeconds = tokenSeconds(data['ttl'], answer, path);
  return {
    token,
    accessor: text(data['accessor']),
    policies: [...texts(data['policies']), ...texts(data['identity_policies'])],
    // In its last second a token has a TTL of 0 as endless ones have, but also an end.
    ttlSeconds: ttlSeconds || (text(data['expire_time']) === undefined ? 0 : 1),
    isRenewable: data['renewable'] === true,
    isOwn: false,
  };
}

/** 0 is a token without end. Less, or no number, would be followed by another login, and so on. */
function tokenSeconds(value: JsonValue | undefined, answer: VaultAnswer, path: string): number {
  const told = seconds(value ?? '0');
  if (told !== undefined && told >= 0) return Math.min(told, longestSeconds);
  throw invalidAnswer(`${path}: a token that lives ${told ?? 'no number of'} seconds`, answer);
}

/** Taken as it is, with no end that is known. */
function unknownGrant(token: SecretValue): Grant {
  return { token, accessor: undefined, policies: [], ttlSeconds: 0, isRenewable: false, isOwn: false };
}

const remedies: Readonly<Record<AuthConfig['method'], string>> = {
  token:
    'put a living token that may look itself up (policy default) into VAULT_TOKEN and start the agent again',
  none: 'show a token with each request, or choose another auth.method',
  token_file: 'write a living token to the file of auth.path',
  approle: 'check role id and secret id',
  jwt: 'check auth.role, and issuer, audience and end of the token in auth.path',
  kubernetes: 'check auth.role, and that it is bound to this service account and namespace',
  cert: 'check that the certificate in tls.cert_file is one that the role of the cert mount trusts',
  userpass: 'check auth.username and the password in auth.password_file',
  ldap: 'check auth.username and the password in auth.password_file',
  aws: 'check auth.role, and that it is bound to the identity of this host',
  alicloud: 'check auth.role, and that it is bound to the RAM role of this host',
  oci: 'check auth.role, and that its OCIDs name a group of this instance or user in the home tenancy of the mount',
  kerberos: 'check that the mount has the keytab of auth.service, and that its LDAP knows auth.username',
  cf: 'check auth.role, and that it is bound to the organisation and space of this instance',
  gcp: 'check auth.role, and that it is bound to the service account of this host',
  azure: 'check auth.role and auth.resource, and that the role is bound to this identity',
};

/** Follows what is to be checked. */
function secretIdHint(auth: AuthConfig, secrets: readonly string[]): string {
  if (auth.method !== 'approle') return '';
  const isWrapping = !auth.secretIdWrapped && secrets.some((secret) => /^(?:hv)?[sb]\.\w{20,}/.test(secret));
  return isWrapping
    ? ': it looks like a wrapping token: then set secret_id_wrapped: true'
    : ': a secret id may have ended or be used up';
}

/** A vault that has locked a role or user says no more than 403, to a good credential too. */
const lockoutHint =
  '; where all of that is right, the vault has locked the role or user after refused logins (user lockout, 15 minutes by default): wait, or unlock it (sys/locked-users); the same credential is tried again within 15 minutes, and by a start while it was refused fewer than four times in that time';

/** Where the next try takes it from: what was shown may be in memory alone. */
function newOneHint(auth: AuthConfig): string {
  if (auth.method !== 'approle' || auth.secretIdFile === undefined) return '';
  return `; put a new ${auth.secretIdWrapped ? 'wrapping token' : 'one'} into ${auth.secretIdFile}, and the agent goes on by itself`;
}

function refusedLogin(
  answer: VaultAnswer,
  path: string,
  auth: AuthConfig,
  secrets: readonly string[],
): LatchkeyError {
  const said = quoteTexts(answerTexts(answer), secrets);
  const isDenied = answer.status === 403;
  const where =
    auth.method === 'token' || auth.method === 'token_file'
      ? 'the token is not accepted'
      : `login at ${path}`;
  const isToken = auth.method === 'token' || auth.method === 'token_file';
  const mountHint = isDenied && !isToken ? ', and that auth.mount and namespace are right' : '';
  const isLockable = auth.method === 'approle' || auth.method === 'userpass' || auth.method === 'ldap';
  return new LoginError(`${where}: refused with ${answer.status}${said}`, {
    isDenied,
    isOfCredential: answer.status >= 400 && answer.status < 500 && answer.status !== 429,
    remedy: `${remedies[auth.method]}${mountHint}${secretIdHint(auth, secrets)}${newOneHint(auth)}${isDenied && isLockable ? lockoutHint : ''}`,
  });
}

function text(value: JsonValue | undefined): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

function texts(value: JsonValue | undefined): string[] {
  return Array.isArray(value) ? value.filter((item) => typeof item === 'string') : [];
}
