// `latchkey explain` for everything that has a name, and the nearest name for what has none.
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { freePort } from '../../src/base/system/free-port.ts';
import { runProgram, startAgent } from '../support/cli.ts';
import { startDevVault } from '../support/dev-vault.ts';
import { testFolder } from '../support/test-folder.ts';
import { waitFor } from '../support/wait-for.ts';

t.test('a secret, a file, a process, an upstream, a listener', async (t) => {
  const folder = testFolder(t);
  const vault = await startDevVault(t);
  await vault.writeSecret('secret/app', { word: 'w' });
  const destination = join(folder, 'app.conf');
  writeFileSync(join(folder, 'answer'), '{"value":"v"}');
  const agent = startAgent(t, {
    folder,
    vault,
    config: {
      upstreams: {
        vault: { kind: 'vault', address: vault.address, auth: { method: 'token' } },
        tool: { kind: 'exec', command: ['/bin/cat', join(folder, 'answer')] },
      },
      secrets: {
        application: { upstream: 'vault', path: 'secret/app' },
        made: { upstream: 'tool', path: 'x' },
      },
      files: [{ destination, contents: '{{ field "application" "word" }}' }],
      processes: [
        { name: 'legacy', command: ['sleep', '1000'], env: { WORD: '{{ field "application" "word" }}' } },
      ],
    },
  });
  await agent.untilReady();
  const ask = (what: string, ...more: string[]) =>
    runProgram(t, ['explain', what, ...more, '--socket', agent.socket]);
  t.match(await ask('application'), {
    code: 0,
    stdout:
      /^secret application .*: fresh\n[\s\S]*next: poll at [\s\S]*held by file:[\s\S]*latchkey timeline application/,
  });
  t.match(await ask(destination), {
    code: 0,
    stdout: /^file .*: current[\s\S]*uses application \(fresh\): version 1 in the file/,
  });
  t.match(await ask('legacy'), {
    code: 0,
    stdout: /^process legacy: running, pid \d+ since \S+, 0 restarts\n {2}uses application\n$/,
  });
  t.match(await ask('vault'), {
    code: 0,
    stdout:
      /^upstream vault \(vault\) at http:.*: ready[\s\S]*login: logged_in by token[\s\S]*read there: application\n$/,
  });
  for (const name of [agent.socket, `unix ${agent.socket}`, 'listeners[0]'])
    t.match(await ask(name), {
      code: 0,
      stdout:
        /^listener unix .*listeners\[0\]\): listening, serves secrets, admin, metrics, \d+ connections?\n$/,
    });
  t.match(JSON.parse((await ask('vault', '--json')).stdout), {
    used_by: { names: ['application'], count: 1 },
  });
  for (const [wrong, right] of [
    ['aplication', 'application'],
    ['legcay', 'legacy'],
    ['valut', 'vault'],
  ])
    t.match(await ask(wrong ?? ''), { code: 4, stderr: new RegExp(`did you mean ${right}\\?`) });
  // No network is between the agent and a program: the message says it all.
  rmSync(join(folder, 'answer'));
  await runProgram(t, ['refresh', 'made', '--socket', agent.socket]);
  t.match(await ask('tool'), {
    code: 0,
    stdout: /^upstream tool \(exec\) at \/bin\/cat .*: unavailable since .*\n.*ended with code 1.*\n {2}its /,
  });
  // What it gave before serves on: the agent is ready, as it is while a server is away.
  t.match(await runProgram(t, ['status', '--socket', agent.socket]), {
    code: 0,
    stdout: /, ready, degraded: /,
  });
  for (const command of ['who-has', 'timeline'])
    t.match(await runProgram(t, [command, 'aplication', '--socket', agent.socket]), {
      code: 4,
      stderr: /did you mean application\?/,
    });
});

t.test('what upstream has removed or denies now is told as that, everywhere', async (t) => {
  const folder = testFolder(t);
  const vault = await startDevVault(t);
  for (const name of ['gone', 'closed']) await vault.writeSecret(`secret/${name}`, { word: 'last' });
  const policy = (paths: string) => vault.writePolicy('app', `path "${paths}" { capabilities = ["read"] }`);
  await policy('secret/*');
  const agent = startAgent(t, {
    folder,
    vault: { ...vault, rootToken: await vault.createToken({ policies: ['app'] }) },
    config: {
      secrets: {
        gone: { path: 'secret/gone', refresh: '200ms' },
        closed: { path: 'secret/closed', refresh: '200ms' },
      },
    },
  });
  await agent.untilReady();
  await vault.ask('DELETE', 'secret/data/gone');
  await policy('secret/+/gone');
  const seen = async (name: string) =>
    (
      JSON.parse((await agent.ask('/secrets')).text) as { secrets: { name: string; state: string }[] }
    ).secrets.find((one) => one.name === name)?.state;
  await waitFor(
    'both states',
    async () => (await seen('gone')) === 'removed' && (await seen('closed')) === 'denied',
  );
  for (const [name, state] of [
    ['gone', 'removed'],
    ['closed', 'denied'],
  ] as const) {
    t.match(await runProgram(t, ['explain', name, '--socket', agent.socket]), {
      stdout: new RegExp(`^secret ${name} .*: ${state}`),
    });
    t.match(JSON.parse((await agent.ask(`/secrets/${name}`)).text), { data: { word: 'last' }, stale: true });
    t.match((await agent.ask('/metrics')).text, `latchkey_secret_state{name="${name}",state="${state}"} 1`);
  }
  t.match(await runProgram(t, ['status', '--socket', agent.socket]), {
    stdout: /ready, degraded: 1 secret removed, 1 secret denied/,
  });
});

t.test('a hook, the token file of a listener, a sink', async (t) => {
  const folder = testFolder(t);
  const vault = await startDevVault(t);
  await vault.writeSecret('secret/app', { word: 'w' });
  const [token, sink, bad] = [
    join(folder, 'token'),
    join(folder, 'sink'),
    join(folder, 'no/such/folder/sink'),
  ];
  writeFileSync(join(folder, 'hook.key'), 'k'.repeat(32), { mode: 0o600 });
  const [tcp, open] = [`127.0.0.1:${await freePort()}`, `127.0.0.1:${await freePort()}`];
  const agent = startAgent(t, {
    folder,
    vault,
    config: {
      upstreams: {
        vault: { kind: 'vault', address: vault.address, auth: { method: 'token' }, sinks: [{ path: sink }] },
      },
      secrets: { application: { path: 'secret/app' } },
      listeners: [
        { unix: join(folder, 'latchkey.sock'), serve: ['secrets', 'admin', 'metrics'] },
        { tcp, token_file: token, serve: ['secrets'] },
        { tcp: open, serve: ['hooks'] },
      ],
      hooks: {
        deploy: { hmac: { secret_file: join(folder, 'hook.key') }, refresh: ['app*'] },
      },
    },
  });
  await agent.untilReady();
  const ask = (what: string) => runProgram(t, ['explain', what, '--socket', agent.socket]);
  t.match(await ask('deploy'), {
    code: 0,
    stdout:
      /^hook deploy:\n {2}takes POST \/hooks\/deploy at tcp 127.*HMAC[\s\S]*asked at once for application,[\s\S]*no message has come/,
  });
  t.equal((await fetch(`http://${open}/hooks/deploy`, { method: 'POST', body: '{}' })).status, 403);
  t.match((await ask('deploy')).stdout, /messages since the start: 1 refused\n.*audit query --denied/);
  t.match(await ask(token), {
    code: 0,
    stdout:
      /^token file .*token:\n.*listener tcp 127.*\(listeners\[1\]\)[\s\S]*mode 0600, of uid \d+[\s\S]*may do all/,
  });
  t.match(await ask(sink), {
    code: 0,
    stdout:
      /^sink .*sink:\n {2}holds the token of upstream vault \(login logged_in\)[\s\S]*written at \S+Z\n {2}there since/,
  });
  t.match(await ask('deplyo'), { code: 4, stderr: /did you mean deploy\?/ });
  const config = JSON.parse(readFileSync(agent.configPath, 'utf8'));
  writeFileSync(join(folder, 'no'), 'a file where a folder is wanted');
  config.upstreams.vault.sinks = [{ path: bad }];
  writeFileSync(agent.configPath, JSON.stringify(config));
  t.equal((await agent.ask('/reload', { method: 'POST' })).status, 200);
  await waitFor('the failure', async () => (await ask(bad)).stdout.includes('is tried again'));
  const status = await runProgram(t, ['status', '--socket', agent.socket]);
  t.match(
    status.stdout,
    /degraded: 1 token sink failing\n {2}sink .*no\/such\/folder\/sink: .*; it is tried again/,
  );
  t.match((await ask(agent.socket)).stdout, /^listener unix/);
});

t.test('a version or a list of a path, as status shows it', async (t) => {
  const folder = testFolder(t);
  const vault = await startDevVault(t);
  await vault.writeSecret('secret/app', { word: 'old' });
  await vault.writeSecret('secret/app', { word: 'new' });
  const contents = `{{ with secret "secret/app" }}{{ .Data.data.word }}{{ end }}
    {{ with secret "secret/app?version=1" }}{{ .Data.data.word }}{{ end }} {{ range secrets "secret/" }}{{ . }}{{ end }}`;
  const agent = startAgent(t, {
    folder,
    vault,
    config: { files: [{ destination: join(folder, 'app.conf'), contents }] },
  });
  await agent.untilReady();
  const ask = (what: string) => runProgram(t, ['explain', what, '--socket', agent.socket]);
  t.match(await ask('secret/app?version=1'), {
    code: 0,
    stdout: /^secret .*:read secret\/app\?version=1\): fresh/,
  });
  t.notMatch((await ask('secret/app?version=1')).stdout, /read secret\/app\)/, 'and that one alone');
  t.match(await ask('secret/'), { code: 0, stdout: /:list secret\): fresh/ });
  t.match(await ask('secret/app?version=2'), { code: 4, stderr: /did you mean secret\/app\?version=1\?/ });
});
