// Logins whose body is signed here: what is sent, judged by the rules of the other side.
import { constants, createHmac, generateKeyPairSync, verify } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { silentLogger } from '../../../../src/base/logger.ts';
import { SecretValue } from '../../../../src/base/secret-value.ts';
import type { AuthContext, AuthMethod } from '../../../../src/upstream/vault/auth/auth-method.ts';
import { createAlicloudMethod } from '../../../../src/upstream/vault/auth/signed/alicloud.ts';
import { createAwsMethod } from '../../../../src/upstream/vault/auth/signed/aws.ts';
import { createCfMethod } from '../../../../src/upstream/vault/auth/signed/cf.ts';
import { startAws } from '../../../support/aws-stand-in.ts';
import { createFakeClock } from '../../../support/fake-clock.ts';
import { startStubVault } from '../../../support/stub-vault.ts';
import { testFolder } from '../../../support/test-folder.ts';
import { authCommon } from '../../../support/test-upstream.ts';

function contextOf(env: Record<string, string>): AuthContext {
  return {
    memory: {},
    clock: createFakeClock({ wall: Date.parse('2026-05-04T03:02:01.999Z') }),
    logger: silentLogger,
    env,
    mount: 'm',
    address: 'https://vault.example:8200',
    call: () => Promise.reject(new Error('not asked')),
    onCredentials: () => undefined,
  };
}

async function bodyOf(t: Test, method: AuthMethod): Promise<Record<string, string>> {
  const credentials = await method.credentials(AbortSignal.timeout(60_000));
  if (credentials.kind !== 'login') throw new Error('expected a login');
  t.equal(credentials.path, 'login');
  return credentials.body as Record<string, string>;
}

const decoded = (text: string | undefined) => Buffer.from(text ?? '', 'base64').toString('utf8');

t.test('aws ec2: document, signature, and one nonce for all logins', async (t) => {
  const aws = await startAws(t);
  const context = contextOf({ AWS_EC2_METADATA_SERVICE_ENDPOINT: aws.address });
  const config = {
    ...authCommon,
    mount: 'm',
    method: 'aws',
    type: 'ec2',
    role: 'web',
    region: 'us-east-1',
  } as const;
  const rest = { headerValue: undefined, stsEndpoint: undefined };
  const method = createAwsMethod({ ...config, ...rest }, context);
  const first = await bodyOf(t, method);
  t.match(first, { role: 'web', signature: 'c2lnbmVk\nYnkgYXdz', nonce: /^[0-9a-f-]{36}$/ });
  t.equal(decoded(first['identity']), '{"instanceId":"i-1"}');
  t.equal((await bodyOf(t, method))['nonce'], first['nonce']);
  t.equal(
    (await bodyOf(t, createAwsMethod({ ...config, ...rest }, context)))['nonce'],
    first['nonce'],
    'after a reload too',
  );
  const said = createAwsMethod(
    { ...config, ...rest, nonce: 'mine' },
    contextOf(context.env as Record<string, string>),
  );
  t.equal((await bodyOf(t, said))['nonce'], 'mine');
});

t.test('cf: the signature holds for time, certificate and role', async (t) => {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const folder = testFolder(t);
  const files = { certFile: join(folder, 'crt'), keyFile: join(folder, 'key') };
  writeFileSync(files.certFile, 'CERT\nINTERMEDIATE\n', { mode: 0o600 });
  writeFileSync(files.keyFile, privateKey.export({ type: 'pkcs1', format: 'pem' }), { mode: 0o600 });
  const env = { CF_INSTANCE_CERT: files.certFile, CF_INSTANCE_KEY: files.keyFile };
  const common = { ...authCommon, mount: 'm', method: 'cf', role: 'web' } as const;
  const none = { certFile: undefined, keyFile: undefined };
  for (const [config, variables] of [
    [{ ...common, ...none }, env],
    [{ ...common, ...files }, {}],
  ] as const) {
    const method = createCfMethod(config, contextOf(variables));
    t.same(method.files, Object.values(files));
    const body = await bodyOf(t, method);
    t.match(body, {
      role: 'web',
      cf_instance_cert: 'CERT\nINTERMEDIATE\n',
      signing_time: '2026-05-04T03:02:01Z',
    });
    const [version, signature] = String(body['signature']).split(':');
    t.equal(version, 'v1');
    const signed = Buffer.from(`${body['signing_time']}${body['cf_instance_cert']}web`);
    // The other side finds the length of the salt out by itself.
    const key = {
      key: publicKey,
      padding: constants.RSA_PKCS1_PSS_PADDING,
      saltLength: constants.RSA_PSS_SALTLEN_AUTO,
    };
    t.ok(verify('sha256', signed, key, Buffer.from(signature ?? '', 'base64')));
    t.ok(verify('sha256', signed, { ...key, saltLength: 222 }, Buffer.from(signature ?? '', 'base64')));
  }
  await t.rejects(
    createCfMethod({ ...common, ...none }, contextOf({})).credentials(AbortSignal.timeout(1000)),
    {
      code: 'login_failed',
      message: /\$CF_INSTANCE_CERT is not set/,
    },
  );
  writeFileSync(files.keyFile, 'nothing', { mode: 0o600 });
  await t.rejects(
    createCfMethod({ ...common, ...files }, contextOf({})).credentials(AbortSignal.timeout(1000)),
    {
      message: /auth\.key_file: .* is no RSA key/,
    },
  );
});

t.test(
  'alicloud: the query is signed for a POST, with keys of the environment or of the instance',
  async (t) => {
    const metadata = await startStubVault();
    t.teardown(metadata.close);
    const folder = '/latest/meta-data/ram/security-credentials/';
    metadata.route(({ url }) => {
      if (url === folder) return { text: 'host-role\n' };
      const keys = { Code: 'Success', AccessKeyId: 'STS.1', AccessKeySecret: 's+/', SecurityToken: 'a b&c' };
      return url === `${folder}host-role` ? { json: keys } : { status: 404 };
    });
    const config = {
      ...authCommon,
      mount: 'm',
      method: 'alicloud',
      role: 'web',
      region: 'eu-central-1',
      roleName: undefined,
    } as const;
    const cases = [
      [
        { ALICLOUD_ACCESS_KEY: 'AK', ALICLOUD_SECRET_KEY: 'k' },
        'k',
        { AccessKeyId: 'AK', SecurityToken: null },
      ],
      [{}, 's+/', { AccessKeyId: 'STS.1', SecurityToken: 'a b&c' }],
    ] as const;
    for (const [env, secret, wanted] of cases) {
      const body = await bodyOf(t, createAlicloudMethod(config, contextOf(env), metadata.address));
      t.equal(body['role'], 'web');
      t.match(JSON.parse(decoded(body['identity_request_headers'])), { Accept: ['application/json'] });
      const url = new URL(decoded(body['identity_request_url']));
      t.equal(`${url.protocol}//${url.host}`, 'https://sts.aliyuncs.com');
      const query = url.searchParams;
      t.match(
        { ...wanted, Action: 'GetCallerIdentity', Format: 'JSON', Timestamp: '2026-05-04T03:02:01Z' },
        Object.fromEntries(
          ['Action', 'Format', 'Timestamp', 'AccessKeyId', 'SecurityToken'].map((key) => [
            key,
            query.get(key),
          ]),
        ),
      );
      const canonical = url.search.slice(1).replace(/&Signature=[^&]*$/, '');
      t.same(
        canonical.split('&').map((pair) => pair.split('=')[0]),
        canonical
          .split('&')
          .map((pair) => pair.split('=')[0])
          .sort(),
      );
      const text = `POST&%2F&${encodeURIComponent(canonical)}`;
      t.equal(query.get('Signature'), createHmac('sha1', `${secret}&`).update(text).digest('base64'));
    }
  },
);

t.test('keys that the configuration of another tool holds go before all that the host has', async (t) => {
  const keys = {
    id: 'AKIASAID',
    secret: SecretValue.fromText('said'),
    sessionToken: SecretValue.fromText('session'),
  };
  const env = {
    ...{ AWS_ACCESS_KEY_ID: 'AKIAHOST', AWS_SECRET_ACCESS_KEY: 'host' },
    ...{ ALICLOUD_ACCESS_KEY: 'AKIAHOST', ALICLOUD_SECRET_KEY: 'host' },
  };
  const common = { ...authCommon, mount: 'm', role: 'web', region: 'us-east-1', keys };
  const none = { headerValue: undefined, stsEndpoint: undefined, roleName: undefined };
  const aws = await bodyOf(t, createAwsMethod({ ...common, ...none, method: 'aws' }, contextOf(env)));
  const headers = JSON.parse(decoded(aws['iam_request_headers'])) as Record<string, string[]>;
  t.match(headers['authorization']?.[0] ?? headers['Authorization']?.[0], /Credential=AKIASAID\//);
  t.match(JSON.stringify(headers), /"session"/);
  const alicloud = await bodyOf(
    t,
    createAlicloudMethod({ ...common, ...none, method: 'alicloud' }, contextOf(env)),
  );
  const query = new URL(decoded(alicloud['identity_request_url'])).searchParams;
  t.equal(query.get('AccessKeyId'), 'AKIASAID');
  t.equal(query.get('SecurityToken'), 'session');
});
