import { join } from 'node:path';
import t, { type Test } from 'tap';
import { SecretValue } from '../../../../src/base/secret-value.ts';
import { stsEndpoint } from '../../../../src/upstream/cloud/find-aws-credentials.ts';
import type { AuthConfig } from '../../../../src/upstream/vault/config/vault-config.ts';
import { startAws } from '../../../support/aws-stand-in.ts';
import { startDevVault, type TestVault } from '../../../support/dev-vault.ts';
import { authCommon, createTestUpstream, shutdown } from '../../../support/test-upstream.ts';
import { startTokenIssuer } from '../../../support/token-issuer.ts';
import { waitFor } from '../../../support/wait-for.ts';

const patience = () => AbortSignal.timeout(60_000);
type Environment = Record<string, string>;

async function logIn(t: Test, vault: TestVault, auth: AuthConfig, env: Environment) {
  const { upstream, logs } = createTestUpstream({
    config: { addresses: [vault.address], auth, timeoutMs: 10_000 },
    env,
  });
  t.teardown(() => upstream.close(shutdown));
  upstream.start();
  await upstream.ready(patience());
  t.match(upstream.status(), { state: 'ready', login: { state: 'logged_in', policies: /^.*cloud.*$/ } });
  return { upstream, logs };
}

async function failLogin(t: Test, vault: TestVault, auth: AuthConfig, env: Environment, message: RegExp) {
  const { upstream } = createTestUpstream({ config: { addresses: [vault.address], auth }, env });
  t.teardown(() => upstream.close(shutdown));
  upstream.start();
  await waitFor('the state', () => upstream.status().state === 'login_failed');
  t.match(upstream.status().message, message);
}

t.test('aws: signs GetCallerIdentity with the credentials of every source', async (t) => {
  const vault = await startDevVault(t);
  const aws = await startAws(t);
  await vault.ask('PUT', 'sys/auth/aws', { type: 'aws' });
  await vault.ask('PUT', 'auth/aws/config/client', {
    sts_endpoint: aws.address,
    iam_server_id_header_value: 'vault.example',
  });
  await vault.ask('PUT', 'auth/aws/role/web', {
    auth_type: 'iam',
    bound_iam_principal_arn: 'arn:aws:iam::123456789012:role/web-role',
    token_policies: 'cloud',
  });
  const auth: AuthConfig = {
    ...authCommon,
    method: 'aws',
    mount: 'aws',
    role: 'web',
    region: 'eu-central-1',
    headerValue: 'vault.example',
    stsEndpoint: `${aws.address}/`,
  };
  const { id, secret, token } = aws.keys;
  const folder = t.testdir({
    home: {},
    credentials: `[default]\naws_access_key_id = WRONG\naws_secret_access_key=WRONG\n\n[web]\naws_access_key_id = ${id}\naws_secret_access_key = ${secret}\naws_session_token=${token}\n`,
    'web-identity': 'web-identity\n',
    'container-token': 'container-token\n',
  });
  const HOME = join(folder, 'home');
  const sources: Record<string, Environment> = {
    environment: { AWS_ACCESS_KEY_ID: id, AWS_SECRET_ACCESS_KEY: secret, AWS_SESSION_TOKEN: token },
    'shared file': { AWS_SHARED_CREDENTIALS_FILE: join(folder, 'credentials'), AWS_PROFILE: 'web' },
    'web identity': {
      AWS_WEB_IDENTITY_TOKEN_FILE: join(folder, 'web-identity'),
      AWS_ROLE_ARN: 'arn:aws:iam::123456789012:role/web-role',
      AWS_ENDPOINT_URL_STS: `${aws.address}/`,
    },
    'container endpoint': {
      AWS_CONTAINER_CREDENTIALS_FULL_URI: `${aws.address}/container`,
      AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE: join(folder, 'container-token'),
    },
    IMDSv2: { AWS_EC2_METADATA_SERVICE_ENDPOINT: aws.address },
  };
  for (const [name, env] of Object.entries(sources)) {
    await t.test(name, async (t) => {
      const { logs } = await logIn(t, vault, auth, { HOME, ...env });
      t.notMatch(JSON.stringify(logs.lines), secret);
    });
  }
  await t.test('no credentials anywhere', async (t) => {
    await failLogin(
      t,
      vault,
      auth,
      { HOME, AWS_EC2_METADATA_DISABLED: 'true' },
      /no AWS credentials.*; give the host a role/,
    );
  });
  await t.test('a container endpoint that is neither local nor https', async (t) => {
    const env = { HOME, AWS_CONTAINER_CREDENTIALS_FULL_URI: 'http://203.0.113.7/credentials' };
    await failLogin(t, vault, auth, env, /neither https nor a local address/);
  });
  await t.test('a wrong secret key', async (t) => {
    const env = { HOME, AWS_ACCESS_KEY_ID: id, AWS_SECRET_ACCESS_KEY: 'wrong', AWS_SESSION_TOKEN: token };
    await failLogin(t, vault, auth, env, /login at auth\/aws\/login: refused with 400/);
  });
});

t.test(
  'aws: without a region the global STS endpoint, as mounts ask it; else that of the region',
  async (t) => {
    t.equal(stsEndpoint(), 'https://sts.amazonaws.com/');
    t.equal(stsEndpoint('us-east-1'), 'https://sts.amazonaws.com/');
    t.equal(stsEndpoint('eu-central-1'), 'https://sts.eu-central-1.amazonaws.com/');
    t.equal(stsEndpoint('cn-north-1'), 'https://sts.cn-north-1.amazonaws.com.cn/');
  },
);

t.test('gcp: an identity token of the instance, or a JWT of the service account', async (t) => {
  const vault = await startDevVault(t);
  const google = await startTokenIssuer(t);
  const account = 'web@project.iam.gserviceaccount.com';
  await vault.ask('PUT', 'sys/auth/gcp', { type: 'gcp' });
  await vault.ask('PUT', 'auth/gcp/config', { jwks_url: google.jwksUrl });
  const role = { bound_service_accounts: account, token_policies: 'cloud' };
  await vault.ask('PUT', 'auth/gcp/role/gce', { ...role, type: 'gce', bound_projects: 'project' });
  await vault.ask('PUT', 'auth/gcp/role/iam', { ...role, type: 'iam' });

  const instance = { google: { compute_engine: { project_id: 'project', zone: 'europe-west3-a' } } };
  const identity = await google.sign({ sub: '1', email: account, aud: 'http://vault/gce', ...instance });
  const { server } = google;
  server.route((request) => {
    if (!request.url.startsWith('/computeMetadata/')) return undefined;
    if (request.headers['metadata-flavor'] !== 'Google') return { status: 403 };
    const url = new URL(request.url, server.address);
    const rest = url.pathname.replace('/computeMetadata/v1/instance/service-accounts/', '');
    if (rest === 'default/email') return { text: account };
    if (rest === 'default/token') return { json: { access_token: 'access', expires_in: 3600 } };
    const isAsked =
      url.searchParams.get('audience') === 'http://vault/gce' && url.searchParams.get('format') === 'full';
    return rest === 'default/identity' && isAsked ? { text: `${identity}\n` } : { status: 404 };
  });
  server.route((request) => {
    if (!request.url.endsWith(':signJwt')) return undefined;
    if (request.headers.authorization !== 'Bearer access') return { status: 401 };
    const { payload } = JSON.parse(request.body) as { payload: string };
    return (response) => {
      void google.sign(JSON.parse(payload)).then((signedJwt) => response.end(JSON.stringify({ signedJwt })));
    };
  });
  server.route((request) =>
    request.url === '/token' &&
    request.body.includes('grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer')
      ? { json: { access_token: 'access' } }
      : undefined,
  );
  const keyOf = (email: string) =>
    JSON.stringify({
      type: 'service_account',
      client_email: email,
      private_key: google.privateKey,
      private_key_id: 'key-1',
      token_uri: `${server.address}/token`,
    });
  const folder = t.testdir({
    key: keyOf(account),
    other: keyOf('other@project.iam.gserviceaccount.com'),
    bad: '{}',
  });
  const gcp = (type: 'gce' | 'iam', serviceAccount?: string, key?: SecretValue): AuthConfig => ({
    ...authCommon,
    method: 'gcp',
    mount: 'gcp',
    role: type,
    type,
    serviceAccount,
    jwtSeconds: 600,
    key,
  });
  const host = {
    GCE_METADATA_HOST: `127.0.0.1:${server.port}`,
    CLOUDSDK_API_ENDPOINT_OVERRIDES_IAMCREDENTIALS: `${server.address}/`,
  };
  await t.test('gce', async (t) => void (await logIn(t, vault, gcp('gce'), host)));
  await t.test(
    'iam, by signJwt with the identity of the host',
    async (t) => void (await logIn(t, vault, gcp('iam'), host)),
  );
  await t.test('iam, with a key file', async (t) => {
    const asked = server.requests.length;
    await logIn(t, vault, gcp('iam'), { GOOGLE_APPLICATION_CREDENTIALS: join(folder, 'key') });
    t.ok(
      server.requests.slice(asked).every((request) => request.url === '/jwks'),
      'Google is not asked',
    );
  });
  await t.test('iam, with a key that the config holds', async (t) => {
    const asked = server.requests.length;
    const none = { GOOGLE_APPLICATION_CREDENTIALS: '/nonexistent' };
    await logIn(t, vault, gcp('iam', undefined, SecretValue.fromText(keyOf(account))), none);
    t.ok(
      server.requests.slice(asked).every((request) => request.url === '/jwks'),
      'Google is not asked',
    );
    await failLogin(
      t,
      vault,
      gcp('iam', undefined, SecretValue.fromText('x')),
      none,
      /credentials is no service account's key/,
    );
  });
  await t.test('iam, by signJwt with the key of another account', async (t) => {
    const env = { ...host, GOOGLE_APPLICATION_CREDENTIALS: join(folder, 'other') };
    await logIn(t, vault, gcp('iam', account), env);
  });
  await t.test('a file that is no key', async (t) => {
    const env = { GOOGLE_APPLICATION_CREDENTIALS: join(folder, 'bad') };
    await failLogin(t, vault, gcp('iam'), env, /is no service account's key/);
  });
  await t.test('no metadata server', async (t) => {
    await failLogin(
      t,
      vault,
      gcp('gce'),
      { GCE_METADATA_HOST: '127.0.0.1:1' },
      /the Google metadata server at .* does not answer/,
    );
  });
});

t.test('azure: the token of the managed identity, and where the host is', async (t) => {
  const vault = await startDevVault(t);
  const azure = await startTokenIssuer(t);
  const resource = 'https://vault.example';
  await vault.ask('PUT', 'sys/auth/azure', { type: 'azure' });
  await vault.ask('PUT', 'auth/azure/config', { tenant_id: 'tenant', resource, jwks_url: azure.jwksUrl });
  await vault.ask('PUT', 'auth/azure/role/vm', {
    bound_subscription_ids: 'subscription',
    bound_resource_groups: 'group',
    token_policies: 'cloud',
  });
  await vault.ask('PUT', 'auth/azure/role/any', { token_policies: 'cloud' });
  const jwt = await azure.sign({ oid: 'object', aud: resource });
  const { server } = azure;
  server.route((request) => {
    const url = new URL(request.url, server.address);
    const isFor = url.searchParams.get('resource') === resource;
    if (url.pathname === '/metadata/identity/oauth2/token') {
      return request.headers['metadata'] === 'true' && isFor
        ? { json: { access_token: jwt } }
        : { status: 400 };
    }
    if (url.pathname === '/metadata/instance') {
      const compute = {
        subscriptionId: 'subscription',
        resourceGroupName: 'group',
        name: 'vm-1',
        vmScaleSetName: '',
      };
      return request.headers['metadata'] === 'true' ? { json: { compute } } : { status: 400 };
    }
    if (url.pathname === '/app-service') {
      return request.headers['x-identity-header'] === 'header' && isFor
        ? { json: { access_token: jwt } }
        : { status: 401 };
    }
    if (url.pathname !== '/tenant/oauth2/v2.0/token') return undefined;
    const form = new URLSearchParams(request.body);
    const isRight =
      form.get('client_secret') === 'application-secret'
        ? form.get('scope') === 'api://vault/.default'
        : form.get('client_assertion') === 'federated' && form.get('scope') === `${resource}/.default`;
    return isRight ? { json: { access_token: jwt } } : { status: 400 };
  });
  const folder = t.testdir({ federated: 'federated\n' });
  const config = (role: string, chosen: Record<string, string> = {}): AuthConfig => ({
    ...authCommon,
    method: 'azure',
    mount: 'azure',
    role,
    resource,
    ...{ clientId: undefined, objectId: undefined, scope: undefined, ...chosen },
  });
  await t.test('a virtual machine', async (t) => {
    await logIn(t, vault, config('vm'), { AZURE_POD_IDENTITY_AUTHORITY_HOST: server.address });
    const body = server.requests.find((request) => request.path.includes('metadata/instance'));
    t.ok(body);
  });
  await t.test('AZURE_CLIENT_ID chooses among several identities', async (t) => {
    const from = server.requests.length;
    await logIn(t, vault, config('vm'), {
      AZURE_POD_IDENTITY_AUTHORITY_HOST: server.address,
      AZURE_CLIENT_ID: 'chosen',
    });
    const asked = server.requests.slice(from).find(({ path }) => path.includes('oauth2/token'));
    t.match(asked?.url, /[?&]client_id=chosen/);
  });
  await t.test('client_id and object_id choose before it', async (t) => {
    for (const [chosen, query] of [
      [{ clientId: 'said' }, /[?&]client_id=said(?:&|$)/],
      [{ objectId: 'object' }, /[?&]object_id=object(?:&|$)/],
    ] as const) {
      const from = server.requests.length;
      const env = { AZURE_POD_IDENTITY_AUTHORITY_HOST: server.address, AZURE_CLIENT_ID: 'chosen' };
      await logIn(t, vault, config('vm', chosen), env);
      const asked = server.requests.slice(from).find(({ path }) => path.includes('oauth2/token'));
      t.match(asked?.url, query);
      t.notMatch(asked?.url, /chosen/);
    }
  });
  await t.test('an application by its secret, for a scope of its own', async (t) => {
    const env = {
      ...{ AZURE_AUTHORITY_HOST: server.address, AZURE_TENANT_ID: 'tenant', AZURE_CLIENT_ID: 'client' },
      ...{ AZURE_CLIENT_SECRET: 'application-secret', AZURE_POD_IDENTITY_AUTHORITY_HOST: server.address },
    };
    await logIn(t, vault, config('vm', { scope: 'api://vault/.default' }), env);
  });
  await t.test('App Service', async (t) => {
    await logIn(t, vault, config('any'), {
      IDENTITY_ENDPOINT: `${server.address}/app-service`,
      IDENTITY_HEADER: 'header',
    });
  });
  await t.test('workload identity', async (t) => {
    await logIn(t, vault, config('any'), {
      AZURE_FEDERATED_TOKEN_FILE: join(folder, 'federated'),
      AZURE_AUTHORITY_HOST: `${server.address}/`,
      AZURE_TENANT_ID: 'tenant',
      AZURE_CLIENT_ID: 'client',
    });
  });
  await t.test('no identity', async (t) => {
    const env = { IDENTITY_ENDPOINT: `${server.address}/app-service`, IDENTITY_HEADER: 'wrong' };
    await failLogin(
      t,
      vault,
      config('any'),
      env,
      /the identity endpoint of Azure at .* answers 401; give the host/,
    );
  });
});
