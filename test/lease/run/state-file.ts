import { spawn } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import type { Logger } from '../../../src/base/logger.ts';
import { silentLogger } from '../../../src/base/logger.ts';
import { processStartTime } from '../../../src/base/system/process-identity.ts';
import { createSystemClock } from '../../../src/base/time/clock.ts';
import { createStateFile, type LeaseRecord } from '../../../src/lease/run/state-file.ts';

const clock = createSystemClock();

const record: LeaseRecord = {
  upstream: 'vault',
  key: 'vault:read database/creds/app',
  leaseId: 'database/creds/app/1',
  durationSeconds: 60,
  isRenewable: true,
  expiresAt: 5,
  overlapMs: 30_000,
  onExit: 'revoke',
};

const state = {
  leases: [record],
  values: [{ upstream: 'vault', key: record.key, obtainedAt: 1, ownEnd: null, lifeMs: 60_000, sealed: 'x' }],
  logins: [{ upstream: 'vault', sealed: 'y' }],
};
const noState = { leases: [], values: [], logins: [] };

function listening(): Logger & { warnings: string[]; infos: string[] } {
  const warnings: string[] = [];
  const infos: string[] = [];
  return {
    ...silentLogger,
    warn: (_fields, message) => warnings.push(message),
    info: (_fields, message) => infos.push(message),
    warnings,
    infos,
  };
}

t.test('gives back what was saved, from a file that only its owner reads', async (t) => {
  const path = join(t.testdir(), 'new', 'leases.json');
  const file = createStateFile({ path, logger: silentLogger, clock });
  t.same(file.load(), noState);
  file.save(() => noState);
  file.save(() => state);
  await file.flush();
  t.equal(statSync(path).mode & 0o777, 0o600);
  t.same(readdirSync(join(path, '..')), ['leases.json'], 'nothing staged is left');
  t.same(createStateFile({ path, logger: silentLogger, clock }).load(), state);
});

for (const [what, text] of [
  ['is cut off', '{"version":1,"leas'],
  ['is of another version', '{"version":9,"leases":[]}'],
  ['lacks a field', '{"version":1,"leases":[{"upstream":"vault"}]}'],
  ['is null', 'null'],
] as const) {
  t.test(`starts afresh and keeps a copy when the file ${what}`, async (t) => {
    const path = join(t.testdir({ 'leases.json': text }), 'leases.json');
    const logger = listening();
    t.same(createStateFile({ path, logger, clock }).load(), noState);
    t.equal(readFileSync(`${path}.corrupt`, 'utf8'), text);
    t.equal(logger.warnings.length, 1);
  });
}

t.test('removes what an agent that was killed while it wrote has left, and nothing else', async (t) => {
  const left = '.latchkey-staged-1.zzzz-0123456789ab-leases.json';
  const others = ['.latchkey-staged-1.zzzz-0123456789ab-app.conf', 'leases.json.corrupt'];
  const folder = t.testdir(Object.fromEntries([left, ...others].map((name) => [name, '{}'])));
  const file = createStateFile({ path: join(folder, 'leases.json'), logger: silentLogger, clock });
  file.save(() => state);
  await file.flush();
  t.same(readdirSync(folder).sort(), [...others, 'leases.json'].sort());
});

t.test('leaves alone what is in the file already', async (t) => {
  const path = join(t.testdir(), 'leases.json');
  const file = createStateFile({ path, logger: silentLogger, clock });
  const saved = async (what: typeof state) => {
    file.save(() => what);
    await file.flush();
    return statSync(path, { bigint: true }).mtimeNs;
  };
  const first = await saved(state);
  t.equal(await saved({ ...state }), first, 'the same');
  t.not(await saved({ ...state, leases: [] }), first, 'another state');
  writeFileSync(path, 'lost');
  await saved({ ...state, leases: [] });
  t.same(
    createStateFile({ path, logger: silentLogger, clock }).load(),
    { ...state, leases: [] },
    'others changed it',
  );
});

t.test('warns once when it cannot write, and goes on', async (t) => {
  const folder = t.testdir();
  writeFileSync(join(folder, 'file'), '');
  const path = join(folder, 'file', 'leases.json');
  const logger = listening();
  const file = createStateFile({ path, logger, clock });
  for (let round = 0; round < 3; round += 1) {
    file.save(() => state);
    await file.flush();
  }
  t.equal(logger.warnings.length, 1);
  t.notOk(existsSync(path));
  t.same(logger.infos, []);
  unlinkSync(join(folder, 'file'));
  file.save(() => state);
  await file.flush();
  t.ok(existsSync(path));
  t.same(logger.infos, ['the state file is written again'], 'and says so when it can');
});

t.test('warns of a file that it cannot read', async (t) => {
  const path = join(t.testdir(), 'leases.json');
  mkdirSync(path);
  const logger = listening();
  t.same(createStateFile({ path, logger, clock }).load(), noState);
  t.equal(logger.warnings.length, 1);
});

t.test(
  'leaves the file to a living process that wrote it, and takes over what a dead one left',
  async (t) => {
    const other = spawn('sleep', ['60']);
    t.teardown(() => void other.kill());
    const owner = { pid: other.pid ?? 0, startTime: processStartTime(other.pid ?? 0) };
    const text = JSON.stringify({ version: 1, owner, leases: [record] });
    const path = join(t.testdir({ 'leases.json': text }), 'leases.json');
    const file = createStateFile({ path, logger: silentLogger, clock });
    t.same(file.load(), noState);
    file.save(() => noState);
    await file.flush();
    t.equal(readFileSync(path, 'utf8'), text);

    writeFileSync(path, text.replace(/"startTime":"\d+"/, '"startTime":"1"'));
    t.same(
      createStateFile({ path, logger: silentLogger, clock }).load(),
      { ...noState, leases: [record] },
      'the pid is somebody else now',
    );
    writeFileSync(path, JSON.stringify({ version: 1, owner: {}, ...state }));
    t.same(createStateFile({ path, logger: silentLogger, clock }).load(), state);
  },
);

t.test('reads what the last run left by the new time where the clock was set meanwhile', async (t) => {
  const path = join(t.testdir(), 'leases.json');
  const boot = { boot: 'one', startedAt: 1_000_000 };
  const open = (bootClock: () => typeof boot | undefined) => {
    const logger = listening();
    return { ...createStateFile({ path, logger, clock, bootClock }), infos: logger.infos };
  };
  const left = { ...state, leases: [{ ...record, tokenEndsAt: 7 }] };
  const first = open(() => boot);
  first.save(() => left);
  await first.flush();
  const writtenAt = () => statSync(path, { bigint: true }).mtimeNs;
  const before = writtenAt();
  const second = open(() => ({ ...boot, startedAt: boot.startedAt + 900 }));
  t.same(second.load(), left, 'a clock that is kept right');
  second.save(() => left);
  await second.flush();
  t.equal(writtenAt(), before, 'and nothing is written for it');
  for (const setMs of [-7_200_000, 90_000]) {
    const run = open(() => ({ ...boot, startedAt: boot.startedAt + setMs }));
    const { leases, values, logins } = run.load();
    t.match(leases, [{ expiresAt: 5 + setMs, tokenEndsAt: 7 + setMs }]);
    t.match(values, [{ obtainedAt: 1 + setMs, ownEnd: null }]);
    t.same(logins, left.logins);
    t.equal(run.infos.length, 1);
  }
  for (const other of [{ boot: 'two', startedAt: 9 }, undefined])
    t.same(open(() => other).load(), left, 'where nobody can tell all is as it was written');
});
