import { contract } from '../support/contract-server.ts';

contract('health tells by code and body, and codes can be chosen', async (t, server) => {
  const health = await server.ask('GET', 'sys/health', { token: '' });
  t.equal(health.status, 200);
  t.match(health.body, { initialized: true, sealed: false, standby: false });
  const code = async (query: string): Promise<number> =>
    (await server.ask('GET', `sys/health?${query}`, { token: '' })).status;
  t.equal(await code('activecode=299'), 299);
  t.equal(await code('standbyok=true&sealedcode=204'), 200);
  t.equal(await code('activecode=nonsense'), 400);
  t.equal((await fetch(`${server.address}/v1/sys/health`, { method: 'HEAD' })).status, 200);
  await server.ask('POST', 'sys/health', { data: {} });
  t.match((await server.ask('GET', 'sys/seal-status', { token: '' })).body, {
    sealed: false,
    t: 1,
    n: 1,
    initialized: true,
    type: 'shamir',
  });
  await server.ask('GET', 'sys/init', { token: '' });
});

contract('a sealed vault says so everywhere, and opens with its key', async (t, server) => {
  await server.ask('POST', 'secret/data/app', { data: { data: { a: '1' } } });
  const plain = (await server.ask('POST', 'auth/token/create', { data: { policies: ['default'] } })).body.auth
    .client_token;
  t.equal((await server.ask('PUT', 'sys/seal', { token: plain })).status, 403);
  t.equal((await server.ask('PUT', 'sys/seal')).status, 204);
  const refused = await server.ask('GET', 'secret/data/app');
  t.equal(refused.status, 503);
  t.strictSame(refused.body.errors, ['Vault is sealed']);
  t.equal((await server.ask('POST', 'auth/approle/login', { token: '', data: {} })).status, 503);
  const health = await server.ask('GET', 'sys/health', { token: '' });
  t.equal(health.status, 503);
  t.match(health.body, { sealed: true });
  t.equal((await server.ask('GET', 'sys/health?sealedcode=204', { token: '' })).status, 204);
  t.equal((await server.ask('GET', 'sys/seal-status', { token: '' })).body.sealed, true);
  t.equal((await server.ask('PUT', 'sys/unseal', { token: '', data: {} })).status, 400);
  t.equal(
    (await server.ask('PUT', 'sys/unseal', { token: '', data: { key: server.unsealKey } })).body.sealed,
    false,
  );
  t.equal((await server.ask('GET', 'sys/health', { token: '' })).status, 200);
});
