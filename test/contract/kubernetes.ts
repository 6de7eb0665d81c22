import { createAuthority } from '../support/certificates.ts';
import { contract } from '../support/contract-server.ts';
import { startKubernetesApi } from '../support/kubernetes-api.ts';

contract('a service account logs in when the cluster vouches for it', async (t, server) => {
  const cluster = await startKubernetesApi(t);
  await server.ask('POST', 'sys/auth/kubernetes', { data: { type: 'kubernetes' } });
  await server.ask('POST', 'auth/kubernetes/config', {
    data: { kubernetes_host: cluster.url, disable_local_ca_jwt: true },
  });
  const login = async (jwt: string, role = 'app') =>
    server.ask('POST', 'auth/kubernetes/login', { token: '', data: { role, jwt } });
  const config = {
    kubernetes_host: cluster.url,
    token_reviewer_jwt: await cluster.issue('vault', 'vault'),
    disable_local_ca_jwt: true,
    kubernetes_ca_cert: (await createAuthority()).cert,
  };
  t.equal((await server.ask('POST', 'auth/kubernetes/config', { data: config })).status, 204);
  await server.ask('GET', 'auth/kubernetes/config');
  const role = {
    bound_service_account_names: 'app',
    bound_service_account_namespaces: 'team-*',
    token_policies: 'app',
    token_ttl: '10m',
  };
  t.equal((await server.ask('POST', 'auth/kubernetes/role/app', { data: role })).status, 204);
  const { auth } = (await login(await cluster.issue('team-a', 'app'))).body;
  t.match(auth, {
    policies: ['app', 'default'],
    lease_duration: 600,
    metadata: { role: 'app', service_account_name: 'app', service_account_namespace: 'team-a' },
  });
  t.match((await server.ask('GET', 'auth/token/lookup-self', { token: auth.client_token })).body.data, {
    display_name: 'kubernetes-team-a-app',
  });
  t.equal((await login(await cluster.issue('team-a', 'other'))).status, 403);
  t.equal((await login(await cluster.issue('elsewhere', 'app'))).status, 403);
  t.equal((await login(`${await cluster.issue('team-a', 'app')}x`)).status, 403);
  t.equal((await login(await cluster.issue('team-a', 'app'), 'nobody')).status, 400);
  t.equal(
    (await server.ask('POST', 'auth/kubernetes/login', { token: '', data: { role: 'app' } })).status,
    400,
  );
  t.equal((await server.ask('POST', 'auth/kubernetes/login', { token: '', data: { jwt: 'x' } })).status, 400);
  await server.ask('POST', 'auth/kubernetes/role/bad', { data: { bound_service_account_namespaces: 'a' } });
  await server.ask('POST', 'auth/kubernetes/role/bad', { data: { bound_service_account_names: 'a' } });
  await server.ask('GET', 'auth/kubernetes/role/app');
  await login('nonsense');
});
