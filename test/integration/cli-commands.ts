// Each command as scripts use it: what is on stdout, and the exit code.
import { readFileSync, truncateSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import type { AccessTestAnswer } from '../../src/api/admin.ts';
import type { AgentStatus } from '../../src/api/status.ts';
import { runProgram, startAgent } from '../support/cli.ts';
import { startDevVault } from '../support/dev-vault.ts';
import { testFolder } from '../support/test-folder.ts';

async function setUp(t: Test) {
  const folder = testFolder(t);
  const vault = await startDevVault(t);
  await vault.writeSecret('secret/app', { word: 'caf\u00e9 \n', number: 1.5 });
  const agent = startAgent(t, {
    folder,
    vault,
    // Without events: only `refresh` brings a change.
    upstream: { events: false },
    config: {
      secrets: { app: { path: 'secret/app', refresh: '1h' }, gone: { path: 'secret/gone', required: false } },
      files: [
        {
          contents: '{{ field "app" "word" }}',
          destination: join(folder, 'app.conf'),
          check: { command: ['test', '-s', '{staged}'] },
          notify: { command: ['true'] },
        },
        { contents: 'plain', destination: join(folder, 'tuned.conf'), in_place: true },
      ],
      access: [
        { name: 'other', client: { uid: 12345 }, allow: ['app'] },
        { name: 'daemons', client: { group: 'daemon' }, allow: ['app'] },
      ],
      audit: { file: join(folder, 'audit.jsonl') },
    },
  });
  await agent.untilReady();
  const ask = (...args: string[]) => runProgram(t, args, { env: { LATCHKEY_SOCKET: agent.socket } });
  return { folder, vault, agent, ask };
}

t.test('get prints the raw bytes of a field, or the whole as one line of JSON', async (t) => {
  const { ask, agent } = await setUp(t);
  t.match(await ask('get', 'app', 'word'), { code: 0, stdout: 'caf\u00e9 \n', stderr: '' });
  const whole = await ask('get', 'app');
  t.equal(whole.code, 0);
  t.match(JSON.parse(whole.stdout), { name: 'app', data: { word: 'caf\u00e9 \n', number: 1.5 }, version: 1 });
  t.equal(whole.stdout.trimEnd().split('\n').length, 1);
  t.match(await ask('get', 'nothing'), { code: 4, stdout: '' });
  t.match(await ask('get', 'app', 'nothing'), { code: 4, stdout: '' });
  t.match(await ask('get', 'gone'), { code: 4, stdout: '' });
  t.match(await ask('get'), { code: 2, stderr: /expected NAME/ });
  t.match(await ask('get', '--nonsense', 'app'), { code: 2 });
  t.match(await ask('get', '--config', agent.configPath, 'app', 'number'), { code: 0, stdout: '1.5' });
  const away = await runProgram(t, ['get', '--socket', '/nowhere/latchkey.sock', 'app']);
  t.match(away, { code: 5, stdout: '', stderr: /cannot reach the agent.*ENOENT; start the agent/ });
});

t.test('get loads neither the parser of the other commands nor an HTTP client', async (t) => {
  const { agent, folder } = await setUp(t);
  const loader = join(folder, 'loader.mjs');
  writeFileSync(
    loader,
    `import { registerHooks } from 'node:module';
     registerHooks({ load(url, context, next) { process.stderr.write(url + '\\n'); return next(url, context); } });`,
  );
  const ended = await runProgram(t, ['get', '--socket', agent.socket, 'app', 'word'], {
    env: { NODE_OPTIONS: `--import=${loader}` },
  });
  t.equal(ended.code, 0);
  const loaded = ended.stderr.split('\n').filter((line) => line.includes('/dist/'));
  t.ok(loaded.length > 1);
  t.strictSame(
    loaded.filter((line) => /command-line|agent-|config-|pool|wire|load-|logger|yaml|koffi/.test(line)),
    [],
  );
});

t.test('status, refresh, explain, who-has and drill tell people and programs', async (t) => {
  const { ask, agent, vault, folder } = await setUp(t);
  t.match(await ask('status'), { code: 0, stdout: /ready[\s\S]*app +fresh +1[\s\S]*app\.conf +current/ });
  const status = (await ask('status', '--json')).stdout;
  t.match(JSON.parse(status), {
    ready: true,
    upstreams: [
      { state: 'ready', since: /Z$/, login: { state: 'logged_in' }, budget: { in_flight: Number } },
    ],
    files: [{ ready: true, state: 'current' }],
  });
  t.strictSame(status.match(/"\w*[A-Z]\w*":/g), null, 'every key in snake_case');
  await vault.writeSecret('secret/app', { word: 'two' });
  t.match(await ask('refresh', 'app'), { code: 0, stderr: /app: changed/ });
  t.match(JSON.parse((await ask('refresh', 'app', '--json')).stdout), {
    results: [{ name: 'app', outcome: 'same' }],
  });
  t.match(await ask('refresh', 'nothing'), { code: 4, stderr: /nothing: failed/ });
  t.match(await ask('explain', 'app'), { code: 0, stdout: /fresh[\s\S]*version 2[\s\S]*next: poll/ });
  t.match(await ask('explain', join(folder, 'app.conf')), {
    code: 0,
    stdout: /current since[\s\S]*notifies: true/,
  });
  t.match(await ask('explain', join(folder, 'tuned.conf')), { stdout: /note: written in place/ });
  const here = ['explain', './app.conf', '--socket', agent.socket];
  t.match(await runProgram(t, here, { cwd: folder }), { code: 0, stdout: /app\.conf: current/ });
  t.match(await ask('explain', 'nothing'), { code: 4, stderr: /is named "nothing"/ });
  t.match(await ask('who-has', 'app'), { code: 0, stdout: /file:.*app\.conf +2 +current/ });
  t.equal((await agent.ask('/secrets/app')).status, 200);
  const caller = new RegExp(`caller:uid \\d+, pid ${process.pid} +2 +current +\\d+s ago +/`);
  t.match((await ask('who-has', 'app')).stdout, caller);
  t.match(await ask('who-has', 'app@1'), { code: 0, stderr: /nobody/ });
  t.match(await ask('drill', 'app'), { code: 0, stdout: /app\.conf +recovers/ });
  t.match(await ask('drill', 'app', '--kind', 'outage'), { code: 0, stdout: /keeps/ });
  t.equal(readFileSync(join(folder, 'app.conf'), 'utf8'), 'two', 'a rehearsal writes nothing');
});

t.test('drill looks at processes and callers too, and starts and writes nothing', async (t) => {
  const folder = testFolder(t);
  const vault = await startDevVault(t);
  await vault.writeSecret('secret/app', { user: 'me', password: 'one-long-word' });
  const program = join(folder, 'program');
  writeFileSync(program, '#!/bin/sh\nexec sleep 600\n', { mode: 0o755 });
  const field = (name: string) => `{{ field "app" "${name}" }}`;
  const agent = startAgent(t, {
    folder,
    vault,
    config: {
      secrets: { app: { path: 'secret/app', refresh: '1h' } },
      files: ['one', 'two'].map((name) => ({
        contents: field('password'),
        destination: join(folder, name),
        set: 'both',
        check: { command: ['cmp', `{staged:${join(folder, 'one')}}`, `{staged:${join(folder, 'two')}}`] },
      })),
      processes: [
        { name: 'restarted', command: [program], env: { PASSWORD: field('password') } },
        { name: 'untouched', command: ['sleep', '600'], env: { NAME: field('user') } },
        { name: 'stuck', command: ['sleep', '600'], env: { P: field('password') }, on_rotation: 'none' },
      ],
    },
  });
  await agent.untilReady();
  t.equal((await agent.ask('/secrets/app/password')).text, 'one-long-word');
  const drill = async () => {
    const { code, stdout } = await runProgram(t, ['drill', 'app', '--json', '--socket', agent.socket]);
    const { consumers } = JSON.parse(stdout) as { consumers: { consumer: string; outcome: string }[] };
    return {
      code,
      outcomes: consumers.map(({ consumer, outcome }) => `${consumer.split(' ')[0]} ${outcome}`),
    };
  };
  const files = ['one', 'two'].map((name) => `file:${join(folder, name)} unknown`);
  const others = ['process:untouched keeps', 'process:stuck fails', 'caller:uid unknown'];
  t.strictSame(await drill(), { code: 1, outcomes: [...files, 'process:restarted restarts', ...others] });
  unlinkSync(program);
  t.strictSame(await drill(), { code: 1, outcomes: [...files, 'process:restarted fails', ...others] });
  const status = JSON.parse((await agent.ask('/status')).text) as AgentStatus;
  t.match(status.processes, [{ restarts: 0 }, { restarts: 0 }, { restarts: 0 }]);
});

t.test('validate reports config and templates with their places', async (t) => {
  const { agent, folder } = await setUp(t);
  t.match(await runProgram(t, ['validate', '--config', agent.configPath]), {
    code: 0,
    stderr: /^valid: 1 upstream,/,
  });
  const bad = join(folder, 'bad.yaml');
  const base = { upstreams: { vault: { address: 'http://127.0.0.1:1', auth: { method: 'token' } } } };
  writeFileSync(
    bad,
    JSON.stringify({
      ...base,
      files: [
        { contents: '{{ if }}', destination: join(folder, 'a') },
        { contents: '{{ nosuch }}', destination: join(folder, 'b') },
      ],
    }),
  );
  const ended = await runProgram(t, ['validate', '--config', bad]);
  t.equal(ended.code, 2);
  t.match(ended.stderr, /missing value for if/);
  t.match(ended.stderr, /function "nosuch" not defined/);
  writeFileSync(bad, 'nonsense: 1');
  const json = await runProgram(t, ['validate', '--json', '--config', bad]);
  t.match(json, {
    code: 2,
    stdout: /^{"valid":false,"problems":\["[^"]*bad\.yaml:1:1: nonsense: unknown key/,
  });
  for (const flags of [[], ['--full']]) {
    const { code, stdout } = await runProgram(t, ['generate-config', ...flags]);
    t.equal(code, 0);
    t.match(stdout, /^upstreams:/m);
    writeFileSync(join(folder, 'example.yaml'), stdout);
    const validate = ['validate', '--config', join(folder, 'example.yaml')];
    if (flags.length > 0)
      t.match(await runProgram(t, validate), { code: 2, stderr: /no such file: .*app\.conf\.ctmpl/ });
    t.match(await runProgram(t, [...validate, '--syntax-only']), {
      code: 0,
      stderr: /^valid: \d+ upstream/,
    });
  }
});

t.test('access test and audit verify decide by files alone', async (t) => {
  const { agent, ask, folder } = await setUp(t);
  const testOf = (name: string, ...args: string[]) =>
    runProgram(t, ['access', 'test', name, '--config', agent.configPath, ...args]);
  const test = (...args: string[]) => testOf('app', ...args);
  t.match(await test('--uid', '12345'), { code: 0, stdout: /allowed: rule other/ });
  t.match(await test('--uid', '4242'), { code: 3, stdout: /denied/ });
  t.match(
    await test('--uid', '1'),
    { code: 0, stdout: /allowed: rule daemons/ },
    'with the groups of his account',
  );
  t.match(await testOf('appp', '--uid', '0'), {
    code: 4,
    stdout: /^unknown: .*"appp" \(did you mean app\?\).*\nallowed: /,
  });
  t.match(await testOf('appp', '--uid', '4242'), { code: 3, stdout: /^unknown: .*\ndenied: / }, 'as get');
  t.match(await testOf('appp', '--uid', '0', '--json'), { code: 4, stdout: /"known":false,"allowed":true/ });
  t.match(await test(), { code: 2, stderr: /expected a user, uid, gid/ });
  for (const caller of [{ uid: 12_345 }, { uid: 1 }, { gid: 1 }, { uid: 4242 }, { user: 'daemon' }]) {
    const words = Object.entries(caller).flatMap(([key, value]) => [`--${key}`, String(value)]);
    const body = JSON.stringify({ ...caller, name: 'app' });
    const told = JSON.parse(
      (await agent.ask('/access/test', { method: 'POST', body })).text,
    ) as AccessTestAnswer;
    t.match(
      JSON.parse((await test(...words, '--json')).stdout),
      { allowed: told.decision.isAllowed, reason: told.decision.reason, rules: told.rules },
      `the command and the API say the same of ${body}`,
    );
  }
  await ask('get', 'app', 'word');
  await agent.stop();
  const verify = () => runProgram(t, ['audit', 'verify', '--config', agent.configPath]);
  t.match(await verify(), { code: 0, stderr: /^intact: \d+ lines/ });
  const file = join(folder, 'audit.jsonl');
  writeFileSync(file, readFileSync(file, 'utf8').replace('"allowed":true', '"allowed":false'));
  t.match(await verify(), { code: 1, stderr: /audit\.jsonl:\d+: [\s\S]*NOT intact/ });
});

t.test('audit verify asks the running agent where the chain ends', async (t) => {
  const { agent, ask, folder } = await setUp(t);
  await ask('get', 'app', 'word');
  const verify = () => runProgram(t, ['audit', 'verify', '--config', agent.configPath]);
  t.match(await verify(), { code: 0, stderr: /^intact: .*; the running agent was at \d+\n/ });
  const file = join(folder, 'audit.jsonl');
  const lines = readFileSync(file, 'utf8').trimEnd().split('\n');
  truncateSync(file, Buffer.byteLength(`${lines.slice(0, -2).join('\n')}\n`));
  t.match(await verify(), { code: 1, stderr: /(?:line is|lines are) missing[\s\S]*NOT intact/ });
});

t.test('every command has help, and what is no command is refused', async (t) => {
  const commands = ['agent', 'run', 'render', 'get', 'status', 'refresh', 'explain', 'who-has', 'drill'];
  for (const name of [...commands, 'validate', 'dev', 'demo', 'helper', 'generate-config', 'version']) {
    const { code, stdout } = await runProgram(t, [name, '--help']);
    t.equal(code, 0, name);
    t.match(stdout, new RegExp(`latchkey ${name}`), name);
  }
  t.match(await runProgram(t, ['stauts']), { code: 2 });
  t.match(await runProgram(t, []), { code: 0, stdout: /latchkey COMMAND/ });
  t.match(JSON.parse((await runProgram(t, ['version', '--json'])).stdout), { version: /^\d+\.\d+\.\d+$/ });
});
