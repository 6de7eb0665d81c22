// `latchkey consul-template` and `latchkey envconsul`: their command lines, files and exit codes.
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { startDevVault } from '../support/dev-vault.ts';
import { runCli } from '../support/run-foreign.ts';
import { startProxy } from '../support/start-proxy.ts';

t.setTimeout(600_000);

async function prepare(t: Test) {
  const vault = await startDevVault(t);
  await vault.writeSecret('secret/app', { user: 'u1', 'pass-word': 'p1' });
  const folder = t.testdir({
    'a.ctmpl': '{{ with secret "secret/app" }}{{ .Data.data.user }}{{ end }} {{ env "VAULT_ADDR" }}\n',
  });
  const run = (...args: string[]) => runCli(args, { folder, env: { VAULT_TOKEN: vault.rootToken } });
  return { vault, folder, run };
}

t.test('renders once, with the command that follows the destination', async (t) => {
  const { vault, folder, run } = await prepare(t);
  const { code, stderr } = await run(
    'consul-template',
    ...[
      '-vault-addr',
      vault.address,
      '-template',
      'a.ctmpl:new/a.conf:cat new/a.conf > ran; echo a, b >> ran',
      '-once',
    ],
  );
  t.equal(code, 0, stderr);
  t.equal(readFileSync(join(folder, 'new/a.conf'), 'utf8'), `u1 ${vault.address}\n`);
  t.equal(statSync(join(folder, 'new/a.conf')).mode & 0o777, 0o644);
  t.equal(
    readFileSync(join(folder, 'ran'), 'utf8'),
    `u1 ${vault.address}\na, b\n`,
    'commas of a command line stay',
  );
});

t.test('runs the program after the files of -once, and ends with it', async (t) => {
  const { vault, folder, run } = await prepare(t);
  const flags = [`-vault-addr=${vault.address}`, '-template=a.ctmpl:out:echo told >> ran', '-once'];
  const program = `cat out >> ran; echo $OWN >> ran; exit 7`;
  const { code, stderr } = await run('consul-template', ...flags, '-exec', program);
  t.equal(code, 7, stderr);
  t.equal(readFileSync(join(folder, 'ran'), 'utf8'), `told\nu1 ${vault.address}\n\n`);
  const none = await run('consul-template', '-template=none.ctmpl:out', '-once', '-exec', 'touch never');
  t.equal(none.code, 15);
  t.notOk(existsSync(join(folder, 'never')), 'nothing runs where a file is missing');
});

t.test('prints what the files would be', async (t) => {
  const { vault, folder, run } = await prepare(t);
  const { code, stdout } = await run(
    'consul-template',
    `-vault-addr=${vault.address}`,
    '-template=a.ctmpl:out',
    '-dry',
  );
  t.equal(code, 0);
  t.equal(stdout, `> ${join(folder, 'out')}\nu1 ${vault.address}\n`);
  t.notOk(existsSync(join(folder, 'out')));
});

t.test('reads folders of configurations, and what the command line says after them', async (t) => {
  const { vault, folder, run } = await prepare(t);
  mkdirSync(join(folder, 'conf/inner'), { recursive: true });
  writeFileSync(join(folder, 'conf/a'), 'vault { address = "http://127.0.0.1:1" }');
  writeFileSync(join(folder, 'conf/inner/b.hcl'), 'template { source = "a.ctmpl" destination = "b.conf" }');
  const { code, stderr } = await run(
    'consul-template',
    '-config',
    'conf',
    '-vault-addr',
    vault.address,
    '-once',
  );
  t.equal(code, 0, stderr);
  t.match(readFileSync(join(folder, 'b.conf'), 'utf8'), /^u1 /);
});

t.test('ends as consul-template does where something is wrong', async (t) => {
  const { folder, run } = await prepare(t);
  t.match(await run('consul-template', '-vault-adr=x'), {
    code: 13,
    stderr: /-vault-adr: unknown option; did you mean -vault-addr\?/,
  });
  writeFileSync(join(folder, 'bad.hcl'), 'vault {\n  renew = true\n}\n');
  t.match(await run('consul-template', '-config=bad.hcl', '-once'), {
    code: 15,
    stderr: /bad\.hcl:2:3: vault\.renew: unknown key/,
  });
});

t.test('runs a program with the fields of secrets as variables', async (t) => {
  const { vault, run } = await prepare(t);
  const address = `-vault-addr=${vault.address}`;
  const named = await run(
    'envconsul',
    address,
    '-secret',
    'secret/app',
    '-upcase',
    '-sanitize',
    'sh',
    '-c',
    'echo $SECRET_APP_PASS_WORD $SECRET_APP_USER; exit 7',
  );
  t.match(named, { code: 7, stdout: 'p1 u1\n' });
  const bare = await run(
    'envconsul',
    address,
    '-secret',
    'secret/app',
    '-no-prefix',
    '-pristine',
    'sh',
    '-c',
    'echo $user$VAULT_TOKEN',
  );
  t.match(bare, { code: 0, stdout: 'u1\n' });
});

t.test('takes formats and single keys from a file', async (t) => {
  const { vault, folder, run } = await prepare(t);
  writeFileSync(
    join(folder, 'e.hcl'),
    `secret {
  path = "secret/app"
  no_prefix = true
  key { name = "user" format = "app_{{ key }}" }
  key { name = "user" }
}
upcase = true
`,
  );
  const { stdout, stderr } = await run(
    'envconsul',
    '-config',
    'e.hcl',
    `-vault-addr=${vault.address}`,
    'sh',
    '-c',
    'env | grep "=u1$"; env | grep -c "^PASS"',
  );
  t.equal(stdout, 'APP_USER=u1\n0\n', stderr);
});

t.test('takes the options of the program: a clean environment, and variables of its own', async (t) => {
  const { vault, folder, run } = await prepare(t);
  const flags = [
    '-template=a.ctmpl:out',
    '-once',
    '-exec',
    'env | sort > ran',
    '-consul-auth=a:b',
    '-retry=5s',
  ];
  const own = ['-exec-env-pristine', '-exec-env-custom=ONE=1,2', '-exec-env-custom', 'TWO=2'];
  const { code, stderr } = await run('consul-template', `-vault-addr=${vault.address}`, ...flags, ...own);
  t.equal(code, 0, stderr);
  const ran = readFileSync(join(folder, 'ran'), 'utf8');
  t.match(ran, /^ONE=1,2$/m);
  t.match(ran, /^TWO=2$/m);
  t.notMatch(ran, /VAULT_TOKEN/);
});

t.test(
  'refuses what needs Consul on the command line of envconsul, and knows what it was called before',
  async (t) => {
    const { vault, run } = await prepare(t);
    const address = `-vault-addr=${vault.address}`;
    t.match(await run('envconsul', address, '-service-query=redis', 'true'), {
      code: 15,
      stderr: /command line:\d+:\d+: service: needs Consul/,
    });
    t.match(await run('envconsul', address, '-config', 'none.hcl', 'true'), {
      code: 15,
      stderr: /none\.hcl/,
    });
    const { stdout, stderr } = await run(
      'envconsul',
      ...[
        address,
        '-consul=127.0.0.1:8500',
        '-splay=0s',
        '-timeout=5s',
        '-ssl=false',
        '-secret',
        'secret/app',
      ],
      ...['-no-prefix', 'sh', '-c', 'echo $user'],
    );
    t.equal(stdout, 'u1\n', stderr);
  },
);

t.test('goes through the proxy of the environment, and without it where NO_PROXY says so', async (t) => {
  const { vault, folder } = await prepare(t);
  const proxy = await startProxy(t, { credentials: 'me:hidden' });
  const url = proxy.address.replace('//', '//me:hidden@');
  const env = { VAULT_TOKEN: vault.rootToken, VAULT_PROXY_ADDR: url };
  const args = ['consul-template', `-vault-addr=${vault.address}`, '-template=a.ctmpl:out', '-once'];
  const done = await runCli(args, { folder, env });
  t.equal(done.code, 0, done.stderr);
  t.equal(readFileSync(join(folder, 'out'), 'utf8'), `u1 ${vault.address}\n`);
  t.ok(proxy.asked.some((line) => line.includes(`${vault.address}/v1/secret/data/app`)));
  const before = proxy.asked.length;
  const { VAULT_PROXY_ADDR: _, ...plain } = env;
  const direct = await runCli(args, { folder, env: { ...plain, HTTP_PROXY: url, NO_PROXY: '*' } });
  t.equal(direct.code, 0, direct.stderr);
  t.equal(proxy.asked.length, before);
});

t.test('a program that cannot be started', async (t) => {
  const { vault, run } = await prepare(t);
  const { code, stderr } = await run(
    ...['envconsul', `-vault-addr=${vault.address}`, '-secret=secret/app', './there-is-none'],
  );
  t.equal(code, 14, stderr);
  const flags = [`-vault-addr=${vault.address}`, '-template=a.ctmpl:out'];
  t.equal((await run('consul-template', ...flags, '-exec', './there-is-none')).code, 14);
});
