// Credential helpers and ready templates with the programs that they are for: git, psql, curl's netrc, openssl.
import { execFile, spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import t from 'tap';
import { nodeOptions, program, runProgram, startAgent } from '../support/cli.ts';
import { mountDatabase } from '../support/database-engine.ts';
import { startDevVault } from '../support/dev-vault.ts';
import { startPostgres } from '../support/postgres.ts';
import { testFolder } from '../support/test-folder.ts';
import { waitFor } from '../support/wait-for.ts';

const templates = resolve(import.meta.dirname, '../../config/templates');
const run = promisify(execFile);
const isThere = (command: string): boolean => spawnSync(command, ['--version']).error === undefined;
const isOpenssl = (): boolean => spawnSync('openssl', ['version']).error === undefined;
const without = (command: string): string | false =>
  isThere(command) ? false : `${command} is not installed`;

async function setUp(
  t: import('tap').Test,
  secrets: Record<string, Record<string, unknown>>,
  refresh = '200ms',
) {
  const folder = testFolder(t);
  const vault = await startDevVault(t);
  const config: Record<string, unknown> = {};
  for (const [name, data] of Object.entries(secrets)) {
    await vault.writeSecret(`secret/${name}`, data);
    config[name] = { path: `secret/${name}`, refresh };
  }
  const agent = startAgent(t, { folder, vault, config: { secrets: config } });
  await agent.untilReady();
  const helper = async (args: string[], input = '', env: Record<string, string> = {}) => {
    const started = spawnSync(
      process.execPath,
      [...nodeOptions, program, 'helper', ...args, '--socket', agent.socket],
      {
        input,
        env: { PATH: process.env['PATH'] ?? '', ...env },
        encoding: 'utf8',
      },
    );
    return { code: started.status, stdout: started.stdout, stderr: started.stderr };
  };
  return { folder, vault, agent, helper };
}

t.test(
  'git asks at every use and gets the credential of its host alone',
  { skip: without('git') },
  async (t) => {
    const { folder, vault, agent } = await setUp(t, {
      gitlab: { username: 'robot', password: 'first', host: 'git.example' },
    });
    const helper = `!'${process.execPath}' --disable-sigusr1 '${program}' helper git --secret gitlab --socket ${agent.socket}`;
    const fill = (url: string) => {
      const asked = spawnSync(
        'git',
        ['-c', 'credential.helper=', '-c', `credential.helper=${helper}`, 'credential', 'fill'],
        {
          input: `url=${url}\n\n`,
          encoding: 'utf8',
          env: { PATH: process.env['PATH'] ?? '', HOME: folder, GIT_TERMINAL_PROMPT: '0' },
        },
      );
      return asked.stdout;
    };
    t.match(fill('https://git.example/team/app.git'), /username=robot\npassword=first\n/);
    await vault.writeSecret('secret/gitlab', { username: 'robot', password: 'second', host: 'git.example' });
    await agent.ask('/refresh', { method: 'POST' });
    t.match(fill('https://git.example/team/app.git'), /password=second\n/);
    t.notMatch(fill('https://evil.example/team/app.git'), /second/, 'no other host gets it');
    t.match(
      fill('https://git.example:443/team/app.git'),
      /password=second\n/,
      'the port that https has anyway',
    );
    t.notMatch(fill('https://git.example:8443/team/app.git'), /second/, 'another port is another server');
    t.notMatch(fill('http://git.example/team/app.git'), /second/, 'nor does it go over plain http');
  },
);

t.test('over plain http a credential goes to this machine alone', async (t) => {
  const { helper } = await setUp(t, { gitlab: { username: 'robot', password: 'pw' } });
  const answer = async (host: string) =>
    (await helper(['git', 'get', '--secret', 'gitlab', '--host', host], `protocol=http\nhost=${host}\n\n`))
      .stdout;
  for (const host of ['localhost', 'localhost:3000', '127.0.0.1:80', '[::1]:80'])
    t.match(await answer(host), /password=pw/, host);
  for (const host of [
    'localhost.evil.example',
    '127.0.0.1.evil.example',
    '127.evil.example:80',
    'git.example',
  ])
    t.equal(await answer(host), '', host);
});

t.test('git is given nothing that its protocol cannot carry', async (t) => {
  const { helper } = await setUp(t, {
    broken: { username: 'u', password: 'pw\nhost=evil.example', host: 'git.example' },
    user: { username: 'u\0x', password: 'pw', host: 'git.example' },
    number: { username: 'u', password: 12345678, host: 'git.example' },
  });
  const ask = (secret: string, more = '', host = 'git.example') =>
    helper(['git', 'get', '--secret', secret], `protocol=https\nhost=${host}\n${more}\n`);
  for (const secret of ['broken', 'user']) {
    const { code, stdout, stderr } = await ask(secret);
    t.equal(stdout, '', `${secret}: nothing`);
    t.not(code, 0);
    t.match(stderr, /line break or a NUL, which git's protocol cannot carry/);
    t.notMatch(stderr, /evil/);
  }
  t.match((await ask('number')).stdout, /password=12345678\n/, 'a number is a password too');
  t.equal((await ask('number', 'username=alice\n')).stdout, '', "another account's question is not answered");
  t.match(
    (await ask('number', '', 'git.example:8443')).stderr,
    /put the port into/,
    'a port that is not said is told',
  );
});

t.test('docker, AWS and kubectl are given nothing that they would send cut or not at all', async (t) => {
  const { helper } = await setUp(t, {
    line: { username: 'u', password: 'canary-pw\n', host: 'r.example' },
    colon: { username: 'u:canary', password: 'pw', host: 'r.example' },
    good: { username: 'u', password: 'p:w ü', host: 'r.example', token: 'abc' },
    key: { access_key: 'AKIA\r\nX-Canary: y', secret_key: 'sk' },
    session: { access_key: 'AKIA', secret_key: 'sk', security_token: 'canary\n' },
    token: { token: 'canary-token\n' },
  });
  for (const [args, input, says] of [
    [['docker', 'get', '--secret', 'line'], 'r.example', /the password of secret line has a line break/],
    [['docker', 'get', '--secret', 'colon'], 'r.example', /the username of secret colon has a colon/],
    [['aws', 'key'], '', /the access key of secret key has a line break/],
    [['aws', 'session'], '', /the session token of secret session has a line break/],
    [['kubernetes', 'token'], '', /the token of secret token has a line break/],
  ] as const) {
    const { code, stdout, stderr } = await helper([...args], input);
    t.not(code, 0, args.join(' '));
    t.match(stderr, says);
    t.notMatch(`${stdout}${stderr}`, /canary/i, 'no value');
  }
  t.match((await helper(['docker', 'get', '--secret', 'good'], 'r.example')).stdout, /"Secret":"p:w ü"/);
  t.match((await helper(['kubernetes', 'good'])).stdout, /"token":"abc"/);
});

t.test('git clones with it from a server that wants a password', { skip: without('git') }, async (t) => {
  const first = { username: 'robot', password: 'pa:ss', host: '127.0.0.1' };
  const { folder, agent, vault } = await setUp(t, { gitlab: first }, '1h');
  const source = join(folder, 'source');
  const env = {
    PATH: process.env['PATH'] ?? '',
    HOME: folder,
    GIT_TERMINAL_PROMPT: '0',
    GIT_CONFIG_NOSYSTEM: '1',
  };
  const git = (...args: string[]) => run('git', args, { env });
  await git('init', '-q', source);
  await git(
    '-C',
    source,
    '-c',
    'user.name=t',
    '-c',
    'user.email=t@t',
    'commit',
    '-q',
    '--allow-empty',
    '-m',
    'one',
  );
  await git('-C', source, 'update-server-info');
  const basic = (password: string) => `Basic ${Buffer.from(`robot:${password}`).toString('base64')}`;
  let expected = basic('pa:ss');
  const server = createServer((request, response) => {
    if (request.headers.authorization !== expected) {
      response.writeHead(401, { 'www-authenticate': 'Basic realm="git"' }).end();
      return;
    }
    try {
      const path = new URL(request.url ?? '/', 'http://x').pathname.replace(/^\/app\.git\//, '');
      response.end(readFileSync(join(source, '.git', path)));
    } catch {
      response.writeHead(404).end(); // the dumb protocol asks for what may not be there
    }
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  t.teardown(() => server.close());
  const { port } = server.address() as AddressInfo;
  const helper = `!'${process.execPath}' --disable-sigusr1 '${program}' helper git --secret gitlab --host 127.0.0.1:${port} --socket ${agent.socket}`;
  const clone = (to: string) =>
    git(
      '-c',
      `credential.helper=${helper}`,
      'clone',
      '-q',
      `http://127.0.0.1:${port}/app.git`,
      join(folder, to),
    );
  await clone('clone');
  t.match((await git('-C', join(folder, 'clone'), 'log', '--format=%s')).stdout, /one/);
  const polls = () => vault.countRequests(/^GET secret\/data\/gitlab/);
  const asked = polls();
  expected = basic('second');
  await t.rejects(clone('refused'), {
    message: /secret gitlab: 127\.0\.0\.1:\d+ refused it, and upstream has no other/,
  });
  t.equal(polls(), asked + 1, 'upstream was asked, an hour before its time');
  await vault.writeSecret('secret/gitlab', { ...first, password: 'second' });
  const newer = /refused it, and upstream had a newer one: try again|a newer one than .* refused is here/;
  await waitFor('the refusal to count again', async () => {
    const failure = await clone('again').then(
      () => '',
      ({ stderr }: { stderr: string }) => stderr,
    );
    return failure === '' || newer.test(failure);
  });
  await clone('third');
  t.match((await git('-C', join(folder, 'third'), 'log', '--format=%s')).stdout, /one/);
  t.ok(polls() < asked + 6, 'and no more often than every two seconds');
});

t.test('docker, AWS and Kubernetes are answered in their own words', async (t) => {
  const { helper } = await setUp(t, {
    registry: { username: 'robot', password: 'pw', host: 'registry.example' },
    anywhere: { username: 'robot', password: 'pw' },
    aws: { access_key: 'AKIA', secret_key: 's', security_token: 'tok' },
    k8s: { token: 'bearer' },
    cert: { certificate: 'C', private_key: 'K' },
  });
  t.strictSame(await helper(['docker', 'get', '--secret', 'registry'], 'https://registry.example/v2/\n'), {
    code: 0,
    stdout: '{"ServerURL":"https://registry.example/v2/","Username":"robot","Secret":"pw"}\n',
    stderr: '',
  });
  t.strictSame(await helper(['docker', 'get', '--secret', 'registry'], 'other.example\n'), {
    code: 1,
    stdout: 'credentials not found in native keychain\n',
    stderr: '',
  });
  t.match(
    await helper(['docker', 'store', '--secret', 'registry'], '{}'),
    { code: 3, stdout: /docker cannot change them/ },
    'docker shows what a helper says on standard output',
  );
  t.match(await helper(['docker', 'get', '--secret', 'anywhere'], 'x\n'), { code: 2, stderr: /use --host/ });
  const asked = Date.now();
  const aws = JSON.parse((await helper(['aws', 'aws'])).stdout);
  t.ok(Date.parse(aws.Expiration) > asked + 10 * 60_000, 'they ask again, though these have no end');
  t.match(aws, {
    Version: 1,
    AccessKeyId: 'AKIA',
    SecretAccessKey: 's',
    SessionToken: 'tok',
  });
  t.match(await helper(['aws', 'k8s']), { code: 4, stderr: /holds no AWS credentials/ });
  t.strictSame(JSON.parse((await helper(['kubernetes', 'k8s'])).stdout), {
    apiVersion: 'client.authentication.k8s.io/v1',
    kind: 'ExecCredential',
    status: { token: 'bearer' },
  });
  const info = JSON.stringify({ apiVersion: 'client.authentication.k8s.io/v1beta1', kind: 'ExecCredential' });
  t.match(JSON.parse((await helper(['kubernetes', 'cert'], '', { KUBERNETES_EXEC_INFO: info })).stdout), {
    apiVersion: 'client.authentication.k8s.io/v1beta1',
    status: { clientCertificateData: 'C', clientKeyData: 'K' },
  });
});

t.test('the ready templates are read by psql and curl', async (t) => {
  const postgres = await startPostgres(t);
  if (postgres === undefined) return;
  const folder = testFolder(t);
  const vault = await startDevVault(t);
  await mountDatabase(vault, postgres, { defaultTtl: '1h', maxTtl: '1h' });
  await vault.writeSecret('secret/artifacts', { host: '127.0.0.1', username: 'robot', password: 'pw' });
  await vault.writeSecret('secret/npm', { host: 'npm.example', token: 'npm_x' });
  mkdirSync(join(folder, 'templates'));
  const names = ['pgpass', 'pg_service.conf', 'my.cnf', 'netrc', 'npmrc'];
  for (const name of names)
    copyFileSync(join(templates, `${name}.ctmpl`), join(folder, 'templates', `${name}.ctmpl`));
  const configPath = join(folder, 'latchkey.yaml');
  writeFileSync(
    configPath,
    JSON.stringify({
      upstreams: { vault: { kind: 'vault', address: vault.address, auth: { method: 'token' } } },
      secrets: {
        database: { path: 'database/creds/app' },
        artifacts: { path: 'secret/artifacts' },
        npm: { path: 'secret/npm' },
      },
      files: names.map((name) => ({ template: `templates/${name}.ctmpl`, destination: join(folder, name) })),
      state_dir: join(folder, 'state'),
    }),
  );
  const rendered = await runProgram(t, ['render', '--config', configPath], {
    env: { VAULT_TOKEN: vault.rootToken },
  });
  t.equal(rendered.code, 0, rendered.stderr);
  t.equal(statSync(join(folder, 'pgpass')).mode & 0o777, 0o600);
  t.match(readFileSync(join(folder, 'my.cnf'), 'utf8'), /^\[client\]\nuser="v-[^"]+"\npassword="[^"]+"$/m);
  t.equal(readFileSync(join(folder, 'npmrc'), 'utf8'), '//npm.example/:_authToken="npm_x"\n');

  if (isThere('psql')) {
    const user = readFileSync(join(folder, 'pgpass'), 'utf8').split(':')[3] ?? '';
    const { stdout } = await run(
      'psql',
      [
        '-w',
        '-h',
        '127.0.0.1',
        '-p',
        String(postgres.port),
        '-U',
        user,
        '-d',
        postgres.database,
        '-Atc',
        'select current_user',
      ],
      { env: { PATH: process.env['PATH'] ?? '', PGPASSFILE: join(folder, 'pgpass') } },
    );
    t.equal(stdout.trim(), user, 'psql logs in by the file');
    const byService = await run(
      'psql',
      [
        '-w',
        '-Atc',
        'select current_user',
        `host=127.0.0.1 port=${postgres.port} dbname=${postgres.database}`,
      ],
      {
        env: {
          PATH: process.env['PATH'] ?? '',
          PGSERVICEFILE: join(folder, 'pg_service.conf'),
          PGSERVICE: 'database',
        },
      },
    );
    t.equal(byService.stdout.trim(), user, 'psql takes user and password from the service file');
  } else t.pass('psql', { skip: 'psql is not installed' });

  if (isThere('curl')) {
    let seen = '';
    const server = createServer((request, response) => {
      seen = request.headers.authorization ?? '';
      response.end();
    });
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
    t.teardown(() => server.close());
    const { port } = server.address() as AddressInfo;
    await run('curl', ['-s', '--netrc-file', join(folder, 'netrc'), `http://127.0.0.1:${port}/`]);
    t.equal(seen, `Basic ${Buffer.from('robot:pw').toString('base64')}`, 'curl logs in by the file');
  } else t.pass('curl', { skip: 'curl is not installed' });
});

t.test(
  'a PKCS12 keystore is made of the ready template',
  { skip: isOpenssl() ? false : 'openssl is not installed' },
  async (t) => {
    const folder = testFolder(t);
    const vault = await startDevVault(t);
    await vault.ask('PUT', 'sys/mounts/pki', { type: 'pki' });
    await vault.ask('PUT', 'pki/root/generate/internal', { common_name: 'root', ttl: '24h' });
    await vault.ask('PUT', 'pki/roles/web', { allow_any_name: true, max_ttl: '1h' });
    const [pem, keystore, password] = ['tls.pem', 'keystore.p12', 'keystore.pass'].map((name) =>
      join(folder, name),
    );
    writeFileSync(password ?? '', 'changeit\n');
    const configPath = join(folder, 'latchkey.yaml');
    writeFileSync(
      configPath,
      JSON.stringify({
        upstreams: { vault: { kind: 'vault', address: vault.address, auth: { method: 'token' } } },
        files: [
          {
            template: join(templates, 'keystore-source.pem.ctmpl'),
            destination: pem,
            check: {
              command: ['openssl', 'x509', '-noout', '-checkend', '60', '-in', '{staged}'],
              timeout: '10s',
            },
            notify: {
              command: [
                'openssl',
                'pkcs12',
                '-export',
                '-in',
                pem,
                '-out',
                keystore,
                '-passout',
                `file:${password}`,
              ],
            },
          },
        ],
        state_dir: join(folder, 'state'),
      }),
    );
    const { code, stderr } = await runProgram(t, ['render', '--config', configPath], {
      env: { VAULT_TOKEN: vault.rootToken },
    });
    t.equal(code, 0, stderr);
    const { stdout } = await run('openssl', [
      'pkcs12',
      '-in',
      keystore ?? '',
      '-passin',
      `file:${password}`,
      '-nodes',
    ]);
    t.match(stdout, /BEGIN CERTIFICATE[\s\S]*BEGIN PRIVATE KEY/);
    t.match(stdout, /app\.example/);
  },
);
