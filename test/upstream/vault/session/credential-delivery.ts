// A new secret id is shown as often as it must be and no more, however its file is written: each refusal counts for a lockout.
import { appendFileSync, chmodSync, renameSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { createSystemClock } from '../../../../src/base/time/clock.ts';
import type { AuthConfig } from '../../../../src/upstream/vault/config/vault-config.ts';
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
    await upstream.ready(AbortSignal.timeout(10_000));
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
  upstream.tryAgain?.();
  await upstream.ready(AbortSignal.timeout(10_000));
  t.equal(shown().length, 6, 'what was mended in the vault is taken when somebody asks');
});

t.test('a credential that was refused twice is held back, another one is not', async (t) => {
  const of = (secret: string) => ({ kind: 'login', path: 'login', body: { secret } }) as const;
  const no = new Error('refused');
  const minute = 60_000;
  const refused = createRefusedCredential('approle');
  refused.refused(of('a'), no, 0);
  t.equal(refused.heldBack(of('a'), 0), undefined);
  t.equal(refused.waitMs(0), 0);
  refused.refused(of('a'), no, minute);
  t.equal(refused.waitMs(minute), 15 * minute);
  t.equal(refused.heldBack(of('a'), 2 * minute), no);
  t.equal(refused.heldBack(of('b'), 2 * minute), undefined);
  t.equal(refused.waitMs(2 * minute), 4 * minute, 'it was asked for');
  t.equal(refused.heldBack(of('a'), 6 * minute), undefined);
  refused.accepted();
  t.equal(refused.heldBack(of('a'), 2 * minute), undefined);
  const uncounted = createRefusedCredential('jwt');
  for (let at = 0; at < 3; at += 1) uncounted.refused(of('a'), no, at);
  t.equal(uncounted.heldBack(of('a'), 3), undefined);
});
