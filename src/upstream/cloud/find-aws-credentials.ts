// Finds AWS credentials as AWS's own SDKs do: environment, shared file, web identity, container endpoint, instance (IMDSv2).

import { errorCode, LatchkeyError } from '../../base/errors.ts';
import { isJsonObject, type JsonObject, parseJson } from '../../base/text/json.ts';
import {
  type AwsCredentialSource,
  type AwsCredentials,
  awsKeys,
  awsRemedy,
  keysFromJson,
  keysFromXml,
  noKeys,
} from './aws-keys.ts';
import { keysOfProfile } from './aws-profile.ts';
import { readLoginFile } from './login-file.ts';
import { metadataJson, metadataText } from './metadata-request.ts';

/** Asks the sources in the order of the SDKs; the first that is configured counts. Throws `login_failed`. */
export async function findAwsCredentials(source: AwsCredentialSource): Promise<AwsCredentials> {
  return (
    fromEnvironment(source) ??
    (await fromProfile(source)) ??
    (await fromWebIdentity(source)) ??
    (await fromContainer(source)) ??
    (await fromInstance(source))
  );
}

function fromEnvironment({ env }: AwsCredentialSource): AwsCredentials | undefined {
  const accessKeyId = env['AWS_ACCESS_KEY_ID'];
  const secret = env['AWS_SECRET_ACCESS_KEY'];
  // Who names a profile means it, as with the SDKs.
  if (!accessKeyId || !secret || env['AWS_PROFILE']) return undefined;
  return awsKeys(accessKeyId, secret, env['AWS_SESSION_TOKEN'], env['AWS_CREDENTIAL_EXPIRATION']);
}

function fromProfile(source: AwsCredentialSource): Promise<AwsCredentials | undefined> {
  return keysOfProfile(source, {
    webIdentity: (env) => fromWebIdentity({ ...source, env }),
    stsEndpoint: (region) =>
      source.env['AWS_ENDPOINT_URL_STS'] ?? source.env['AWS_ENDPOINT_URL'] ?? stsEndpoint(region),
    async named(name) {
      if (name === 'Environment')
        return fromEnvironment({ ...source, env: { ...source.env, AWS_PROFILE: undefined } });
      if (name === 'EcsContainer') return await fromContainer(source);
      return name === 'Ec2InstanceMetadata' ? await fromInstance(source) : undefined;
    },
  });
}

/** Without a region, and for us-east-1, the global endpoint: the one that a mount of Vault asks unless it is told otherwise. */
export function stsEndpoint(region = 'us-east-1'): string {
  if (region === 'us-east-1') return 'https://sts.amazonaws.com/';
  return `https://sts.${region}.amazonaws.com${region.startsWith('cn-') ? '.cn' : ''}/`;
}

async function fromWebIdentity({
  env,
  signal,
  faultOf,
}: AwsCredentialSource): Promise<AwsCredentials | undefined> {
  const path = env['AWS_WEB_IDENTITY_TOKEN_FILE'];
  const role = env['AWS_ROLE_ARN'];
  if (!path || !role) return undefined;
  const what = `$AWS_WEB_IDENTITY_TOKEN_FILE: ${path}`;
  const token = (await readLoginFile(path, { what, remedy: awsRemedy, faultOf })).trim();
  const xml = await metadataText({
    service: 'AWS STS',
    url:
      env['AWS_ENDPOINT_URL_STS'] ??
      env['AWS_ENDPOINT_URL'] ??
      stsEndpoint(env['AWS_REGION'] || env['AWS_DEFAULT_REGION']),
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded', accept: 'application/xml' },
    body: new URLSearchParams({
      Action: 'AssumeRoleWithWebIdentity',
      Version: '2011-06-15',
      RoleArn: role,
      RoleSessionName: env['AWS_ROLE_SESSION_NAME'] ?? 'latchkey',
      WebIdentityToken: token,
    }).toString(),
    remedy: 'check AWS_ROLE_ARN, and that the role trusts the issuer of the token',
    signal,
  });
  return keysFromXml(xml, 'AWS STS');
}

async function fromContainer({
  env,
  signal,
  faultOf,
}: AwsCredentialSource): Promise<AwsCredentials | undefined> {
  const relative = env['AWS_CONTAINER_CREDENTIALS_RELATIVE_URI'];
  const url = relative ? `http://169.254.170.2${relative}` : env['AWS_CONTAINER_CREDENTIALS_FULL_URI'];
  if (!url) return undefined;
  assertContainerHost(url);
  const file = env['AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE'];
  const token = file
    ? (
        await readLoginFile(file, {
          what: `$AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE: ${file}`,
          remedy: awsRemedy,
          faultOf,
        })
      ).trim()
    : env['AWS_CONTAINER_AUTHORIZATION_TOKEN'];
  const service = 'the AWS container endpoint';
  const json = await metadataJson({
    service,
    url,
    headers: token ? { authorization: token } : {},
    remedy: awsRemedy,
    signal,
  });
  return keysFromJson(json, service);
}

async function fromInstance({ env, signal }: AwsCredentialSource): Promise<AwsCredentials> {
  if (env['AWS_EC2_METADATA_DISABLED'] === 'true') {
    throw new LatchkeyError(
      'login_failed',
      'there are no AWS credentials, and the metadata service is switched off',
      {
        remedy: awsRemedy,
      },
    );
  }
  const service = 'the AWS metadata service';
  const folder = '/latest/meta-data/iam/security-credentials/';
  const textAt = await openInstance({ env, signal });
  const role = (await textAt(folder)).split('\n', 1)[0]?.trim();
  if (!role) throw noKeys(service);
  return keysFromJson(jsonOf(await textAt(`${folder}${encodeURIComponent(role)}`), service), service);
}

function jsonOf(text: string, service: string): JsonObject {
  try {
    const value = parseJson(text);
    if (isJsonObject(value)) return value;
  } catch {
    // The parser's error would quote the answer.
  }
  throw noKeys(service);
}

/** The token in the environment must not travel: loopback and the link-local addresses of ECS and EKS, or https. */
function assertContainerHost(url: string): void {
  const parsed = URL.parse(url);
  const allowed =
    /^(?:localhost|127(?:\.\d+){3}|\[::1\]|169\.254\.170\.2|169\.254\.170\.23|\[fd00:ec2::23\])$/;
  if (parsed && (parsed.protocol === 'https:' || allowed.test(parsed.hostname))) return;
  throw new LatchkeyError(
    'login_failed',
    '$AWS_CONTAINER_CREDENTIALS_FULL_URI: neither https nor a local address',
    {
      remedy: 'correct AWS_CONTAINER_CREDENTIALS_FULL_URI',
    },
  );
}

/** Of the machine that this is; undefined where nobody tells. */
export async function instanceRegion(
  source: Pick<AwsCredentialSource, 'env' | 'signal'>,
): Promise<string | undefined> {
  if (source.env['AWS_EC2_METADATA_DISABLED'] === 'true') return undefined;
  try {
    const textAt = await openInstance(source);
    return (await textAt('/latest/meta-data/placement/region')).trim() || undefined;
  } catch (error) {
    if (errorCode(error) === 'login_failed') return undefined;
    throw error;
  }
}

/** What this instance is, and AWS's signature of it. Throws `login_failed`. */
export async function instanceIdentity(
  source: AwsCredentialSource,
): Promise<{ document: string; signature: string }> {
  const folder = '/latest/dynamic/instance-identity/';
  const textAt = await openInstance(source);
  const document = await textAt(`${folder}document`);
  const signature = await textAt(`${folder}signature`);
  return { document, signature };
}

/** One session of the metadata service for all that is asked. */
async function openInstance({
  env,
  signal,
}: AwsCredentialSource): Promise<(path: string) => Promise<string>> {
  const service = 'the AWS metadata service';
  const base = (env['AWS_EC2_METADATA_SERVICE_ENDPOINT'] ?? 'http://169.254.169.254').replace(/\/+$/, '');
  const token = await metadataText({
    service,
    url: `${base}/latest/api/token`,
    method: 'PUT',
    headers: { 'x-aws-ec2-metadata-token-ttl-seconds': '21600' },
    remedy: `${awsRemedy}; in a container the instance must allow two hops`,
    signal,
  });
  const headers = { 'x-aws-ec2-metadata-token': token };
  return (path) => metadataText({ service, url: `${base}${path}`, headers, remedy: awsRemedy, signal });
}
