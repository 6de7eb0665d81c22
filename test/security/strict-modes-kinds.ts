// An upstream of any kind is not asked while others can change its program, its credential or what it reads.
import { spawnSync } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, relative } from 'node:path';
import t from 'tap';
import { silentLogger } from '../../src/base/logger.ts';
import { type FaultOf, systemSurroundings } from '../../src/base/surroundings.ts';
import { loadConfig } from '../../src/config/load.ts';
import { filesOfCommand, trustFault, type WhereFrom } from '../../src/config/resolve/check-modes.ts';
import { mustBeOurs } from '../../src/config/resolve/must-be-ours.ts';
import { regionOfProfile } from '../../src/upstream/cloud/aws-profile.ts';
import { azureToken } from '../../src/upstream/cloud/azure-identity.ts';
import { findAwsCredentials } from '../../src/upstream/cloud/find-aws-credentials.ts';
import { gcpAccessToken } from '../../src/upstream/cloud/gcp-access-token.ts';
import { signServiceAccountJwt } from '../../src/upstream/cloud/gcp-identity.ts';
import { readLoginFile } from '../../src/upstream/cloud/login-file.ts';
import { findOciKey } from '../../src/upstream/cloud/oci/oci-keys.ts';
import { loadTlsOptions } from '../../src/upstream/http/tls-options.ts';
import { createSource, loadKinds } from '../../src/upstream/kinds.ts';
import { findCluster } from '../../src/upstream/kubernetes/cluster.ts';
import { loadAuthMethod } from '../../src/upstream/vault/auth/load-method.ts';
import { createCfMethod } from '../../src/upstream/vault/auth/signed/cf.ts';
import { askSocket, startAgent, startProgram } from '../support/cli.ts';
import { startDevVault } from '../support/dev-vault.ts';
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

interface Named {
  /** Of the file that others can write; the rest is ours. */
  readonly of: (held: string, folder: string) => Promise<unknown>;
  readonly text?: string;
  readonly role?: string;
}

const anySignal = () => AbortSignal.timeout(5000);
const write = (path: string, text: string) => {
  writeFileSync(path, text, { mode: 0o600 });
  return path;
};
const noInstance = { AWS_EC2_METADATA_DISABLED: 'true', PATH: '/usr/bin:/bin' };
const aws = (env: Record<string, string>) =>
  findAwsCredentials({ env: { ...noInstance, ...env }, signal: anySignal(), faultOf: trustFault });
const shared = (folder: string, lines: string) =>
  aws({ HOME: folder, AWS_CONFIG_FILE: write(join(folder, 'config'), `[default]\n${lines}\n`) });
const kubeconfig = (folder: string, user: object) => {
  const named = (name: string, part: object) => [{ name: 'one', [name]: part }];
  const file = {
    'current-context': 'one',
    contexts: named('context', { cluster: 'one', user: 'one' }),
    clusters: named('cluster', { server: 'https://127.0.0.1:1' }),
    users: named('user', user),
  };
  return write(join(folder, 'kubeconfig'), JSON.stringify(file));
};
const kubernetes = async (path: string, user: object) => {
  const config = { kubeconfigFile: kubeconfig(path, user), tls: {} } as never;
  const around = { env: { PATH: '/usr/bin:/bin' }, faultOf: trustFault };
  return await (await findCluster(config, around)).token(anySignal());
};
const google = (credentialsFile: string) =>
  gcpAccessToken({ env: {}, credentialsFile, signal: anySignal(), faultOf: trustFault });
const oracle = (env: Record<string, string>, configFile?: string) =>
  findOciKey({ env, configFile, profile: 'DEFAULT', faultOf: trustFault });
const script = '#!/bin/sh\ntouch "$0.ran"\n';

/** Named by a variable, or by a file that is named itself. */
const found: Record<string, Named> = {
  AWS_SHARED_CREDENTIALS_FILE: { of: (held) => aws({ AWS_SHARED_CREDENTIALS_FILE: held }) },
  AWS_CONFIG_FILE: { of: (held) => aws({ AWS_CONFIG_FILE: held }) },
  'AWS_CONFIG_FILE for a region': {
    of: (held) => regionOfProfile({ env: { AWS_CONFIG_FILE: held }, faultOf: trustFault }),
  },
  'the credentials in the home': {
    async of(held, folder) {
      mkdirSync(join(folder, '.aws'));
      symlinkSync(held, join(folder, '.aws/credentials'));
      return await aws({ HOME: folder });
    },
  },
  AWS_WEB_IDENTITY_TOKEN_FILE: {
    of: (held, folder) => aws({ HOME: folder, AWS_WEB_IDENTITY_TOKEN_FILE: held, AWS_ROLE_ARN: 'arn' }),
  },
  AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE: {
    of: (held, folder) =>
      aws({
        HOME: folder,
        AWS_CONTAINER_CREDENTIALS_FULL_URI: 'http://127.0.0.1:1/',
        AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE: held,
      }),
  },
  'web_identity_token_file of a profile': {
    of: (held, folder) => shared(folder, `role_arn = arn\nweb_identity_token_file = ${held}`),
  },
  'credential_process of a profile': {
    of: (held, folder) => shared(folder, `credential_process = ${held}`),
    ...{ text: script, role: 'program' },
  },
  'the script of a credential_process': {
    of: (held, folder) => shared(folder, `credential_process = sh ${held}`),
    ...{ text: script, role: 'script' },
  },
  GOOGLE_APPLICATION_CREDENTIALS: {
    of: (held) =>
      signServiceAccountJwt(() => ({}), {
        env: { GOOGLE_APPLICATION_CREDENTIALS: held },
        ...{ serviceAccount: undefined, signal: anySignal(), faultOf: trustFault },
      }),
  },
  'a subject token of Google': {
    of: (held, folder) => {
      const file = { type: 'external_account', credential_source: { file: held } };
      return google(write(join(folder, 'adc.json'), JSON.stringify(file)));
    },
  },
  AZURE_FEDERATED_TOKEN_FILE: {
    of: (held) =>
      azureToken('https://vault.azure.net', {
        env: { AZURE_TENANT_ID: 't', AZURE_CLIENT_ID: 'c', AZURE_FEDERATED_TOKEN_FILE: held },
        ...{ signal: anySignal(), faultOf: trustFault },
      }),
  },
  'a configuration of OCI': { of: (held) => oracle({}, held) },
  'key_file of OCI': {
    of: (held, folder) => {
      const lines = ['[DEFAULT]', 'user = u', 'fingerprint = f', 'tenancy = t', `key_file = ${held}`];
      return oracle({}, write(join(folder, 'oci'), lines.join('\n')));
    },
  },
  OCI_private_key_path: {
    of: (held) =>
      oracle({
        ...{ OCI_tenancy_ocid: 't', OCI_user_ocid: 'u', OCI_fingerprint: 'f', OCI_private_key_path: held },
      }),
  },
  'tokenFile of a kubeconfig': { of: (tokenFile, folder) => kubernetes(folder, { tokenFile }) },
  'a plugin of a kubeconfig': {
    of: (command, folder) => kubernetes(folder, { exec: { command } }),
    ...{ text: script, role: 'program' },
  },
  CF_INSTANCE_CERT: {
    of: (held, folder) =>
      createCfMethod(
        { method: 'cf', mount: 'cf', role: 'app' } as never,
        {
          ...systemSurroundings(silentLogger, {
            CF_INSTANCE_CERT: held,
            CF_INSTANCE_KEY: write(join(folder, 'key'), 'x'),
          }),
          faultOf: trustFault,
        } as never,
      ).credentials(anySignal()),
  },
  'a single file in ca_path': {
    of: (held) => loadTlsOptions({ ...noTls, caPath: dirname(held) }, trustFault),
    role: 'certificate',
  },
};

const noTls = {
  ...{ caFile: undefined, caPath: undefined, certFile: undefined, keyFile: undefined, serverName: undefined },
  skipVerify: false,
};

for (const [what, { of, text = 'x', role = 'credential' }] of Object.entries(found)) {
  t.test(`what is found by itself: ${what}`, async (t) => {
    const folder = testFolder(t);
    mkdirSync(join(folder, 'in'));
    const held = join(folder, 'in/held');
    writeFileSync(held, text, { mode: 0o700 });
    const told = () =>
      of(held, testFolder(t)).then(
        () => '',
        (error: unknown) => String(error),
      );
    t.notMatch(await told(), /can be written/);
    rmSync(`${held}.ran`, { force: true });
    chmodSync(held, 0o702);
    t.match(
      await told(),
      new RegExp(`${role} .*held can be written by everybody \\(mode 0702\\); chmod o-w `),
    );
    chmodSync(held, 0o700);
    chmodSync(join(folder, 'in'), 0o777);
    t.match(
      await told(),
      new RegExp(`${role} .*in can be written by everybody \\(mode 0777\\)`),
      'its folder',
    );
    t.notOk(existsSync(`${held}.ran`), 'no program has run');
  });
}

t.test('the file that is judged is the one that is read', async (t) => {
  const folder = testFolder(t);
  const [path, planted] = [join(folder, 'token'), join(folder, 'planted')];
  writeFileSync(path, 'ours', { mode: 0o600 });
  writeFileSync(planted, 'planted', { mode: 0o600 });
  const asked: string[] = [];
  const faultOf: FaultOf = (name, role, options) => {
    asked.push(role);
    renameSync(planted, path);
    return trustFault(name, role, options);
  };
  const text = await readLoginFile(path, { faultOf });
  t.strictSame([asked, text, readFileSync(path, 'utf8')], [['credential'], 'ours', 'planted']);
  symlinkSync(path, join(folder, 'link'));
  chmodSync(path, 0o606);
  await t.rejects(readLoginFile(join(folder, 'link'), { faultOf: trustFault }), {
    message: /credential .*link: .*token can be written by everybody/,
  });
});

t.test("the public key of whoever reads a sink may be theirs, but not everybody's to write", async (t) => {
  const folder = testFolder(t);
  const vault = await startDevVault(t);
  const [key, sink] = [join(folder, 'reader.json'), join(folder, 'sink')];
  const { publicKey } = generateKeyPairSync('x25519');
  const raw = publicKey.export({ format: 'jwk' }).x ?? '';
  const text = JSON.stringify({ curve25519_public_key: Buffer.from(raw, 'base64url').toString('base64') });
  writeFileSync(key, text, { mode: 0o600 });
  chmodSync(key, 0o606);
  const sinks = [{ path: sink, dh_path: key }];
  const agent = startAgent(t, { folder, vault, upstream: { sinks }, config: {} });
  await waitFor('the refusal', async () =>
    /dh_path .*reader\.json can be written by everybody \(mode 0606\); chmod o-w /.test(
      (await agent.ask('/status').catch(() => undefined))?.text ?? '',
    ),
  );
  t.notOk(existsSync(sink));
  chmodSync(key, 0o600);
  await waitFor('the sink', () => existsSync(sink), 30_000);
  t.pass('what is mended is used');
});

t.test('a program by a relative path, and one in a folder of PATH that is relative', async (t) => {
  const folder = testFolder(t);
  mkdirSync(join(folder, 'bin'));
  const program = join(folder, 'bin/tool');
  writeFileSync(program, script, { mode: 0o755 });
  const asked = (command: string[], from: WhereFrom) =>
    Array.from(filesOfCommand(command, from), ({ path, role }) => `${role} ${path}`);
  t.strictSame(asked(['bin/tool'], { env: {}, workingDir: folder }), [`program ${program}`]);
  t.strictSame(asked(['tool'], { env: { PATH: `/nowhere:${relative('.', join(folder, 'bin'))}` } }), [
    `program ${program}`,
  ]);
  const sh = { env: { PATH: '/bin' }, workingDir: join(folder, 'bin') };
  t.strictSame(asked(['sh', '-e', 'tool', 'x'], sh).slice(1), [`script ${program}`]);
  chmodSync(program, 0o757);
  t.throws(() => mustBeOurs(['bin/tool'], { env: {}, workingDir: folder, faultOf: trustFault }), {
    code: 'process_failed',
    message: /program .*bin\/tool can be written by everybody/,
  });
});
