// Devices, sockets and named pipes in the place of a file: refused, by the agent and beforehand by `validate`; the standard
// streams and /dev/null are taken for what they are.
import { spawnSync } from 'node:child_process';
import { existsSync, lstatSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { runProgram, startAgent } from '../support/cli.ts';
import { startDevVault, type TestVault } from '../support/dev-vault.ts';
import { needsRoot } from '../support/needs-root.ts';
import { testFolder } from '../support/test-folder.ts';
import { waitFor } from '../support/wait-for.ts';

interface Setting {
  readonly folder: string;
  readonly vault: TestVault;
  /** `latchkey COMMAND` on a config with these parts. */
  run(command: readonly string[], config: object): ReturnType<typeof runProgram>;
}

async function setUp(t: Test): Promise<Setting> {
  const folder = testFolder(t);
  const vault = await startDevVault(t);
  await vault.writeSecret('secret/app', { word: 'good' });
  return {
    folder,
    vault,
    run(command, config) {
      const path = join(folder, 'latchkey.yaml');
      const upstreams = { vault: { address: vault.address, auth: { method: 'token' } } };
      const secrets = { app: { path: 'secret/app' } };
      const all = { upstreams, secrets, state_dir: join(folder, 'state'), ...config };
      writeFileSync(path, JSON.stringify(all), { mode: 0o600 });
      return runProgram(t, [...command, '--config', path], { env: { VAULT_TOKEN: vault.rootToken } });
    },
  };
}

/** Makes one of each kind that this user may make. Names, and what they are called. */
async function makeSpecials(t: Test, folder: string): Promise<Map<string, string>> {
  const at = (name: string) => join(folder, name);
  const made = new Map<string, string>();
  const make = (name: string, called: string, [command = '', ...args]: readonly string[]) => {
    if (spawnSync(command, args).status === 0) made.set(name, called);
    else t.comment(`no ${called} here: ${command} is refused`);
  };
  make('pipe', 'named pipe', ['mkfifo', at('pipe')]);
  make('null', 'character device', ['mknod', '-m', '666', at('null'), 'c', '1', '3']);
  make('disk', 'block device', ['mknod', at('disk'), 'b', '7', '7']);
  for (const name of ['socket', 'linked']) {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(at(name), resolve));
    t.teardown(() => server.close());
  }
  made.set('socket', 'socket');
  symlinkSync(at('linked'), at('link'));
  made.set('link', 'socket');
  return made;
}

t.test('what is no file is refused, by name, and left as it is', async (t) => {
  const { folder, run } = await setUp(t);
  const specials = await makeSpecials(t, folder);
  symlinkSync(join(folder, 'linked'), join(folder, 'linked-token'));
  const config = {
    files: [...specials.keys(), 'plain'].map((name) => ({
      contents: '{{ field "app" "word" }}',
      destination: join(folder, name),
    })),
    listeners: [{ tcp: '127.0.0.1:0', token_file: join(folder, 'linked-token') }],
  };
  const before = [...specials.keys()].map((name) => lstatSync(join(folder, name)).ino);
  const validated = await run(['validate'], config);
  t.equal(validated.code, 2);
  const rendered = await run(['render'], config);
  t.not(rendered.code, 0);
  for (const [index, [name, called]] of [...specials].entries()) {
    const place = `files[${index}].destination: `;
    t.ok(validated.stderr.includes(`${place}${join(folder, name)} is a ${called}; `), `validate: ${name}`);
    t.match(
      rendered.stderr,
      new RegExp(`/${name}: failed: .* is a ${called}; .*remove it`),
      `render: ${name}`,
    );
  }
  t.match(validated.stderr, /listeners\[0\]\.token_file: .* is a socket; /);
  const after = [...specials.keys()].map((name) => lstatSync(join(folder, name)).ino);
  t.strictSame(after, before);
  t.equal(readFileSync(join(folder, 'plain'), 'utf8'), 'good', 'the others are made');
});

t.test('a pipe that is asked for is served where one is, and never in the place of a device', async (t) => {
  const { folder, run } = await setUp(t);
  const specials = await makeSpecials(t, folder);
  const wish = (name: string) => ({ contents: 'x', destination: join(folder, name), fifo: true });
  const { code, stderr } = await run(['validate'], { files: [...specials.keys()].map(wish) });
  t.equal(code, 2);
  t.notMatch(stderr, /pipe is a named pipe/);
  t.match(stderr, /socket is a socket/);
  t.equal((await run(['validate'], { files: [wish('pipe')] })).code, 0);
});

t.test(
  'the standard streams get what is rendered, and /dev/null is there for side effects alone',
  async (t) => {
    const { folder, run } = await setUp(t);
    const side = join(folder, 'side');
    const config = {
      template: { sandbox_paths: [folder] },
      files: [
        {
          contents: `{{ writeToFile "${side}" "" "" "0640" (field "app" "word") }}`,
          destination: '/dev/null',
        },
        {
          contents: '{{ field "app" "word" }}',
          destination: '/dev/null',
          mode: '0600',
        },
        { contents: 'out {{ field "app" "word" }}\n', destination: '/dev/stdout' },
        { contents: 'err {{ field "app" "word" }}\n', destination: '/dev/stderr' },
      ],
    };
    const before = lstatSync('/dev/null');
    t.equal((await run(['validate'], config)).code, 0);
    const rendered = await run(['render'], config);
    t.equal(rendered.code, 0, rendered.stderr);
    t.equal(rendered.stdout, 'out good\n');
    t.match(rendered.stderr, /^err good$/m);
    t.equal(readFileSync(side, 'utf8'), 'good');
    const { ino, rdev, mode, uid } = lstatSync('/dev/null');
    t.strictSame(
      { ino, rdev, mode, uid },
      { ino: before.ino, rdev: before.rdev, mode: before.mode, uid: before.uid },
    );
    const staying = await run(['validate'], {
      files: [{ contents: 'x', destination: '/dev/stdout', backup: true }],
    });
    t.equal(staying.code, 2);
    t.match(staying.stderr, /backup: \/dev\/stdout has no file that stays/);
  },
);

t.test('the agent writes to its output at each change, and once for each', async (t) => {
  const { folder, vault } = await setUp(t);
  const agent = startAgent(t, {
    folder,
    vault,
    config: {
      secrets: { app: { path: 'secret/app', refresh: '1s' } },
      files: [{ contents: '{{ field "app" "word" }}\n', destination: '/dev/stdout' }],
    },
  });
  await agent.untilReady();
  t.equal(agent.stdout(), 'good\n');
  await vault.writeSecret('secret/app', { word: 'better' });
  await waitFor('the change', () => agent.stdout() === 'good\nbetter\n');
  t.ok((await agent.stop()).code === 0);
  t.equal(agent.stdout(), 'good\nbetter\n');
  t.ok(existsSync('/dev/stdout'), 'it is no file of ours to remove');
});

t.test('a device that comes in the place of a file is told, and left', async (t) => {
  const { folder, vault } = await setUp(t);
  const destination = join(folder, 'app.conf');
  const agent = startAgent(t, {
    folder,
    vault,
    config: {
      secrets: { app: { path: 'secret/app' } },
      files: [{ contents: '{{ field "app" "word" }}', destination }],
    },
  });
  await agent.untilReady();
  spawnSync('sh', ['-c', `mkfifo ${destination}.new && mv -f ${destination}.new ${destination}`]);
  await waitFor('the refusal', async () => (await agent.ask('/status')).text.includes('is a named pipe'));
  t.ok(lstatSync(destination).isFIFO());
  spawnSync('rm', [destination]);
  await waitFor('the file', () => existsSync(destination) && readFileSync(destination, 'utf8') === 'good');
});

const attributes = 'chattr';

t.test('what root may not do is told with its cause', { skip: needsRoot }, async (t) => {
  const { folder, run } = await setUp(t);
  const path = join(folder, 'fixed');
  writeFileSync(path, 'old');
  if (spawnSync(attributes, ['+i', path]).status !== 0) {
    return void t.pass('immutable files', { skip: 'no chattr, or a file system without attributes' });
  }
  t.teardown(() => spawnSync(attributes, ['-i', path]));
  const { code, stderr } = await run(['render'], {
    files: [{ contents: '{{ field "app" "word" }}', destination: path }],
  });
  t.not(code, 0);
  t.match(
    stderr,
    /fixed: not permitted, though this is root \(EPERM\); look whether .* is immutable .*lsattr/,
  );
  t.equal(readFileSync(path, 'utf8'), 'old');
});
