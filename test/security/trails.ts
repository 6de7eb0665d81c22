// Attacks on files that only grow, the audit trail and the log, in folders that somebody else has a hand in: nothing is
// appended, created, renamed or believed where they want it.
import { chmodSync, chownSync, linkSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { openAuditFile, rotateAuditFiles } from '../../src/audit/audit-file.ts';
import { createLogger } from '../../src/base/logger.ts';
import { attacker, needsOtherUsers, shellAs } from '../support/other-user.ts';
import { testFolder } from '../support/test-folder.ts';

const skip = needsOtherUsers;

/** `home` is the attacker's, with `logs` in it; `rootonly` has a file of root's by the same name. */
function setUp(t: Test, name: string) {
  const folder = testFolder(t);
  chmodSync(folder, 0o755);
  const home = join(folder, 'home');
  const rootOnly = join(folder, 'rootonly');
  mkdirSync(join(home, 'logs'), { recursive: true });
  mkdirSync(rootOnly, { mode: 0o700 });
  chownSync(home, attacker, attacker);
  writeFileSync(join(rootOnly, name), 'of root alone\n', { mode: 0o600 });
  return {
    folder,
    home,
    rootOnly,
    isUntouched(t: Test) {
      t.strictSame(readdirSync(rootOnly), [name]);
      t.equal(readFileSync(join(rootOnly, name), 'utf8'), 'of root alone\n');
    },
  };
}

t.test(
  'the audit file is neither opened nor rotated through a folder of another user',
  { skip },
  async (t) => {
    const { home, rootOnly, isUntouched } = setUp(t, 'audit.jsonl');
    const path = join(home, 'logs/audit.jsonl');
    const refused = {
      code: 'audit_failed',
      message: /home belongs to uid 61001/,
      remedy: /give .*home to root/,
    };
    t.throws(() => openAuditFile(path), refused);
    await shellAs(attacker, `mv ${home}/logs ${home}/old; ln -s ${rootOnly} ${home}/logs`);
    t.throws(() => openAuditFile(path), refused);
    t.throws(() => rotateAuditFiles(path, 1), refused);
    isUntouched(t);
  },
);

t.test(
  'in a folder that all can write no end of a chain is believed that another user left',
  { skip },
  async (t) => {
    const { folder } = setUp(t, 'x');
    const shared = join(folder, 'shared');
    mkdirSync(shared);
    chmodSync(shared, 0o1777);
    await shellAs(attacker, `echo '{"seq":4711}' > ${shared}/audit.jsonl.1`);
    t.throws(() => openAuditFile(join(shared, 'audit.jsonl')), { message: /a file of uid 61001/ });
    await shellAs(
      attacker,
      `rm ${shared}/*.1; mkfifo ${shared}/audit.jsonl.1 ${shared}/b.jsonl ${shared}/c.log`,
    );
    t.throws(() => openAuditFile(join(shared, 'audit.jsonl')), { message: /a file of uid 61001/ });
    t.throws(() => openAuditFile(join(shared, 'b.jsonl')), { message: /a file of uid 61001/ });
    const log = { level: 'info', format: 'json', file: join(shared, 'c.log') } as const;
    t.throws(() => createLogger(log), { code: 'file_failed', message: /a file of uid 61001/ });
  },
);

t.test(
  'the log is opened again only where nobody else leads it, and goes on as it was',
  { skip },
  async (t) => {
    const { home, rootOnly, isUntouched } = setUp(t, 'agent.log');
    const file = join(home, 'logs/agent.log');
    t.throws(() => createLogger({ level: 'info', format: 'json', file }), {
      message: /home belongs to uid 61001/,
    });
    chownSync(home, 0, 0);
    const log = createLogger({ level: 'info', format: 'json', file });
    log.logger.info({}, 'first');
    chownSync(home, attacker, attacker);
    await shellAs(attacker, `mv ${home}/logs ${home}/old; ln -s ${rootOnly} ${home}/logs`);
    log.reopen();
    log.logger.info({}, 'second');
    t.match(
      readFileSync(join(home, 'old/agent.log'), 'utf8'),
      /"first"[\s\S]*61001[\s\S]*not opened again[\s\S]*"second"/,
    );
    isUntouched(t);
  },
);

t.test('a second name of a file is no trail', { skip }, (t) => {
  const { rootOnly, folder, isUntouched } = setUp(t, 'audit.jsonl');
  const path = join(folder, 'audit.jsonl');
  linkSync(join(rootOnly, 'audit.jsonl'), path);
  t.throws(() => openAuditFile(path), { message: /a file with 2 names/ });
  t.throws(() => createLogger({ level: 'info', format: 'json', file: path }), { message: /2 names/ });
  isUntouched(t);
  t.end();
});
