// AWS IAM Identity Center: the credentials of a role for the token that `aws sso login` has left in its cache.
import { LatchkeyError } from '../../base/errors.ts';
import { isJsonObject, JsonNumber } from '../../base/text/json.ts';
import { type AwsCredentialSource, type AwsCredentials, awsKeys, noKeys } from './aws-keys.ts';
import { ssoToken } from './aws-sso-login.ts';
import { metadataJson } from './metadata-request.ts';

type Fields = ReadonlyMap<string, string>;

/** `session` are the fields of the `sso-session` that the profile names. Throws `login_failed`. */
export async function keysOfSso(
  name: string,
  profile: Fields,
  session: Fields | undefined,
  { env, signal, faultOf }: AwsCredentialSource,
): Promise<AwsCredentials> {
  const of = (key: string) => profile.get(key) ?? session?.get(key);
  const [account, role] = [profile.get('sso_account_id'), profile.get('sso_role_name')];
  const [region, startUrl] = [of('sso_region'), of('sso_start_url')];
  if (account === undefined || role === undefined || region === undefined || startUrl === undefined) {
    throw new LatchkeyError(
      'login_failed',
      `the AWS profile ${name} lacks one of sso_account_id, sso_role_name, sso_region, sso_start_url`,
    );
  }
  const remedy = `run aws sso login --profile ${name} as the user of this agent`;
  const token = await ssoToken(profile.get('sso_session') ?? startUrl, {
    ...{ env, region, remedy, signal, faultOf },
  });
  const base =
    env['AWS_ENDPOINT_URL_SSO'] ??
    `https://portal.sso.${region}.amazonaws.com${region.startsWith('cn-') ? '.cn' : ''}`;
  const service = `AWS IAM Identity Center for the profile ${name}`;
  const answer = await metadataJson({
    service,
    url: `${base.replace(/\/+$/, '')}/federation/credentials?${new URLSearchParams({ role_name: role, account_id: account })}`,
    headers: { 'x-amz-sso_bearer_token': token },
    remedy,
    signal,
  });
  const { roleCredentials: keys } = answer;
  if (!isJsonObject(keys)) throw noKeys(service);
  const { accessKeyId: id, secretAccessKey: secret, sessionToken, expiration } = keys;
  if (typeof id !== 'string' || typeof secret !== 'string' || typeof sessionToken !== 'string')
    throw noKeys(service);
  const end = expiration instanceof JsonNumber ? new Date(Number(expiration.text)).toISOString() : undefined;
  return awsKeys(id, secret, sessionToken, end);
}
