// Attacks by what lies where the agent looks at its start: journals of commits that somebody else wrote, in folders of
// destinations and in a state folder that is not the agent's alone, and a second agent on the state of the first.
import {
  chmodSync,
  chownSync,
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { silentLogger } from '../../src/base/logger.ts';
import { createFolderSync } from '../../src/files/disk/folder-sync.ts';
import { recover } from '../../src/files/disk/recovery.ts';
import { startAgent } from '../support/cli.ts';
import { startDevVault } from '../support/dev-vault.ts';
import { attacker, needsOtherUsers, shellAs } from '../support/other-user.ts';
import { testFolder } from '../support/test-folder.ts';
import { waitFor } from '../support/wait-for.ts';

const skip = needsOtherUsers;
const forged = '.latchkey-journal-999999.zzz-0123456789ab-intent.json';

function scene(t: Test) {
  const folder = testFolder(t);
  const [app, rootOnly, state] = ['app', 'rootonly', 'state'].map((name) => join(folder, name)) as [
    string,
    string,
    string,
  ];
  mkdirSync(app);
  chownSync(app, attacker, attacker);
  mkdirSync(rootOnly, { mode: 0o700 });
  mkdirSync(state, { mode: 0o700 });
  for (const name of ['shadow', 'sudoers', 'victim'])
    writeFileSync(join(rootOnly, name), name, { mode: 0o600 });
  const journal = JSON.stringify({
    format: 1,
    steps: [
      { action: 'write', from: join(rootOnly, 'shadow'), to: join(app, 'loot') },
      { action: 'rename', from: join(app, 'evil'), to: join(rootOnly, 'sudoers') },
      { action: 'remove', to: join(rootOnly, 'victim') },
    ],
    notify: [join(app, 'app.conf')],
  });
  return {
    folder,
    app,
    state,
    journal,
    plant: (where: string, uid = attacker) =>
      shellAs(
        uid,
        `echo evil > ${app}/evil; : > ${app}/loot; cat > ${where}/${forged} <<'END'\n${journal}\nEND`,
      ),
    recover: (stateFolder: string | undefined = state) =>
      recover({
        destinations: [{ destination: join(app, 'app.conf'), uid: attacker }],
        stateFolder,
        syncFolder: createFolderSync(),
        logger: silentLogger,
      }),
    isUntouched(t: Test) {
      for (const name of ['shadow', 'sudoers', 'victim']) {
        t.equal(readFileSync(join(rootOnly, name), 'utf8'), name);
        t.match(statSync(join(rootOnly, name)), { uid: 0 });
      }
      if (existsSync(join(app, 'loot'))) t.equal(readFileSync(join(app, 'loot'), 'utf8'), '');
    },
  };
}

t.test('a journal in the folder of a destination is not obeyed', { skip }, async (t) => {
  const s = scene(t);
  await s.plant(s.app);
  t.match(await s.recover(), { redone: 0, owed: new Map() });
  s.isUntouched(t);
  await s.plant(s.app);
  t.match(await s.recover(undefined), { redone: 0 }, 'nor where there is no state folder');
  s.isUntouched(t);
});

t.test('nor is one in the state folder that root or the agent did not write', { skip }, async (t) => {
  const s = scene(t);
  const path = join(s.state, forged);
  const forms: [string, () => void][] = [
    ['of another owner', () => chownSync(path, attacker, attacker)],
    ['that others can write', () => chmodSync(path, 0o666)],
    ['with a second name', () => linkSync(path, join(s.folder, 'second'))],
  ];
  for (const [what, spoil] of forms) {
    writeFileSync(path, s.journal, { mode: 0o600 });
    spoil();
    t.match(await s.recover(), { redone: 0 }, what);
    s.isUntouched(t);
    t.notOk(existsSync(path), 'and it is swept');
  }
  writeFileSync(join(s.folder, 'journal'), s.journal, { mode: 0o600 });
  symlinkSync(join(s.folder, 'journal'), path);
  t.match(await s.recover(), { redone: 0 }, 'a link');
  s.isUntouched(t);
});

t.test('nor one in a state folder that others can write', { skip }, async (t) => {
  const s = scene(t);
  for (const mode of [0o777, 0o1777]) {
    chmodSync(s.state, mode);
    await s.plant(s.state);
    t.match(await s.recover(), { redone: 0 });
    s.isUntouched(t);
  }
});

t.test('a journal of our own goes by no link that its owner put in its way', { skip }, async (t) => {
  const s = scene(t);
  await shellAs(attacker, `mkdir ${s.app}/conf; echo new > ${s.app}/conf/staged`);
  const step = {
    action: 'rename',
    from: `${s.app}/conf/staged`,
    to: `${s.app}/conf/sudoers`,
    owner: attacker,
  };
  const record = JSON.stringify({ format: 1, steps: [step], notify: [] });
  writeFileSync(join(s.state, forged), record, { mode: 0o600 });
  await shellAs(attacker, `mv ${s.app}/conf ${s.app}/old; ln -s ${s.folder}/rootonly ${s.app}/conf`);
  t.match(await s.recover(), { redone: 0 });
  s.isUntouched(t);
});

t.test('an agent starts past pipes and journals in its folders, and renders', { skip }, async (t) => {
  const s = scene(t);
  await s.plant(s.app);
  await shellAs(attacker, `mkfifo ${s.app}/.latchkey-journal-999999.zzz-0123456789ab-x ${s.app}/app.pid`);
  const vault = await startDevVault(t);
  await vault.writeSecret('secret/app', { word: 'one' });
  const destination = join(s.app, 'app.conf');
  const agent = startAgent(t, {
    folder: s.folder,
    vault,
    config: {
      secrets: { app: { path: 'secret/app' } },
      files: [
        {
          destination,
          owner: String(attacker),
          contents: '{{ field "app" "word" }}',
          notify: { signal: 'HUP', pid_file: join(s.app, 'app.pid') },
        },
      ],
    },
  });
  await waitFor('the file', () => existsSync(destination) && readFileSync(destination, 'utf8') === 'one');
  await waitFor('the refusal of the pid file', () => /app\.pid is no regular file/.test(agent.log()));
  s.isUntouched(t);
  t.match(await agent.stop(), { code: 0 });
});

t.test('a second agent on the same state is refused, and told who has it', async (t) => {
  const folder = testFolder(t);
  const vault = await startDevVault(t);
  const first = startAgent(t, { folder, vault, config: {} });
  await first.untilReady();
  const other = testFolder(t);
  const second = startAgent(t, { folder: other, vault, config: { state_dir: join(folder, 'state') } });
  const ended = await second.exited;
  t.not(ended.code, 0);
  const said = new RegExp(`state_dir: .* is in use by another agent, pid ${first.pid} at ${first.socket}`);
  t.match(ended.stderr + second.log(), said);
  t.match(await first.stop(), { code: 0 });
  const third = startAgent(t, { folder: other, vault, config: { state_dir: join(folder, 'state') } });
  await third.untilReady();
  t.ok(readdirSync(join(folder, 'state')).includes('lock'));
});

t.test(
  'a second agent on a destination of the first is refused, at its start and at a reload',
  { skip: process.getuid?.() === 0 ? false : 'needs a folder of locks for this user, as root has' },
  async (t) => {
    const vault = await startDevVault(t);
    const [one, two] = [testFolder(t), testFolder(t)];
    const destination = join(one, 'app.conf');
    const files = [{ destination, contents: 'text' }];
    const first = startAgent(t, { folder: one, vault, config: { files } });
    await first.untilReady();
    // By another spelling of the path.
    symlinkSync(one, join(two, 'link'));
    const other = { files: [{ destination: join(two, 'link/app.conf'), contents: 'other' }] };
    const refused = await startAgent(t, { folder: two, vault, config: other }).exited;
    t.not(refused.code, 0);
    t.match(refused.stderr, new RegExp(`files: .*app\\.conf is written by another agent, pid ${first.pid}`));
    const second = startAgent(t, { folder: two, vault, config: {} });
    await second.untilReady();
    const config = JSON.parse(readFileSync(second.configPath, 'utf8')) as Record<string, unknown>;
    writeFileSync(second.configPath, JSON.stringify({ ...config, ...other }), { mode: 0o600 });
    const answer = await second.ask('/reload', { method: 'POST' });
    t.match(answer.text, /is written by another agent/);
    first.child.kill('SIGKILL');
    await first.exited;
    t.match(await second.ask('/reload', { method: 'POST' }), { status: 200 });
    await waitFor('the file', () => readFileSync(destination, 'utf8') === 'other');
    t.match(await second.stop(), { code: 0 });
  },
);
