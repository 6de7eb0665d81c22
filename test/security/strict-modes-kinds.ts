// An upstream of any kind is not asked while others can change its program, its credential or what it reads.
import { spawnSync } from 'node:child_process';
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { silentLogger } from '../../src/base/logger.ts';
import { systemSurroundings } from '../../src/base/surroundings.ts';
import { loadConfig } from '../../src/config/load.ts';
import { trustFault } from '../../src/config/resolve/check-modes.ts';
import { createSource, loadKinds } from '../../src/upstream/kinds.ts';
import { loadAuthMethod } from '../../src/upstream/vault/auth/load-method.ts';
import { askSocket, startProgram } from '../support/cli.ts';
import { needsRoot } from '../support/needs-root.ts';
import { nobody } from '../support/other-user.ts';
import { testFolder } from '../support/test-folder.ts';
import { waitFor } from '../support/wait-for.ts';

t.test('a program that a stranger can write is not run for a secret', { skip: needsRoot }, async (t) => {
  const folder = testFolder(t);
  chmodSync(folder, 0o755);
  const [program, ran, socket] = ['ask', 'ran', 'sock'].map((name) => join(folder, name)) as [
    string,
    string,
    string,
  ];
  const text = (word: string) =>
    `#!/bin/sh\ncat > /dev/null\n${word === 'planted' ? `touch ${ran}\n` : ''}echo '{"values":{"word":"${word}"}}'\n`;
  writeFileSync(program, text('first'), { mode: 0o755 });
  const config = {
    upstreams: { own: { kind: 'exec', command: [program] } },
    secrets: { a: { upstream: 'own', path: 'a', refresh: '1h' } },
    listeners: [{ unix: socket, serve: ['secrets', 'admin'] }],
    state_dir: join(folder, 'state'),
  };
  writeFileSync(join(folder, 'latchkey.yaml'), JSON.stringify(config), { mode: 0o600 });
  startProgram(t, ['agent', '--config', join(folder, 'latchkey.yaml')]);
  const tells = (path: string, what: RegExp) =>
    waitFor(String(what), async () =>
      what.test((await askSocket(socket, path).catch(() => undefined))?.text ?? ''),
    );
  await tells('/secrets/a', /first/);
  // Asked for, so that none is judged before what follows and begins after it.
  const refresh = () => askSocket(socket, '/refresh', { method: 'POST' });
  chmodSync(program, 0o777);
  const stranger = ['--reuid', String(nobody), '--regid', String(nobody), '--clear-groups'];
  const write = ['sh', '-c', 'printf %s "$1" > "$2"', 'sh', text('planted'), program];
  t.equal(spawnSync('setpriv', [...stranger, ...write]).status, 0);
  await refresh();
  await tells('/status', /program .*ask can be written by everybody \(mode 0777\); chmod o-w /);
  await tells('/secrets/a', /first/);
  t.throws(() => chmodSync(ran, 0o600), { code: 'ENOENT' }, 'the program has not run');
  writeFileSync(program, text('second'));
  chmodSync(program, 0o755);
  await refresh();
  await tells('/secrets/a', /second/);
  t.pass('what is mended is run');
});

const files: Record<string, (path: string) => Record<string, unknown>> = {
  'a header': (path) => ({ kind: 'http', url: 'http://127.0.0.1:1/', header_files: { 'X-Key': path } }),
  'secrets in a file': (path) => ({ kind: 'file', path, format: 'raw' }),
  'the key of a sealed file': (file) => ({ kind: 'file', path: '/nowhere.yaml', key: { file } }),
  'credentials of AWS': (credentials_file) => ({ kind: 'aws', region: 'eu-west-1', credentials_file }),
  'a secret of Azure': (client_secret_file) => ({
    ...{
      kind: 'azure',
      vault: 'https://app.vault.azure.net',
      tenant_id: 'tenant',
      client_id: 'client',
      client_secret_file,
    },
  }),
  'credentials of Google': (credentials_file) => ({ kind: 'gcp', project: 'app', credentials_file }),
  'a token of 1Password': (token_file) => ({
    ...{ kind: 'onepassword', address: 'http://127.0.0.1:1', token_file },
  }),
  'a kubeconfig': (kubeconfig) => ({ kind: 'kubernetes', kubeconfig }),
};

for (const [what, upstreamOf] of Object.entries(files)) {
  t.test(`${what} that others can write`, async (t) => {
    const folder = testFolder(t);
    const path = join(folder, 'held');
    writeFileSync(path, 'x', { mode: 0o600 });
    const config = join(folder, 'latchkey.yaml');
    writeFileSync(config, JSON.stringify({ upstreams: { one: upstreamOf(path) }, state_dir: folder }), {
      mode: 0o600,
    });
    const { upstreams } = loadConfig([config], { env: {} });
    const [upstream] = upstreams;
    if (upstream === undefined) throw new Error('there is no upstream');
    await loadKinds(upstreams);
    const source = createSource({
      ...systemSurroundings(silentLogger, {}),
      ...{ config: upstream, faultOf: trustFault },
    });
    t.teardown(() => source.close({ revokeToken: false, signal: AbortSignal.timeout(1000) }));
    const reference = { upstream: 'one', path: 'a/b', operation: 'read', parameters: {} } as const;
    const read = () =>
      source.read(reference, { priority: 'fetch', signal: AbortSignal.timeout(60_000) } as never).then(
        () => '',
        (error: unknown) => String(error),
      );
    t.notMatch(await read(), /can be written/);
    chmodSync(path, 0o606);
    t.match(await read(), /held can be written by everybody \(mode 0606\); chmod o-w /);
  });
}

t.test('a file of a login with Vault that nothing watches', async (t) => {
  const folder = testFolder(t);
  const [keytabFile, krb5ConfFile] = ['keytab', 'krb5.conf'].map((name) => join(folder, name)) as [
    string,
    string,
  ];
  writeFileSync(keytabFile, 'x', { mode: 0o600 });
  writeFileSync(krb5ConfFile, '[libdefaults]\n');
  chmodSync(krb5ConfFile, 0o666);
  const method = await loadAuthMethod(
    {
      ...{ method: 'kerberos', mount: 'kerberos', username: 'app', realm: 'R.TEST', service: 'HTTP/vault' },
      ...{ keytabFile, krb5ConfFile },
    } as never,
    {} as never,
    {
      ...{ ...systemSurroundings(silentLogger, {}), memory: {}, faultOf: trustFault, mount: 'kerberos' },
      ...{ address: 'http://127.0.0.1:1', onCredentials() {} },
      call: () => Promise.reject(new Error('it is not called')),
    },
  );
  t.teardown(() => method.close?.());
  await t.rejects(method.credentials(AbortSignal.timeout(60_000)), {
    code: 'login_failed',
    message: /configuration of Kerberos .*krb5\.conf can be written by everybody \(mode 0666\); chmod o-w /,
  });
});
