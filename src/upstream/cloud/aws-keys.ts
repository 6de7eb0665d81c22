// AWS credentials, and the forms in which services hand them out.
import { LatchkeyError } from '../../base/errors.ts';
import { SecretValue } from '../../base/secret-value.ts';
import type { Environment, FaultOf } from '../../base/surroundings.ts';
import type { JsonObject } from '../../base/text/json.ts';

export interface AwsCredentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: SecretValue;
  readonly sessionToken: SecretValue | undefined;
  /** Wall time in milliseconds. */
  readonly expiresAt: number | undefined;
}

export interface AwsCredentialSource {
  readonly env: Environment;
  readonly signal: AbortSignal;
  /** Of the files that the environment and profiles name. */
  readonly faultOf?: FaultOf | undefined;
}

/** As the signer of requests takes them. */
export function signingKeys({
  accessKeyId,
  secretAccessKey,
  sessionToken,
}: Omit<AwsCredentials, 'expiresAt'>): {
  accessKeyId: string;
  secretAccessKey: string;
  sessionToken?: string;
} {
  return {
    accessKeyId,
    secretAccessKey: secretAccessKey.text(),
    ...(sessionToken ? { sessionToken: sessionToken.text() } : {}),
  };
}

export const awsRemedy =
  'give the host a role (instance profile, task role, service account), or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY';

export function awsKeys(
  accessKeyId: string,
  secret: string,
  token: string | undefined,
  expiration: string | undefined,
): AwsCredentials {
  const expiresAt = expiration === undefined ? Number.NaN : Date.parse(expiration);
  return {
    accessKeyId,
    secretAccessKey: SecretValue.fromText(secret),
    sessionToken: token ? SecretValue.fromText(token) : undefined,
    expiresAt: Number.isNaN(expiresAt) ? undefined : expiresAt,
  };
}

/** `tokenName`: services do not agree on it. */
export function keysFromJson(json: JsonObject, service: string, tokenName = 'Token'): AwsCredentials {
  const { AccessKeyId: id, SecretAccessKey: secret, Expiration: expiration } = json;
  const token = json[tokenName];
  if (typeof id !== 'string' || typeof secret !== 'string') throw noKeys(service);
  const text = (value: unknown) => (typeof value === 'string' ? value : undefined);
  return awsKeys(id, secret, text(token), text(expiration));
}

/** Of STS. */
export function keysFromXml(xml: string, service: string): AwsCredentials {
  const [id, secret] = [xmlText(xml, 'AccessKeyId'), xmlText(xml, 'SecretAccessKey')];
  if (id === undefined || secret === undefined) throw noKeys(service);
  return awsKeys(id, secret, xmlText(xml, 'SessionToken'), xmlText(xml, 'Expiration'));
}

function xmlText(xml: string, tag: string): string | undefined {
  return new RegExp(`<${tag}>([^<]+)</${tag}>`).exec(xml)?.[1];
}

export function noKeys(service: string): LatchkeyError {
  return new LatchkeyError('login_failed', `${service} has no credentials for this host`, {
    remedy: awsRemedy,
  });
}
