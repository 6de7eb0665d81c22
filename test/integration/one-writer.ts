// Whoever comes second to the files and leases of an agent that lives writes nothing: it is refused, or served by it.
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { runProgram, startAgent, startProgram } from '../support/cli.ts';
import { startDevVault } from '../support/dev-vault.ts';
import { testFolder } from '../support/test-folder.ts';
import { waitFor } from '../support/wait-for.ts';

async function setUp(t: Test, { listeners }: { listeners?: object[] } = {}) {
  const folder = testFolder(t);
  const vault = await startDevVault(t);
  await vault.writeSecret('secret/app', { word: 'kept' });
  const file = join(folder, 'app.conf');
  // Where users other than root keep what tells them of one another.
  const runtime = { XDG_RUNTIME_DIR: folder };
  const agent = startAgent(t, {
    folder,
    vault,
    env: runtime,
    config: {
      secrets: { app: { path: 'secret/app', refresh: '1h' } },
      files: [{ contents: '{{ field "app" "word" }}', destination: file }],
      processes: [{ name: 'job', command: ['true'], env: { WORD: '{{ field "app" "word" }}' } }],
      ...(listeners === undefined ? {} : { listeners }),
    },
  });
  await waitFor('the file', () => existsSync(file));
  // What a second writer would write is another text.
  const other = join(folder, 'other.yaml');
  const config = readFileSync(agent.configPath, 'utf8');
  writeFileSync(other, config.replace('{{ field', 'second {{ field').replace('agent.log', 'other.log'), {
    mode: 0o600,
  });
  const env = { VAULT_TOKEN: vault.rootToken, ...runtime };
  const untouched = (what: string) =>
    t.equal(readFileSync(file, 'utf8'), 'kept', `${what}: the file is as it was`);
  return { folder, vault, agent, other, env, untouched };
}

for (const [what, listeners] of [
  ['with a socket', undefined],
  ['without one', [] as object[]],
] as const) {
  t.test(`a second agent and render are refused, ${what}`, async (t) => {
    const scene = await setUp(t, listeners === undefined ? {} : { listeners: [...listeners] });
    const { agent, other, env, untouched } = scene;
    const named = new RegExp(`state_dir: .* is in use by another agent, pid ${agent.pid}`);
    t.match(await runProgram(t, ['agent', '--config', other], { env }), { code: 2, stderr: named });
    untouched('agent');
    const render = await runProgram(t, ['render', '--config', other], { env });
    t.match(render, { code: 2, stderr: named });
    t.match(render.stderr, /latchkey refresh/);
    untouched('render');
    const diff = await runProgram(t, ['render', '--diff', '--config', other], { env });
    t.match(diff, { code: 0, stdout: /second/ }, 'a look is no writing');
    untouched('diff');
    agent.child.kill('SIGKILL');
    await agent.exited;
    t.match(
      await runProgram(t, ['render', '--config', other], { env }),
      { code: 0 },
      'a lock dies with its holder',
    );
  });
}

t.test('render with a state folder of its own leaves the files of an agent alone too', async (t) => {
  const { agent, other, env, untouched, folder } = await setUp(t);
  const apart = readFileSync(other, 'utf8').replace(join(folder, 'state'), join(folder, 'apart'));
  writeFileSync(other, apart, { mode: 0o600 });
  t.match(await runProgram(t, ['render', '--config', other], { env }), {
    code: 2,
    stderr: new RegExp(`app\\.conf is written by another agent, pid ${agent.pid}`),
  });
  untouched('render');
});

t.test('run beside an agent is served by it, and writes nothing', async (t) => {
  const { agent, other, env, untouched, folder } = await setUp(t);
  const print = ['--', 'sh', '-c', 'printf %s "$WORD"'];
  t.match(await runProgram(t, ['run', '--config', other, ...print], { env: {} }), {
    code: 0,
    stdout: 'kept',
  });
  untouched('run');
  const alone = join(folder, 'alone.yaml');
  writeFileSync(
    alone,
    JSON.stringify({
      upstreams: { vault: { address: 'http://127.0.0.1:1', auth: { method: 'token' } } },
      secrets: { app: { path: 'secret/elsewhere' } },
      processes: [{ name: 'job', command: ['true'], env: { WORD: '{{ field "app" "word" }}' } }],
      state_dir: join(folder, 'alone'),
    }),
    { mode: 0o600 },
  );
  const socket = ['--socket', agent.socket];
  t.match(await runProgram(t, ['run', ...socket, '--config', alone, ...print], { env }), {
    code: 0,
    stdout: 'kept',
  });
  t.match(
    await runProgram(t, [
      'run',
      '--socket',
      join(folder, 'none.sock'),
      '--timeout',
      '1s',
      '--config',
      alone,
      ...print,
    ]),
    { code: 5, stderr: /cannot reach the agent at .*none\.sock/ },
  );
  const bare = join(folder, 'bare.yaml');
  const { processes: _, ...rest } = JSON.parse(readFileSync(alone, 'utf8'));
  writeFileSync(bare, JSON.stringify(rest), { mode: 0o600 });
  t.match(await runProgram(t, ['run', ...socket, '--config', bare, ...print], { env }), {
    ...{ code: 2, stdout: '' },
    stderr: /the config has no secret for this program; give it an entry under `processes`/,
  });
  const both = [1, 2].map(() => startProgram(t, ['run', '--config', other, ...print], { env }).exited);
  for (const ended of await Promise.all(both)) t.match(ended, { code: 0, stdout: 'kept' });
  untouched('two at once');
  t.match(await agent.ask('/readyz'), { status: 200 });
});

t.test('a second agent is refused also where somebody has removed the state folder', async (t) => {
  const { folder, agent, other, env, untouched } = await setUp(t, { listeners: [] });
  rmSync(join(folder, 'state'), { recursive: true, maxRetries: 9 });
  await waitFor('it is made and locked again', () => existsSync(join(folder, 'state', 'lock')));
  await waitFor('the leases are written down again', () => existsSync(join(folder, 'state', 'leases.json')));
  t.match(await runProgram(t, ['agent', '--config', other], { env }), {
    code: 2,
    stderr: new RegExp(`is in use by another agent, pid ${agent.pid}`),
  });
  untouched('agent');
});
