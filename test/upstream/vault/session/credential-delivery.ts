// A new secret id is shown as often as it must be and no more, however its file is written: each refusal counts for a lockout.
import {
  appendFileSync,
  chmodSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { createSystemClock } from '../../../../src/base/time/clock.ts';
import type { AuthConfig } from '../../../../src/upstream/vault/config/vault-config.ts';
import {
  createRefusalMemory,
  type RefusalMemory,
} from '../../../../src/upstream/vault/session/refusal-memory.ts';
import { createRefusedCredential } from '../../../../src/upstream/vault/session/refused-credential.ts';
import { grantedAuth, startStubVault } from '../../../support/stub-vault.ts';
import { appRole, createTestUpstream, shutdown } from '../../../support/test-upstream.ts';
import { waitFor } from '../../../support/wait-for.ts';

const rights = 'the-right-secret-id';

/** Logs in with what is in a file; any secret id but `rights` is refused. */
async function start(t: Test) {
  const vault = await startStubVault();
  t.teardown(vault.close);
  const state = { isRoleThere: true };
  vault.route(({ path, body }) => {
    if (path !== 'auth/approle/login') return undefined;
    const isRight = state.isRoleThere && JSON.parse(body).secret_id === rights;
    return isRight ? { json: { auth: grantedAuth('s.in') } } : { status: 400, json: { errors: ['no'] } };
  });
  const path = join(t.testdir({ id: 'wrong' }), 'id');
  const auth = { ...appRole, secretIdFile: path, removeSecretIdFile: false } as AuthConfig;
  const offset = { ms: 0 };
  const system = createSystemClock();
  const clock = { ...system, now: () => system.now() + offset.ms };
  const { upstream } = createTestUpstream({ config: { addresses: [vault.address], auth }, clock });
  t.teardown(() => upstream.close(shutdown));
  upstream.start();
  const shown = () =>
    vault.requests
      .filter((request) => request.path === 'auth/approle/login')
      .map(({ body }) => JSON.parse(body).secret_id as string);
  await waitFor('two refusals', () => shown().length === 2);
  return { upstream, path, shown, offset, state };
}

const ways: Record<string, (path: string, id: string) => Promise<void>> = {
  async 'put in its place'(path, id) {
    writeFileSync(`${path}.new`, id);
    renameSync(`${path}.new`, path);
  },
  async 'written in place'(path, id) {
    writeFileSync(path, id);
  },
  async 'written in two steps'(path, id) {
    writeFileSync(path, id.slice(0, 6));
    await delay(100);
    appendFileSync(path, id.slice(6));
  },
  async 'given its mode later'(path, id) {
    writeFileSync(path, id);
    for (const mode of [0o640, 0o600]) {
      await delay(300);
      chmodSync(path, mode);
    }
  },
  async 'touched and written again'(path, id) {
    writeFileSync(path, id);
    await delay(300);
    utimesSync(path, new Date(), new Date());
    await delay(300);
    writeFileSync(path, id);
  },
};

for (const [name, deliver] of Object.entries(ways)) {
  t.test(`a wrong one, ${name}, is shown twice and a right one once`, async (t) => {
    const { upstream, path, shown } = await start(t);
    await deliver(path, 'another-wrong-one');
    await waitFor('two more refusals', () => shown().length >= 4);
    await deliver(path, rights);
    await upstream.ready(AbortSignal.timeout(60_000));
    const wrong = ['wrong', 'wrong', 'another-wrong-one', 'another-wrong-one'];
    t.strictSame(shown(), [...wrong, rights]);
  });
}

t.test('who asks is not kept waiting, and cannot lock the role either', async (t) => {
  const { upstream, path, shown, offset, state } = await start(t);
  for (let asked = 0; asked < 5; asked += 1) upstream.tryAgain?.();
  await delay(100);
  t.equal(shown().length, 2, 'not while a vault may still count the last ones');
  offset.ms += 301_000;
  upstream.tryAgain?.();
  await waitFor('a third refusal', () => shown().length === 3);
  upstream.tryAgain?.();

  state.isRoleThere = false;
  writeFileSync(path, rights);
  await waitFor('two more refusals', () => shown().length === 5);
  state.isRoleThere = true;
  offset.ms += 301_000;
  await waitFor('a login', () => {
    // The vault has the last request, but whoever asks while its refusal is on the way gets that.
    upstream.tryAgain?.();
    return shown().length > 5;
  });
  await upstream.ready(AbortSignal.timeout(60_000));
  t.equal(shown().length, 6, 'what was mended in the vault is taken when somebody asks');
});

/** Of a host that remembers nothing. */
const noMemory: RefusalMemory = { refusedAt: () => [], note: () => undefined, forget: () => undefined };
const minute = 60_000;

t.test('a credential that was refused twice is held back, another one is not', async (t) => {
  const of = (secret: string) => ({ kind: 'login', path: 'login', body: { secret } }) as const;
  const no = new Error('refused');
  let at = 0;
  const clock = { now: () => at, wall: () => 1e12 + at };
  const refused = createRefusedCredential({ method: 'approle', mount: 'approle' }, clock, noMemory);
  refused.refused(of('a'), no);
  t.equal(refused.heldBack(of('a')), undefined);
  t.equal(refused.waitMs(), 0);
  at = minute;
  refused.refused(of('a'), no);
  t.equal(refused.waitMs(), 15 * minute);
  at = 2 * minute;
  t.equal(refused.heldBack(of('a')), no);
  t.equal(refused.waitMs(), 4 * minute, 'it was asked for');
  t.equal(refused.heldBack(of('b')), undefined);
  at = 6 * minute;
  t.equal(refused.heldBack(of('a')), undefined);
  refused.accepted();
  at = 2 * minute;
  t.equal(refused.heldBack(of('a')), undefined);
  const uncounted = createRefusedCredential({ method: 'jwt', mount: 'jwt' }, clock, noMemory);
  for (let time = 0; time < 3; time += 1) uncounted.refused(of('a'), no);
  t.equal(uncounted.heldBack(of('a')), undefined);
});

const inMemory = '/dev/shm';
const skip = existsSync(inMemory) ? false : 'no file system in memory here';

t.test('starts one after the other show it four times in a quarter of an hour', { skip }, async (t) => {
  const folder = mkdtempSync(join(inMemory, 'latchkey-test-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const of = (secret: string) => ({ kind: 'login', path: 'login', body: { secret } }) as const;
  let at = 0;
  const start = () => {
    const clock = { now: () => at, wall: () => 1e12 + at };
    const memory = createRefusalMemory('https://vault approle', {}, [folder]);
    return createRefusedCredential({ method: 'approle', mount: 'approle' }, clock, memory);
  };
  for (let run = 0; run < 4; run += 1) {
    const refused = start();
    t.equal(refused.heldBack(of('a')), undefined, `run ${run}`);
    refused.refused(of('a'), new Error('refused'));
    at += minute;
  }
  const fifth = start();
  t.match(fifth.heldBack(of('a')), { isDenied: true, message: /refused 4 times within 15 minutes, last at/ });
  t.equal(fifth.waitMs(), 11 * minute);
  t.equal(fifth.heldBack(of('b')), undefined, 'another one is shown');
  t.notMatch(readFileSync(join(folder, readdirSync(folder)[0] ?? ''), 'utf8'), /secret/);
  at += 11 * minute;
  t.equal(start().heldBack(of('a')), undefined, 'the vault has forgotten the first by now');
  const right = start();
  right.heldBack(of('a'));
  right.accepted();
  t.strictSame(readdirSync(folder), []);
});

t.test('what somebody else put there, or is cut short, is not believed', { skip }, async (t) => {
  const folder = mkdtempSync(join(inMemory, 'latchkey-test-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const memory = createRefusalMemory('scope', {}, [folder, '/nowhere']);
  memory.note('a', [1, 2]);
  t.strictSame(memory.refusedAt('a'), [1, 2]);
  t.strictSame(memory.refusedAt('b'), []);
  t.strictSame(createRefusalMemory('another', {}, [folder]).refusedAt('a'), []);
  const path = join(folder, readdirSync(folder)[0] ?? '');
  t.equal(statSync(path).mode & 0o777, 0o600);
  const record = readFileSync(path);
  chmodSync(path, 0o644);
  t.strictSame(memory.refusedAt('a'), [], 'others can read it');
  for (const bytes of [
    record.subarray(0, 20),
    Buffer.from('[]'),
    Buffer.from('{"salt":1}'),
    Buffer.alloc(0),
  ]) {
    rmSync(path);
    writeFileSync(path, bytes, { mode: 0o600 });
    t.strictSame(memory.refusedAt('a'), []);
  }
  rmSync(path);
  writeFileSync(join(folder, 'target'), record, { mode: 0o600 });
  symlinkSync(join(folder, 'target'), path);
  t.strictSame(memory.refusedAt('a'), [], 'a link');
  memory.note('a', [3]);
  t.strictSame(memory.refusedAt('a'), [3]);
  t.same(readFileSync(join(folder, 'target')), record, 'and nothing is written through it');
});
