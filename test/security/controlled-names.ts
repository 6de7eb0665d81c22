// Attacks by names that others control: pid files that point at other users' processes, pipes in the place of files, files
// without end, tokens and copies of tokens in folders of others.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs, {
  chmodSync,
  chownSync,
  closeSync,
  existsSync,
  ftruncateSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import t, { type Test } from 'tap';
import { silentLogger } from '../../src/base/logger.ts';
import {
  readControlledFile,
  readControlledFileSync,
  readNamedFileSync,
} from '../../src/base/paths/controlled-file.ts';
import { holdFolder } from '../../src/base/paths/held-folder.ts';
import { trusting } from '../../src/base/paths/path-trust.ts';
import { mkfifo } from '../../src/base/system/libc.ts';
import { createProblems } from '../../src/config/problems.ts';
import { readText } from '../../src/config/sources/read-source.ts';
import { createSandbox } from '../../src/content/sandbox.ts';
import { keepUnder } from '../../src/files/disk/copy-file.ts';
import { isInPlace } from '../../src/files/disk/stage.ts';
import { signalByPidFile } from '../../src/files/transaction/signal-by-pid-file.ts';
import { provideTokenFile } from '../../src/server/listen/provide-token-file.ts';
import { regionOfProfile } from '../../src/upstream/cloud/aws-profile.ts';
import { findOciKey } from '../../src/upstream/cloud/oci/oci-keys.ts';
import { replaceSealedFile } from '../../src/upstream/file/replace-sealed-file.ts';
import { readCredential } from '../../src/upstream/vault/auth/read-credential.ts';
import { createUsedUpFile } from '../../src/upstream/vault/auth/used-up-file.ts';
import { writeSinkFile } from '../../src/upstream/vault/sinks/write-sink-file.ts';
import { attacker, needsOtherUsers, shellAs, stranger } from '../support/other-user.ts';
import { testFolder } from '../support/test-folder.ts';

const skip = needsOtherUsers;
const linuxOnly = process.platform !== 'linux' && 'needs Linux';

function appFolder(t: Test): string {
  const folder = join(testFolder(t), 'app');
  mkdirSync(folder);
  chownSync(folder, attacker, attacker);
  return folder;
}

/** A process of this uid that HUP ends. */
function victim(t: Test, uid: number): { pid: number; ended: Promise<unknown[]> } {
  const child = spawn('sleep', ['60'], { uid, gid: uid, cwd: '/', stdio: 'ignore' });
  t.teardown(() => child.kill('SIGKILL'));
  return { pid: child.pid ?? 0, ended: once(child, 'exit') };
}

const hangUp = (pidFile: string) =>
  signalByPidFile({ pidFile, signal: 'SIGHUP', place: 'files[0].notify[0]' });

t.test('a pid file of another user signals their own processes only', { skip }, async (t) => {
  const folder = appFolder(t);
  const [roots, others, own] = [0, stranger, attacker].map((uid) => victim(t, uid));
  const write = (pid: number | undefined) => shellAs(attacker, `echo ${pid} > ${folder}/app.pid`);
  for (const target of [roots, others]) {
    await write(target?.pid);
    await t.rejects(hangUp(join(folder, 'app.pid')), {
      code: 'notify_failed',
      message: /app\.pid belongs to uid 61001, and process \d+ is not theirs/,
    });
    process.kill(target?.pid ?? 0, 0);
  }
  await write(1);
  await t.rejects(hangUp(join(folder, 'app.pid')), { message: /process 1 is not theirs/ });
  await write(own?.pid);
  await hangUp(join(folder, 'app.pid'));
  t.match(await own?.ended, [null, 'SIGHUP']);
});

t.test('a pid file of root signals whom it names, unless others can write it', { skip }, async (t) => {
  const folder = appFolder(t);
  const file = join(folder, 'root.pid');
  const target = victim(t, stranger);
  writeFileSync(file, String(target.pid));
  chmodSync(file, 0o666);
  await t.rejects(hangUp(file), { message: /can be written by others than its owner/ });
  chmodSync(file, 0o644);
  await hangUp(file);
  t.match(await target.ended, [null, 'SIGHUP']);
});

const skipPython = skip || (existsSync('/usr/bin/python3') ? false : 'needs python3');

t.test(
  'a link of theirs into the folder of a process of theirs signals nobody',
  { skip: skipPython },
  async (t) => {
    const folder = appFolder(t);
    const target = victim(t, 0);
    // A process that nobody may trace: what is in its folder of /proc is root's then, and says what the process wants.
    const code = `
import ctypes, os, sys, time
libc = ctypes.CDLL(None)
libc.prctl(15, sys.argv[1].encode(), 0, 0, 0)
libc.prctl(4, 0, 0, 0, 0)
os.symlink(f"/proc/{os.getpid()}/comm", sys.argv[2])
print("ready", flush=True)
time.sleep(60)`;
    const who = [`--reuid=${attacker}`, `--regid=${attacker}`, '--clear-groups'];
    const file = join(folder, 'app.pid');
    const words = ['/usr/bin/python3', '-c', code, String(target.pid), file];
    const thief = spawn('setpriv', [...who, ...words], { cwd: '/', stdio: ['ignore', 'pipe', 'ignore'] });
    t.teardown(() => thief.kill('SIGKILL'));
    await once(thief.stdout, 'data');
    t.equal(statSync(file).uid, 0, 'it looks like a file of root');
    await t.rejects(hangUp(file), { code: 'notify_failed', message: /what it leads to is not theirs/ });
    process.kill(target.pid, 0);
  },
);

t.test('a second name of a pid file of root signals nobody', { skip }, async (t) => {
  const folder = appFolder(t);
  const target = victim(t, 0);
  const real = join(folder, '../real.pid');
  writeFileSync(real, String(target.pid));
  linkSync(real, join(folder, 'app.pid'));
  await t.rejects(hangUp(join(folder, 'app.pid')), { code: 'notify_failed' });
  process.kill(target.pid, 0);
});

t.test('a link of theirs to a pid file of root signals nobody', { skip }, async (t) => {
  const folder = appFolder(t);
  const target = victim(t, 0);
  const real = join(folder, '../real.pid');
  writeFileSync(real, String(target.pid));
  await shellAs(attacker, `ln -s ${real} ${folder}/app.pid`);
  await t.rejects(hangUp(join(folder, 'app.pid')), { message: /what it leads to is not theirs/ });
  process.kill(target.pid, 0);
});

t.test('a pipe, a folder, a device and a file without end are refused at once', async (t) => {
  const folder = testFolder(t);
  const pipe = join(folder, 'pipe');
  mkfifo(pipe, 0o666);
  writeFileSync(join(folder, 'long'), Buffer.alloc(100_000));
  for (const path of [pipe, '/dev/zero']) {
    await t.rejects(readControlledFile(path), { message: /no regular file/ }, path);
  }
  await t.rejects(readControlledFile(folder), { code: 'EISDIR' });
  await t.rejects(readControlledFile(join(folder, 'long'), { maxBytes: 99_999 }), {
    message: /more than 99999/,
  });
  await t.rejects(readControlledFile('/proc/kallsyms', { maxBytes: 1000 }), { message: /more than 1000/ });
  t.equal((await readControlledFile(join(folder, 'long'))).bytes.length, 100_000);
  await t.rejects(hangUp(pipe), { code: 'notify_failed', message: /no regular file/ });
  await t.rejects(readCredential('auth.path', pipe, {}), {
    code: 'login_failed',
    message: /no regular file/,
  });
});

t.test('no more is taken in than may be, whatever size was told before', { skip: linuxOnly }, (t) => {
  // Of no size, and longer than that; the second one without end.
  const maxBytes = 1000;
  t.throws(() => readControlledFileSync('/proc/kallsyms', { maxBytes }), { message: /more than 1000 bytes/ });
  t.throws(() => readNamedFileSync('/proc/kallsyms', maxBytes), { message: /more than 1000 bytes/ });
  t.equal(readText('/proc/self/pagemap', createProblems()), undefined);
  // It reads in whole words of eight bytes alone: whichever of the two is told, it ends.
  t.throws(() => createSandbox([`/proc/${process.pid}`]).read(`/proc/${process.pid}/pagemap`));
  t.end();
});

t.test('a file that its owner makes longer while it is compared does not fill the memory', async (t) => {
  const destination = join(testFolder(t), 'app.conf');
  writeFileSync(destination, 'abcd');
  const output = {
    ...{
      place: 'files[0]',
      destination,
      bytes: Buffer.from('abcd'),
      mode: 0o600,
      uid: undefined,
      gid: undefined,
    },
    ...{ createParents: false, inPlace: false, backup: false },
  };
  t.equal(await isInPlace(output), true);
  const fd = openSync(destination, 'r+');
  t.teardown(() => closeSync(fd));
  // Between the look at its size and the read.
  t.teardown(() => Object.assign(fs, { openSync }));
  Object.assign(fs, {
    openSync(path: string, flags: number) {
      if (path.endsWith('/app.conf')) ftruncateSync(fd, 2 ** 30);
      return openSync(path, flags);
    },
  });
  t.equal(await isInPlace(output), false);
  t.equal(statSync(destination).size, 2 ** 30);
  t.ok(process.resourceUsage().maxRSS < 700_000, 'in KiB');
});

t.test('what its owner has made long is not kept for a rollback', { skip }, async (t) => {
  const path = appFolder(t);
  writeFileSync(join(path, 'app.conf'), '');
  truncateSync(join(path, 'app.conf'), 1 << 30);
  chownSync(join(path, 'app.conf'), attacker, attacker);
  const folder = await holdFolder(path, { trust: trusting(attacker) });
  t.teardown(() => folder.release());
  const kept = keepUnder({ folder, name: 'app.conf' }, { folder, name: '.kept' }, true);
  await t.rejects(kept, { message: /more than 268435456 bytes, and is not kept/ });
  t.notOk(existsSync(join(path, '.kept')));
});

t.test(
  'links as Kubernetes makes them are followed: those of root, in a folder that all can write',
  async (t) => {
    const folder = testFolder(t);
    chmodSync(folder, 0o1777);
    mkdirSync(join(folder, '..2026'));
    writeFileSync(join(folder, '..2026/token'), 'abc\n');
    symlinkSync('..2026', join(folder, '..data'));
    symlinkSync('..data/token', join(folder, 'token'));
    t.equal((await readCredential('auth.path', join(folder, 'token'), {})).text(), 'abc');
  },
);

t.test(
  'a listener takes no token that others could know, and makes none where they could',
  { skip },
  async (t) => {
    const folder = appFolder(t);
    t.throws(() => provideTokenFile('listeners[0]', join(folder, 'token')), {
      code: 'listener_failed',
      message: /app belongs to uid 61001/,
    });
    const own = testFolder(t);
    const path = join(own, 'token');
    writeFileSync(path, 'A'.repeat(43), { mode: 0o644 });
    const first = provideTokenFile('listeners[0]', path);
    t.not(first, 'A'.repeat(43), 'one that others could read is not taken');
    t.equal(provideTokenFile('listeners[0]', path), first);
    chownSync(path, attacker, attacker);
    t.not(provideTokenFile('listeners[0]', path), first);
    t.match(statSync(path), { uid: 0 });
    linkSync(path, join(own, 'second'));
    const renewed = provideTokenFile('listeners[0]', path);
    t.not(readFileSync(join(own, 'second'), 'utf8'), renewed, 'nor one that has a second name');
    t.strictSame(readdirSync(own).sort(), ['second', 'token']);
  },
);

t.test('a copy of the token goes where its owner lives, over no link', { skip }, async (t) => {
  const folder = appFolder(t);
  const outside = join(folder, '../outside');
  mkdirSync(outside, { mode: 0o700 });
  const sink = (path: string, owner: string | undefined) => ({
    path,
    mode: 0o640,
    owner,
    group: undefined,
    wrapTtlSeconds: undefined,
    dhPath: undefined,
    deriveKey: false,
    aad: undefined,
  });
  const token = Buffer.from('token');
  await t.rejects(writeSinkFile(sink(join(folder, 'token'), undefined), token), {
    message: /belongs to uid 61001/,
  });
  await t.rejects(writeSinkFile(sink(join(folder, 'token'), String(stranger)), token), { message: /61001/ });
  await shellAs(attacker, `ln -s ${outside} ${folder}/conf; ln -s ${outside}/x ${folder}/token`);
  await t.rejects(writeSinkFile(sink(join(folder, 'conf/token'), String(attacker)), token), {
    message: /not theirs/,
  });
  t.strictSame(readdirSync(outside), []);
  await writeSinkFile(sink(join(folder, 'token'), String(attacker)), token);
  t.ok(lstatSync(join(folder, 'token')).isFile(), 'the link was replaced');
  t.match(statSync(join(folder, 'token')), { uid: attacker });
  t.notOk(existsSync(join(outside, 'x')));
});

t.test(
  'a credential that is removed where its link leads: nothing is that its owner could not remove',
  { skip },
  async (t) => {
    const folder = appFolder(t);
    const [path, real] = [join(folder, 'jwt'), join(folder, 'real')];
    const [kept, logger] = [join(testFolder(t), 'kept'), silentLogger];
    writeFileSync(kept, 'of root');
    const file = createUsedUpFile(
      { option: 'auth.path', path, isRemoved: true, removesTarget: true },
      { memory: {}, logger },
    );
    const link = (target: string) => shellAs(attacker, `ln -sfn ${target} ${path}`);
    await shellAs(attacker, `echo token > ${real}`);
    await link(real);
    t.equal((await file.read()).text(), 'token');
    await link(kept);
    await file.accepted();
    t.ok(existsSync(kept), 'what the link leads to meanwhile is not theirs');
    await link(dirname(kept));
    await file.accepted();
    await shellAs(
      attacker,
      `mv ${folder}/jwt ${folder}/was; mkdir ${folder}/gone; mv ${folder}/gone ${folder}/jwt`,
    );
    await file.accepted();
    t.ok(existsSync(kept));
    await shellAs(attacker, `rmdir ${path}`);
    await link(real);
    await file.accepted();
    t.notOk(existsSync(real), 'their own is used up');
    t.ok(lstatSync(path).isSymbolicLink());
  },
);

t.test('a sealed file in a folder of the agent is replaced there and nowhere else', { skip }, async (t) => {
  const folder = appFolder(t);
  const outside = join(folder, '../outside');
  mkdirSync(outside, { mode: 0o700 });
  writeFileSync(join(outside, 's.age'), 'old', { mode: 0o600 });
  await shellAs(attacker, `mkdir ${folder}/vault; echo old > ${folder}/vault/s.age`);
  const path = join(folder, 'vault/s.age');
  await replaceSealedFile({ path, content: Buffer.from('new') });
  t.match(statSync(path), { uid: attacker });
  t.equal(readFileSync(path, 'utf8'), 'new');
  await shellAs(attacker, `mv ${folder}/vault ${folder}/was; ln -s ${outside} ${folder}/vault`);
  await t.rejects(replaceSealedFile({ path, content: Buffer.from('new') }), {
    code: 'file_failed',
    message: /uid 61001/,
  });
  t.strictSame(readdirSync(outside), ['s.age']);
  t.equal(readFileSync(join(outside, 's.age'), 'utf8'), 'old');
});

t.test('a profile of a cloud that its owner fills with blanks is read at once', async (t) => {
  const folder = testFolder(t);
  const blanks = ' '.repeat(900 * 1024);
  const lines = [
    `name${blanks}`,
    `key_file =${blanks}x${blanks}x`,
    `[${blanks}`,
    `region =${' '.repeat(9000)}x`,
    blanks,
  ];
  for (const line of lines) {
    const path = join(folder, 'profile');
    writeFileSync(path, `[DEFAULT]\n${line.slice(0, 900 * 1024)}\n`);
    const before = process.threadCpuUsage();
    await t.rejects(findOciKey({ env: {}, configFile: path, profile: 'DEFAULT' }), { code: 'login_failed' });
    t.equal(await regionOfProfile({ env: { AWS_CONFIG_FILE: path, HOME: folder } }), undefined);
    const { user, system } = process.threadCpuUsage(before);
    t.ok((user + system) / 1000 < 500, `${line.slice(0, 12)}: ${Math.round((user + system) / 1000)} ms`);
  }
});

t.test('a file whose owner has a lease on it is not waited for', { skip: skipPython }, async (t) => {
  const folder = appFolder(t);
  const file = join(folder, 'leased');
  await shellAs(attacker, `echo x > ${file}`);
  const script =
    'import fcntl,sys,time; f=open(sys.argv[1]); fcntl.fcntl(f, 1024, fcntl.F_WRLCK); print("held", flush=True); time.sleep(60)';
  // The kernel would have whoever opens it wait for three quarters of a minute; its SIGIO is what ends the holder.
  const holder = spawn(
    'python3',
    ['-c', `import signal; signal.signal(signal.SIGIO, signal.SIG_IGN); ${script}`, file],
    {
      ...{ uid: attacker, gid: attacker, cwd: '/' },
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  t.teardown(() => holder.kill('SIGKILL'));
  await once(holder.stdout, 'data');
  await t.rejects(readControlledFile(file), { code: 'EAGAIN' });
  t.throws(() => readNamedFileSync(file), { code: 'EAGAIN' });
});

t.test(
  'a config that is a pipe, a device or without end is refused, and kept waiting for by nobody',
  async (t) => {
    const folder = testFolder(t);
    const [pipe, sparse] = [join(folder, 'pipe.yaml'), join(folder, 'sparse.yaml')];
    mkfifo(pipe, 0o600);
    writeFileSync(sparse, '');
    truncateSync(sparse, 2 ** 40);
    for (const [file, what] of [
      [pipe, /is no regular file/],
      ['/dev/zero', /is no regular file/],
      [sparse, /has more than \d+ bytes/],
    ] as const) {
      const problems = createProblems();
      t.equal(readText(file, problems), undefined);
      t.throws(() => problems.throwIfAny(), { message: what });
    }
  },
);
