// The log as entries of the journal: systemd's own reads them, and one that hangs is a socket that nobody reads. Each
// program has a mount namespace of its own, as LogNamespace= gives it, where that socket is the journal's.

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  closeSync,
  existsSync,
  fstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { askSocket, nodeOptions, program } from '../support/cli.ts';
import { startDevVault } from '../support/dev-vault.ts';
import { missing } from '../support/missing.ts';
import { testFolder } from '../support/test-folder.ts';
import { waitFor } from '../support/wait-for.ts';

const loggerPath = join(import.meta.dirname, '../../src/base/logger.ts');
const journald = '/lib/systemd/systemd-journald';
const namespaces = missing('a mount namespace of its own (root)', [
  ...['unshare', '--mount', 'sh', '-c', 'mount -t tmpfs none /run'],
]);
const needsJournal = {
  skip:
    namespaces ||
    (existsSync(journald)
      ? missing('journalctl (Debian: systemd)', ['journalctl', '--version'])
      : `${journald} is not there`),
};
const needsPython = { skip: namespaces || missing('python3', ['python3', '--version']) };

interface Started {
  readonly child: ChildProcess;
  /** What came to stderr, as the journal's stream would have it. */
  stderr(): string;
  readonly exited: Promise<number | null>;
}

/** `folder` is what the program sees as /run/systemd/journal. */
function startWithJournal(t: Test, folder: string, args: readonly string[]): Started {
  const path = join(testFolder(t), 'stderr');
  const descriptor = openSync(path, 'a');
  const { dev, ino } = fstatSync(descriptor, { bigint: true });
  const seen = testFolder(t);
  const script = `mount --bind "$1" "$2" && mount -t tmpfs none /run && mkdir -p /run/systemd &&
    ln -s "$2" /run/systemd/journal && shift 2 && exec "$@"`;
  const child = spawn(
    'unshare',
    ['--mount', 'sh', '-c', script, 'sh', folder, seen, process.execPath, ...args],
    {
      stdio: ['ignore', 'inherit', descriptor],
      env: { PATH: process.env['PATH'], JOURNAL_STREAM: `${dev}:${ino}` },
    },
  );
  closeSync(descriptor);
  const exited = new Promise<number | null>((resolve) => child.once('close', resolve));
  t.teardown(async () => {
    child.kill('SIGKILL');
    await exited;
  });
  return { child, stderr: () => readFileSync(path, 'utf8'), exited };
}

function startLogger(t: Test, folder: string, code: string, format = 'text'): Started {
  const whole = `const { createLogger } = await import(${JSON.stringify(loggerPath)});
    const log = createLogger({ level: 'debug', format: '${format}' });
    const { logger } = log;
    ${code}`;
  return startWithJournal(t, folder, ['--input-type=module', '-e', whole]);
}

/** systemd's journal, apart from the host's. */
async function startJournal(t: Test) {
  const name = `lktest${process.pid}`;
  const folder = `/run/systemd/journal.${name}`;
  const child = spawn(journald, [name], { stdio: 'ignore' });
  const exited = new Promise((resolve) => child.once('close', resolve));
  t.teardown(async () => {
    child.kill('SIGKILL');
    await exited;
    const id = readFileSync('/etc/machine-id', 'utf8').trim();
    for (const path of [
      folder,

      `/run/log/journal/${id}.${name}`,
      `/var/log/journal/${id}.${name}`,
    ])
      rmSync(path, { recursive: true, force: true });
  });
  await waitFor('the journal', () => existsSync(join(folder, 'socket')));
  // One of a namespace ends by itself after 30 s in which nobody holds a stream, with what it has not read.
  const stream = connect(join(folder, 'stdout'));
  await once(stream, 'connect');
  t.teardown(() => stream.destroy());
  function entries(...matches: readonly string[]): Record<string, unknown>[] {
    const args = [`--namespace=${name}`, '--output=json', '--all', '--quiet', ...matches];
    return spawnSync('journalctl', args, { encoding: 'utf8', maxBuffer: 2 ** 26 })
      .stdout.split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line));
  }
  return { folder, name, child, entries };
}

t.test(
  'entries have priorities, and the fields of a line as fields of their own',
  needsJournal,
  async (t) => {
    const journal = await startJournal(t);
    const { exited, stderr } = startLogger(
      t,
      journal.folder,
      `logger.debug({}, 'looked');
    logger.child({ upstream: 'vault' }).info({ secret: 'stripe', version: 2 }, 'the secret has a new version');
    logger.warn({ caller: { uid: 1000, exe: '/usr/bin/psql' }, names: ['a', 'b'] }, 'refused a caller');
    logger.error({ error: 'two\\nlines\\u0007', 'odd.name': true }, 'a listener failed');`,
    );
    t.equal(await exited, 0);
    t.equal(stderr(), '');
    await waitFor('the entries', () => journal.entries('SYSLOG_IDENTIFIER=latchkey').length === 4);
    t.match(journal.entries('LATCHKEY_EVENT=secret.rotated', 'LATCHKEY_SECRET=stripe'), [
      {
        MESSAGE: 'the secret has a new version upstream=vault secret=stripe version=2',
        PRIORITY: '6',
        LATCHKEY_UPSTREAM: 'vault',
        LATCHKEY_VERSION: '2',
        LATCHKEY_TIME: /^\d{4}-.*Z$/,
        _TRANSPORT: 'journal',
      },
    ]);
    t.match(journal.entries('--priority=warning'), [
      {
        LATCHKEY_CALLER_UID: '1000',
        LATCHKEY_CALLER_EXE: '/usr/bin/psql',
        LATCHKEY_NAMES: ['a', 'b'],
        PRIORITY: '4',
      },
      {
        LATCHKEY_EVENT: 'listener.failed',
        LATCHKEY_ERROR: 'two\\nlines\\x07',
        LATCHKEY_ODD_NAME: 'true',
        PRIORITY: '3',
      },
    ]);
    t.equal(journal.entries('LATCHKEY_NAMES=b').length, 1);
    const page = readFileSync(join(import.meta.dirname, '../../docs/reference/log.md'), 'utf8');
    const lines = page.match(/^journalctl .*$/gm) ?? [];
    t.equal(lines.length, 3, 'the page shows how to ask');
    for (const line of lines) {
      const here = line.replace('-u latchkey', `--namespace=${journal.name} --quiet`);
      const { status, stdout } = spawnSync('sh', ['-c', here], { encoding: 'utf8' });
      t.equal(status, 0, line);
      t.match(stdout, /latchkey|LATCHKEY/, line);
    }
    t.match(journal.entries('PRIORITY=7'), [{ MESSAGE: 'looked', LATCHKEY_EVENT: undefined }]);

    t.equal(await startLogger(t, journal.folder, `logger.info({ secret: 'x' }, 'ready');`, 'json').exited, 0);
    await waitFor('the line of JSON', () => journal.entries('LATCHKEY_SECRET=x').length === 1);
    const [json] = journal.entries('LATCHKEY_SECRET=x');
    t.match(JSON.parse(String(json?.['MESSAGE'])), {
      level: 30,
      event: 'agent.ready',
      secret: 'x',
      msg: 'ready',
    });
  },
);

t.test('the agent of a unit says what it does by fields', needsJournal, async (t) => {
  const journal = await startJournal(t);
  const folder = testFolder(t);
  const vault = await startDevVault(t);
  await vault.writeSecret('secret/app', { word: 'CANARY' });
  const config = join(folder, 'latchkey.yaml');
  const socket = join(folder, 's');
  const upstream = {
    vault: { address: vault.address, auth: { method: 'token_file', path: join(folder, 'token') } },
  };
  writeFileSync(join(folder, 'token'), vault.rootToken, { mode: 0o600 });
  writeFileSync(
    config,
    JSON.stringify({
      state_dir: join(folder, 'state'),
      upstreams: upstream,
      secrets: { app: { path: 'secret/app', refresh: '1h' } },
      listeners: [{ unix: socket, serve: ['secrets'] }],
      access: [{ name: 'all', client: { uid: 0 }, allow: ['*'], admin: true }],
    }),
  );
  const agent = startWithJournal(t, journal.folder, [...nodeOptions, program, 'agent', '--config', config]);
  await waitFor('the agent', () => journal.entries('LATCHKEY_EVENT=agent.ready').length === 1);
  await vault.writeSecret('secret/app', { word: 'CANARY2' });
  await askSocket(socket, '/refresh/app', { method: 'POST' });
  await waitFor(
    'the new version',
    () => journal.entries('LATCHKEY_EVENT=secret.rotated', 'LATCHKEY_SECRET=app').length > 0,
  );
  agent.child.kill('SIGTERM');
  t.equal(await agent.exited, 0, agent.stderr());
  await waitFor('the last line', () => journal.entries('LATCHKEY_EVENT=agent.stopped').length === 1);
  t.equal(agent.stderr(), '');
  t.notMatch(JSON.stringify(journal.entries()), /CANARY/);
});

t.test('a burst is all there, in its order, whatever room the journal has', needsJournal, async (t) => {
  const journal = await startJournal(t);
  const burst = async (name: string): Promise<string> => {
    const { exited, stderr } = startLogger(
      t,
      journal.folder,
      `for (let round = 0; round < 3000; round += 1) logger.info({ secret: '${name}' + round }, 'the secret has a new version');`,
    );
    t.equal(await exited, 0);
    return stderr();
  };
  // A journal that is held up for longer than it may hold up others does not get all: tried until it is not.
  const names = ['a', 'b', 'c', 'd', 'e'];
  let name = '';
  let rest = 'none tried';
  while (rest !== '' && names.length > 0) {
    name = names.shift() ?? '';
    rest = await burst(name);
  }
  t.equal(rest, '', 'nothing goes to stderr');
  const here = () =>
    journal
      .entries('LATCHKEY_EVENT=secret.rotated')
      .map((entry) => String(entry['LATCHKEY_SECRET']))
      .filter((secret) => secret.startsWith(name));
  await waitFor('all of them', () => {
    const { length } = here();
    if (length < 3000) throw new Error(`${length} are there`);
    return true;
  });
  t.strictSame(
    here(),
    Array.from({ length: 3000 }, (_, round) => `${name}${round}`),
  );
});

/** A socket that is read from the time when `read` is there. */
async function startSilentJournal(t: Test, code = '') {
  const folder = join(testFolder(t), 'journal');
  mkdirSync(folder);
  const script = `import array, fcntl, os, socket, sys, time
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1] + '/socket')
while not os.path.exists(sys.argv[1] + '/read'): time.sleep(0.01)
${code}
while True:
    data, control, _, _ = s.recvmsg(1 << 20, 64)
    for _, _, held in control:
        file = array.array('i', held)[0]
        # F_GET_SEALS
        data = b'SEALS=%d\\n' % fcntl.fcntl(file, 1034) + os.pread(file, 1 << 24, 0)
        os.close(file)
    print(data.decode(), flush=True)`;
  const child = spawn('python3', ['-c', script, folder], { stdio: ['ignore', 'pipe', 'inherit'] });
  let read = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    read += text;
  });
  const exited = new Promise((resolve) => child.once('close', resolve));
  t.teardown(async () => {
    child.kill('SIGKILL');
    await exited;
  });
  await waitFor('the socket', () => existsSync(join(folder, 'socket')));
  return { folder, read: () => read, letRead: () => writeFileSync(join(folder, 'read'), '') };
}

t.test('a journal that hangs holds up nothing for long, and what is lost is told', needsPython, async (t) => {
  const journal = await startSilentJournal(t);
  const { exited, stderr } = startLogger(
    t,
    journal.folder,
    `const begin = performance.now();
    for (let round = 0; round < 5000; round += 1) logger.info({ secret: 's' + round }, 'the secret has a new version');
    const took = performance.now() - begin;
    const waits = log.trouble();
    const { writeFileSync, existsSync } = await import('node:fs');
    writeFileSync(${JSON.stringify(join(journal.folder, 'read'))}, '');
    while (log.trouble() !== undefined) await new Promise((resolve) => setTimeout(resolve, 5));
    logger.info({ took, waits }, 'the end');`,
  );
  t.equal(await exited, 0);
  t.equal(stderr(), '');
  await waitFor('the last line', () => journal.read().includes('MESSAGE=the end'));
  const told = (name: string): string =>
    new RegExp(`^LATCHKEY_${name}=(.*)$`, 'm').exec(journal.read())?.[1] ?? '';
  const here = journal.read().match(/^LATCHKEY_SECRET=s\d+$/gm) ?? [];
  t.ok(here.length > 500, `${here.length} waited`);
  t.equal(Number(told('LOST')) + here.length, 5000, 'none is lost without a word');
  t.match(journal.read(), /^LATCHKEY_EVENT=log\.lost$/m);
  t.match(told('WAITS'), /^the journal takes no lines; \d+ waits?, \d+ (?:is|are) lost$/);
  t.ok(Number(told('TOOK')) < 2000, told('TOOK'));
});

t.test('what waits at the end goes to stderr, with its priority', needsPython, async (t) => {
  const journal = await startSilentJournal(t);
  const { exited, stderr } = startLogger(
    t,
    journal.folder,
    `for (let round = 0; round < 1000; round += 1) logger.warn({ secret: 's' + round }, 'said');`,
  );
  t.equal(await exited, 0);
  journal.letRead();
  await waitFor('what it took', () => journal.read().includes('LATCHKEY_SECRET=s0\n'));
  const lines = stderr().trim().split('\n');
  t.equal(lines.at(-1), '<4>said secret=s999');
  const entries = () => journal.read().match(/^LATCHKEY_SECRET=/gm)?.length ?? 0;
  await waitFor('all of it', () => entries() + lines.length >= 1000);
  t.equal(entries() + lines.length, 1000);
});

const long = `logger.error({ error: 'x'.repeat(1_000_000) }, 'long'); logger.info({}, 'short');`;

t.test('an entry that is too long for a message is whole all the same', needsJournal, async (t) => {
  const journal = await startJournal(t);
  const { exited, stderr } = startLogger(t, journal.folder, long);
  t.equal(await exited, 0);
  t.equal(stderr(), '');
  await waitFor('the short one', () => journal.entries('SYSLOG_IDENTIFIER=latchkey').length === 2);
  const [first, second] = journal.entries('SYSLOG_IDENTIFIER=latchkey');
  t.match(first, { PRIORITY: '3', MESSAGE: /^long error=x{30000}/, _TRANSPORT: 'journal' });
  t.equal(first?.['LATCHKEY_ERROR'], 'x'.repeat(1_000_000));
  t.match(second, { MESSAGE: 'short' });
});

t.test('its file is sealed, none stays open, and it waits as others do', needsPython, async (t) => {
  const journal = await startSilentJournal(t);
  const { exited, stderr } = startLogger(
    t,
    journal.folder,
    `const { readdirSync, writeFileSync } = await import('node:fs');
    for (let round = 0; round < 20; round += 1) logger.info({ round }, 'before');
    const before = readdirSync('/proc/self/fd').length;
    ${long}
    const waits = log.trouble();
    writeFileSync(${JSON.stringify(join(journal.folder, 'read'))}, '');
    while (log.trouble() !== undefined) await new Promise((resolve) => setTimeout(resolve, 5));
    logger.info({ waits, more: readdirSync('/proc/self/fd').length - before }, 'the end');`,
  );
  t.equal(await exited, 0);
  t.equal(stderr(), '');
  await waitFor('the last line', () => journal.read().includes('MESSAGE=the end'));
  t.match(journal.read(), /^SEALS=15\nMESSAGE=long error=x{30000}/m);
  t.match(journal.read(), /^LATCHKEY_ERROR=x{1000000}$/m);
  t.ok(journal.read().indexOf('MESSAGE=long') < journal.read().indexOf('MESSAGE=short'));
  t.match(journal.read(), /^LATCHKEY_WAITS=the journal takes no lines; \d+ waits?, 0 are lost$/m);
  t.match(journal.read(), /^LATCHKEY_MORE=0$/m);
});

t.test('where the journal has no socket all goes to stderr', needsPython, async (t) => {
  const empty = join(testFolder(t), 'empty');
  mkdirSync(empty);
  const none = startLogger(t, empty, `logger.debug({}, 'd'); logger.error({ code: 'odd' }, 'e');`);
  t.equal(await none.exited, 0);
  t.equal(none.stderr(), '<7>d\n<3>e code=odd\n');
});
