// `latchkey validate` finds every mistake that can be found without asking anybody, in one run.
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { runProgram } from '../support/cli.ts';
import { startDevVault } from '../support/dev-vault.ts';
import { testFolder } from '../support/test-folder.ts';

t.test('all stages are told together', async (t) => {
  const folder = testFolder(t);
  const config = join(folder, 'bad.yaml');
  const gone = join(folder, 'gone');
  writeFileSync(
    config,
    JSON.stringify({
      upstreams: { vault: { address: 'http://127.0.0.1:1', auth: { method: 'token' } } },
      secrets: { stripe: { path: 'secret/stripe', refrsh: '3s' } },
      files: [
        { contents: '{{ field "strip" "key" }}', destination: join(folder, 'a'), owner: 'no-such-user' },
        { contents: '{{ if }}', destination: join(gone, 'b'), mode: 9999 },
        {
          contents: 'x',
          destination: join(folder, 'c'),
          staging: '/proc',
          check: { command: ['no-such-check', '{staged}'] },
          notify: { command: [join(gone, 'reload')] },
          settle: { command: ['no-such-settle'] },
        },
      ],
      processes: [
        {
          name: 'app',
          command: ['no-such-server'],
          env: { K: '{{ field "strpe" "key" }}' },
          user: 'nobody-here',
        },
      ],
      audit: { file: join(gone, 'audit.jsonl') },
      log: { file: join(gone, 'agent.log') },
    }),
    { mode: 0o600 },
  );
  const { code, stderr } = await runProgram(t, ['validate', '--config', config]);
  t.equal(code, 2);
  for (const pattern of [
    /files\[0\]\.owner.*no-such-user/,
    /files\[0\]\.template: no secret named "strip".*did you mean stripe\?/,
    /secrets\.stripe\.refrsh: unknown key; did you mean refresh\?/,
    /files\[1\]\.mode: expected an octal string/,
    /missing value for if/,
    /files\[1\]\.destination: the folder .*gone does not exist/,
    /files\[2\]\.staging: \/proc is on another file system than /,
    /files\[2\]\.check: there is no program no-such-check/,
    /files\[2\]\.notify\[0\]: .*reload does not exist/,
    /files\[2\]\.settle: there is no program no-such-settle/,
    /processes\.app\.command: there is no program no-such-server/,
    /processes\.app\.env\.K: no secret named "strpe".*did you mean stripe\?/,
    /processes\[0\]\.user.*nobody-here/,
    /audit\.file: the folder .* does not exist/,
    /log\.file: the folder .* does not exist/,
  ]) {
    t.match(stderr, pattern);
  }
  for (const line of stderr.trimEnd().split('\n')) t.ok(line.startsWith(`${config}:1:`), line);
  const subjects = stderr.split('\n').map((line) => /^\S+:\d+:\d+: \S+: /.exec(line)?.[0] ?? line);
  t.equal(new Set(subjects).size, subjects.length, 'each is told once');
  const elsewhere = await runProgram(t, ['validate', '--syntax-only', '--config', config]);
  t.equal(elsewhere.code, 2);
  t.match(elsewhere.stderr, /did you mean stripe\?/);
  t.notMatch(elsewhere.stderr, /no-such-check|no-such-user|gone does not exist/, 'nothing of this host');
});

t.test('the config to start from is one that status works on', async (t) => {
  const { stdout } = await runProgram(t, ['generate-config']);
  t.match(stdout, /^listeners:\n {2}- unix: \/run\/latchkey\/latchkey\.sock$/m);
  const file = join(testFolder(t), 'start.yaml');
  writeFileSync(file, stdout, { mode: 0o600 });
  const status = await runProgram(t, ['status', '--config', file]);
  t.match(
    status.stderr,
    /cannot reach the agent at \/run\/latchkey\/latchkey\.sock/,
    'it knows where to ask',
  );
});

t.test(
  '--online tells a refused login from a server that is away, and asks nothing for a bad config',
  async (t) => {
    const { vault, address, countRequests } = await startDevVault(t);
    const folder = testFolder(t);
    const check = async (name: string, config: object, env: Record<string, string> = {}) => {
      const path = join(folder, `${name}.yaml`);
      writeFileSync(path, JSON.stringify(config), { mode: 0o600 });
      return await runProgram(t, ['validate', '--online', '--config', path], { env });
    };
    const secrets = { app: { path: 'secret/app' } };
    const upstreams = { vault: { address, auth: { method: 'token' } } };
    const refused = await check('refused', { upstreams, secrets }, { VAULT_TOKEN: 'wrong' });
    t.match(refused, {
      code: 3,
      stdout: '',
      stderr: /^\S+:\d+:\d+: upstreams\.vault: the token is not accepted/m,
    });
    const away = { vault: { address: 'http://127.0.0.1:1', auth: { method: 'token' } } };
    t.match(await check('away', { upstreams: away, secrets }, { VAULT_TOKEN: 'any' }), {
      code: 5,
      stderr: /^\S+:\d+:\d+: upstreams\.vault: .*127\.0\.0\.1:1/m,
    });
    vault.seal();
    t.match(await check('sealed', { upstreams, secrets }, { VAULT_TOKEN: 'any' }), {
      code: 5,
      stderr: /is sealed/,
    });
    const before = countRequests();
    t.match(await check('bad', { upstreams, secrets: { app: { pth: 'a' } } }, { VAULT_TOKEN: 'x' }), {
      code: 2,
    });
    t.equal(countRequests(), before, 'the config comes first');
    const wrapped = {
      method: 'approle',
      role_id: 'r',
      secret_id_file: join(folder, 's'),
      secret_id_wrapped: true,
    };
    writeFileSync(join(folder, 's'), 'a-wrapping-token', { mode: 0o600 });
    const spent = await check('spent', { upstreams: { vault: { address, auth: wrapped } }, secrets });
    t.match(spent, {
      code: 1,
      stderr: /^\S+:\d+:\d+: upstreams\.vault: not looked at: a login would use up/m,
    });
    t.equal(countRequests(), before, 'the secret id is still good');
  },
);

t.test('--online reads from what is no vault, and runs no program', async (t) => {
  const folder = testFolder(t);
  const config = join(folder, 'latchkey.yaml');
  writeFileSync(join(folder, 'app.json'), '{"a":{"b":"c"}}', { mode: 0o600 });
  writeFileSync(
    config,
    JSON.stringify({
      upstreams: {
        env: { kind: 'env', prefix: 'APP_' },
        file: { kind: 'file', path: join(folder, 'app.json') },
        exec: { kind: 'exec', command: ['/usr/bin/touch', join(folder, 'touched')] },
      },
      secrets: {
        there: { upstream: 'env', path: 'KEY' },
        gone: { upstream: 'env', path: 'OTHER' },
        a: { upstream: 'file', path: 'a' },
        z: { upstream: 'file', path: 'z' },
        made: { upstream: 'exec', path: 'x' },
      },
    }),
    { mode: 0o600 },
  );
  const env = { APP_KEY: 'value-of-the-key' };
  const { code, stdout, stderr } = await runProgram(t, ['validate', '--online', '--config', config], { env });
  t.equal(code, 1);
  t.match(stderr, /^\S+:\d+:\d+: secrets\.gone: there is no variable APP_OTHER/m);
  t.match(stderr, /^\S+:\d+:\d+: secrets\.z: /m);
  t.match(stderr, /^note: \S+:\d+:\d+: upstreams\.exec: not asked: what is asked of it may make a secret$/m);
  t.notMatch(stderr, /secrets\.(?:there|a):/);
  t.notMatch(stdout + stderr, /value-of-the-key/);
  t.notOk(existsSync(join(folder, 'touched')), 'no program was run');
});

t.test('an empty path is a variable that is not set, and no folder', async (t) => {
  for (const args of [
    ['validate', '--config', ''],
    ['agent', '--config', ''],
  ]) {
    const { code, stderr } = await runProgram(t, args, { cwd: testFolder(t) });
    t.equal(code, 2, args.join(' '));
    t.match(stderr, /--config: expected a path, got nothing; look whether the variable/);
  }
});
