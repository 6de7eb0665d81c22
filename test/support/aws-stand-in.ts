// AWS as far as logins need it: STS that checks Signature Version 4 by itself, the instance's metadata (IMDSv2 alone), and the
// endpoint of containers.
import { createHash, createHmac } from 'node:crypto';
import type { Test } from 'tap';
import { type StubRequest, type StubVault, startStubVault } from './stub-vault.ts';

export interface AwsStandIn {
  readonly server: StubVault;
  readonly address: string;
  readonly keys: AwsKeys;
}

export interface AwsKeys {
  readonly id: string;
  readonly secret: string;
  readonly token: string;
}

export async function startAws(t: Test): Promise<AwsStandIn> {
  const server = await startStubVault();
  t.teardown(server.close);
  const keys = { id: 'ASIAEXAMPLE', secret: 'secret/key+of=example', token: 'session-token' };
  const json = {
    AccessKeyId: keys.id,
    SecretAccessKey: keys.secret,
    Token: keys.token,
    Expiration: '2099-01-01T00:00:00Z',
  };
  server.route((request) => {
    if (request.method === 'POST' && request.url === '/') return sts(request, keys);
    if (request.method === 'PUT' && request.url === '/latest/api/token') {
      return request.headers['x-aws-ec2-metadata-token-ttl-seconds']
        ? { text: 'imds-token' }
        : { status: 400 };
    }
    if (request.url.startsWith('/latest/dynamic/instance-identity/')) {
      if (request.headers['x-aws-ec2-metadata-token'] !== 'imds-token') return { status: 401 };
      return { text: request.url.endsWith('/document') ? '{"instanceId":"i-1"}' : 'c2lnbmVk\nYnkgYXdz' };
    }
    if (request.url.startsWith('/latest/meta-data/')) {
      if (request.headers['x-aws-ec2-metadata-token'] !== 'imds-token') return { status: 401 };
      return request.url.endsWith('/security-credentials/') ? { text: 'web-role\n' } : { json };
    }
    if (request.url !== '/container') return undefined;
    return request.headers.authorization === 'container-token'
      ? { json }
      : { status: 401, json: { Code: 'no' } };
  });
  return { server, address: server.address, keys };
}

function sts(request: StubRequest, keys: AwsKeys) {
  const form = new URLSearchParams(request.body);
  if (form.get('Action') === 'AssumeRoleWithWebIdentity') {
    if (form.get('WebIdentityToken') !== 'web-identity') return { status: 400, text: '<Error/>' };
    const fields = `<AccessKeyId>${keys.id}</AccessKeyId><SecretAccessKey>${keys.secret}</SecretAccessKey>`;
    return {
      text: `<R><Credentials>${fields}<SessionToken>${keys.token}</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration></Credentials></R>`,
    };
  }
  if (!isSignedBy(request, keys))
    return { status: 403, text: '<Error><Code>SignatureDoesNotMatch</Code></Error>' };
  const arn = 'arn:aws:sts::123456789012:assumed-role/web-role/i-1';
  return { text: `<R><Arn>${arn}</Arn><UserId>AROA:i-1</UserId><Account>123456789012</Account></R>` };
}

/** Signature Version 4 from its description, apart from the library that signs. */
export function isSignedBy(request: StubRequest, keys: AwsKeys): boolean {
  const header = request.headers.authorization ?? '';
  const match =
    /^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\d+)\/([^/]+)\/sts\/aws4_request, SignedHeaders=([^,]+), Signature=(\w+)$/.exec(
      header,
    );
  if (!match) return false;
  const [, id, date = '', region = '', signed = '', signature] = match;
  if (id !== keys.id || request.headers['x-amz-security-token'] !== keys.token) return false;
  if (!signed.split(';').includes('host') || !signed.split(';').includes('x-amz-security-token'))
    return false;
  const lines = signed.split(';').map((name) => `${name}:${String(request.headers[name]).trim()}\n`);
  const canonical = ['POST', '/', '', lines.join(''), signed, hash(request.body)].join('\n');
  const scope = `${date}/${region}/sts/aws4_request`;
  const text = ['AWS4-HMAC-SHA256', request.headers['x-amz-date'], scope, hash(canonical)].join('\n');
  let key: Buffer = Buffer.from(`AWS4${keys.secret}`);
  for (const part of [date, region, 'sts', 'aws4_request', text])
    key = createHmac('sha256', key).update(part).digest();
  return key.toString('hex') === signature;
}

function hash(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
