// Commands that root runs on files in folders of others: what they write and overwrite stays where they were told to.
import {
  chmodSync,
  chownSync,
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { queryAuditFiles } from '../../src/agent/offline/query-audit-files.ts';
import { verifyAudit } from '../../src/audit/verify-audit.ts';
import { wipeFile } from '../../src/base/paths/remove-file.ts';
import { startProgram } from '../support/cli.ts';
import { attacker, needsOtherUsers, shellAs } from '../support/other-user.ts';
import { testFolder } from '../support/test-folder.ts';

const skip = needsOtherUsers;

function setUp(t: Test) {
  const folder = testFolder(t);
  chmodSync(folder, 0o755);
  const home = join(folder, 'home');
  mkdirSync(home);
  chownSync(home, attacker, attacker);
  const rootOnly = join(folder, 'rootonly');
  mkdirSync(rootOnly, { mode: 0o700 });
  const target = join(rootOnly, 'shadow');
  writeFileSync(target, 'WORD=of-root\n', { mode: 0o600 });
  return {
    folder,
    home,
    rootOnly,
    target,
    isUntouched() {
      t.equal(readFileSync(target, 'utf8'), 'WORD=of-root\n');
      t.strictSame(readdirSync(rootOnly), ['shadow']);
    },
  };
}

t.test('manual pages go through no link of another user', { skip }, async (t) => {
  const { home, rootOnly, target, isUntouched } = setUp(t);
  await shellAs(attacker, `mkdir ${home}/pages; ln -s ${target} ${home}/pages/latchkey.1`);
  t.match(await startProgram(t, ['man', '--output', join(home, 'pages')]).exited, { code: 0 });
  isUntouched();
  t.match(readFileSync(join(home, 'pages/latchkey.1'), 'utf8'), /^\.TH LATCHKEY/, 'the link is replaced');
  await shellAs(attacker, `ln -s ${rootOnly} ${home}/led`);
  t.match(await startProgram(t, ['man', '--output', join(home, 'led')]).exited, {
    code: 2,
    stderr: /led/,
  });
  isUntouched();
  t.match(await startProgram(t, ['man', '--output', join(home, 'new/folder')]).exited, { code: 0 });
  t.ok(existsSync(join(home, 'new/folder/latchkey-agent.1')), 'folders are made');
});

t.test('a migrated config goes through no link of another user', { skip }, async (t) => {
  const { folder, home, rootOnly, isUntouched } = setUp(t);
  const source = join(folder, 'agent.hcl');
  writeFileSync(source, 'vault { address = "http://127.0.0.1:8200" }\n');
  await shellAs(attacker, `ln -s ${rootOnly} ${home}/led; ln -s ${rootOnly}/new.yaml ${home}/lead.yaml`);
  const migrate = (output: string) => startProgram(t, ['migrate', source, '--output', output]).exited;
  for (const name of ['led/new.yaml', 'lead.yaml'])
    t.match(await migrate(join(home, name)), { code: 2, stderr: /cannot be written/ }, name);
  isUntouched();
  t.match(await migrate(join(home, 'own.yaml')), { code: 0 });
  t.match(readFileSync(join(home, 'own.yaml'), 'utf8'), /127\.0\.0\.1:8200/);
});

t.test('what was taken over is overwritten, and no file that came in its place', { skip }, async (t) => {
  const { home, target, isUntouched } = setUp(t);
  const taken = Buffer.from('WORD=of-user\n');
  const path = join(home, '.env');
  const put = () => {
    writeFileSync(path, taken);
    chownSync(path, attacker, attacker);
  };
  put();
  await shellAs(attacker, `mv ${path} ${path}.kept; ln -s ${target} ${path}`);
  await t.rejects(wipeFile(path, taken), 'a link');
  isUntouched();
  renameSync(path, join(home, 'link'));
  linkSync(target, path);
  await t.rejects(wipeFile(path, Buffer.from('WORD=of-root\n')), /has 2 names/);
  renameSync(path, join(home, 'second'));
  await shellAs(attacker, `mkfifo ${path}`);
  await t.rejects(wipeFile(path, taken), /no regular file/);
  renameSync(path, join(home, 'pipe'));
  writeFileSync(path, 'WORD=another\n');
  await t.rejects(wipeFile(path, taken), /is another one by now/);
  t.equal(readFileSync(path, 'utf8'), 'WORD=another\n');
  renameSync(path, join(home, 'other'));
  put();
  linkSync(path, join(home, 'seen'));
  await t.rejects(wipeFile(path, taken), /has 2 names/);
  renameSync(join(home, 'seen'), path);
  renameSync(path, join(home, 'gone'));
  put();
  await wipeFile(path, taken);
  t.notOk(existsSync(path));
});

t.test('audit files are read without waiting, and without taking in what has no end', { skip }, async (t) => {
  const { home } = setUp(t);
  const [pipe, huge] = [join(home, 'pipe.jsonl'), join(home, 'huge.jsonl')];
  await shellAs(attacker, `mkfifo ${pipe}; truncate -s 64M ${huge}`);
  const config = join(home, '../latchkey.yaml');
  writeFileSync(config, '{}\n', { mode: 0o600 });
  const audit = (...args: string[]) => startProgram(t, ['audit', ...args, '--config', config]).exited;
  for (const args of [
    ['verify', pipe],
    ['query', '--file', pipe],
  ])
    t.match(await audit(...args), { stderr: /pipe\.jsonl is no regular file/ }, args.join(' '));
  t.match((await verifyAudit([huge])).problems, [{ line: 1, what: /none is that long/ }]);
  t.strictSame(await queryAuditFiles([huge], {}, 10), []);
});
