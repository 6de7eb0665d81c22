import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { auditFilesOf } from '../../src/audit/audit-file.ts';
import { type AuditEntry, encodeCaller } from '../../src/audit/audit-line.ts';
import { type AuditLog, createAuditLog, createSilentAudit } from '../../src/audit/audit-log.ts';
import { verifyAudit } from '../../src/audit/verify-audit.ts';
import type { LatchkeyError } from '../../src/base/errors.ts';
import { type Logger, silentLogger } from '../../src/base/logger.ts';
import { createSystemClock } from '../../src/base/time/clock.ts';
import { mount, remount } from '../support/mounts.ts';
import { waitFor } from '../support/wait-for.ts';

const entry: AuditEntry = {
  caller: encodeCaller({ uid: 1000, pid: 7 }),
  listener: 'listeners[0]',
  dialect: 'secrets',
  method: 'GET',
  name: 'stripe',
  isAllowed: true,
  reason: 'rule billing',
  status: 200,
  latencyUs: 12,
};

function open(file: string, more: object = {}, logger: Logger = silentLogger): AuditLog {
  const settings = { file, onFailure: 'deny', maxBytes: 0, keepFiles: 0, ...more } as const;
  return createAuditLog({ settings, clock: createSystemClock(), logger });
}

/** Resolves to the failure, or undefined once the line is recorded. */
function append(audit: AuditLog, more: Partial<AuditEntry> = {}): Promise<LatchkeyError | undefined> {
  return new Promise((recorded) => audit.append({ ...entry, ...more }, { recorded }));
}

const lines = (file: string): Record<string, unknown>[] =>
  readFileSync(file, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);

t.test(
  'a line tells caller, dialect, name, version, decision and latency, and is there before the answer',
  async (t) => {
    const file = join(t.testdir(), 'log/audit.jsonl');
    const audit = open(file);
    t.equal(await append(audit, { version: 3, field: 'key' }), undefined);
    t.match(lines(file).at(-1), {
      seq: 3,
      time: /^\d{4}-\d\d-\d\dT[\d:.]+Z$/,
      event: 'request',
      listener: 'listeners[0]',
      caller: { uid: 1000, pid: 7 },
      dialect: 'secrets',
      method: 'GET',
      name: 'stripe',
      field: 'key',
      version: 3,
      allowed: true,
      reason: 'rule billing',
      status: 200,
      latency_us: 12,
      prev: /^[\w-]{43}$/,
    });
    t.equal(statSync(file).mode & 0o777, 0o600);
    audit.close();
    t.match(
      lines(file).map(({ event }) => event),
      ['opened', 'started', 'request', 'stopped'],
    );
  },
);

t.test('names that need escaping and long paths stay one line of JSON', async (t) => {
  const file = join(t.testdir(), 'audit.jsonl');
  const audit = open(file);
  const odd = 'a"b\\c\nd\u2028\u0000é\ud800';
  await append(audit, { name: odd });
  await append(audit, { name: undefined, path: `/${'x'.repeat(10_000)}` });
  audit.close();
  const [, , first, second] = lines(file);
  t.equal(first?.['name'], odd);
  t.ok(String(second?.['path']).length < 300);
  t.ok((await verifyAudit([file])).isIntact);
});

t.test('many lines at once and one after the other make one chain', async (t) => {
  const file = join(t.testdir(), 'audit.jsonl');
  const audit = open(file);
  for (let round = 0; round < 30; round += 1) {
    await Promise.all(Array.from({ length: 1 + (round % 7) * 20 }, () => append(audit)));
    await append(audit);
  }
  const head = audit.status();
  audit.close();
  const verified = await verifyAudit([file], { seq: head.seq, hash: head.hash });
  t.match(verified, { isIntact: true, endsOrderly: true, firstSeq: 1 });
  t.equal(verified.lines, head.seq + 1);
});

t.test('the chain goes on over restarts, and over a line that a crash has torn', async (t) => {
  const file = join(t.testdir(), 'audit.jsonl');
  const crashed = open(`${file}.crashed`);
  await append(crashed);
  // Its lock would have gone with it.
  copyFileSync(`${file}.crashed`, file);
  writeFileSync(file, '{"seq":4,"time":"2026-', { flag: 'a' });
  t.match((await verifyAudit([file])).problems, [{ line: 4, what: /cut short/ }]);
  const second = open(file);
  await append(second);
  second.close();
  t.match(await verifyAudit([file]), { isIntact: true, lines: 7 });
  t.match(lines(file)[3], { seq: 4, event: 'opened', torn_bytes: 22 });
});

t.test('rotates by size, keeps so many files, and the chain goes through them', async (t) => {
  const folder = t.testdir();
  const file = join(folder, 'audit.jsonl');
  const audit = open(file, { maxBytes: 4000, keepFiles: 3 });
  for (let index = 0; index < 100; index += 1) await append(audit);
  audit.close();
  t.strictSame(auditFilesOf(file), [3, 2, 1].map((number) => `${file}.${number}`).concat(file));
  t.ok(statSync(`${file}.1`).size < 5000);
  const verified = await verifyAudit(auditFilesOf(file));
  t.match(verified, { isIntact: true, endsOrderly: true });
  t.ok((verified.firstSeq ?? 0) > 1, 'older files are gone');
  const again = open(file, { maxBytes: 4000, keepFiles: 3 });
  await append(again);
  again.close();
  t.ok((await verifyAudit(auditFilesOf(file))).isIntact);
});

t.test('a restart just after a rotation goes on from the rotated file', async (t) => {
  const file = join(t.testdir(), 'audit.jsonl');
  const first = open(file);
  await append(first);
  first.close();
  renameSync(file, `${file}.1`);
  const second = open(file);
  second.close();
  t.match(await verifyAudit(auditFilesOf(file)), { isIntact: true, lines: 7 });
});

t.test('reopen follows a file that logrotate has moved away', async (t) => {
  const file = join(t.testdir(), 'audit.jsonl');
  const audit = open(file, { maxBytes: 1_000_000 });
  await append(audit);
  renameSync(file, `${file}.1`);
  await append(audit);
  t.notOk(existsSync(file), 'still the old one');
  audit.reopen();
  await append(audit);
  audit.reopen();
  t.notOk(existsSync(`${file}.2`), 'in place: nothing to do');
  audit.close();
  t.match(await verifyAudit(auditFilesOf(file)), { isIntact: true, firstSeq: 1 });
});

t.test('reopen rotates where only that does', async (t) => {
  const file = join(t.testdir(), 'audit.jsonl');
  const audit = open(file);
  await append(audit);
  audit.reopen();
  await append(audit);
  audit.close();
  t.ok(existsSync(`${file}.1`));
  t.ok((await verifyAudit(auditFilesOf(file))).isIntact);
});

t.test('when the file cannot be written, deny refuses and continue goes on, each says so once', async (t) => {
  const folder = t.testdir({ target: '' });
  symlinkSync('target', join(folder, 'link'));
  mkdirSync(join(folder, 'folder'));
  for (const name of ['link', 'folder', 'target/below']) {
    const errors: string[] = [];
    const logger = { ...silentLogger, error: (_fields: object, message: string) => errors.push(message) };
    const denying = open(join(folder, name), {}, logger as Logger);
    t.match(await append(denying), { code: 'audit_failed', remedy: /writable/ }, name);
    t.match(await append(denying), { code: 'audit_failed' });
    t.match(denying.status(), { state: 'failing', error: String, seq: 0 });
    t.strictSame(errors, ['audit failed: nothing is served until it can']);
    const going = open(join(folder, name), { onFailure: 'continue' });
    t.equal(await append(going), undefined);
  }
});

t.test('a line is written before its answer may go, whatever a failure means', async (t) => {
  for (const onFailure of ['deny', 'continue']) {
    const file = join(t.testdir(), `${onFailure}.jsonl`);
    const audit = open(file, { onFailure });
    const written = await new Promise<number>((resolve) =>
      audit.append(entry, { recorded: () => resolve(lines(file).length) }),
    );
    t.equal(written, 3, onFailure);
    audit.close();
  }
});

t.test('does not append to a file that is not its own', async (t) => {
  const folder = t.testdir({ 'notes.txt': 'dear diary\n', empty: '', 'blank.txt': '\n\n' });
  for (const name of ['notes.txt', 'blank.txt']) {
    const audit = open(join(folder, name));
    t.match(await append(audit), { message: /does not end in an audit line/ }, name);
    audit.close();
  }
  t.equal(readFileSync(join(folder, 'notes.txt'), 'utf8'), 'dear diary\n');
  const audit = open(join(folder, 'empty'));
  t.equal(await append(audit), undefined);
  audit.close();
});

t.test('a full disk denies, leaves no torn line, and recovers by itself', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'latchkey-full-'));
  t.teardown(() => rmdirSync(folder));
  if (!mount(t, folder, '-t', 'tmpfs', '-o', 'size=64k', 'tmpfs')) return;
  const file = join(folder, 'audit.jsonl');
  const audit = open(file);
  let failure: LatchkeyError | undefined;
  for (let index = 0; index < 2000 && failure === undefined; index += 1) failure = await append(audit);
  t.match(failure, { code: 'audit_failed', message: /no space left/ });
  const { length } = lines(file);
  t.match(await append(audit), { code: 'audit_failed' });
  t.equal(lines(file).length, length, 'no part of a line stays');
  t.match(audit.status(), { state: 'failing', lost: 2, seq: length });
  remount(folder, 'size=256k');
  t.equal(await append(audit), undefined);
  t.match(audit.status(), { state: 'writing', error: null });
  t.match(lines(file).at(-2), { event: 'gap', lost: 2 });
  audit.close();
  t.ok((await verifyAudit([file])).isIntact);
});

t.test('a file that is removed is begun again, and the lines that went with it are missed', async (t) => {
  const file = join(t.testdir(), 'audit.jsonl');
  const errors: string[] = [];
  const logger = { ...silentLogger, error: (_fields: object, message: string) => errors.push(message) };
  const audit = open(file, {}, logger as Logger);
  await append(audit);
  rmSync(file);
  await waitFor('a new file', async () => {
    await append(audit);
    return existsSync(file);
  });
  audit.close();
  t.match(lines(file), [{ event: 'opened' }, { event: 'request' }, { event: 'stopped' }]);
  t.ok(Number(lines(file)[0]?.['seq']) > 3, 'the chain goes on');
  t.strictSame(errors, ['the audit file was removed, a new one is begun']);
});

t.test('after close nothing is served', async (t) => {
  const audit = open(join(t.testdir(), 'audit.jsonl'));
  audit.close();
  audit.close();
  t.match(await append(audit), { code: 'audit_failed' });
});

t.test('without an audit everything counts as recorded', async (t) => {
  const audit = createSilentAudit();
  t.equal(await append(audit), undefined);
  t.match(audit.status(), { state: 'off', file: null });
});
