import { request } from 'node:https';
import t from 'tap';
import { createAuthority, type PemPair } from '../../../../test/support/certificates.ts';
import { startDevVault, type TestVault } from '../../../../test/support/dev-vault.ts';

function login(
  dev: TestVault,
  client: PemPair | undefined,
  ca: string,
): Promise<{ status: number; body: { auth?: { policies: string[]; metadata: object }; errors?: string[] } }> {
  return new Promise((resolve, reject) => {
    const options = {
      method: 'POST',
      ca,
      agent: false,
      ...(client ? { cert: client.cert, key: client.key } : {}),
    };
    const asked = request(`${dev.address}/v1/auth/cert/login`, options, (response) => {
      let text = '';
      response.on('data', (piece) => {
        text += String(piece);
      });
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body: JSON.parse(text) }));
    });
    asked.on('error', reject);
    asked.end('{}');
  });
}

t.test('takes a client certificate of a known authority, and no other', async (t) => {
  const authority = await createAuthority();
  const stranger = await createAuthority('Stranger');
  const dev = await startDevVault(t, { tls: await authority.issue() });
  await dev.ask('PUT', 'sys/auth/cert', { type: 'cert' });
  await dev.ask('PUT', 'auth/cert/certs/web', {
    certificate: authority.cert,
    token_policies: 'web',
    allowed_common_names: 'web-*',
  });
  const good = await login(
    dev,
    await authority.issue({ commonName: 'web-1', usage: 'client' }),
    authority.cert,
  );
  t.strictSame(good.body.auth?.policies, ['default', 'web']);
  t.match(good.body.auth?.metadata, { cert_name: 'web', common_name: 'web-1' });
  const named = await login(
    dev,
    await authority.issue({ commonName: 'db-1', usage: 'client' }),
    authority.cert,
  );
  t.match(named.body.errors, [/no chain matching all constraints/]);
  const foreign = await login(
    dev,
    await stranger.issue({ commonName: 'web-1', usage: 'client' }),
    authority.cert,
  );
  t.match(foreign.body.errors, [/invalid certificate or no client certificate supplied/]);
  const old = await login(
    dev,
    await authority.issue({ commonName: 'web-1', usage: 'client', notAfter: new Date(Date.now() - 1000) }),
    authority.cert,
  );
  t.equal(old.status, 400);
  t.strictSame((await login(dev, undefined, authority.cert)).body.errors, [
    'client certificate must be supplied',
  ]);
});
