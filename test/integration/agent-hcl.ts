// `latchkey agent --config agent.hcl`: files, modes, sinks, commands, pid file and exit codes, side by side with a real agent
// where one is found, each against the same server.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { freePort } from '../../src/base/system/free-port.ts';
import { startDevVault, type TestVault } from '../support/dev-vault.ts';
import { findRealVault, noRealVault } from '../support/real-vault.ts';
import { testFolder } from '../support/test-folder.ts';
import { waitFor } from '../support/wait-for.ts';

interface Program {
  readonly name: string;
  readonly command: readonly string[];
}

const latchkey: Program = {
  name: 'latchkey',
  command: [process.execPath, join(import.meta.dirname, '../../src/main.ts'), 'agent', '-config'],
};
t.setTimeout(600_000);
const real = findRealVault();
const programs: readonly Program[] =
  real === undefined ? [latchkey] : [latchkey, { name: 'real', command: [real, 'agent', '-config'] }];
if (real === undefined) t.pass('side by side with a real agent', { skip: noRealVault });

t.test('options and values in one word are read as theirs', async (t) => {
  const folder = testFolder(t);
  const missing = join(folder, 'missing.hcl');
  const [main] = latchkey.command.slice(1);
  for (const words of [[`-config=${missing}`], ['-ca-cert=/ca.pem', `-config=${missing}`]]) {
    const { status, stderr } = spawnSync(process.execPath, [main ?? '', 'agent', ...words], {
      encoding: 'utf8',
    });
    t.ok(stderr.startsWith(`latchkey: ${missing}: no such file or folder;`), stderr);
    t.equal(status, 1, words.join(' '));
  }
});

interface Vault {
  readonly address: string;
  readonly roleId: string;
  readonly secretId: string;
  write(path: string, data: Record<string, unknown>): Promise<unknown>;
  ask: TestVault['ask'];
  addFault: TestVault['addFault'];
  clearFaults: TestVault['clearFaults'];
}

async function startVault(t: Test): Promise<Vault> {
  const vault = await startDevVault(t);
  await vault.writePolicy('app', 'path "*" { capabilities = ["create", "read", "update", "list"] }');
  const { roleId, secretId } = await vault.createAppRole('app', { token_policies: 'app', token_ttl: '1h' });
  await vault.writeSecret('secret/app', { user: 'u1', password: 'p1' });
  return {
    address: vault.address,
    roleId,
    secretId,
    write: vault.writeSecret,
    ask: vault.ask,
    addFault: vault.addFault,
    clearFaults: vault.clearFaults,
  };
}

interface Run {
  readonly folder: string;
  readonly child: ChildProcess;
  readonly output: () => string;
  readonly exited: Promise<number | null>;
}

function start(
  t: Test,
  program: Program,
  vault: Vault,
  config: string,
  env: Record<string, string> = {},
): Run {
  const folder = join(t.testdirName, program.name);
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'role'), vault.roleId);
  writeFileSync(join(folder, 'secret'), vault.secretId);
  writeFileSync(join(folder, 'agent.hcl'), config.replaceAll('ADDRESS', vault.address));
  const [word = '', ...words] = program.command;
  const child = spawn(word, [...words, 'agent.hcl'], {
    cwd: folder,
    env: { PATH: process.env['PATH'] ?? '', HOME: folder, STATE_DIRECTORY: join(folder, '.state'), ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (piece: Buffer) => (output += piece));
  const exited = new Promise<number | null>((resolve) => child.once('exit', resolve));
  t.teardown(() => void child.kill('SIGKILL'));
  return { folder, child, output: () => output, exited };
}

const read = (run: Run, name: string): string | undefined =>
  existsSync(join(run.folder, name)) ? readFileSync(join(run.folder, name), 'utf8') : undefined;
const modeOf = (run: Run, name: string): string =>
  (statSync(join(run.folder, name)).mode & 0o777).toString(8);

const login = `
vault { address = "ADDRESS" }
auto_auth {
  method "approle" {
    config = { role_id_file_path = "role", secret_id_file_path = "secret", remove_secret_id_file_after_reading = false }
  }
  sink "file" { config = { path = "token", mode = 0600 } }
  sink "file" { config = { path = "token-default" } }
}
`;

for (const program of programs) {
  t.test(`${program.name}: logs in, writes sinks and files, runs commands, ends after that`, async (t) => {
    t.testdir({});
    const vault = await startVault(t);
    const run = start(
      t,
      program,
      vault,
      `exit_after_auth = true
pid_file = "pid"
template_config { exit_on_retry_failure = true }
${login}
template {
  contents = <<EOT
user={{ with secret "secret/app" }}{{ .Data.data.user }}{{ end }}
EOT
  destination = "new/folder/app.conf"
  command = "echo done $APP_VALUE >> ran; cat new/folder/app.conf >> ran"
}
template {
  source = "other.ctmpl"
  destination = "other.conf"
  perms = "0640"
  left_delimiter = "<<"
  right_delimiter = ">>"
  backup = true
}
template {
  contents = "{{ .missing }}"
  destination = "kept.conf"
}
`,
      { APP_VALUE: 'of the environment' },
    );
    writeFileSync(
      join(run.folder, 'other.ctmpl'),
      '{{ << with secret "secret/app" >><< .Data.data.password >><< end >>',
    );
    writeFileSync(join(run.folder, 'kept.conf'), 'before', { mode: 0o604 });
    t.equal(await run.exited, 0, run.output()); // at once: no timer of what was to be given up is left
    t.equal(read(run, 'new/folder/app.conf'), 'user=u1\n');
    t.equal(modeOf(run, 'new/folder/app.conf'), '644');
    t.equal(modeOf(run, 'new'), '755');
    t.equal(read(run, 'other.conf'), '{{ p1');
    t.equal(modeOf(run, 'other.conf'), '640');
    t.equal(read(run, 'kept.conf'), '<no value>');
    t.equal(modeOf(run, 'kept.conf'), '604', 'without perms the mode stays');
    t.equal(read(run, 'ran'), 'done of the environment\nuser=u1\n');
    t.equal(modeOf(run, 'token'), '600');
    t.equal(modeOf(run, 'token-default'), '640');
    t.match(read(run, 'token'), /^(?:hvs|s|b)\.[A-Za-z0-9_-]+$/, 'no line end');
    t.equal(read(run, 'token'), read(run, 'token-default'));
    t.ok(read(run, 'secret'), 'the secret id stays');
    t.equal(read(run, 'pid'), undefined, 'the pid file goes');
    t.notOk(
      readdirSync(run.folder).some((name) => name.includes('.tmp')),
      'nothing is left behind',
    );
  });

  t.test(`${program.name}: takes a rotation over, and a revoked token`, async (t) => {
    t.testdir({});
    const vault = await startVault(t);
    const run = start(
      t,
      program,
      vault,
      `pid_file = "pid"
${login}
template_config { static_secret_render_interval = "1s" }
template {
  contents = "{{ with secret \\"secret/app\\" }}{{ .Data.data.password }}{{ end }}"
  destination = "app.conf"
  exec { command = ["sh", "-c", "cat app.conf >> ran"] }
}
`,
    );
    await waitFor('the first command', () => read(run, 'ran') === 'p1');
    t.equal(read(run, 'pid')?.trim(), String(run.child.pid));
    await vault.write('secret/app', { user: 'u1', password: 'p2' });
    await waitFor('the command of the rotation', () => read(run, 'ran') === 'p1p2');
    const before = read(run, 'token');
    await vault.ask('PUT', 'auth/token/revoke', { token: before });
    await vault.write('secret/app', { user: 'u1', password: 'p3' });
    if (program === latchkey) {
      await waitFor('a new login', () => read(run, 'token') !== before && read(run, 'ran') === 'p1p2p3');
    }
    run.child.kill('SIGTERM');
    t.equal(await run.exited, 0, run.output());
    t.equal(read(run, 'pid'), undefined);
  });

  t.test(`${program.name}: goes on when the server was away`, async (t) => {
    t.testdir({});
    const vault = await startVault(t);
    const run = start(
      t,
      program,
      vault,
      `${login}
template_config { static_secret_render_interval = "1s" }
template {
  contents = "{{ with secret \\"secret/app\\" }}{{ .Data.data.password }}{{ end }}"
  destination = "app.conf"
}
`,
    );
    await waitFor('the file', () => read(run, 'app.conf') === 'p1');
    vault.addFault({ kind: 'drop' });
    await vault.write('secret/app', { user: 'u1', password: 'p2' });
    await delay(2500); // A time during which nothing is to happen: nothing tells its end.
    t.equal(read(run, 'app.conf'), 'p1', 'what is there stays');
    t.equal(run.child.exitCode, null, 'and so does the agent');
    vault.clearFaults();
    await waitFor('the new value', () => read(run, 'app.conf') === 'p2');
    run.child.kill('SIGTERM');
    t.equal(await run.exited, 0, run.output());
  });

  t.test(`${program.name}: runs a program with variables, and ends with it`, async (t) => {
    t.testdir({});
    const vault = await startVault(t);
    const run = start(
      t,
      program,
      vault,
      `${login}
template_config { static_secret_render_interval = "1s" }
env_template "PASSWORD" { contents = "{{ with secret \\"secret/app\\" }}{{ .Data.data.password }}{{ end }}" }
exec {
  command = ["sh", "-c", "echo $PASSWORD $OWN >> ran; trap 'exit 7' USR1; [ $PASSWORD = p2 ] && exit 5; while :; do sleep 0.1; done"]
  restart_on_secret_changes = "always"
  restart_stop_signal = "SIGKILL"
}
`,
      { OWN: 'inherited' },
    );
    await waitFor('the program', () => read(run, 'ran') === 'p1 inherited\n');
    await vault.write('secret/app', { user: 'u1', password: 'p2' });
    t.equal(await run.exited, 5, run.output());
    t.equal(read(run, 'ran'), 'p1 inherited\np2 inherited\n');
  });

  t.test(`${program.name}: serves an open listener, and asks for the header`, async (t) => {
    t.testdir({});
    const vault = await startVault(t);
    const port = await freePort();
    const run = start(
      t,
      program,
      vault,
      `${login}
api_proxy { use_auto_auth_token = true }
listener "tcp" {
  address = "127.0.0.1:${port}"
  tls_disable = true
  require_request_header = true
}
`,
    );
    const ask = async (headers: Record<string, string>) => {
      const response = await fetch(`http://127.0.0.1:${port}/v1/secret/data/app`, { headers }).catch(
        () => undefined,
      );
      return response && { status: response.status, body: await response.json().catch(() => undefined) };
    };
    const marked = { 'X-Vault-Request': 'true' };
    await waitFor('the listener', async () => (await ask(marked))?.status === 200);
    t.match(await ask(marked), { body: { data: { data: { user: 'u1' } } } });
    t.equal((await ask({}))?.status, 412);
    run.child.kill('SIGTERM');
    t.equal(await run.exited, 0, run.output());
  });

  t.test(`${program.name}: ends with 1 for a file that is wrong`, async (t) => {
    t.testdir({});
    const vault = await startVault(t);
    const run = start(t, program, vault, 'vault {');
    t.equal(await run.exited, 1, run.output());
  });

  t.test(`${program.name}: ends with 1 for a template that fails, where that is asked for`, async (t) => {
    t.testdir({});
    const vault = await startVault(t);
    const run = start(
      t,
      program,
      vault,
      `${login}
template_config { exit_on_retry_failure = true }
template {
  contents = "{{ with secret \\"secret/app\\" }}{{ .Data.data.none }}{{ end }}"
  destination = "app.conf"
  error_on_missing_key = true
}
`,
    );
    t.equal(await run.exited, 1, run.output());
    t.equal(read(run, 'app.conf'), undefined);
  });
}
