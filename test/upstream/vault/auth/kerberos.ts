// Logins with a ticket of a real KDC: the token is judged by another GSS-API acceptor, as the mount of a vault does.
import { chmodSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import type { AuthConfig } from '../../../../src/upstream/vault/config/vault-config.ts';
import { missingKdc, startKdc } from '../../../support/kdc.ts';
import { startStubVault } from '../../../support/stub-vault.ts';
import { authCommon, createTestUpstream, shutdown } from '../../../support/test-upstream.ts';
import { waitFor } from '../../../support/wait-for.ts';

type KerberosConfig = Extract<AuthConfig, { method: 'kerberos' }>;

function start(t: Test, address: string, auth: AuthConfig, env: Record<string, string> = {}) {
  const { upstream, logs } = createTestUpstream({
    config: { addresses: [address], auth, timeoutMs: 20_000 },
    env,
  });
  t.teardown(() => upstream.close(shutdown));
  upstream.start();
  return { upstream, logs };
}

t.test('a ticket by the keytab, shown to the vault that its service is', { skip: missingKdc }, async (t) => {
  const kdc = await startKdc(t);
  const service = kdc.keytab('HTTP/vault.latchkey.test');
  const keytab = kdc.keytab('app');
  kdc.keytab('HTTP/other.latchkey.test');
  const vault = await startStubVault();
  t.teardown(vault.close);
  const clients: string[] = [];
  vault.route(({ path, headers, body }) => {
    if (path !== 'auth/kerberos/login') return undefined;
    const [, token] = /^Negotiate (\S+)$/.exec(headers.authorization ?? '') ?? [];
    if (token === undefined || body !== '{}')
      return { status: 401, json: { errors: ['authentication required'] } };
    try {
      clients.push(kdc.clientOf(token, service));
    } catch {
      return { status: 403, json: { errors: [`no ticket for me: ${headers.authorization}`] } };
    }
    const auth = { client_token: 'hvs.krb', accessor: 'a', policies: ['krb'], lease_duration: 3600 };
    return { json: { auth: { ...auth, renewable: true } } };
  });
  const config: KerberosConfig = {
    ...authCommon,
    ...({ method: 'kerberos', mount: 'kerberos', username: 'app', realm: kdc.realm } as const),
    ...{ service: 'HTTP/vault.latchkey.test', keytabFile: keytab, krb5ConfFile: kdc.krb5Conf },
  };
  const before = readdirSync(kdc.folder).sort();
  const { upstream } = start(t, vault.address, config, {
    KRB5_CONFIG: '/nonexistent',
    KRB5CCNAME: 'FILE:/x/y',
  });
  await upstream.ready(AbortSignal.timeout(60_000));
  t.match(upstream.status(), { state: 'ready', login: { state: 'logged_in', policies: ['krb'] } });
  t.same(clients, ['app@LATCHKEY.TEST']);
  t.same(readdirSync(kdc.folder).sort(), before, 'no ticket is left on the disk');

  const failing: [string, Partial<KerberosConfig>, RegExp][] = [
    [
      'an unknown service',
      { service: 'HTTP/nobody' },
      /no token for HTTP\/nobody@LATCHKEY\.TEST: .*not found in Kerberos database/,
    ],
    ['a name that the keytab has not', { username: 'other' }, /no ticket for other@LATCHKEY\.TEST: /],
    ['a realm without a KDC', { realm: 'NOWHERE.TEST' }, /no ticket for app@NOWHERE\.TEST: /],
    ['no keytab', { keytabFile: join(kdc.folder, 'none') }, /auth\.keytab: .*none cannot be read \(ENOENT\)/],
    ['the keys of another service', { service: 'HTTP/other.latchkey.test' }, /refused with 403/],
  ];
  for (const [name, change, message] of failing) {
    await t.test(name, async (t) => {
      const failed = start(t, vault.address, { ...config, ...change });
      await waitFor('the refusal', () => /^(?:login_failed|denied)$/.test(failed.upstream.status().state));
      t.match(failed.upstream.status().message, message);
      t.notMatch(
        JSON.stringify([failed.upstream.status(), failed.logs]),
        /Negotiate YI/,
        'the token is not told',
      );
    });
  }
  await t.test('a krb5.conf that others can write is not believed', async (t) => {
    const krb5ConfFile = join(kdc.folder, 'open.conf');
    writeFileSync(krb5ConfFile, '[plugins]\n');
    chmodSync(krb5ConfFile, 0o666);
    const failed = start(t, vault.address, { ...config, krb5ConfFile });
    await waitFor('the refusal', () => /^(?:login_failed|denied)$/.test(failed.upstream.status().state));
    t.match(failed.upstream.status().message, /auth\.krb5_conf: .*open\.conf can be written by everybody/);
  });

  await t.test('a keytab of a new key is taken when the login waits', async (t) => {
    const late = join(kdc.folder, 'late.keytab');
    const waiting = start(t, vault.address, { ...config, username: 'late', keytabFile: late });
    await waitFor('the refusal', () => waiting.upstream.status().state === 'login_failed');
    kdc.keytab('late');
    await waiting.upstream.ready(AbortSignal.timeout(60_000));
    t.equal(clients.at(-1), 'late@LATCHKEY.TEST');
  });

  await t.test('a KDC that is gone', async (t) => {
    await kdc.stop();
    const failed = start(t, vault.address, config);
    await waitFor('the refusal', () => /^(?:login_failed|denied)$/.test(failed.upstream.status().state));
    t.match(
      failed.upstream.status().message,
      /Cannot contact any KDC for realm 'LATCHKEY\.TEST'|gave no answer/,
    );
  });
});
