import t, { type Test } from 'tap';
import { createSkippingClock } from '../../../support/skipping-clock.ts';
import { startStubVault } from '../../../support/stub-vault.ts';
import { appRole, createTestUpstream, shutdown } from '../../../support/test-upstream.ts';
import { waitFor } from '../../../support/wait-for.ts';

const patience = () => AbortSignal.timeout(60_000);
const refused = { status: 400, json: { errors: ['no'] } };

const secondFactor = {
  json: { auth: { client_token: '', mfa_requirement: { mfa_request_id: 'id', mfa_constraints: {} } } },
};

async function startRefusing(t: Test, refusals: number, answer: object = refused) {
  const vault = await startStubVault();
  t.teardown(vault.close);
  vault.route(({ path }) =>
    path === 'auth/approle/login' && vault.count(path) <= refusals ? answer : undefined,
  );
  return vault;
}

t.test('pauses between failed logins grow from min_backoff to max_backoff', async (t) => {
  const vault = await startRefusing(t, 6, secondFactor);
  const { pauses, clock } = createSkippingClock();
  const { upstream } = createTestUpstream({
    config: { addresses: [vault.address], auth: { ...appRole, minBackoffMs: 7000, maxBackoffMs: 40_000 } },
    random: () => 0.999_999,
    clock,
  });
  t.teardown(() => upstream.close(shutdown));
  upstream.start();
  await upstream.ready(patience());
  t.same(pauses.slice(0, 6), [7000, 14_000, 28_000, 40_000, 40_000, 40_000]);
});

t.test('a secret id that was refused twice is shown no more for a quarter of an hour', async (t) => {
  const vault = await startRefusing(t, 4);
  const { pauses, clock } = createSkippingClock();
  const { upstream } = createTestUpstream({
    config: { addresses: [vault.address], auth: { ...appRole, minBackoffMs: 7000, maxBackoffMs: 40_000 } },
    random: () => 0.999_999,
    clock,
  });
  t.teardown(() => upstream.close(shutdown));
  upstream.start();
  await upstream.ready(patience());
  // The answers take a moment of it.
  const seconds = pauses.slice(0, 4).map((ms) => Math.round(ms / 1000));
  t.same(seconds, [7, 900, 900, 900], 'a role is locked after five refusals');
});

t.test('a 403 at a login names the lockout, which looks like a wrong credential', async (t) => {
  const vault = await startRefusing(t, 99, { status: 403, json: { errors: ['permission denied'] } });
  const { upstream } = createTestUpstream({ config: { addresses: [vault.address] } });
  t.teardown(() => upstream.close(shutdown));
  upstream.start();
  await waitFor('the state', () => upstream.status().state === 'denied');
  t.match(
    upstream.status().message,
    /locked the role or user after refused logins \(user lockout.*sys\/locked-users/,
  );
});

t.test('a fleet that waited for one server does not log in at one instant', async (t) => {
  const vault = await startRefusing(t, 1, { status: 503, json: { errors: ['Vault is sealed'] } });
  const { pauses, clock } = createSkippingClock();
  const { upstream } = createTestUpstream({
    config: { addresses: [vault.address] },
    random: () => 0.75,
    clock,
  });
  t.teardown(() => upstream.close(shutdown));
  upstream.start();
  await upstream.ready(patience());
  t.equal(pauses.at(-1) === 375 || pauses.includes(375), true, 'by chance, up to half a second');
});

t.test('a login that asks for a second factor is told as such', async (t) => {
  const vault = await startRefusing(t, 99, secondFactor);
  const { upstream } = createTestUpstream({ config: { addresses: [vault.address] } });
  t.teardown(() => upstream.close(shutdown));
  upstream.start();
  await waitFor('the state', () => upstream.status().state === 'login_failed');
  t.match(upstream.status().message, /second factor; exempt this role from login MFA/);
});
