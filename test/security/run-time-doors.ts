// No debugger by signal or option, no tracing: tried by a process of the same user, from the first moment on.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import {
  chownSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type Server } from 'node:net';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { nodeOptions, program } from '../support/cli.ts';
import { isRoot } from '../support/needs-root.ts';
import { nobody, runAs } from '../support/other-user.ts';
import { isAlive } from '../support/test-environment.ts';
import { testFolder } from '../support/test-folder.ts';
import { waitFor } from '../support/wait-for.ts';

const PATH = `${dirname(process.execPath)}:${process.env['PATH'] ?? ''}`;
const user = isRoot ? { uid: nobody, gid: nobody } : {};
const canStart = spawnSync(process.execPath, ['-e', '0'], { ...user, cwd: '/', env: {} }).status === 0;
const skip = canStart ? false : 'another user cannot start node here';

/** A vault that takes connections and never answers: what is started waits for it. */
async function silentServer(t: Test, listen: (server: Server) => void): Promise<Server> {
  const server = createServer((socket) => socket.on('error', () => undefined));
  listen(server);
  await new Promise((resolve) => server.once('listening', resolve));
  t.teardown(() => server.close());
  return server;
}

async function setUp(t: Test) {
  const folder = testFolder(t);
  const vault = await silentServer(t, (server) => server.listen(0, '127.0.0.1'));
  const address = vault.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const own = join(folder, 'own');
  mkdirSync(own, { mode: 0o700 });
  const config = join(own, 'latchkey.yaml');
  writeFileSync(
    config,
    JSON.stringify({
      upstreams: { vault: { kind: 'vault', address: `http://127.0.0.1:${port}`, auth: { method: 'token' } } },
      secrets: { app: { path: 'secret/app' } },
      files: [{ contents: '{{ field "app" "word" }}', destination: join(own, 'app.conf') }],
      listeners: [{ unix: join(own, 'latchkey.sock'), serve: ['secrets'] }],
      state_dir: join(own, 'state'),
    }),
    { mode: 0o600 },
  );
  const silent = join(folder, 'silent.sock');
  await silentServer(t, (server) => server.listen({ path: silent, writableAll: true }));
  if (isRoot) for (const path of [own, config]) chownSync(path, nobody, nobody);
  const commands: Record<string, string[]> = {
    agent: ['agent', '--config', config],
    run: ['run', '--config', config, '--', 'true'],
    render: ['render', '--config', config],
    get: ['get', 'app', 'word', '--socket', silent],
    status: ['status', '--socket', silent],
    helper: ['helper', 'aws', 'app', '--socket', silent],
  };
  return { commands };
}

function start(
  t: Test,
  words: readonly string[],
  program: string,
): { child: ChildProcess; text: () => string } {
  const child = spawn(program, words, {
    ...user,
    cwd: '/',
    env: { PATH, VAULT_TOKEN: 'canary-token' },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let text = '';
  child.stderr?.setEncoding('utf8').on('data', (part: string) => {
    text += part;
  });
  t.teardown(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGKILL');
    await new Promise((resolve) => child.once('close', resolve));
  });
  return { child, text: () => text };
}

const isNode = (pid: number) => {
  try {
    return readlinkSync(`/proc/${pid}/exe`) === process.execPath;
  } catch {
    return false; // it has ended
  }
};
/** The kernel gives /proc/PID of what may not be traced to root. */
const isHidden = (pid: number) => statSync(`/proc/${pid}/environ`, { throwIfNoEntry: false })?.uid === 0;

t.test('a storm of SIGUSR1 from the first moment on opens no debugger', { skip }, async (t) => {
  const { commands } = await setUp(t);
  for (const name of ['agent', 'run', 'render', 'get']) {
    let survivors = 0;
    for (const fromMs of [0, 5, 10, 15, 20, 30, 50, 80, 120, 160]) {
      const { child, text } = start(t, commands[name] ?? [], program);
      const pid = child.pid ?? 0;
      await waitFor(
        'node to be executed',
        () => isNode(pid) || child.exitCode !== null || child.signalCode !== null,
      );
      await delay(fromMs);
      const storm = `const end = Date.now() + 250; const pid = Number(process.argv[1]);
        const again = () => { try { process.kill(pid, 'SIGUSR1'); } catch { return; } if (Date.now() < end) setTimeout(again, 1); };
        again();`;
      // From outside; one signal at once, the rest from a process of the same user.
      process.kill(pid, 'SIGUSR1');
      if (fromMs % 20 === 0) await runAs(nobody, storm, [String(pid)]).catch(() => undefined);
      else await delay(100);
      t.notMatch(text(), /Debugger listening/, `${name}, signalled after ${fromMs} ms`);
      if (child.exitCode === null && child.signalCode === null) survivors += 1;
      child.kill('SIGKILL');
    }
    t.not(survivors, 0, `${name} was alive to be debugged`);
  }
});

t.test(
  'nothing that touches a secret can be traced, from before it reads its config',
  { skip },
  async (t) => {
    const { commands } = await setUp(t);
    for (const [name, words] of Object.entries(commands)) {
      const { child } = start(t, words, program);
      await waitFor(`${name} to be hidden`, () => isHidden(child.pid ?? 0));
      t.pass(name);
      child.kill('SIGKILL');
    }
  },
);

/** The keys of `app@LATCHKEY.TEST`, as ktutil(1) writes them. */
function keytab(): Buffer {
  const counted = (bytes: Buffer | string) => {
    const content = Buffer.from(bytes);
    return Buffer.concat([Buffer.from([content.length >> 8, content.length & 0xff]), content]);
  };
  const entry = Buffer.concat([
    ...[
      Buffer.from([0, 1]),
      counted('LATCHKEY.TEST'),
      counted('app'),
      Buffer.from([0, 0, 0, 1, 0, 0, 0, 0, 1]),
    ],
    ...[Buffer.from([0, 18]), counted(Buffer.alloc(32, 7))],
  ]);
  const length = Buffer.alloc(4);
  length.writeInt32BE(entry.length);
  return Buffer.concat([Buffer.from([5, 2]), length, entry]);
}

const skipKerberos =
  skip ||
  (existsSync('/usr/lib/x86_64-linux-gnu/libgssapi_krb5.so.2') ? false : "MIT Kerberos' library is missing");

t.test(
  'what waits for a KDC with a key in its memory is hidden too, and ends with the agent',
  { skip: skipKerberos },
  async (t) => {
    const folder = testFolder(t);
    const own = join(folder, 'own');
    mkdirSync(own, { mode: 0o700 });
    const connected: unknown[] = [];
    const kdc = await silentServer(t, (server) => {
      server.on('connection', (socket) => connected.push(socket));
      server.listen(0, '127.0.0.1');
    });
    const address = kdc.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    const write = (name: string, text: string | Buffer) => {
      writeFileSync(join(own, name), text, { mode: 0o600 });
      return join(own, name);
    };
    const auth = {
      ...{ method: 'kerberos', username: 'app', realm: 'LATCHKEY.TEST', service: 'HTTP/vault' },
      keytab: write('app.keytab', keytab()),
      krb5_conf: write(
        'krb5.conf',
        `[libdefaults]\n udp_preference_limit = 1\n[realms]\n LATCHKEY.TEST = {\n  kdc = 127.0.0.1:${port}\n }\n`,
      ),
    };
    const upstreams = { vault: { kind: 'vault', address: 'http://127.0.0.1:1', auth } };
    const config = write('latchkey.yaml', JSON.stringify({ upstreams, state_dir: join(own, 'state') }));
    if (isRoot)
      for (const name of ['', 'app.keytab', 'krb5.conf', 'latchkey.yaml'])
        chownSync(join(own, name), nobody, nobody);
    const { child, text } = start(t, ['agent', '--config', config], program);
    await waitFor('a question to the KDC', () => connected.length > 0 || /login_failed/.test(text()));
    // Of what is hidden its own user does not see the program either.
    const [pid = 0] = childrenOf(child.pid ?? 0).filter((one) => !isRoot || isNode(one));
    t.ok(isHidden(pid), `nobody of its user looks into ${pid}: ${text()}`);
    child.kill('SIGKILL');
    await waitFor('its end', () => !isAlive(pid));
  },
);

function childrenOf(pid: number): number[] {
  const text = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8');
  return text.split(' ').filter(Boolean).map(Number);
}

t.test('a command with a secret does not start under a debugger or with dumps of its memory', async (t) => {
  const run = (options: string[], words: string[], env: Record<string, string> = {}) =>
    spawnSync(process.execPath, [...options, program, ...words], {
      env: { PATH, ...env },
      encoding: 'utf8',
      timeout: 120_000,
    });
  for (const option of [
    '--inspect=0',
    '--inspect-brk=0',
    '--inspect_wait=0',
    '--report-on-signal',
    '--heapsnapshot-signal=SIGUSR2',
    '--tls-keylog=/nonexistent/keys',
  ]) {
    if (/brk|wait/.test(option)) continue; // stands still before a line of ours is read: nothing is held yet
    const { status, stderr } = run([...nodeOptions, option], ['get', 'app']);
    t.equal(status, 2, option);
    t.match(stderr, /get: does not start with --/);
  }
  t.match(run([], ['agent'], { NODE_OPTIONS: '"--report-on-signal"' }), {
    status: 2,
    stderr: /--report-on-signal/,
  });
  t.match(run([], ['run', '--', 'true'], { NODE_DEBUG: 'http' }), { status: 2, stderr: /NODE_DEBUG/ });
  t.equal(run(['--inspect=0'], ['version']).status, 0, 'a command without secrets may be debugged');
});

t.test('as it is installed, options of the environment are not even read', async (t) => {
  const { status, stderr } = spawnSync(program, ['version'], {
    env: { PATH, NODE_OPTIONS: '--inspect=0 --require=/nonexistent.js', NODE_PATH: '/nonexistent' },
    encoding: 'utf8',
  });
  t.strictSame({ status, stderr }, { status: 0, stderr: '' });
});

t.test('what is set for our own allocator reaches no program', async (t) => {
  const config = join(testFolder(t), 'latchkey.yaml');
  writeFileSync(
    config,
    JSON.stringify({
      upstreams: { own: { kind: 'env', prefix: 'OWN_' } },
      processes: [{ name: 'env', command: ['env'], env: { A: 'b' }, pass_env: ['MALLOC_*'] }],
      state_dir: join(dirname(config), 'state'),
    }),
    { mode: 0o600 },
  );
  const { stdout, stderr } = spawnSync(program, ['run', '--process', 'env', '--config', config], {
    env: { PATH, MALLOC_TOP_PAD_: '4096' },
    encoding: 'utf8',
  });
  t.match(stdout, /^A=b$/m, stderr);
  t.strictSame(stdout.match(/^MALLOC_.*$/gm), ['MALLOC_TOP_PAD_=4096'], 'somebody’s own stays');
});

t.test('a debugger that was open before the first line of ours ends the command', async (t) => {
  // As SIGUSR1 before main.js does it, where Node was started without the option.
  const opened = `data:text/javascript,import i from 'node:inspector'; i.open(0);`;
  const { status, stderr } = spawnSync(process.execPath, ['--import', opened, program, 'get', 'app'], {
    env: { PATH },
    encoding: 'utf8',
  });
  t.equal(status, 2);
  t.match(stderr, /get: does not start with an open debugger/);
});
