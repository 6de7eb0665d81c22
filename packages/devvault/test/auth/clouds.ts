import t from 'tap';
import { startDevVault } from '../../../../test/support/dev-vault.ts';
import { startTokenIssuer } from '../../../../test/support/token-issuer.ts';

const base64 = (text: string): string => Buffer.from(text).toString('base64');

t.test('aws: sends on only what is a signed GetCallerIdentity request with the server id', async (t) => {
  const dev = await startDevVault(t);
  await dev.ask('PUT', 'sys/auth/aws', { type: 'aws' });
  await dev.ask('PUT', 'auth/aws/config/client', {
    sts_endpoint: 'http://127.0.0.1:1',
    iam_server_id_header_value: 'vault.example',
  });
  await dev.ask('PUT', 'auth/aws/role/web', { auth_type: 'iam', token_policies: 'web' });
  const login = async (fields: object): Promise<string[]> =>
    (
      await dev.vault.request('PUT', 'auth/aws/login', {
        role: 'web',
        iam_http_request_method: 'POST',
        ...fields,
      })
    ).body.errors;
  const url = base64('https://sts.amazonaws.com/');
  const body = base64('Action=GetCallerIdentity&Version=2011-06-15');
  const headers = (extra: object): string =>
    base64(
      JSON.stringify({
        Authorization: ['AWS4-HMAC-SHA256 Credential=a, SignedHeaders=host, Signature=b'],
        ...extra,
      }),
    );
  t.match(await login({}), [/missing iam_request_body/]);
  t.match(
    await login({
      iam_request_url: url,
      iam_request_body: base64('Action=DeleteUser'),
      iam_request_headers: headers({}),
    }),
    [/GetCallerIdentity/],
  );
  t.match(await login({ iam_request_url: url, iam_request_body: body, iam_request_headers: headers({}) }), [
    /missing header/,
  ]);
  t.match(
    await login({
      iam_request_url: url,
      iam_request_body: body,
      iam_request_headers: headers({ 'X-Vault-AWS-IAM-Server-ID': 'other' }),
    }),
    [/expected "vault.example"/],
  );
  t.match(
    await login({
      iam_request_url: url,
      iam_request_body: body,
      iam_request_headers: headers({ 'X-Vault-AWS-IAM-Server-ID': 'vault.example' }),
    }),
    [/wasn't signed/],
  );
});

t.test('gcp: binds by service account, project and life', async (t) => {
  const dev = await startDevVault(t);
  const issuer = await startTokenIssuer(t);
  await dev.ask('PUT', 'sys/auth/gcp', { type: 'gcp' });
  await dev.ask('PUT', 'auth/gcp/config', { jwks_url: issuer.jwksUrl });
  await dev.ask('PUT', 'auth/gcp/role/vm', { type: 'gce', bound_projects: 'mine', token_policies: 'vm' });
  await dev.ask('PUT', 'auth/gcp/role/job', {
    type: 'iam',
    bound_service_accounts: 'job@mine',
    token_policies: 'job',
  });
  const login = async (role: string, claims: object) =>
    (
      await dev.vault.request('PUT', 'auth/gcp/login', {
        role,
        jwt: await issuer.sign({ aud: `vault/${role}`, sub: 'job@mine', ...claims }),
      })
    ).body;
  const google = (project_id: string): object => ({ google: { compute_engine: { project_id, zone: 'a' } } });
  t.strictSame((await login('vm', google('mine'))).auth.policies, ['default', 'vm']);
  t.match((await login('vm', google('other'))).errors, [/project "other" is not bound/]);
  t.match((await login('vm', {})).errors, [/compute_engine/]);
  t.strictSame((await login('job', {})).auth.policies, ['default', 'job']);
  t.match((await login('job', { sub: 'else@mine' })).errors, [/not bound/]);
  t.match((await login('job', { exp: Math.floor(Date.now() / 1000) + 3600 })).errors, [/within 900 seconds/]);
  t.match((await login('job', { aud: 'vault/vm' })).errors, [/audience/]);
});

t.test('azure: binds by audience, principal and subscription', async (t) => {
  const dev = await startDevVault(t);
  const issuer = await startTokenIssuer(t);
  await dev.ask('PUT', 'sys/auth/azure', { type: 'azure' });
  await dev.ask('PUT', 'auth/azure/config', {
    tenant_id: 't',
    resource: 'https://vault',
    jwks_url: issuer.jwksUrl,
  });
  await dev.ask('PUT', 'auth/azure/role/vm', {
    bound_service_principal_ids: 'oid-1',
    bound_subscription_ids: 'sub-1',
    token_policies: 'vm',
  });
  const login = async (claims: object, fields: object = { subscription_id: 'sub-1' }) =>
    (
      await dev.vault.request('PUT', 'auth/azure/login', {
        role: 'vm',
        jwt: await issuer.sign({ aud: 'https://vault', oid: 'oid-1', ...claims }),
        ...fields,
      })
    ).body;
  t.strictSame((await login({})).auth.policies, ['default', 'vm']);
  t.match((await login({ oid: 'oid-2' })).errors, [/service principal not authorized/]);
  t.match((await login({}, {})).errors, [/subscription not authorized/]);
  t.match((await login({ aud: 'other' })).errors, [/audience/]);
});

t.test('ldap: checks the users that it was given, with the policies of their groups', async (t) => {
  const dev = await startDevVault(t);
  await dev.ask('PUT', 'sys/auth/ldap', { type: 'ldap' });
  await dev.ask('PUT', 'auth/ldap/groups/staff', { policies: 'staff' });
  await dev.ask('PUT', 'auth/ldap/users/ann', { password: 'pencil', policies: 'ann', groups: 'staff' });
  t.strictSame((await dev.ask('PUT', 'auth/ldap/login/ann', { password: 'pencil' })).auth.policies, [
    'ann',
    'default',
    'staff',
  ]);
  const wrong = await dev.vault.request('PUT', 'auth/ldap/login/ann', { password: 'brush' });
  t.match(wrong.body.errors, [/failed to bind as user/]);
});
