// Hot reload through the real agent: by HUP, by the changed file itself, by POST /reload. What is the same is not
// touched; what is wrong changes nothing and says why.
import {
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { Agent as HttpAgent, request } from 'node:http';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import type { AgentStatus } from '../../src/api/status.ts';
import { askSocket, runProgram, startAgent, startProgram, type TestAgent } from '../support/cli.ts';
import { mountDatabase } from '../support/database-engine.ts';
import { startDevVault, type TestVault } from '../support/dev-vault.ts';
import { startPostgres } from '../support/postgres.ts';
import { testFolder } from '../support/test-folder.ts';
import { waitFor } from '../support/wait-for.ts';

type Config = Record<string, unknown>;

interface Scene {
  folder: string;
  vault: TestVault;
  agent: TestAgent;
  /** The base with these changes; written as editors do it: beside, then renamed. */
  write(config: Config | string): void;
  base: Config;
  status(): Promise<AgentStatus>;
  post(): Promise<{ status: number; body: { changed?: string[]; error?: { message: string } } }>;
}

const sleeper = (name: string, word: string) => ({
  name,
  command: ['sleep', '600'],
  env: { WORD: word },
});

async function setUp(t: Test, changes: Config = {}): Promise<Scene> {
  const folder = testFolder(t);
  const vault = await startDevVault(t);
  await vault.writeSecret('secret/app', { word: 'app' });
  await vault.writeSecret('secret/other', { word: 'other' });
  writeFileSync(join(folder, 'app.ctmpl'), 'v1 {{ field "app" "word" }}');
  const base: Config = {
    upstreams: {
      vault: { kind: 'vault', address: vault.address, events: false, auth: { method: 'token' } },
    },
    listeners: [{ unix: join(folder, 'latchkey.sock'), serve: ['secrets', 'admin', 'metrics'] }],
    log: { level: 'debug', format: 'json', file: join(folder, 'agent.log') },
    state_dir: join(folder, 'state'),
    secrets: { app: { path: 'secret/app', refresh: '1h' } },
    files: [{ template: join(folder, 'app.ctmpl'), destination: join(folder, 'app.conf') }],
    processes: [sleeper('first', '{{ field "app" "word" }}')],
    ...changes,
  };
  const agent = startAgent(t, { folder, vault, config: base });
  await agent.untilReady();
  return {
    folder,
    vault,
    agent,
    base,
    write(config) {
      const staged = `${agent.configPath}.new`;
      writeFileSync(staged, typeof config === 'string' ? config : JSON.stringify(config), { mode: 0o600 });
      renameSync(staged, agent.configPath);
    },
    status: async () => JSON.parse((await agent.ask('/status')).text) as AgentStatus,
    post: async () => {
      const { status, text } = await agent.ask('/reload', { method: 'POST' });
      return { status, body: JSON.parse(text) };
    },
  };
}

const pidOf = ({ processes }: AgentStatus, name: string) => processes.find((one) => one.name === name)?.pid;

t.test(
  'secrets, files, processes, listeners and rules come, change and go; the rest is not touched',
  async (t) => {
    const { folder, agent, base, write, status, post } = await setUp(t);
    const before = await status();
    const pid = pidOf(before, 'first');
    t.ok(pid);
    const kept = new HttpAgent({ keepAlive: true, maxSockets: 1 });
    t.teardown(() => kept.destroy());
    const askKept = () =>
      new Promise<{ text: string; isReused: boolean }>((resolve, reject) => {
        const sent = request(
          {
            socketPath: agent.socket,
            path: '/secrets/app/word',
            agent: kept,
            headers: { host: 'localhost' },
          },
          (answer) => {
            let text = '';
            answer.setEncoding('utf8').on('data', (chunk: string) => {
              text += chunk;
            });
            answer.on('end', () => resolve({ text, isReused: sent.reusedSocket }));
          },
        );
        sent.on('error', reject).end();
      });
    t.equal((await askKept()).text, 'app');

    const second = join(folder, 'second.sock');
    const more = {
      ...base,
      secrets: { app: { path: 'secret/app', refresh: '1h' }, other: { path: 'secret/other' } },
      files: [
        ...(base['files'] as object[]),
        { contents: '{{ field "other" "word" }}', destination: join(folder, 'other.conf') },
      ],
      processes: [
        sleeper('first', '{{ field "app" "word" }}'),
        sleeper('second', '{{ field "other" "word" }}'),
      ],
      listeners: [...(base['listeners'] as object[]), { unix: second, serve: ['secrets'] }],
      access: [{ name: 'all', client: { uid: 12345 }, allow: ['*'] }],
    };
    write(more);
    agent.child.kill('SIGHUP');
    await waitFor('the second socket', () => existsSync(second));
    await agent.untilReady();
    t.equal(readFileSync(join(folder, 'other.conf'), 'utf8'), 'other');
    t.equal((await askSocket(second, '/secrets/other/word')).text, 'other');
    const during = await status();
    t.equal(pidOf(during, 'first'), pid, 'the child that is the same keeps its pid');
    const secondPid = pidOf(during, 'second');
    t.ok(secondPid);
    t.equal(during.config.reload_error, null);
    t.strictSame(await askKept(), { text: 'app', isReused: true }, 'a kept connection stays');

    write({
      ...more,
      processes: [sleeper('first', '{{ field "app" "word" }}'), sleeper('second', 'another')],
      files: [{ contents: 'changed {{ field "app" "word" }}', destination: join(folder, 'app.conf') }],
    });
    t.equal((await post()).status, 200);
    // By the request or, where that was faster, by the watch.
    t.match(agent.log(), '"changed":["files","processes"]');
    await waitFor('the changed file', () => readFileSync(join(folder, 'app.conf'), 'utf8') === 'changed app');
    await waitFor('the changed child', async () => {
      const now = pidOf(await status(), 'second');
      return now !== undefined && now !== secondPid;
    });
    t.equal(pidOf(await status(), 'first'), pid);

    write(base);
    t.equal((await post()).status, 200);
    const after = await status();
    t.strictSame(
      after.processes.map(({ name }) => name),
      ['first'],
    );
    t.equal(pidOf(after, 'first'), pid);
    t.notOk(existsSync(second), 'the socket is gone');
    t.equal((await agent.ask('/secrets/other')).status, 404);
    t.strictSame(await askKept(), { text: 'app', isReused: true });
    t.equal((await agent.stop()).code, 0);
  },
);

t.test('a bad config changes nothing and says why, in log, status and answer', async (t) => {
  const { folder, agent, base, write, status, post } = await setUp(t);
  const before = await status();
  const taken = join(folder, 'taken.sock');
  writeFileSync(taken, '');
  for (const [what, config, pattern] of [
    ['an unknown key', { ...base, secerts: {} }, /secerts.*secrets/],
    ['a file that is being written', '', /nothing is configured here/],
    ['no YAML', 'upstreams: [', /latchkey\.yaml:\d+:\d+/],
    [
      'a template that cannot be parsed, and more that could be done',
      {
        ...base,
        secrets: { app: { path: 'secret/other' } },
        processes: [],
        files: [{ contents: '{{ if }}', destination: join(folder, 'app.conf') }],
      },
      /missing value for if/,
    ],
    [
      'a process whose variable cannot be parsed',
      { ...base, files: [], processes: [sleeper('first', '{{ nosuch }}')] },
      /processes\.first\.env\.WORD.*nosuch/,
    ],
    [
      'a socket that cannot be had',
      { ...base, files: [], listeners: [...(base['listeners'] as object[]), { unix: taken }] },
      /taken\.sock exists and is no socket/,
    ],
    [
      'a folder of state that is elsewhere',
      { ...base, state_dir: join(folder, 'else') },
      /state_dir: cannot change/,
    ],
    [
      'a log that cannot be opened',
      { ...base, log: { file: join(folder, 'no', 'such', 'folder.log') } },
      /log\.file: .*cannot be opened/,
    ],
    [
      'an audit file that cannot be written',
      { ...base, audit: { file: join(folder, 'no', 'such', 'audit.jsonl') } },
      /audit\.file: .*cannot be written/,
    ],
    [
      'a function that is denied from now on',
      { ...base, template: { deny_functions: ['field'] } },
      /the function field is denied/,
    ],
    [
      'several things at once',
      {
        ...base,
        state_dir: join(folder, 'else'),
        files: [
          { contents: '{{ if }}', destination: join(folder, 'app.conf') },
          { contents: '{{ end }}', destination: join(folder, 'too.conf') },
        ],
        processes: [sleeper('first', '{{ nosuch }}')],
      },
      /state_dir[\s\S]*missing value for if[\s\S]*unexpected \{\{end\}\}[\s\S]*nosuch/,
    ],
    [
      'a kind of upstream that is not there',
      { ...base, files: [], upstreams: { vault: { kind: 'nosuch' } } },
      /kind/,
    ],
  ] as const) {
    write(config);
    const { status: code, body } = await post();
    t.ok(code >= 400, `${what}: ${code}`);
    t.match(body.error?.message, pattern, what);
    const now = await status();
    t.match(now.config.reload_error, pattern, `${what}: in status`);
    t.match(agent.log(), pattern, `${what}: in the log`);
    t.strictSame(
      [now.files, now.processes, now.listeners].map((list) => JSON.stringify(list)),
      [before.files, before.processes, before.listeners].map((list) => JSON.stringify(list)),
      `${what}: nothing has changed`,
    );
    t.equal((await agent.ask('/secrets/app/word')).text, 'app');
    t.equal(readFileSync(join(folder, 'app.conf'), 'utf8'), 'v1 app');
  }
  write(base);
  t.strictSame((await post()).body.changed, [], 'an identical config does nothing');
  const after = await status();
  t.equal(after.config.reload_error, null, 'and the error is gone');
  t.equal(pidOf(after, 'first'), pidOf(before, 'first'));
});

t.test('audit, log and the rules of templates are taken over as everything else', async (t) => {
  const { folder, agent, base, write, post } = await setUp(t);
  const [audit, moved, log] = ['audit.jsonl', 'moved.jsonl', 'second.log'].map((name) =>
    join(folder, name),
  ) as [string, string, string];
  const lines = (file: string) => readFileSync(file, 'utf8').trimEnd().split('\n');
  write({ ...base, audit: { file: audit } });
  t.match((await post()).body.changed, ['audit']);
  await agent.ask('/secrets/app/word');
  t.match(lines(audit).join('\n'), /"name":"app"/);

  write({ ...base, audit: { file: moved, on_failure: 'continue' } });
  await post();
  await agent.ask('/secrets/app/word');
  t.match(lines(moved).join('\n'), /"name":"app"/, 'the new file is written');
  t.match(lines(audit).at(-1), /"stopped"/, 'the old one was closed in order');

  write({ ...base, audit: { file: moved, keep_files: 3 } });
  await post();
  await agent.ask('/secrets/app/word');
  const verified = await runProgram(t, ['audit', 'verify', moved]);
  t.match(verified, { code: 0, stderr: /^intact/ }, 'other settings of one file go on with its chain');

  write({ ...base, log: { level: 'info', format: 'text', file: log } });
  t.match((await post()).body.changed, ['audit', 'log']);
  await agent.ask('/refresh', { method: 'POST' });
  t.match(readFileSync(log, 'utf8'), /INFO {2}refresh was asked for/);

  write({ ...base, template: { deny_functions: ['plugin', 'timestamp'] } });
  t.match((await post()).body.changed, ['log', 'templates']);
  t.match(await post(), { body: { changed: [] } });
});

t.test(
  'an alias that goes to another secret is that one in every dialect, whatever was asked for before',
  async (t) => {
    const secrets = (app: string[], other: string[]) => ({
      app: { path: 'secret/app', refresh: '1h', aliases: app },
      other: { path: 'secret/other', refresh: '1h', aliases: other },
    });
    const { agent, base, folder, write, post } = await setUp(t, { secrets: secrets(['prod'], []) });
    const listeners = [{ unix: join(folder, 'latchkey.sock'), serve: ['secrets', 'admin', 'aws'] }];
    write({ ...base, listeners });
    t.match(await post(), { status: 200 });
    const paths = [
      '/secrets/prod',
      '/secrets/prod/word',
      '/v1/prod',
      '/systemsmanager/parameters/get?name=prod',
    ];
    const told = async () => {
      const texts = [];
      for (const path of [...paths, ...paths]) texts.push((await agent.ask(path)).text);
      return texts;
    };
    for (const text of await told()) t.match(text, /app/);
    write({ ...base, listeners, secrets: secrets([], ['prod']) });
    t.match(await post(), { status: 200 });
    for (const text of await told()) t.match(text, /other/);
  },
);

t.test('the config and its templates are watched', async (t) => {
  const { folder, agent, base, write, status } = await setUp(t);
  const loadedAt = (await status()).config.loaded_at;
  writeFileSync(join(folder, 'app.ctmpl'), 'v2 {{ field "app" "word" }}');
  await waitFor('the new template', () => readFileSync(join(folder, 'app.conf'), 'utf8') === 'v2 app');
  writeFileSync(join(folder, 'app.ctmpl'), 'v3 {{ end }}');
  await waitFor('the bad template told', () => agent.log().includes('unexpected {{end}}'));
  t.equal(readFileSync(join(folder, 'app.conf'), 'utf8'), 'v2 app', 'the last good one stays');
  writeFileSync(join(folder, 'app.ctmpl'), 'v4 {{ field "app" "word" }}');
  await waitFor('the mended template', () => readFileSync(join(folder, 'app.conf'), 'utf8') === 'v4 app');
  t.equal((await status()).config.loaded_at, loadedAt, 'the config was not read for that');

  write({ ...base, files: [{ contents: 'by watch', destination: join(folder, 'watched.conf') }] });
  await waitFor('the new file', () => existsSync(join(folder, 'watched.conf')));
  write('not: [yaml');
  await waitFor('the error in status', async () => (await status()).config.reload_error !== null);
  t.equal((await agent.ask('/secrets/app/word')).text, 'app');
});

t.test('a mounted folder of config and templates may be turned, and files come and go', async (t) => {
  const folder = testFolder(t);
  const vault = await startDevVault(t);
  const mount = join(folder, 'mount');
  const [app, more] = [join(folder, 'app.conf'), join(folder, 'more.conf')];
  const socket = join(folder, 'latchkey.sock');
  const config = {
    upstreams: { vault: { kind: 'vault', address: vault.address, auth: { method: 'token' } } },
    listeners: [{ unix: socket, serve: ['admin'] }],
    log: { file: join(folder, 'agent.log') },
    state_dir: join(folder, 'state'),
    files: [{ template: 'app.ctmpl', destination: app }],
  };
  /** As Kubernetes does it: every file is a link into `..data`, which is a link to the folder of this version. */
  const turn = (version: string) => {
    mkdirSync(join(mount, `..${version}`), { recursive: true });
    writeFileSync(join(mount, `..${version}`, 'main.yaml'), JSON.stringify(config));
    writeFileSync(join(mount, `..${version}`, 'app.ctmpl'), version);
    symlinkSync(`..${version}`, join(mount, '..data_tmp'));
    renameSync(join(mount, '..data_tmp'), join(mount, '..data'));
  };
  const reads = (path: string, text: string) => existsSync(path) && readFileSync(path, 'utf8') === text;
  turn('v1');
  for (const name of ['main.yaml', 'app.ctmpl']) symlinkSync(`..data/${name}`, join(mount, name));
  const { child } = startProgram(t, ['agent', '--config', mount], { env: { VAULT_TOKEN: vault.rootToken } });
  await waitFor('the first version', () => reads(app, 'v1'));

  turn('v2');
  await waitFor('the new template under the same config', () => reads(app, 'v2'));
  writeFileSync(
    join(mount, 'more.yaml'),
    JSON.stringify({ files: [{ contents: 'more', destination: more }] }),
  );
  await waitFor('the file of a config that came', () => reads(more, 'more'));
  unlinkSync(join(mount, 'more.yaml'));
  await waitFor('the config without it', async () => {
    const { files } = JSON.parse((await askSocket(socket, '/status')).text) as AgentStatus;
    return files.length === 1;
  });
  child.kill('SIGTERM');
});

t.test('HUP reads templates again that changed behind a link which nobody watches', async (t) => {
  const { folder, agent, base, write, post } = await setUp(t);
  for (const release of ['first', 'second']) {
    mkdirSync(join(folder, release));
    writeFileSync(join(folder, release, 'app.ctmpl'), `${release} {{ field "app" "word" }}`);
  }
  const current = join(folder, 'current');
  symlinkSync('first', current);
  const destination = join(folder, 'linked.conf');
  write({ ...base, files: [{ template: join(current, 'app.ctmpl'), destination }] });
  await post();
  await waitFor('the first release', () => existsSync(destination));
  symlinkSync('second', join(folder, 'next'));
  renameSync(join(folder, 'next'), current);
  agent.child.kill('SIGHUP');
  await waitFor('the second release', () => readFileSync(destination, 'utf8') === 'second app');
  t.strictSame((await post()).body.changed, [], 'and an identical one does nothing');
});

t.test('a lease that is not touched stays, and one whose secret goes is revoked', async (t) => {
  const postgres = await startPostgres(t);
  if (postgres === undefined) return;
  const { folder, vault, agent, base, write, status, post } = await setUp(t);
  const database = await mountDatabase(vault, postgres, { defaultTtl: '1h', maxTtl: '24h' });
  const withDatabase = {
    ...base,
    secrets: {
      app: { path: 'secret/app', refresh: '1h' },
      db: { path: 'database/creds/app', overlap: '100ms' },
    },
    files: [{ contents: '{{ field "db" "username" }}', destination: join(folder, 'db.conf') }],
  };
  write(withDatabase);
  t.equal((await post()).status, 200);
  await agent.untilReady();
  const [role] = await database.roles();
  const [lease] = await database.leases();
  t.ok(role);
  t.equal(readFileSync(join(folder, 'db.conf'), 'utf8'), role);

  write({
    ...withDatabase,
    secrets: { ...withDatabase.secrets, other: { path: 'secret/other' } },
    files: [...withDatabase.files, { contents: 'more', destination: join(folder, 'more.conf') }],
    log: { ...(base['log'] as object), level: 'info' },
  });
  t.equal((await post()).status, 200);
  await agent.untilReady();
  t.strictSame(await database.leases(), [lease], 'the same lease, and no other');
  t.equal((await status()).leases.length, 1);

  // The secret renamed: the same reference, so the same lease.
  write({
    ...withDatabase,
    secrets: {
      app: { path: 'secret/app', refresh: '1h' },
      renamed: { path: 'database/creds/app', overlap: '100ms' },
    },
    files: [{ contents: '{{ field "renamed" "username" }}', destination: join(folder, 'db.conf') }],
  });
  t.equal((await post()).status, 200);
  await agent.untilReady();
  t.strictSame(await database.leases(), [lease], 'the same lease under another name');

  write(base);
  t.equal((await post()).status, 200);
  await waitFor('the lease to be revoked', async () => (await database.leases()).length === 0);
  await waitFor('its role to be gone', async () => (await database.roles()).length === 0);
});

t.test('exit_on_error counts for an upstream that a reload adds, and for a later login', async (t) => {
  const login = async ({ vault, folder }: Pick<Scene, 'vault' | 'folder'>, secretId?: string) => {
    const made = await vault.createAppRole('app');
    const path = join(folder, 'secret-id');
    writeFileSync(path, secretId ?? made.secretId, { mode: 0o600 });
    return {
      address: vault.address,
      auth: {
        method: 'approle',
        role_id: made.roleId,
        secret_id_file: path,
        remove_secret_id_file: false,
        exit_on_error: true,
      },
    };
  };
  await t.test('added by a reload', async (t) => {
    const scene = await setUp(t, { files: [], secrets: {}, processes: [] });
    const { agent, base, write } = scene;
    const second = { ...(await login(scene, 'wrong')), namespace: undefined };
    write({ ...base, upstreams: { ...(base['upstreams'] as object), second } });
    agent.child.kill('SIGHUP');
    t.match(await agent.exited, { code: 3, stderr: /login at auth\/approle\/login/ });
  });
  await t.test('a login that follows a dead token', async (t) => {
    const folder = testFolder(t);
    const vault = await startDevVault(t);
    await vault.writeSecret('secret/app', { word: 'app' });
    const agent = startAgent(t, {
      folder,
      vault,
      config: {
        upstreams: { vault: await login({ vault, folder }) },
        secrets: { app: { path: 'secret/app', refresh: '1h' } },
      },
    });
    await waitFor('the login', async () =>
      /"logged_in"/.test((await agent.ask('/status').catch(() => ({ text: '' }))).text),
    );
    const { upstreams } = JSON.parse((await agent.ask('/status')).text) as AgentStatus;
    writeFileSync(join(folder, 'secret-id'), 'wrong', { mode: 0o600 });
    await vault.ask('PUT', 'auth/token/revoke-accessor', { accessor: upstreams[0]?.login?.accessor });
    await agent.ask('/refresh', { method: 'POST' }).catch(() => undefined);
    t.match(await agent.exited, { code: 3, stderr: /login at auth\/approle\/login/ });
  });
});

t.test('a storm of HUPs is a few reloads, and the last change counts', async (t) => {
  const { agent, base, write, status } = await setUp(t);
  const count = () => agent.log().split(/config (?:is the same|was reloaded)/).length - 1;
  const before = count();
  write({ ...base, secrets: { app: { path: 'secret/app' }, late: { path: 'secret/other' } } });
  for (let signal = 0; signal < 100; signal += 1) agent.child.kill('SIGHUP');
  await waitFor('the change', async () =>
    (await status()).secrets.some(({ names }) => names.includes('late')),
  );
  await agent.ask('/reload', { method: 'POST' });
  t.ok(count() - before < 20, `${count() - before} reloads`);
});
