// AWS credentials from the fields of a secret, by the names that Vault's AWS engine, AWS itself and people give them.
import { LatchkeyError } from './errors.ts';
import type { JsonObject } from './text/json.ts';

export interface AwsCredentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken: string | undefined;
}

/**
 * Credentials without an end are given one this far ahead (ms): the SDKs ask again then, and otherwise never. Botocore
 * asks at every use from fifteen minutes before the end on, others from five.
 */
export const endlessCredentialsLifeMs = 20 * 60_000;

const spellings = {
  accessKeyId: ['access_key', 'access_key_id', 'aws_access_key_id', 'AccessKeyId'],
  secretAccessKey: ['secret_key', 'secret_access_key', 'aws_secret_access_key', 'SecretAccessKey'],
  sessionToken: ['security_token', 'session_token', 'aws_session_token', 'SessionToken', 'Token'],
} as const;

/** Throws `not_found` naming the fields that are expected; never a value. */
export function awsCredentials(name: string, fields: JsonObject): AwsCredentials {
  const find = (names: readonly string[]): string | undefined => {
    const value = names.map((one) => fields[one]).find((one) => typeof one === 'string' && one !== '');
    return typeof value === 'string' ? value : undefined;
  };
  const accessKeyId = find(spellings.accessKeyId);
  const secretAccessKey = find(spellings.secretAccessKey);
  if (accessKeyId === undefined || secretAccessKey === undefined) {
    throw new LatchkeyError(
      'not_found',
      `secret ${name} holds no AWS credentials: expected the fields access_key and secret_key`,
    );
  }
  return { accessKeyId, secretAccessKey, sessionToken: find(spellings.sessionToken) };
}
