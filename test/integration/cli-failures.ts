// What operators get wrong, through the real command line: one message that names place and remedy, the exit code that
// scripts rely on, and everything else goes on.
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import type { AgentStatus } from '../../src/api/status.ts';
import { askSocket, runProgram, startAgent, startProgram } from '../support/cli.ts';
import { startDevVault, type TestVault } from '../support/dev-vault.ts';
import { testFolder } from '../support/test-folder.ts';
import { waitFor } from '../support/wait-for.ts';

const isRoot = process.getuid?.() === 0;

/** A vault with `secret/app`, a token that may read it and not `secret/denied`. */
async function setUp(t: Test): Promise<{ folder: string; vault: TestVault; token: string }> {
  const folder = testFolder(t);
  const vault = await startDevVault(t);
  await vault.writeSecret('secret/app', { word: 'good' });
  await vault.writeSecret('secret/denied', { word: 'hidden' });
  await vault.writeSecret('secret/deleted', { word: 'gone' });
  await vault.ask('DELETE', 'secret/data/deleted');
  await vault.writePolicy(
    'agent',
    ['app', 'missing', 'deleted']
      .map((name) => `path "secret/data/${name}" { capabilities = ["read"] }`)
      .concat('path "nowhere/*" { capabilities = ["read"] }')
      .join('\n'),
  );
  return { folder, vault, token: await vault.createToken({ policies: ['agent'] }) };
}

function upstreams(vault: TestVault, auth: object = { method: 'token' }) {
  return { vault: { kind: 'vault', address: vault.address, events: false, auth } };
}

t.test('each secret and file fails alone, with its place, its reason and a remedy', async (t) => {
  const { folder, vault, token } = await setUp(t);
  const at = (name: string) => join(folder, name);
  mkdirSync(at('is-a-folder'));
  writeFileSync(at('is-a-file'), '');
  const word = (name: string) => `{{ field "${name}" "word" }}`;
  const agent = startAgent(t, {
    folder,
    vault,
    env: { VAULT_TOKEN: token },
    config: {
      upstreams: upstreams(vault),
      secrets: Object.fromEntries(
        ['app', 'denied', 'missing', 'deleted', 'nomount'].map((name) => [
          name,
          { path: name === 'nomount' ? 'nowhere/creds/x' : `secret/${name}` },
        ]),
      ),
      files: [
        { contents: word('app'), destination: at('good.conf') },
        { contents: word('denied'), destination: at('denied.conf') },
        { contents: word('missing'), destination: at('missing.conf') },
        { contents: word('deleted'), destination: at('deleted.conf') },
        { contents: `{{ field "app" "no-such" }}`, destination: at('field.conf') },
        {
          contents: `one line\n{{ parseInt (field "app" "word") }}`,
          destination: at('template-error.conf'),
        },
        { contents: word('app'), destination: at('is-a-folder') },
        { contents: word('app'), destination: at('is-a-file/app.conf') },
        { contents: word('app'), destination: at('no-folder/app.conf') },
        { contents: word('app'), destination: at('owner.conf'), owner: 'nobody-here-at-all' },
        {
          contents: word('app'),
          destination: at('checked.conf'),
          check: { command: ['sh', '-c', 'echo port 99999 is too high >&2; exit 3'] },
        },
        { contents: word('app'), destination: at('good-too.conf') },
      ],
    },
  });
  const status = await waitFor('every file to be decided', async () => {
    const answer = await agent.ask('/status').catch(() => undefined);
    if (answer?.status !== 200) return undefined;
    const all = JSON.parse(answer.text) as AgentStatus;
    const isDecided = all.files.every(
      ({ state, failure, missing }) =>
        state === 'current' || failure !== undefined || missing[0]?.message !== undefined,
    );
    return isDecided ? all : undefined;
  });
  const why = new Map(
    status.files.map((file) => [
      file.destination.slice(folder.length + 1),
      file.failure?.message ?? file.missing[0]?.message ?? file.state,
    ]),
  );
  for (const [name, pattern] of [
    ['good.conf', /^current$/],
    ['good-too.conf', /^current$/],
    ['denied.conf', /secret\/data\/denied: denied by policy.*; allow read/],
    ['missing.conf', /secret\/data\/missing: no such secret; check the path/],
    ['deleted.conf', /secret\/data\/deleted: this version is deleted; undelete it/],
    ['field.conf', /field\.conf \(contents\):1:3: .*no field "no-such"/],
    ['template-error.conf', /error\.conf \(contents\):2:3: .*parseInt: .*parsing \[redacted\]/],
    ['is-a-folder', /files\[6\]\.destination: .*is a folder.*; remove the folder/],
    ['is-a-file/app.conf', /files\[7\]\.destination: .*is-a-file.*; /],
    ['no-folder/app.conf', /files\[8\]\.destination: .*no-folder.*; .*create_parents/],
    ['owner.conf', /files\[9\]\.owner: .*nobody-here-at-all.*; create the user/],
    ['checked.conf', /port 99999 is too high/],
  ] as const) {
    t.match(why.get(name), pattern, name);
    if (name !== 'is-a-folder')
      t.equal(existsSync(at(name)), name.startsWith('good'), `${name} is there or not`);
  }
  t.notMatch(JSON.stringify(status), /hidden/);
  t.match(agent.log(), /"secret":"denied","key":"vault:read secret\/denied"/);
  t.match((await agent.ask('/readyz')).text, /"file [^"]*denied\.conf: waits for denied"/);
  const explained = await agent.ask(`/explain?subject=${at('template-error.conf')}`);
  t.notMatch(explained.text, /has not answered yet/, 'a secret that came is not waited for');
  t.match((await agent.ask('/readyz')).text, /secret nomount: .*nowhere/);
  t.equal(readFileSync(at('good.conf'), 'utf8'), 'good');
  t.equal((await agent.ask('/secrets/app/word')).text, 'good', 'the socket serves');
  for (const [name, code] of [
    ['app', 0],
    ['denied', 3],
    ['missing', 4],
    ['deleted', 4],
    ['nomount', 4],
    ['unheard-of', 4],
  ] as const) {
    const got = await runProgram(t, ['get', name, 'word', '--socket', agent.socket]);
    t.equal(got.code, code, `get ${name}: ${got.stderr}`);
    t.equal(got.stdout, code === 0 ? 'good' : '');
    t.equal(got.stderr.split('\n').length, code === 0 ? 1 : 2, 'one line');
  }
  t.strictSame(
    readdirSync(folder).filter((name) => name.startsWith('.latchkey-')),
    [],
    'nothing staged is left',
  );
  await vault.ask('PUT', 'secret/data/deleted', { data: { word: 'back' } });
  await vault.writePolicy('agent', 'path "secret/data/*" { capabilities = ["read"] }');
  await agent.ask('/refresh', { method: 'POST' });
  await waitFor('what was missing', () => existsSync(at('deleted.conf')) && existsSync(at('denied.conf')));
  t.equal((await agent.stop()).code, 0);
});

t.test('a wrong role id: told with the remedy, everything else serves, and it recovers', async (t) => {
  const { folder, vault } = await setUp(t);
  const { roleId, secretId } = await vault.createAppRole('app', { policies: ['agent'] });
  writeFileSync(join(folder, 'role-id'), 'no-such-role');
  writeFileSync(join(folder, 'secret-id'), secretId, { mode: 0o600 });
  const auth = {
    method: 'approle',
    role_id_file: join(folder, 'role-id'),
    secret_id_file: join(folder, 'secret-id'),
    remove_secret_id_file: false,
    min_backoff: '100ms',
    max_backoff: '200ms',
  };
  const agent = startAgent(t, {
    folder,
    vault,
    config: {
      upstreams: upstreams(vault, auth),
      secrets: { app: { path: 'secret/app' }, other: { path: 'secret/app?version=1' } },
      files: [
        { contents: '{{ field "app" "word" }}', destination: join(folder, 'app.conf') },
        { contents: 'no secret in it', destination: join(folder, 'plain.conf') },
      ],
    },
  });
  const answer = await waitFor('the refusal', async () => {
    const ready = await agent.ask('/readyz').catch(() => undefined);
    return ready?.text.includes('refused') && ready.text.includes('waits for app') ? ready : undefined;
  });
  t.equal(answer.status, 503);
  t.match(answer.text, /upstream vault: login at auth\/approle\/login: refused with 400.*check role id/);
  await waitFor('the other file', () => existsSync(join(folder, 'plain.conf')));
  const got = await runProgram(t, ['get', 'app', '--socket', agent.socket]);
  t.match(got, { code: 3, stdout: '', stderr: /check role id and secret id/ });
  t.equal(answer.text.match(/refused with 400/g)?.length, 2, 'told once, in the message and in the list');
  t.match(answer.text, /"secret app: pending: waits for upstream vault"/);
  t.match(answer.text, /"file [^"]*app\.conf: waits for app"/);
  t.equal(
    agent.log().match(/"level":[45]0,.*refused with 400/g)?.length,
    1,
    'one line for the login and none for its secrets',
  );
  writeFileSync(join(folder, 'role-id'), roleId);
  await agent.untilReady();
  t.equal(readFileSync(join(folder, 'app.conf'), 'utf8'), 'good');
  t.notMatch(agent.log(), /answers for this secret again/, 'nor for its end');
});

t.test('with exit_on_error a refused login ends the agent with 3', async (t) => {
  const { folder, vault } = await setUp(t);
  await vault.createAppRole('app');
  const agent = startAgent(t, {
    folder,
    vault,
    config: {
      upstreams: upstreams(vault, { method: 'approle', role_id: 'no-such-role', exit_on_error: true }),
    },
  });
  const ended = await agent.exited;
  t.match(ended, { code: 3, stderr: /^latchkey: .*auth\/approle\/login.*check role id.*\n$/ });
  t.notOk(existsSync(agent.socket));
});

t.test('render --once ends with the code of what failed, and has written the rest', async (t) => {
  const { folder, vault, token } = await setUp(t);
  const good = join(folder, 'good.conf');
  const run = async (files: object[], changes: object = {}, env: Record<string, string> = {}) => {
    const config = join(folder, 'render.yaml');
    writeFileSync(
      config,
      JSON.stringify({
        upstreams: upstreams(vault),
        state_dir: join(folder, 'state'),
        files: [
          { contents: '{{ with secret "secret/app" }}{{ .Data.data.word }}{{ end }}', destination: good },
          ...files,
        ],
        ...changes,
      }),
    );
    return runProgram(t, ['render', '--once', '--timeout', '5s', '--config', config], {
      env: { VAULT_TOKEN: token, ...env },
    });
  };
  const reading = (name: string) => ({
    contents: `{{ with secret "secret/${name}" }}{{ .Data.data.word }}{{ end }}`,
    destination: join(folder, `${name}.conf`),
  });
  t.match(await run([]), { code: 0, stderr: `${good}: written\n` });
  t.match(await run([]), { code: 0, stderr: `${good}: same\n` });
  const mistaken = {
    contents: '{{ with secret "secret/app" }}{{ .Data.word }}{{ end }}',
    destination: join(folder, 'mistaken.conf'),
  };
  t.match(await run([mistaken]), {
    code: 0,
    stderr: /^warning: template: mistaken\.conf \(contents\):1:38: .*did you mean \.Data\.data\.word\?/,
  });
  for (const [file, code, message] of [
    [reading('denied'), 3, /denied\.conf: missing: .*denied by policy.*; allow read/],
    [reading('missing'), 4, /missing\.conf: missing: .*no such secret; check the path/],
    [reading('deleted'), 4, /deleted\.conf: missing: .*version is deleted; undelete/],
    [
      { contents: '{{ fail', destination: join(folder, 'bad.conf') },
      2,
      /bad\.conf: failed: template: bad\.conf \(contents\):1: /,
    ],
    [
      { contents: '{{ index "x" 9 }}', destination: join(folder, 'bad.conf') },
      1,
      /bad\.conf \(contents\):1:\d+: .*index/,
    ],
    [
      { contents: 'x', destination: join(folder, 'none/bad.conf') },
      1,
      /files\[1\]\.destination.*create_parents/,
    ],
  ] as const) {
    const ended = await run([file]);
    t.match(ended, { code, stdout: '', stderr: message });
    t.match(ended.stderr, new RegExp(`^${good}: same$`, 'm'), 'the other file is in place');
    t.equal(ended.stderr.trim().split('\n').length, 2, `one line a file: ${ended.stderr}`);
  }
  t.match(await run([], {}, { VAULT_TOKEN: 'wrong' }), { code: 3, stderr: /VAULT_TOKEN/ });
  vault.vault.seal();
  t.match(await run([]), { code: 5, stderr: /sealed/ });
});

t.test('a bad config ends the agent with 2, and all of its problems with their lines', async (t) => {
  const folder = testFolder(t);
  const config = join(folder, 'latchkey.yaml');
  const run = (text: string, command = 'agent') => {
    writeFileSync(config, text);
    return runProgram(t, [command, '--config', config]);
  };
  const yaml = await run('upstreams:\n  vault: { address: "http://127.0.0.1:1"\nsecrets: {}\n');
  t.match(yaml, { code: 2, stdout: '', stderr: /latchkey\.yaml:\d+:\d+: / });
  const many = `
upstreams:
  vault: { address: "http://127.0.0.1:1" }
secrets:
  app: { path: secret/app, refersh: 10s }
files:
  - { contents: a, destination: /tmp/a.conf, mode: "0999" }
  - { contents: b, destination: /tmp/b.conf, notify: { command: systemctl reload nginx } }
  - { contents: c, destination: /tmp/b.conf }
proceses: []
`;
  for (const command of ['agent', 'validate']) {
    const ended = await run(many, command);
    t.equal(ended.code, 2, command);
    t.match(ended.stderr, /latchkey\.yaml:5:\d+: .*refersh.*refresh/);
    t.match(ended.stderr, /latchkey\.yaml:7:\d+: .*mode/);
    t.match(ended.stderr, /latchkey\.yaml:8:\d+: .*notify.*list/);
    t.match(ended.stderr, /latchkey\.yaml:10:\d+: .*proceses.*processes/);
  }
  const twice = await run(
    many
      .replace('refersh', 'refresh')
      .replace('0999', '0600')
      .replace('systemctl reload nginx', '["true"]')
      .replace('proceses', 'processes'),
  );
  t.match(twice, {
    code: 2,
    stderr:
      /latchkey\.yaml:9:\d+: .*files\[2\]\.destination.*\/tmp\/b\.conf is there twice, first at .*latchkey\.yaml:8:\d+; remove/,
  });
  const absent = await runProgram(t, ['agent', '--config', join(folder, 'absent.yaml')]);
  t.match(absent, { code: 2, stderr: /absent\.yaml.*(does not exist|ENOENT|no such)/ });
});

t.test('a bad template of the config does not keep the agent from serving the rest', async (t) => {
  const { folder, vault } = await setUp(t);
  writeFileSync(join(folder, 'bad.ctmpl'), 'fine\n{{ if }}\n');
  const agent = startAgent(t, {
    folder,
    vault,
    config: {
      secrets: { app: { path: 'secret/app' } },
      files: [
        { template: join(folder, 'bad.ctmpl'), destination: join(folder, 'bad.conf') },
        { contents: '{{ field "app" "word" }}', destination: join(folder, 'good.conf') },
      ],
    },
  });
  await waitFor('the good file', () => existsSync(join(folder, 'good.conf')));
  // As Go says it.
  const pattern = /bad\.ctmpl:2: missing value for if/;
  await waitFor('the bad one told', async () => pattern.test((await agent.ask('/readyz')).text));
  const validated = await runProgram(t, ['validate', '--config', agent.configPath]);
  t.match(validated, { code: 2, stderr: /bad\.ctmpl:2:6: missing value for if/ });
  rmSync(join(folder, 'bad.ctmpl'));
  for (const command of ['validate', 'agent']) {
    const refused = await runProgram(t, [command, '--config', agent.configPath]);
    t.match(refused, {
      code: 2,
      stderr: /files\[0\]\.template: no such file: .*bad\.ctmpl; write the template/,
    });
  }
});

t.test('a port in use, and a path that is no socket: exit 1, and nothing is left', async (t) => {
  const { folder, vault } = await setUp(t);
  const server = createServer().listen(0, '127.0.0.1');
  t.teardown(() => server.close());
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as { port: number };
  const socket = join(folder, 'latchkey.sock');
  const agent = startAgent(t, {
    folder,
    vault,
    config: {
      listeners: [
        { unix: socket, serve: ['secrets'] },
        { tcp: `127.0.0.1:${port}`, token_file: join(folder, 'token'), serve: ['secrets'] },
      ],
    },
  });
  const ended = await agent.exited;
  t.match(ended, {
    code: 1,
    stderr: new RegExp(
      `^latchkey: listeners\\[1\\].*127\\.0\\.0\\.1:${port} is in use.*; stop it or choose another port\n$`,
    ),
  });
  t.notOk(existsSync(socket), 'the other socket is gone');

  writeFileSync(socket, 'precious');
  const second = startAgent(t, { folder, vault, config: {} });
  t.match(await second.exited, {
    code: 1,
    stderr: /listeners\[0\]\.unix: .*exists and is no socket; remove it/,
  });
  t.equal(readFileSync(socket, 'utf8'), 'precious');
});

t.test('a stale socket file is replaced; one in use by a live agent is left to it', async (t) => {
  const { folder, vault } = await setUp(t);
  const config = { secrets: { app: { path: 'secret/app' } } };
  const killed = startAgent(t, { folder, vault, config });
  await killed.untilReady();
  killed.child.kill('SIGKILL');
  await killed.exited;
  t.ok(existsSync(killed.socket), 'a killed agent leaves its socket');

  const agent = startAgent(t, { folder, vault, config });
  await agent.untilReady();
  const rivalConfig = JSON.parse(readFileSync(agent.configPath, 'utf8')) as Record<string, unknown>;
  const rivalPath = join(folder, 'rival.yaml');
  writeFileSync(rivalPath, JSON.stringify({ ...rivalConfig, state_dir: join(folder, 'other') }), {
    mode: 0o600,
  });
  const rival = startProgram(t, ['agent', '--config', rivalPath], { env: { VAULT_TOKEN: vault.rootToken } });
  t.match(await rival.exited, {
    code: 1,
    stderr: /^latchkey: listeners\[0\]\.unix: .*latchkey\.sock is in use by another process; stop it.*\n$/,
  });
  t.equal((await askSocket(agent.socket, '/secrets/app/word')).text, 'good', 'the first one serves on');
  t.equal((await agent.stop()).code, 0);
  t.notOk(existsSync(agent.socket));
});

t.test(
  'a socket where the user may not write',
  { skip: isRoot ? 'root may write anywhere' : false },
  async (t) => {
    const { folder, vault } = await setUp(t);
    const agent = startAgent(t, { folder, vault, config: { listeners: [{ unix: '/proc/latchkey.sock' }] } });
    t.match(await agent.exited, { code: 1, stderr: /listeners\[0\]\.unix: / });
  },
);
