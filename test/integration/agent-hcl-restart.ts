// One agent.hcl under latchkey and under the real agent at once, against one real server that is stopped and started again: the
// same files, modes, sinks, commands and exit codes.
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { findRealVault, noRealVault } from '../support/real-vault.ts';
import { startRestartableVault } from '../support/restartable-vault.ts';
import { testFolder } from '../support/test-folder.ts';
import { waitFor } from '../support/wait-for.ts';

const real = findRealVault();
const main = join(import.meta.dirname, '../../src/main.ts');
const longMs = 90_000;

const config = (address: string) => `
pid_file = "pid"
vault { address = "${address}" }
auto_auth {
  method "approle" {
    config = { role_id_file_path = "role", secret_id_file_path = "secret", remove_secret_id_file_after_reading = false }
  }
  sink "file" { config = { path = "token", mode = 0600 } }
}
template_config { static_secret_render_interval = "1s" }
template {
  contents = "{{ with secret \\"secret/app\\" }}{{ .Data.data.password }}{{ end }}"
  destination = "new/app.conf"
  perms = 0640
  exec { command = ["sh", "-c", "cat new/app.conf >> ran; echo >> ran"] }
}
`;

interface Run {
  readonly name: string;
  readonly folder: string;
  readonly child: ChildProcess;
  readonly exited: Promise<number | null>;
}

function start(t: Test, name: string, command: readonly string[], files: Record<string, string>): Run {
  const folder = join(testFolder(t), name);
  mkdirSync(folder, { recursive: true });
  for (const [file, text] of Object.entries(files)) writeFileSync(join(folder, file), text);
  const [word = '', ...words] = command;
  const child = spawn(word, [...words, 'agent.hcl'], {
    cwd: folder,
    env: { PATH: process.env['PATH'] ?? '', HOME: folder, STATE_DIRECTORY: join(folder, '.state') },
    stdio: 'ignore',
  });
  const exited = new Promise<number | null>((resolve) => child.once('exit', resolve));
  t.teardown(async () => {
    child.kill('SIGKILL');
    await exited;
  });
  return { name, folder, child, exited };
}

const read = ({ folder }: Run, name: string) =>
  existsSync(join(folder, name)) ? readFileSync(join(folder, name), 'utf8') : undefined;

/** All that can be seen of it from outside. */
function seen(run: Run): object {
  const mode = (name: string) => (statSync(join(run.folder, name)).mode & 0o7777).toString(8);
  return {
    file: read(run, 'new/app.conf'),
    modes: ['new', 'new/app.conf', 'token'].map(mode),
    ran: read(run, 'ran'),
    hasToken: /^(?:hvs|s|b)\.[A-Za-z0-9_-]+$/.test(read(run, 'token') ?? ''),
    pid: read(run, 'pid')?.trim() === String(run.child.pid),
  };
}

t.test(
  'goes through a stop and a start of the server as the real agent does',
  { skip: real === undefined ? noRealVault : false },
  async (t) => {
    const folder = testFolder(t);
    const vault = await startRestartableVault(t, real ?? '', folder);
    await vault.ask('POST', 'sys/auth/approle', { type: 'approle' });
    await vault.ask('PUT', 'sys/policies/acl/app', {
      policy: 'path "*" { capabilities = ["create", "read", "update", "list"] }',
    });
    await vault.ask('POST', 'auth/approle/role/app', { token_policies: 'app', token_ttl: '1h' });
    const idOf = async (method: string, path: string, key: string) =>
      String(((await vault.ask(method, path)).body['data'] as Record<string, unknown>)[key]);
    const role = await idOf('GET', 'auth/approle/role/app/role-id', 'role_id');
    const write = async (password: string) => {
      const { status } = await vault.ask('POST', 'secret/data/app', { data: { password } });
      t.equal(status, 200);
    };
    await waitFor(
      'the mount',
      async () => (await vault.ask('POST', 'secret/data/app', { data: { password: 'p1' } })).status === 200,
    );
    const begin = async (name: string, command: readonly string[]) =>
      start(t, name, command, {
        'agent.hcl': config(vault.address),
        role,
        secret: await idOf('POST', 'auth/approle/role/app/secret-id', 'secret_id'),
      });
    const ours = await begin('ours', [process.execPath, main, 'agent', '-config']);
    const theirs = await begin('theirs', [real ?? '', 'agent', '-config']);
    const both = [ours, theirs];
    const untilRan = async (wanted: string) => {
      for (const run of both)
        await waitFor(`${run.name}: ${wanted}`, () => read(run, 'ran') === wanted, longMs);
      t.same(seen(ours), seen(theirs), `the same after ${JSON.stringify(wanted)}`);
    };
    await untilRan('p1\n');
    await write('p2');
    await untilRan('p1\np2\n');
    const tokens = both.map((run) => read(run, 'token'));
    await vault.down();
    // A time during which nothing is to happen, though each asks every second: nothing tells its end.
    await delay(3000);
    t.same(
      both.map(({ child }) => child.exitCode),
      [null, null],
      'neither ends',
    );
    t.same(seen(ours), seen(theirs), 'what is there stays');
    await vault.up();
    await write('p3');
    await untilRan('p1\np2\np3\n');
    t.same(
      both.map((run) => read(run, 'token')),
      tokens,
      'nobody has logged in again',
    );
    await vault.ask('PUT', 'auth/token/revoke', { token: tokens[0] });
    await write('p4');
    await waitFor(
      'a new login of ours',
      () => read(ours, 'token') !== tokens[0] && read(ours, 'ran') === 'p1\np2\np3\np4\n',
      longMs,
    );
    await untilRan('p1\np2\np3\np4\n');
    for (const { child } of both) child.kill('SIGTERM');
    t.same(await Promise.all(both.map(({ exited }) => exited)), [0, 0]);
    t.same(
      both.map((run) => read(run, 'pid')),
      [undefined, undefined],
    );
  },
);
