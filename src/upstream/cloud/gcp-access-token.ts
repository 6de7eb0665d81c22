// Access tokens of Google Cloud: by a key file, workload identity federation, a user's refresh token, or the host's identity.
import { LatchkeyError } from '../../base/errors.ts';
import { SecretValue } from '../../base/secret-value.ts';
import type { Environment, FaultOf } from '../../base/surroundings.ts';
import { isJsonObject, JsonNumber, type JsonObject, parseJson } from '../../base/text/json.ts';
import { awsSubjectToken } from './aws-subject-token.ts';
import { readLoginFile } from './login-file.ts';
import { metadataJson, metadataText } from './metadata-request.ts';

export interface GcpTokenSource {
  readonly env: Environment;
  readonly credentialsFile: string | undefined;
  readonly signal: AbortSignal;
  readonly faultOf?: FaultOf | undefined;
}

interface GcpToken {
  readonly token: SecretValue;
  readonly expiresAt: number;
}

const scope = 'https://www.googleapis.com/auth/cloud-platform';
const remedy =
  'attach a service account with the scope cloud-platform to the host, or name a credentials_file';
const form = { 'content-type': 'application/x-www-form-urlencoded' };

/** Throws `login_failed`. */
export async function gcpAccessToken(source: GcpTokenSource): Promise<GcpToken> {
  const { credentialsFile: path } = source;
  if (path === undefined) return await ofHost(source);
  return await ofFile(await readJson(path, source), path, source);
}

async function ofFile(file: JsonObject, path: string, source: GcpTokenSource): Promise<GcpToken> {
  const { signal } = source;
  switch (file['type']) {
    case 'service_account':
      return await ofKey(file, path, signal);
    case 'external_account':
      return await ofFederation(file, path, source);
    case 'authorized_user':
      return await ofUser(file, signal);
    case 'impersonated_service_account':
      return await ofImpersonation(file, path, source);
    default:
      throw new LatchkeyError(
        'login_failed',
        `${path}: expected type service_account, external_account, impersonated_service_account or authorized_user`,
        { remedy },
      );
  }
}

async function ofHost({ env, signal }: GcpTokenSource): Promise<GcpToken> {
  const host = env['GCE_METADATA_HOST'] ?? env['GCE_METADATA_IP'] ?? 'metadata.google.internal';
  const url = `http://${host}/computeMetadata/v1/instance/service-accounts/default/token?${new URLSearchParams({ scopes: scope })}`;
  const service = 'the Google metadata server';
  return tokenOf(
    await metadataJson({ service, url, headers: { 'metadata-flavor': 'Google' }, remedy, signal }),
    service,
  );
}

/** RFC 7523: an assertion signed with the key. */
async function ofKey(file: JsonObject, path: string, signal: AbortSignal): Promise<GcpToken> {
  const url = textIn(file, 'token_uri') ?? 'https://oauth2.googleapis.com/token';
  const email = textIn(file, 'client_email');
  const privateKey = textIn(file, 'private_key');
  if (email === undefined || privateKey === undefined)
    throw new LatchkeyError('login_failed', `${path}: the key lacks client_email or private_key`);
  const { importPKCS8, SignJWT } = await import('jose');
  const now = Math.floor(Date.now() / 1000);
  const assertion = await new SignJWT({ iss: email, scope, aud: url, iat: now, exp: now + 3600 })
    .setProtectedHeader({ alg: 'RS256', kid: textIn(file, 'private_key_id') ?? '', typ: 'JWT' })
    .sign(await importPKCS8(privateKey, 'RS256'));
  const body = new URLSearchParams({
    grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer',
    assertion,
  }).toString();
  return await exchange('the token endpoint of Google', url, body, signal);
}

async function ofUser(file: JsonObject, signal: AbortSignal): Promise<GcpToken> {
  const body = new URLSearchParams({
    grant_type: 'refresh_token',
    client_id: textIn(file, 'client_id') ?? '',
    client_secret: textIn(file, 'client_secret') ?? '',
    refresh_token: textIn(file, 'refresh_token') ?? '',
  }).toString();
  return await exchange(
    'the token endpoint of Google',
    textIn(file, 'token_uri') ?? 'https://oauth2.googleapis.com/token',
    body,
    signal,
  );
}

/** Workload identity federation: another issuer's token for one of Google's, and that for a service account's. */
async function ofFederation(file: JsonObject, path: string, source: GcpTokenSource): Promise<GcpToken> {
  const { signal } = source;
  const body = new URLSearchParams({
    grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
    audience: textIn(file, 'audience') ?? '',
    scope,
    requested_token_type: 'urn:ietf:params:oauth:token-type:access_token',
    subject_token: await subjectToken(file, path, source),
    subject_token_type: textIn(file, 'subject_token_type') ?? 'urn:ietf:params:oauth:token-type:jwt',
  }).toString();
  const federated = await exchange(
    'the token exchange of Google',
    textIn(file, 'token_url') ?? 'https://sts.googleapis.com/v1/token',
    body,
    signal,
  );
  const url = textIn(file, 'service_account_impersonation_url');
  return url === undefined ? federated : await impersonate(url, federated, [], signal);
}

/** Of another account, by one that may. */
async function ofImpersonation(file: JsonObject, path: string, source: GcpTokenSource): Promise<GcpToken> {
  const { source_credentials: own, delegates } = file;
  const url = textIn(file, 'service_account_impersonation_url');
  if (url === undefined || !isJsonObject(own) || own['type'] === 'impersonated_service_account')
    throw new LatchkeyError(
      'login_failed',
      `${path}: expected service_account_impersonation_url, and source_credentials of another type`,
    );
  const token = await ofFile(own, path, source);
  const chain = Array.isArray(delegates) ? delegates.filter((one) => typeof one === 'string') : [];
  return await impersonate(url, token, chain, source.signal);
}

async function impersonate(
  url: string,
  by: GcpToken,
  delegates: readonly string[],
  signal: AbortSignal,
): Promise<GcpToken> {
  const answer = await metadataJson({
    service: 'Google IAM',
    url,
    method: 'POST',
    headers: { authorization: `Bearer ${by.token.text()}`, 'content-type': 'application/json' },
    body: JSON.stringify({
      scope: [scope],
      lifetime: '3600s',
      ...(delegates.length > 0 ? { delegates } : {}),
    }),
    remedy:
      'give who asks the role "Service Account Token Creator" (of a federation "Workload Identity User") on the service account',
    signal,
  });
  const [token, end] = [textIn(answer, 'accessToken'), Date.parse(textIn(answer, 'expireTime') ?? '')];
  if (token === undefined || Number.isNaN(end))
    throw new LatchkeyError('login_failed', 'Google IAM answers without accessToken');
  return { token: SecretValue.fromText(token), expiresAt: end };
}

async function subjectToken(file: JsonObject, path: string, tokenSource: GcpTokenSource): Promise<string> {
  const { env, signal, faultOf } = tokenSource;
  const source = file['credential_source'];
  const where = isJsonObject(source) ? source : {};
  const format = isJsonObject(where['format']) ? where['format'] : {};
  const field =
    format['type'] === 'json' ? (textIn(format, 'subject_token_field_name') ?? 'access_token') : undefined;
  const [tokenFile, url] = [textIn(where, 'file'), textIn(where, 'url')];
  if (tokenFile !== undefined) {
    return field === undefined
      ? (await readLoginFile(tokenFile, { remedy, faultOf })).trim()
      : (textIn(await readJson(tokenFile, tokenSource), field) ?? '');
  }
  if (/^aws\d+$/.test(textIn(where, 'environment_id') ?? ''))
    return await awsSubjectToken(
      textIn(where, 'regional_cred_verification_url'),
      textIn(file, 'audience') ?? '',
      { env, signal, faultOf },
    );
  if (url !== undefined) {
    const given = isJsonObject(where['headers']) ? Object.entries(where['headers']) : [];
    const headers = Object.fromEntries(given.map(([name, value]) => [name, String(value)]));
    const service = 'the source of the subject token';
    const request = { service, url, headers, remedy: `check credential_source of ${path}`, signal };
    if (field === undefined) return (await metadataText(request)).trim();
    return textIn(await metadataJson(request), field) ?? '';
  }
  // A file may come from others: a program that it names is not run.
  throw new LatchkeyError(
    'login_failed',
    `${path}: expected credential_source with file, url or environment_id aws1; a program that such a file names is not run`,
  );
}

async function exchange(service: string, url: string, body: string, signal: AbortSignal): Promise<GcpToken> {
  return tokenOf(
    await metadataJson({ service, url, method: 'POST', headers: form, body, remedy, signal }),
    service,
  );
}

function tokenOf(answer: JsonObject, service: string): GcpToken {
  const { access_token: token, expires_in: seconds } = answer;
  if (typeof token !== 'string' || token === '')
    throw new LatchkeyError('login_failed', `${service} answers without access_token`, { remedy });
  const life = seconds instanceof JsonNumber ? Number(seconds.text) : 3600;
  return { token: SecretValue.fromText(token), expiresAt: Date.now() + life * 1000 };
}

async function readJson(path: string, { faultOf }: GcpTokenSource): Promise<JsonObject> {
  try {
    const value = parseJson(await readLoginFile(path, { remedy, faultOf }));
    if (isJsonObject(value)) return value;
  } catch (error) {
    if (error instanceof LatchkeyError) throw error;
    // The parser's error would quote a key.
  }
  throw new LatchkeyError('login_failed', `${path}: expected a JSON object`);
}

function textIn(json: JsonObject, name: string): string | undefined {
  const value = json[name];
  return typeof value === 'string' && value !== '' ? value : undefined;
}
