// Finds AWS credentials as AWS's own SDKs do: environment, shared file, web identity, container endpoint, instance (IMDSv2).

import { homedir } from 'node:os';
import { join } from 'node:path';
import { LatchkeyError } from '../../base/errors.ts';
import type { JsonObject } from '../../base/json.ts';
import { readControlledFile } from '../../base/paths/controlled-file.ts';
import { pathErrorText } from '../../base/paths/path-trust.ts';
import { SecretValue } from '../../base/secret-value.ts';
import { metadataJson, metadataText } from './metadata-request.ts';

export interface AwsCredentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: SecretValue;
  readonly sessionToken: SecretValue | undefined;
  /** Wall time in milliseconds. */
  readonly expiresAt: number | undefined;
}

export interface AwsCredentialSource {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly signal: AbortSignal;
}

const remedy =
  'give the host a role (instance profile, task role, service account), or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY';

/** Asks the sources in the order of the SDKs; the first that is configured counts. Throws `login_failed`. */
export async function findAwsCredentials(source: AwsCredentialSource): Promise<AwsCredentials> {
  return (
    fromEnvironment(source) ??
    (await fromSharedFile(source)) ??
    (await fromWebIdentity(source)) ??
    (await fromContainer(source)) ??
    (await fromInstance(source))
  );
}

function fromEnvironment({ env }: AwsCredentialSource): AwsCredentials | undefined {
  const accessKeyId = env['AWS_ACCESS_KEY_ID'];
  const secret = env['AWS_SECRET_ACCESS_KEY'];
  if (!accessKeyId || !secret) return undefined;
  return credentials(accessKeyId, secret, env['AWS_SESSION_TOKEN'], undefined);
}

async function fromSharedFile({ env }: AwsCredentialSource): Promise<AwsCredentials | undefined> {
  const path = env['AWS_SHARED_CREDENTIALS_FILE'] ?? join(env['HOME'] ?? homedir(), '.aws', 'credentials');
  const profile = env['AWS_PROFILE'] ?? 'default';
  let text: string;
  try {
    text = (await readControlledFile(path)).bytes.toString('utf8');
  } catch (error) {
    if (env['AWS_SHARED_CREDENTIALS_FILE'] === undefined) return undefined;
    const code = pathErrorText(error);
    throw new LatchkeyError(
      'login_failed',
      `$AWS_SHARED_CREDENTIALS_FILE: ${path} cannot be read (${code})`,
      {
        cause: error,
        remedy,
      },
    );
  }
  const fields = iniSection(text, profile);
  const accessKeyId = fields.get('aws_access_key_id');
  const secret = fields.get('aws_secret_access_key');
  if (accessKeyId === undefined || secret === undefined) return undefined;
  return credentials(accessKeyId, secret, fields.get('aws_session_token'), undefined);
}

/** Without a region, and for us-east-1, the global endpoint: the one that a mount of Vault asks unless it is told otherwise. */
export function stsEndpoint(region = 'us-east-1'): string {
  if (region === 'us-east-1') return 'https://sts.amazonaws.com/';
  return `https://sts.${region}.amazonaws.com${region.startsWith('cn-') ? '.cn' : ''}/`;
}

async function fromWebIdentity({ env, signal }: AwsCredentialSource): Promise<AwsCredentials | undefined> {
  const path = env['AWS_WEB_IDENTITY_TOKEN_FILE'];
  const role = env['AWS_ROLE_ARN'];
  if (!path || !role) return undefined;
  let token: string;
  try {
    token = (await readControlledFile(path)).bytes.toString('utf8').trim();
  } catch (error) {
    const code = pathErrorText(error);
    throw new LatchkeyError(
      'login_failed',
      `$AWS_WEB_IDENTITY_TOKEN_FILE: ${path} cannot be read (${code})`,
      {
        cause: error,
        remedy,
      },
    );
  }
  const xml = await metadataText({
    service: 'AWS STS',
    url: env['AWS_ENDPOINT_URL_STS'] ?? stsEndpoint(env['AWS_REGION'] || env['AWS_DEFAULT_REGION']),
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
  const [id, secret] = [xmlText(xml, 'AccessKeyId'), xmlText(xml, 'SecretAccessKey')];
  if (id === undefined || secret === undefined) throw incomplete('AWS STS');
  return credentials(id, secret, xmlText(xml, 'SessionToken'), xmlText(xml, 'Expiration'));
}

async function fromContainer({ env, signal }: AwsCredentialSource): Promise<AwsCredentials | undefined> {
  const relative = env['AWS_CONTAINER_CREDENTIALS_RELATIVE_URI'];
  const url = relative ? `http://169.254.170.2${relative}` : env['AWS_CONTAINER_CREDENTIALS_FULL_URI'];
  if (!url) return undefined;
  assertContainerHost(url);
  const file = env['AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE'];
  const token = file
    ? (await readControlledFile(file)).bytes.toString('utf8').trim()
    : env['AWS_CONTAINER_AUTHORIZATION_TOKEN'];
  const service = 'the AWS container endpoint';
  const json = await metadataJson({
    service,
    url,
    headers: token ? { authorization: token } : {},
    remedy,
    signal,
  });
  return fromJson(json, service);
}

async function fromInstance({ env, signal }: AwsCredentialSource): Promise<AwsCredentials> {
  if (env['AWS_EC2_METADATA_DISABLED'] === 'true') {
    throw new LatchkeyError(
      'login_failed',
      'there are no AWS credentials, and the metadata service is switched off',
      {
        remedy,
      },
    );
  }
  const service = 'the AWS metadata service';
  const base = (env['AWS_EC2_METADATA_SERVICE_ENDPOINT'] ?? 'http://169.254.169.254').replace(/\/+$/, '');
  const token = await metadataText({
    service,
    url: `${base}/latest/api/token`,
    method: 'PUT',
    headers: { 'x-aws-ec2-metadata-token-ttl-seconds': '21600' },
    remedy,
    signal,
  });
  const headers = { 'x-aws-ec2-metadata-token': token };
  const folder = `${base}/latest/meta-data/iam/security-credentials/`;
  const role = (await metadataText({ service, url: folder, headers, remedy, signal }))
    .split('\n', 1)[0]
    ?.trim();
  if (!role) throw incomplete(service);
  const url = `${folder}${encodeURIComponent(role)}`;
  return fromJson(await metadataJson({ service, url, headers, remedy, signal }), service);
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

function fromJson(json: JsonObject, service: string): AwsCredentials {
  const { AccessKeyId: id, SecretAccessKey: secret, Token: token, Expiration: expiration } = json;
  if (typeof id !== 'string' || typeof secret !== 'string') throw incomplete(service);
  const text = (value: unknown) => (typeof value === 'string' ? value : undefined);
  return credentials(id, secret, text(token), text(expiration));
}

function credentials(
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

function iniSection(text: string, wanted: string): Map<string, string> {
  const fields = new Map<string, string>();
  let section = '';
  for (const line of text.split('\n')) {
    const header = /^\s*\[\s*(?:profile\s+)?([^\]]*?)\s*\]/.exec(line);
    if (header) section = header[1] ?? '';
    const pair = /^\s*([a-z_]+)\s*=\s*(.*?)\s*$/.exec(line);
    if (pair && section === wanted) fields.set(pair[1] ?? '', pair[2] ?? '');
  }
  return fields;
}

function xmlText(xml: string, tag: string): string | undefined {
  return new RegExp(`<${tag}>([^<]+)</${tag}>`).exec(xml)?.[1];
}

function incomplete(service: string): LatchkeyError {
  return new LatchkeyError('login_failed', `${service} has no credentials for this host`, { remedy });
}
