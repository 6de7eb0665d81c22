// Google Cloud identities: the metadata server of the instance, or a service account's key file; JWTs signed by either.

import { LatchkeyError } from '../../base/errors.ts';
import { SecretValue } from '../../base/secret-value.ts';
import type { Environment, FaultOf } from '../../base/surroundings.ts';
import { isJsonObject, type JsonObject, parseJson } from '../../base/text/json.ts';
import { readLoginFile } from './login-file.ts';
import { metadataJson, metadataText } from './metadata-request.ts';

export interface GcpSource {
  readonly env: Environment;
  /** An e-mail address; absent: the one of the host or of the key. */
  readonly serviceAccount: string | undefined;
  readonly signal: AbortSignal;
  readonly faultOf?: FaultOf | undefined;
  /** The JSON of a key; undefined: `$GOOGLE_APPLICATION_CREDENTIALS` names its file. */
  readonly key?: SecretValue | undefined;
}

interface ServiceAccountKey {
  readonly email: string;
  readonly keyId: string;
  readonly privateKey: string;
  readonly tokenUri: string;
}

const metadataService = 'the Google metadata server';
const remedy = 'attach a service account to the host, or set GOOGLE_APPLICATION_CREDENTIALS to a key file';
const scope = 'https://www.googleapis.com/auth/cloud-platform';

/** The instance's own identity token, for type `gce`. */
export async function gceIdentityToken(audience: string, source: GcpSource): Promise<SecretValue> {
  const query = new URLSearchParams({ audience, format: 'full' });
  const text = await fromMetadata(`${source.serviceAccount ?? 'default'}/identity?${query}`, source);
  return SecretValue.fromText(text.trim());
}

/** A JWT of the service account, for type `iam`: signed with its key file, or by Google's signJwt. */
export async function signServiceAccountJwt(
  claims: (subject: string) => Readonly<Record<string, string | number>>,
  source: GcpSource,
): Promise<SecretValue> {
  const key = await keyFile(source);
  const subject = source.serviceAccount ?? key?.email ?? (await fromMetadata('default/email', source)).trim();
  if (key && key.email === subject) return await sign(key, claims(subject));
  const token = key ? await tokenOfKey(key, source) : await tokenOfHost(source);
  const endpoint =
    source.env['CLOUDSDK_API_ENDPOINT_OVERRIDES_IAMCREDENTIALS'] ?? 'https://iamcredentials.googleapis.com/';
  const answer = await metadataJson({
    service: 'Google IAM',
    url: `${endpoint.replace(/\/+$/, '')}/v1/projects/-/serviceAccounts/${encodeURIComponent(subject)}:signJwt`,
    method: 'POST',
    headers: { authorization: `Bearer ${token.text()}`, 'content-type': 'application/json' },
    body: JSON.stringify({ payload: JSON.stringify(claims(subject)) }),
    remedy: 'give the identity of the host the role "Service Account Token Creator" on the service account',
    signal: source.signal,
  });
  return secretField(answer, 'signedJwt', 'Google IAM');
}

async function tokenOfHost(source: GcpSource): Promise<SecretValue> {
  const text = await fromMetadata(`default/token?${new URLSearchParams({ scopes: scope })}`, source);
  return secretField(jsonOrEmpty(text), 'access_token', metadataService);
}

/** RFC 7523: an assertion signed with the key, for an access token. */
async function tokenOfKey(key: ServiceAccountKey, source: GcpSource): Promise<SecretValue> {
  const now = Math.floor(Date.now() / 1000);
  const assertion = await sign(key, { iss: key.email, scope, aud: key.tokenUri, iat: now, exp: now + 3600 });
  const answer = await metadataJson({
    service: 'the token endpoint of Google',
    url: key.tokenUri,
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: new URLSearchParams({
      grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer',
      assertion: assertion.text(),
    }).toString(),
    remedy: 'check that the key of the service account is still valid',
    signal: source.signal,
  });
  return secretField(answer, 'access_token', 'the token endpoint of Google');
}

async function fromMetadata(path: string, { env, signal }: GcpSource): Promise<string> {
  const host = env['GCE_METADATA_HOST'] ?? env['GCE_METADATA_IP'] ?? 'metadata.google.internal';
  const url = `http://${host}/computeMetadata/v1/instance/service-accounts/${path}`;
  return await metadataText({
    service: metadataService,
    url,
    headers: { 'metadata-flavor': 'Google' },
    remedy,
    signal,
  });
}

async function keyFile({ env, key, faultOf }: GcpSource): Promise<ServiceAccountKey | undefined> {
  if (key !== undefined) return keyOf(key.text(), 'credentials', 'give the JSON key of a service account');
  const path = env['GOOGLE_APPLICATION_CREDENTIALS'];
  if (!path) return undefined;
  const what = `$GOOGLE_APPLICATION_CREDENTIALS: ${path}`;
  return keyOf(
    await readLoginFile(path, { what, remedy, faultOf }),
    what,
    'set it to a JSON key of type service_account, or unset it to use the metadata server',
  );
}

function keyOf(text: string, what: string, help: string): ServiceAccountKey {
  const json = jsonOrEmpty(text);
  const { client_email: email, private_key: privateKey, private_key_id: keyId, token_uri: tokenUri } = json;
  const isOfAccount = (json['type'] ?? 'service_account') === 'service_account';
  if (isOfAccount && typeof email === 'string' && typeof privateKey === 'string') {
    return {
      email,
      privateKey,
      keyId: typeof keyId === 'string' ? keyId : '',
      tokenUri: typeof tokenUri === 'string' ? tokenUri : 'https://oauth2.googleapis.com/token',
    };
  }
  throw new LatchkeyError('login_failed', `${what} is no service account's key`, { remedy: help });
}

async function sign(
  key: ServiceAccountKey,
  claims: Readonly<Record<string, string | number>>,
): Promise<SecretValue> {
  const { importPKCS8, SignJWT } = await import('jose');
  const privateKey = await importPKCS8(key.privateKey, 'RS256');
  const jwt = await new SignJWT(claims)
    .setProtectedHeader({ alg: 'RS256', kid: key.keyId, typ: 'JWT' })
    .sign(privateKey);
  return SecretValue.fromText(jwt);
}

function jsonOrEmpty(text: string): JsonObject {
  try {
    const value = parseJson(text);
    return isJsonObject(value) ? value : {};
  } catch {
    // The parser's error would quote a key; the missing fields are reported instead.
    return {};
  }
}

function secretField(json: JsonObject, field: string, service: string): SecretValue {
  const value = json[field];
  if (typeof value === 'string' && value !== '') return SecretValue.fromText(value);
  throw new LatchkeyError('login_failed', `${service} answers without ${field}`, { remedy });
}
