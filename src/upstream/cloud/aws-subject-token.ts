// What proves to Google that a host is of AWS: a request to STS that the host has signed and Google may send.
import { AwsV4Signer } from 'aws4fetch';
import { LatchkeyError } from '../../base/errors.ts';
import { type AwsCredentialSource, signingKeys } from './aws-keys.ts';
import { findAwsCredentials, instanceRegion } from './find-aws-credentials.ts';

const defaultUrl = 'https://sts.{region}.amazonaws.com?Action=GetCallerIdentity&Version=2011-06-15';

/** `audience` is the provider of the pool that it is for. Throws `login_failed`. */
export async function awsSubjectToken(
  template: string | undefined,
  audience: string,
  source: AwsCredentialSource,
): Promise<string> {
  const { env } = source;
  const region = env['AWS_REGION'] || env['AWS_DEFAULT_REGION'] || (await instanceRegion(source));
  if (region === undefined)
    throw new LatchkeyError('login_failed', 'which region of AWS this host is in is not known', {
      remedy: 'set AWS_REGION',
    });
  const keys = await findAwsCredentials(source);
  const url = (template ?? defaultUrl).replaceAll('{region}', region);
  if (!/^https:\/\/sts[.-][a-z0-9.-]+\.amazonaws\.com(?:\.cn)?[/?]/.test(url))
    throw new LatchkeyError(
      'login_failed',
      `regional_cred_verification_url: expected an address of AWS STS, got ${url}`,
    );
  const signed = await new AwsV4Signer({
    url,
    method: 'POST',
    service: 'sts',
    region,
    ...signingKeys(keys),
    headers: { 'x-goog-cloud-target-resource': audience },
  }).sign();
  const headers = new Map([...signed.headers, ['host', new URL(url).host]]);
  const list = [...headers].map(([key, value]) => ({ key, value }));
  return encodeURIComponent(JSON.stringify({ url, method: 'POST', headers: list }));
}
