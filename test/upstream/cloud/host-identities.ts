// Identities that a host has by a login, a key file of its own or another cloud: Identity Center, Azure Arc, Google's files.
import { createHash, generateKeyPairSync } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { arcKeyPath } from '../../../src/upstream/cloud/azure-arc.ts';
import { azureToken } from '../../../src/upstream/cloud/azure-identity.ts';
import { findAwsCredentials } from '../../../src/upstream/cloud/find-aws-credentials.ts';
import { gcpAccessToken } from '../../../src/upstream/cloud/gcp-access-token.ts';
import { startFakeService } from '../../support/fake-service.ts';
import { testFolder } from '../../support/test-folder.ts';

const signal = () => AbortSignal.timeout(60_000);

t.test('a role of IAM Identity Center, by the login that is in its cache', async (t) => {
  const home = testFolder(t);
  const cache = join(home, '.aws/sso/cache');
  mkdirSync(cache, { recursive: true });
  const write = (key: string, login: object) =>
    writeFileSync(
      join(cache, `${createHash('sha1').update(key).digest('hex')}.json`),
      JSON.stringify(login),
      {
        mode: 0o600,
      },
    );
  const later = new Date(Date.now() + 600_000).toISOString();
  writeFileSync(
    join(home, '.aws/config'),
    `[sso-session corp]\nsso_region = eu-west-1\nsso_start_url = https://corp.example/start
[profile new]\nsso_session = corp\nsso_account_id = 111\nsso_role_name = reader
[profile old]\nsso_start_url = https://old.example/start\nsso_region = eu-west-1\nsso_account_id = 222\nsso_role_name = reader
[profile poor]\nsso_session = none\nsso_account_id = 111\nsso_role_name = reader
[profile code]\nrole_arn = arn:aws:iam::1:role/x\nsource_profile = new\nmfa_serial = arn:aws:iam::1:mfa/joe
`,
    { mode: 0o600 },
  );
  const portal = await startFakeService(t, ({ path, query, headers }) =>
    path === '/federation/credentials' && headers['x-amz-sso_bearer_token'] === 'canary-login'
      ? {
          json: {
            roleCredentials: {
              accessKeyId: `AKIA-${query.get('account_id')}-${query.get('role_name')}`,
              secretAccessKey: 's',
              sessionToken: 't',
              expiration: 4_000_000_000_000,
            },
          },
        }
      : { status: 401 },
  );
  const find = (profile: string) =>
    findAwsCredentials({
      env: {
        HOME: home,
        AWS_PROFILE: profile,
        AWS_ENDPOINT_URL_SSO: portal.address,
        AWS_EC2_METADATA_DISABLED: 'true',
      },
      signal: signal(),
    });
  await t.rejects(find('new'), {
    code: 'login_failed',
    message: /there is no login of AWS IAM Identity Center at .*\.aws\/sso\/cache/,
    remedy: /aws sso login --profile new/,
  });
  write('corp', { accessToken: 'canary-login', expiresAt: later });
  write('https://old.example/start', {
    accessToken: 'canary-login',
    expiresAt: later.replace(/\.\d+Z$/, 'UTC'),
  });
  t.match(await find('new'), { accessKeyId: 'AKIA-111-reader', expiresAt: 4_000_000_000_000 });
  t.match(await find('old'), { accessKeyId: 'AKIA-222-reader' });
  write('corp', { accessToken: 'canary-login', expiresAt: '2020-01-01T00:00:00Z' });
  await t.rejects(find('new'), { message: /has ended/, remedy: /aws sso login/ });
  write('corp', { accessToken: 'canary-revoked', expiresAt: later });
  const refused = await find('new').catch((error: Error) => error);
  t.match(refused, { code: 'login_failed', message: /answers 401/, remedy: /aws sso login/ });
  t.notMatch(String(refused), /canary/);
  await t.rejects(find('poor'), { message: /lacks one of sso_account_id/ });
  await t.rejects(find('code'), { code: 'login_failed', message: /mfa_serial.*nobody is here to type it/ });
});

t.test('Azure Arc gives its token for a key in its own folder, and for no other file', async (t) => {
  const folder = testFolder(t);
  const outside = testFolder(t);
  writeFileSync(join(folder, 'a.key'), 'arc-key', { mode: 0o640 });
  writeFileSync(join(folder, 'huge.key'), 'x'.repeat(5000));
  writeFileSync(join(outside, 'secret.key'), 'canary');
  let realm = join(folder, 'a.key');
  const service = await startFakeService(t, ({ headers, query }) => {
    if (headers['metadata'] !== 'true') return { status: 400 };
    if (headers.authorization === 'Basic arc-key')
      return {
        json: {
          access_token: `for ${query.get('resource')} ${query.get('api-version')}`,
          expires_in: '3600',
        },
      };
    return { status: 401, headers: { 'www-authenticate': `Basic realm=${realm}` }, text: '' };
  });
  const token = async () =>
    (
      await azureToken('https://vault.azure.net', {
        env: { IDENTITY_ENDPOINT: service.address, IMDS_ENDPOINT: 'http://localhost:40342' },
        signal: signal(),
        arcFolder: folder,
      })
    ).text();
  t.equal(await token(), 'for https://vault.azure.net 2020-06-01');
  for (const other of [
    join(outside, 'secret.key'),
    join(folder, '../secret.key'),
    `${folder}/sub/../a.key`,
    join(folder, 'huge.key'),
    '/etc/passwd',
    'a.key',
    '',
  ]) {
    realm = other;
    const before = service.requests.length;
    await t.rejects(token(), { code: 'login_failed' }, other);
    t.ok(
      service.requests.slice(before).every(({ headers }) => headers.authorization === undefined),
      'and nothing is shown',
    );
  }
  t.throws(() => arcKeyPath('Bearer realm=x', '/var/opt/azcmagent/tokens'), { code: 'login_failed' });
  const key = '/var/opt/azcmagent/tokens/abc.key';
  t.equal(arcKeyPath(`Basic realm="${key}"`, '/var/opt/azcmagent/tokens'), key);
});

t.test("Google's files: another account by a user's token, and the identity of AWS", async (t) => {
  const folder = testFolder(t);
  const service = await startFakeService(t, ({ path, body, headers }) => {
    if (path === '/impersonate')
      return {
        json: {
          accessToken: `as-account by ${headers.authorization} ${JSON.parse(body).delegates ?? 'alone'}`,
          expireTime: '2099-01-01T00:00:00Z',
        },
      };
    const form = new URLSearchParams(body);
    return {
      json: { access_token: form.get('subject_token') ?? form.get('refresh_token'), expires_in: 600 },
    };
  });
  const write = (name: string, file: object) => {
    writeFileSync(join(folder, name), JSON.stringify(file), { mode: 0o600 });
    return join(folder, name);
  };
  const read = async (path: string, env: Record<string, string> = {}) =>
    (await gcpAccessToken({ env, credentialsFile: path, signal: signal() })).token.text();
  const user = { type: 'authorized_user', token_uri: `${service.address}/token`, refresh_token: 'of-joe' };
  const impersonated = {
    type: 'impersonated_service_account',
    service_account_impersonation_url: `${service.address}/impersonate`,
    source_credentials: user,
  };
  t.equal(await read(write('user', user)), 'of-joe');
  t.equal(await read(write('other', impersonated)), 'as-account by Bearer of-joe alone');
  const chained = { ...impersonated, delegates: ['projects/-/serviceAccounts/b'] };
  t.equal(await read(write('chain', chained)), 'as-account by Bearer of-joe projects/-/serviceAccounts/b');
  await t.rejects(read(write('loop', { ...impersonated, source_credentials: impersonated })), {
    code: 'login_failed',
    message: /source_credentials of another type/,
  });

  const aws = {
    type: 'external_account',
    audience: '//iam.googleapis.com/pool/aws',
    token_url: `${service.address}/token`,
    credential_source: {
      environment_id: 'aws1',
      regional_cred_verification_url:
        'https://sts.{region}.amazonaws.com?Action=GetCallerIdentity&Version=2011-06-15',
    },
  };
  const env = {
    AWS_REGION: 'eu-west-1',
    AWS_ACCESS_KEY_ID: 'AKIAX',
    AWS_SECRET_ACCESS_KEY: 's',
    AWS_SESSION_TOKEN: 'session',
  };
  const { url, headers } = JSON.parse(decodeURIComponent(await read(write('aws', aws), env)));
  t.equal(url, 'https://sts.eu-west-1.amazonaws.com?Action=GetCallerIdentity&Version=2011-06-15');
  const named = new Map<string, string>(
    headers.map(({ key, value }: { key: string; value: string }) => [key, value]),
  );
  t.equal(named.get('x-goog-cloud-target-resource'), '//iam.googleapis.com/pool/aws');
  t.equal(named.get('host'), 'sts.eu-west-1.amazonaws.com');
  t.equal(named.get('x-amz-security-token'), 'session');
  t.match(
    named.get('authorization'),
    /Credential=AKIAX\/\d+\/eu-west-1\/sts\/.*SignedHeaders=[^,]*x-goog-cloud-target-resource/,
  );
  const stolen = {
    ...aws,
    credential_source: { ...aws.credential_source, regional_cred_verification_url: `${service.address}/` },
  };
  await t.rejects(read(write('stolen', stolen), env), {
    code: 'login_failed',
    message: /expected an address of AWS STS/,
  });
  const text = { ...aws, credential_source: { url: `${service.address}/token` } };
  t.match(await read(write('text', text)), /access_token/, 'a subject token that is plain text');
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const account = {
    type: 'service_account',
    client_email: 'a@p.example',
    private_key: privateKey.export({ type: 'pkcs8', format: 'pem' }),
    token_uri: `${service.address}/token`,
  };
  await t.rejects(read(write('account', account)), { message: /without access_token/ });
});
