// Roles of AWS: STS asked for the credentials of one, signed with the caller's own.
import { AwsV4Signer } from 'aws4fetch';
import { type AwsCredentials, keysFromXml, signingKeys } from './aws-keys.ts';
import { metadataText } from './metadata-request.ts';

export interface RoleRequest {
  readonly roleArn: string;
  readonly sessionName?: string | undefined;
  readonly externalId?: string | undefined;
  /** Default `defaultSessionSeconds`. */
  readonly durationSeconds?: number | undefined;
  /** A session policy, as JSON. */
  readonly policy?: string | undefined;
}

/** AWS's own. */
export const defaultSessionSeconds = 3600;

export interface StsPlace {
  readonly region: string;
  readonly endpoint: string;
  readonly signal: AbortSignal;
}

/** Throws `login_failed`. */
export async function assumeRole(
  keys: AwsCredentials,
  role: RoleRequest,
  place: StsPlace,
): Promise<AwsCredentials> {
  const body = formOf(role);
  const signed = await new AwsV4Signer({
    url: place.endpoint,
    method: 'POST',
    body,
    service: 'sts',
    region: place.region,
    ...signingKeys(keys),
    headers: {
      'content-type': 'application/x-www-form-urlencoded; charset=utf-8',
      accept: 'application/xml',
    },
  }).sign();
  const service = `AWS STS for ${role.roleArn}`;
  const xml = await metadataText({
    service,
    url: place.endpoint,
    method: 'POST',
    headers: Object.fromEntries([...signed.headers].filter(([name]) => name !== 'host')),
    body,
    remedy: 'check that the role is there and trusts who asks (and its external id)',
    signal: place.signal,
  });
  return keysFromXml(xml, service);
}

function formOf(role: RoleRequest): string {
  const optional = {
    ExternalId: role.externalId,
    Policy: role.policy,
    DurationSeconds: role.durationSeconds?.toString(),
  };
  return new URLSearchParams({
    Action: 'AssumeRole',
    Version: '2011-06-15',
    RoleArn: role.roleArn,
    RoleSessionName: role.sessionName ?? 'latchkey',
    ...Object.fromEntries(
      Object.entries(optional).filter((pair): pair is [string, string] => pair[1] !== undefined),
    ),
  }).toString();
}
