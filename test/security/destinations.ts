// Attacks on the paths of files by the users whose folders they are in: whatever they do to names, links and folders, a
// privileged agent writes, gives away and removes nothing outside, and reads nothing for them.
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  existsSync,
  lchownSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { describeError } from '../../src/base/errors.ts';
import { commitFiles } from '../../src/files/disk/commit.ts';
import { createFolderSync } from '../../src/files/disk/folder-sync.ts';
import { isStaged, type Output, stageOutput } from '../../src/files/disk/stage.ts';
import { attacker, needsOtherUsers, shellAs, stranger } from '../support/other-user.ts';
import { testFolder } from '../support/test-folder.ts';

const koffi = import.meta.resolve('koffi');
const skip = needsOtherUsers;
const needsPython = existsSync('/usr/bin/python3') ? false : 'needs python3 to set an access list';
const secret = 'the new secret\n';
const untouched = 'only root may read and write this\n';

function scene(t: Test) {
  const folder = testFolder(t);
  const home = join(folder, 'home');
  const rootOnly = join(folder, 'rootonly');
  mkdirSync(home);
  chownSync(home, attacker, attacker);
  mkdirSync(rootOnly, { mode: 0o700 });
  const target = join(rootOnly, 'app.conf');
  writeFileSync(target, untouched, { mode: 0o600 });
  return {
    folder,
    home,
    rootOnly,
    target,
    isUntouched(t: Test) {
      t.equal(readFileSync(target, 'utf8'), untouched);
      t.match(statSync(target), { uid: 0, gid: 0, nlink: 1 });
      t.equal(statSync(target).mode & 0o7777, 0o600);
      t.strictSame(readdirSync(rootOnly), ['app.conf']);
      t.match(statSync(rootOnly), { uid: 0 });
    },
  };
}

function output(destination: string, over: Partial<Output> = {}): Output {
  return {
    place: 'files[0]',
    destination,
    bytes: Buffer.from(secret),
    mode: 0o640,
    uid: attacker,
    gid: attacker,
    createParents: false,
    inPlace: false,
    backup: false,
    ...over,
  };
}

/** As a transaction does it; `between`: what the attacker does after staging. The error's text, where it was refused. */
async function write(wish: Output, between?: () => unknown): Promise<string | undefined> {
  try {
    const staged = await stageOutput(wish, { spareFolder: undefined });
    if (!isStaged(staged)) return undefined;
    await between?.();
    const tools = { stateFolder: undefined, syncFolder: createFolderSync() };
    const commit = await commitFiles({ files: [staged], canRestore: true, notify: [] }, tools);
    await commit.finish(true);
    return undefined;
  } catch (error) {
    return describeError(error);
  }
}

t.test('a link in the middle of the path leads nowhere', { skip }, async (t) => {
  const { home, rootOnly, isUntouched } = scene(t);
  await shellAs(attacker, `mkdir ${home}/conf; mv ${home}/conf ${home}/old; ln -s ${rootOnly} ${home}/conf`);
  t.match(await write(output(join(home, 'conf/app.conf'))), /made by uid 61001.*not theirs/);
  t.match(await write(output(join(home, 'conf/new.conf'))), /made by uid 61001.*not theirs/);
  isUntouched(t);
});

t.test('nor does a link at its end, to what is there or is not', { skip }, async (t) => {
  const { home, rootOnly, target, isUntouched } = scene(t);
  await shellAs(attacker, `ln -s ${target} ${home}/app.conf; ln -s ${rootOnly}/new ${home}/new.conf`);
  t.match(await write(output(join(home, 'app.conf'))), /not theirs/);
  t.match(await write(output(join(home, 'new.conf'))), /not theirs/);
  isUntouched(t);
});

t.test('a chain of links ends where its maker owns', { skip }, async (t) => {
  const { home, rootOnly, isUntouched } = scene(t);
  await shellAs(
    attacker,
    `mkdir ${home}/a ${home}/b; ln -s ../b/second ${home}/a/first; ln -s ../../rootonly/app.conf ${home}/b/second
     ln -s b ${home}/c; ln -s ${rootOnly} ${home}/b/deep`,
  );
  t.match(await write(output(join(home, 'a/first'))), /not theirs/);
  t.match(await write(output(join(home, 'c/deep/app.conf'))), /not theirs/);
  isUntouched(t);
});

t.test('the owner may link within what is theirs', { skip }, async (t) => {
  const { home } = scene(t);
  await shellAs(attacker, `mkdir -p ${home}/r/2; ln -s r/2 ${home}/current; ln -s r/2/real ${home}/last`);
  t.equal(await write(output(join(home, 'current/app.conf'))), undefined);
  t.equal(await write(output(join(home, 'last'))), undefined);
  t.equal(readFileSync(join(home, 'r/2/app.conf'), 'utf8'), secret);
  t.match(statSync(join(home, 'r/2/real')), { uid: attacker, gid: attacker });
});

t.test('a link that root or the agent made leads where it leads', { skip }, async (t) => {
  const { folder, rootOnly } = scene(t);
  symlinkSync(rootOnly, join(folder, 'run'));
  t.equal(await write(output(join(folder, 'run/fresh.conf'))), undefined);
  t.equal(readFileSync(join(rootOnly, 'fresh.conf'), 'utf8'), secret);
});

t.test('a link of a stranger is followed nowhere, not even to what is theirs', { skip }, async (t) => {
  const { folder, home } = scene(t);
  mkdirSync(join(folder, 'theirs'));
  chownSync(join(folder, 'theirs'), stranger, stranger);
  symlinkSync(join(folder, 'theirs'), join(home, 'link'));
  lchownSync(join(home, 'link'), stranger, stranger);
  t.match(await write(output(join(home, 'link/app.conf'))), /link made by uid 61002/);
});

t.test('the exchange of a link while it is looked at wins nothing', { skip }, async (t) => {
  const { home, target, isUntouched } = scene(t);
  await shellAs(
    attacker,
    `mkdir ${home}/mine; echo x > ${home}/mine/real; ln -s mine/real ${home}/app.conf; ln -s ${target} ${home}/other`,
  );
  const child = exchangeForEver(t, home, 'app.conf', 'other');
  if (!(await child.started)) return;
  let refused = 0;
  let written = 0;
  for (let round = 0; round < 400 || refused === 0 || written === 0; round += 1) {
    if (round > 20_000) break;
    if ((await write(output(join(home, 'app.conf'), { bytes: Buffer.from(`${round}\n`) }))) === undefined)
      written += 1;
    else refused += 1;
  }
  child.stop();
  t.ok(refused > 0 && written > 0, `both were met: ${written} written, ${refused} refused`);
  isUntouched(t);
});

t.test('the exchange of a folder for a link wins nothing', { skip }, async (t) => {
  const { home, rootOnly, isUntouched } = scene(t);
  await shellAs(attacker, `mkdir ${home}/conf; ln -s ${rootOnly} ${home}/other`);
  const child = exchangeForEver(t, home, 'conf', 'other');
  if (!(await child.started)) return;
  for (let round = 0; round < 400; round += 1) {
    await write(output(join(home, 'conf/app.conf'), { bytes: Buffer.from(`${round}\n`), backup: true }));
  }
  child.stop();
  isUntouched(t);
});

t.test('a folder that is put in the place of another after staging is refused', { skip }, async (t) => {
  const { home, isUntouched, rootOnly } = scene(t);
  await shellAs(attacker, `mkdir ${home}/conf ${home}/new; echo mine > ${home}/new/app.conf`);
  const swap = () => shellAs(attacker, `mv ${home}/conf ${home}/old; mv ${home}/new ${home}/conf`);
  t.match(await write(output(join(home, 'conf/app.conf')), swap), /another folder was put in the place/);
  t.equal(readFileSync(join(home, 'conf/app.conf'), 'utf8'), 'mine\n');
  const link = () => shellAs(attacker, `mv ${home}/conf ${home}/older; ln -s ${rootOnly} ${home}/conf`);
  t.match(await write(output(join(home, 'conf/app.conf')), link), /another folder|not theirs/);
  isUntouched(t);
});

t.test('what strangers can write is no place for a file', { skip }, async (t) => {
  const { folder, home } = scene(t);
  const others = join(folder, 'others');
  mkdirSync(join(others, 'deep'), { recursive: true });
  const refusals: [string, () => void][] = [
    [`others belongs to uid 61002`, () => chownSync(others, stranger, stranger)],
    [`others can be written by everybody`, () => chmodSync(others, 0o777)],
    [
      `others can be written by its group 61002`,
      () => {
        chownSync(others, 0, stranger);
        chmodSync(others, 0o775);
      },
    ],
  ];
  for (const [message, open] of refusals) {
    open();
    t.match(await write(output(join(others, 'app.conf'))), message);
    t.match(await write(output(join(others, 'deep/app.conf'))), message, 'above the last folder too');
    t.match(await write(output(join(others, 'none/app.conf'), { createParents: true })), message);
    chownSync(others, 0, 0);
    chmodSync(others, 0o755);
  }
  t.equal(await write(output(join(others, 'deep/app.conf'))), undefined);
  t.match(await write(output(join(home, 'app.conf'), { uid: stranger })), /home belongs to uid 61001/);
  t.match(await write(output(join(home, 'app.conf'), { uid: undefined })), /name its owner/);
});

t.test('parents are made only where strangers cannot move them', { skip }, async (t) => {
  const { home, isUntouched, rootOnly } = scene(t);
  await shellAs(attacker, `ln -s ${rootOnly} ${home}/a`);
  t.match(await write(output(join(home, 'a/b/app.conf'), { createParents: true })), /not theirs/);
  isUntouched(t);
  t.equal(await write(output(join(home, 'x/y/app.conf'), { createParents: true })), undefined);
  t.match(statSync(join(home, 'x/y')), { uid: 0, mode: 0o40755 });
});

t.test('in a sticky folder a name that a stranger took stays theirs', { skip }, async (t) => {
  const { folder, target, isUntouched } = scene(t);
  const shared = mkdtempSync(join(folder, 'tmp-'));
  chmodSync(shared, 0o1777);
  await shellAs(
    stranger,
    `echo old > ${shared}/app.conf; ln -s ${target} ${shared}/link; mkdir ${shared}/dir`,
  );
  t.match(await write(output(join(shared, 'app.conf'))), /file of uid 61002 in a folder that all can write/);
  t.match(await write(output(join(shared, 'link'))), /link made by uid 61002/);
  t.match(await write(output(join(shared, 'dir/app.conf'))), /dir belongs to uid 61002/);
  t.equal(readFileSync(join(shared, 'app.conf'), 'utf8'), 'old\n');
  t.equal(await write(output(join(shared, 'free.conf'))), undefined);
  t.equal(await write(output(join(shared, 'free.conf'), { bytes: Buffer.from('again') })), undefined);
  t.equal(await write(output(join(shared, 'own/app.conf'), { createParents: true })), undefined);
  isUntouched(t);
});

t.test(
  'an agent that is not root writes where all can, but not over what is not its own',
  { skip },
  async (t) => {
    const { folder } = scene(t);
    chmodSync(folder, 0o755);
    const shared = join(folder, 'shared');
    mkdirSync(shared);
    chmodSync(shared, 0o777);
    const own = { uid: undefined, gid: undefined };
    t.match(
      await write(output(join(shared, 'app.conf'), own)),
      /shared can be written by everybody \(mode 0777\)/,
    );
    await shellAs(attacker, `echo old > ${shared}/theirs.conf; ln -s ${shared}/theirs.conf ${shared}/link`);
    process.setegid?.(stranger);
    process.seteuid?.(stranger);
    try {
      t.equal(await write(output(join(shared, 'app.conf'), own)), undefined);
      t.match(
        await write(output(join(shared, 'theirs.conf'), own)),
        /a file of uid 61001 in a folder that all/,
      );
      t.match(await write(output(join(shared, 'link'), own)), /a link made by uid 61001/);
    } finally {
      process.seteuid?.(0);
      process.setegid?.(0);
    }
    t.match(statSync(join(shared, 'app.conf')), { uid: stranger });
    t.equal(readFileSync(join(shared, 'theirs.conf'), 'utf8'), 'old\n');
  },
);

t.test('a second name of a file of root is neither written nor given away', { skip }, async (t) => {
  const { home, rootOnly, target } = scene(t);
  // As where the kernel does not protect hard links (fs.protected_hardlinks=0).
  linkSync(target, join(home, 'app.conf'));
  const same = output(join(home, 'app.conf'), { bytes: Buffer.from(untouched) });
  t.equal(await write(same), undefined);
  t.match(statSync(target), { uid: 0, nlink: 1 }, 'the same bytes: the name was replaced, not given away');
  rmSync(join(home, 'app.conf'));
  linkSync(target, join(home, 'app.conf'));
  t.match(await write(output(join(home, 'app.conf'), { inPlace: true })), /a file with 2 names/);
  t.equal(readFileSync(target, 'utf8'), untouched);
  t.match(statSync(target), { uid: 0, mode: 0o100600 });
  t.strictSame(readdirSync(rootOnly), ['app.conf']);
});

t.test('a second name of a link of root is not followed', { skip }, async (t) => {
  const { folder, home, target, isUntouched } = scene(t);
  symlinkSync(target, join(folder, 'link'));
  linkSync(join(folder, 'link'), join(home, 'app.conf'));
  t.match(await write(output(join(home, 'app.conf'))), /a link with 2 names/);
  isUntouched(t);
});

t.test(
  'in place, a file of root in the folder of another is emptied before it is given away',
  { skip },
  async (t) => {
    const { home } = scene(t);
    const path = join(home, 'app.conf');
    writeFileSync(path, untouched, { mode: 0o600 });
    t.equal(await write(output(path, { inPlace: true })), undefined);
    t.match(statSync(path), { uid: attacker });
    t.equal(readFileSync(path, 'utf8'), secret);
  },
);

t.test('the name of a backup that is a link already leads nowhere', { skip }, async (t) => {
  const { home, target, isUntouched } = scene(t);
  const path = join(home, 'app.conf');
  t.equal(await write(output(path, { bytes: Buffer.from('first\n') })), undefined);
  await shellAs(attacker, `ln -s ${target} ${path}.bak`);
  t.equal(await write(output(path, { backup: true })), undefined);
  isUntouched(t);
  t.notOk(lstatSync(`${path}.bak`).isSymbolicLink());
  t.equal(readFileSync(`${path}.bak`, 'utf8'), 'first\n');
});

t.test('no file gets a right to run as another', { skip }, async (t) => {
  const { home } = scene(t);
  t.match(await write(output(join(home, 'app.conf'), { mode: 0o6755, uid: 0 })), /belongs to uid 61001/);
  t.notOk(existsSync(join(home, 'app.conf')), 'a file of root in the folder of another');
  t.equal(await write(output(join(home, 'app.conf'), { mode: 0o6755 })), undefined);
  t.equal(statSync(join(home, 'app.conf')).mode & 0o7777, 0o755);
});

t.test('what lies under the name of a staged file is not used', { skip }, async (t) => {
  const { home, isUntouched, target } = scene(t);
  const path = join(home, 'app.conf');
  const replace = async () => {
    const name = readdirSync(home).find((one) => one.startsWith('.latchkey-staged'));
    await shellAs(attacker, `mv ${home}/${name} ${home}/aside; ln -s ${target} ${home}/${name}`);
  };
  await write(output(path), replace);
  isUntouched(t);
  renameSync(path, join(home, 'gone'));
});

t.test('a user whom an access list lets in counts as any other', { skip: skip || needsPython }, async (t) => {
  const { folder } = scene(t);
  const [own, shared] = [join(folder, 'own'), join(folder, 'shared')];
  for (const each of [own, shared]) {
    mkdirSync(each);
    chmodSync(each, 0o775);
  }
  t.equal(await write(output(join(own, 'app.conf'))), undefined, 'a group of root alone');
  // As setfacl(1) does it: rwx for the stranger, which shows as rights of the group only.
  const entries = `[(1,7,-1),(2,7,${stranger}),(4,5,-1),(16,7,-1),(32,5,-1)]`;
  const code = `import os,struct,sys
acl=struct.pack('<I',2)+b''.join(struct.pack('<HHi',*entry) for entry in ${entries})
os.setxattr(sys.argv[1],'system.posix_acl_access',acl)`;
  const done = spawnSync('/usr/bin/python3', ['-c', code, shared], { encoding: 'utf8' });
  if (done.status !== 0) return t.comment(`not tried: no access lists here: ${done.stderr}`);
  await shellAs(stranger, `: > ${shared}/mine`);
  t.match(await write(output(join(shared, 'other.conf'))), /shared can be written by its group 0/);
});

/** Another process of the attacker's that swaps two names without end. */
function exchangeForEver(t: Test, folder: string, a: string, b: string) {
  const script = `
    const { openSync } = await import('node:fs');
    const { default: koffi } = await import(${JSON.stringify(koffi)});
    const renameat2 = koffi.load(null).func('int renameat2(int, const char *, int, const char *, unsigned int)');
    const renameExchange = 2;
    const fd = openSync(${JSON.stringify(folder)}, 'r');
    console.log('started');
    for (;;) renameat2(fd, ${JSON.stringify(a)}, fd, ${JSON.stringify(b)}, renameExchange);
  `;
  const child = spawn(
    'setpriv',
    [
      `--reuid=${attacker}`,
      `--regid=${attacker}`,
      '--clear-groups',
      process.execPath,
      '--input-type=module',
      '-e',
      script,
    ],
    { cwd: '/', stdio: ['ignore', 'pipe', 'inherit'] },
  );
  t.teardown(() => child.kill('SIGKILL'));
  const started = Promise.race([
    once(child.stdout, 'data').then(() => true),
    once(child, 'exit').then(() => {
      t.comment('not tried: another user cannot read the sources');
      return false;
    }),
  ]);
  return { started, stop: () => child.kill('SIGKILL') };
}
