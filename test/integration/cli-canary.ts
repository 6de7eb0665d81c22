// A marked secret through everything that the agent says: it may be in files, in answers to `get` and in the child's
// environment, and nowhere else.
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import type { AgentStatus } from '../../src/api/status.ts';
import { runProgram, startAgent, type TestAgent } from '../support/cli.ts';
import { startDevVault, type TestVault } from '../support/dev-vault.ts';
import { testFolder } from '../support/test-folder.ts';
import { waitFor } from '../support/wait-for.ts';

const marker = /canary/i;
const values = (turn: number) => ({
  word: `CANARY-${turn}-zbLXr4`,
  lines: `CANARY-begin-${turn}\nCANARY-middle-${turn}-MIIEvQIBADAN\nCANARY-end-${turn}`,
  quoted: `CANARY "${turn}" <in> \\ quotes`,
  nested: { deep: [`CANARY-deep-${turn}-77`] },
});

/** Templates that fail on, with or because of a value. */
const failing = [
  '{{ parseInt (field "app" "word") }}',
  '{{ parseJSON (field "app" "lines") }}',
  '{{ parseYAML (field "app" "quoted") }}',
  '{{ base64Decode (field "app" "word") }}',
  '{{ field "app" (field "app" "word") }}',
  '{{ index (fields "app") (field "app" "word") "x" }}',
  '{{ regexMatch (printf "[%s" (field "app" "word")) "x" }}',
  '{{ add 1 (field "app" "word") }}',
  '{{ timestamp | parseInt | printf (field "app" "word") }}',
  '{{ file (field "app" "word") }}',
  '{{ sockaddr (field "app" "word") }}',
  '{{ (fields "app").nested.deep.word }}',
  '{{ slice (field "app" "word") 99 }}',
  '{{ parseBool (field "app" "word") }}',
  '{{ if lt (field "app" "word") 3 }}{{ end }}',
  '{{ range (field "app" "word") }}{{ .CANARYless }}{{ end }}',
];

async function setUp(t: Test): Promise<{ folder: string; vault: TestVault; agent: TestAgent }> {
  const folder = testFolder(t);
  const vault = await startDevVault(t);
  await vault.writeSecret('secret/app', values(1));
  const everything =
    '{{ field "app" "word" }}\n{{ field "app" "lines" }}\n{{ field "app" "quoted" }}\n{{ fields "app" | toJSONPretty }}\n';
  const shouting = (what: string) => ['sh', '-c', `cat "$0"; cat "$0" >&2; ${what}`];
  const at = (name: string) => join(folder, 'out', name);
  mkdirSync(join(folder, 'out'));
  const child = `
    let end = 0;
    const say = () => { console.log('out', process.env.WORD); console.error(process.env.LINES, process.env.QUOTED); };
    say();
    setInterval(say, 100);`;
  const agent = startAgent(t, {
    folder,
    vault,
    upstream: { events: false },
    config: {
      listeners: [{ unix: join(folder, 'latchkey.sock'), serve: ['secrets', 'vault', 'admin', 'metrics'] }],
      secrets: { app: { path: 'secret/app', refresh: '1h' } },
      audit: { file: join(folder, 'audit.jsonl') },
      files: [
        { contents: everything, destination: at('good.conf') },
        {
          contents: everything,
          destination: at('check.conf'),
          check: { command: [...shouting('exit 1'), '{staged}'] },
        },
        {
          contents: everything,
          destination: at('notify.conf'),
          notify: { command: [...shouting('exit 1'), '{destination}'] },
        },
        {
          contents: everything,
          destination: at('settle.conf'),
          on_failure: 'rollback',
          settle: { command: [...shouting('exit 1'), '{destination}'], timeout: '300ms' },
        },
        ...failing.map((contents, index) => ({ contents, destination: at(`failing-${index}.conf`) })),
      ],
      processes: [
        ...['restart', 'none'].map((onRotation) => ({
          name: `talks-${onRotation}`,
          command: [process.execPath, '-e', child],
          env: {
            WORD: '{{ field "app" "word" }}',
            LINES: '{{ field "app" "lines" }}',
            QUOTED: '{{ field "app" "quoted" }}',
          },
          on_rotation: onRotation,
          output: 'log',
        })),
        {
          name: 'dies',
          command: ['sh', '-c', 'echo "dies with $WORD" >&2; exit 1'],
          env: { WORD: '{{ field "app" "word" }}' },
          output: 'log',
          restart: { on_exit: 'always', backoff: '10ms..20ms', max_attempts: 3 },
        },
        { name: 'cannot', command: ['/nowhere'], env: { WORD: '{{ field "app" "word" }}' } },
        { name: 'template', command: ['true'], env: { WORD: '{{ parseInt (field "app" "word") }}' } },
      ],
    },
  });
  return { folder, vault, agent };
}

function isDecided({ files, processes }: AgentStatus): boolean {
  return (
    files.every(({ state, failure }) => state === 'current' || failure !== undefined) &&
    processes.find(({ name }) => name === 'dies')?.state === 'failed'
  );
}

t.test('a secret is in files, answers and environments, and nowhere else', async (t) => {
  const { folder, vault, agent } = await setUp(t);
  const said = new Map<string, string>();
  const command = async (...args: string[]) => {
    const { stdout, stderr } = await runProgram(t, args, { env: { VAULT_TOKEN: vault.rootToken } });
    said.set(`latchkey ${args.join(' ')}`, stdout + stderr);
    return stdout;
  };
  const ask = async (path: string, options: Parameters<typeof agent.ask>[1] = {}) => {
    const { headers, text } = await agent.ask(path, options);
    said.set(`${options.method ?? 'GET'} ${path}`, JSON.stringify(headers) + text);
    return text;
  };
  for (const turn of [1, 2]) {
    if (turn === 2) {
      await vault.writeSecret('secret/app', values(2));
      await command('refresh', '--socket', agent.socket);
    }
    await waitFor(`turn ${turn} to be decided`, async () => {
      const { text, status } = (await agent.ask('/status').catch(() => undefined)) ?? {};
      return status === 200 && text !== undefined && isDecided(JSON.parse(text) as AgentStatus);
    });
    await waitFor('the good file', () =>
      readFileSync(join(folder, 'out/good.conf'), 'utf8').startsWith(values(turn).word),
    );
  }
  await waitFor(
    'the children to have spoken after the rotation',
    () => agent.log().split('"stdout"').length > 20,
  );

  const got = await runProgram(t, ['get', 'app', 'word', '--socket', agent.socket]);
  t.equal(got.stdout, values(2).word, 'get answers with it');
  const { good, ...rest } = Object.fromEntries(
    ['good', 'check', 'notify'].map((name) => [name, existsSync(join(folder, `out/${name}.conf`))]),
  );
  t.ok(good);
  t.strictSame(rest, { check: false, notify: true });

  const socket = ['--socket', agent.socket];
  for (const json of [[], ['--json']]) {
    await command('status', ...socket, ...json);
    await command('explain', 'app', ...socket, ...json);
    await command('who-has', 'app', ...socket, ...json);
    for (const kind of ['rotation', 'outage', 'revocation'])
      await command('drill', 'app', '--kind', kind, '--notify', ...socket, ...json);
  }
  const status = JSON.parse(said.get(`latchkey status --socket ${agent.socket} --json`) ?? '') as AgentStatus;
  for (const { destination } of status.files) await command('explain', destination, ...socket, '--json');
  for (const { name } of status.processes) await command('explain', name, ...socket);
  await command('get', 'app', 'no-such-field', ...socket);
  await command('validate', '--config', agent.configPath);
  await command('render', '--diff', '--timeout', '10s', '--config', agent.configPath);
  await command('access', 'test', 'app', '--uid', '1', '--config', agent.configPath);
  await command('audit', 'verify', '--config', agent.configPath);
  for (const path of [
    '/status',
    '/metrics',
    '/secrets',
    '/secrets/app/none',
    '/readyz',
    '/healthz',
    '/who-has/app',
    '/v1/sys/health',
    '/v1/secret/data/none',
    '/nothing',
  ])
    await ask(path);
  await ask('/refresh', { method: 'POST' });
  await ask('/reload', { method: 'POST' });
  await ask('/drill/app', { method: 'POST', body: JSON.stringify({ kind: 'rotation', notify: true }) });
  vault.vault.seal();
  await ask('/refresh', { method: 'POST' });
  await command('render', '--once', '--timeout', '300ms', '--config', agent.configPath);
  process.kill(agent.pid, 'SIGUSR1');
  process.kill(agent.pid, 'SIGHUP');
  const ended = await agent.stop();
  said.set('stdout', ended.stdout).set('stderr', ended.stderr).set('log', agent.log());
  said.set('audit', readFileSync(join(folder, 'audit.jsonl'), 'utf8'));
  for (const path of readdirSync(join(folder, 'state'), { recursive: true, encoding: 'utf8' })) {
    const file = join(folder, 'state', path);
    if (statSync(file).isFile()) said.set(`state/${path}`, readFileSync(file, 'utf8'));
  }

  const lines = agent.log().trimEnd().split('\n');
  const keys = new Set(lines.flatMap((line) => Object.keys(JSON.parse(line) as object)));
  t.strictSame(
    [...keys].filter((key) => !/^[a-z][a-z_]*$/.test(key)),
    [],
    'every key of the log is in snake_case',
  );
  t.ok(said.get('log')?.includes('dies with [redacted]'), 'what children print is in the log, masked');
  t.ok(said.get('audit')?.includes('"app"'));
  for (const [where, text] of said) {
    const own = text.replaceAll('CANARYless', '').replaceAll('<.CANARY', '');
    const lines = own.split('\n').filter((line) => marker.test(line));
    t.strictSame(
      lines.slice(0, 3).map((line) => line.slice(0, 500)),
      [],
      `${where} does not hold it`,
    );
    t.notOk(own.includes(vault.rootToken), `${where} does not hold the token`);
  }
});

t.test('credentials of the login are in no message', async (t) => {
  const folder = testFolder(t);
  const vault = await startDevVault(t);
  const { roleId } = await vault.createAppRole('app');
  writeFileSync(join(folder, 'secret-id'), 'CANARY-secret-id-that-is-wrong', { mode: 0o600 });
  const agent = startAgent(t, {
    folder,
    vault,
    config: {
      upstreams: {
        vault: {
          kind: 'vault',
          address: vault.address,
          auth: { method: 'approle', role_id: roleId, secret_id_file: join(folder, 'secret-id') },
        },
      },
      secrets: { app: { path: 'secret/app' } },
    },
  });
  const pattern = /refused with/;
  await waitFor('the refusal', async () =>
    pattern.test((await agent.ask('/readyz').catch(() => undefined))?.text ?? ''),
  );
  const told = [(await agent.ask('/status')).text, (await agent.ask('/metrics')).text];
  const ended = await agent.stop();
  for (const text of [...told, ended.stderr, ended.stdout, agent.log()]) t.notMatch(text, marker);
});
