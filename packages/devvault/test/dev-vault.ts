import { createServer } from 'node:net';
import t from 'tap';
import { startDevVault } from '../../../test/support/dev-vault.ts';
import { createDevVault } from '../src/dev-vault.ts';

const headers = (token: string): Record<string, string> => ({ 'x-vault-token': token });

t.test("serves a secret at secret/ right after the start, as Vault's dev mode", async (t) => {
  const dev = await startDevVault(t, { rootToken: 'root' });
  t.equal(await dev.writeSecret('secret/app', { key: 'value' }), 1);
  const response = await fetch(`${dev.address}/v1/secret/data/app`, { headers: headers('root') });
  const body = (await response.json()) as { data: { data: object } };
  t.strictSame(body.data.data, { key: 'value' });
});

t.test('says that it is for development only, where it is and how to unseal it', async (t) => {
  const dev = await startDevVault(t);
  t.match(dev.vault.banner(), /Never use it in production/);
  t.match(dev.vault.banner(), dev.address);
  t.match(dev.vault.banner(), dev.vault.unsealKey);
});

t.test('names the port that is taken', async (t) => {
  const holder = createServer();
  await new Promise<void>((resolve) => holder.listen(0, '127.0.0.1', resolve));
  t.teardown(() => holder.close());
  const address = holder.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const vault = createDevVault({ listen: `127.0.0.1:${port}` });
  await t.rejects(vault.start(), {
    code: 'listener_failed',
    message: new RegExp(`127.0.0.1:${port}: EADDRINUSE`),
  });
  await vault.close();
  const wrong = createDevVault({ listen: 'nonsense' });
  await t.rejects(wrong.start(), { code: 'usage' });
});

t.test('gives a secret and a token to nobody else when the request helper is used as another', async (t) => {
  const dev = await startDevVault(t);
  await dev.writeSecret('secret/app', { key: 'value' });
  await dev.writePolicy('none', 'path "other/*" { capabilities = ["read"] }');
  const token = await dev.createToken({ policies: ['none'] });
  const { status } = await dev.vault.request('GET', 'secret/data/app', {}, { token });
  t.equal(status, 403);
});

t.test('makes AppRoles that can log in', async (t) => {
  const dev = await startDevVault(t);
  const { roleId, secretId } = await dev.createAppRole('app', { token_policies: 'app', token_ttl: '1h' });
  const { auth } = await dev.ask('PUT', 'auth/approle/login', { role_id: roleId, secret_id: secretId });
  t.strictSame(auth.policies, ['app', 'default']);
  t.equal(auth.lease_duration, 3600);
});
