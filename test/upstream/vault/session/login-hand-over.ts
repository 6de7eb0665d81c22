import t, { type Test } from 'tap';
import { SecretValue } from '../../../../src/base/secret-value.ts';
import { createSystemClock } from '../../../../src/base/time/clock.ts';
import { createReference } from '../../../../src/store/reference.ts';
import { isUsedUp } from '../../../../src/upstream/vault/config/vault-config.ts';
import { readLogin, writeLogin } from '../../../../src/upstream/vault/session/login-hand-over.ts';
import type { SessionToken } from '../../../../src/upstream/vault/session/session-token.ts';
import { kv2, startStubVault } from '../../../support/stub-vault.ts';
import { appRole, createTestUpstream, interactive, shutdown } from '../../../support/test-upstream.ts';
import { waitFor } from '../../../support/wait-for.ts';

const hour = 3_600_000;
const clock = createSystemClock();
const reference = createReference({ upstream: 'vault', path: 'secret/app' });
const ready = () => AbortSignal.timeout(60_000);
const deniedByPolicy = { status: 403, json: { errors: ['1 error occurred:\n\t* permission denied\n\n'] } };
const denied = { status: 403, json: { errors: ['permission denied'] } };

function tokenOfLastRun(leftMs: number): SessionToken {
  const value = SecretValue.fromText('s.last');
  return {
    value,
    grant: {
      token: value,
      accessor: 'acc',
      policies: ['default', 'app'],
      ttlSeconds: 3600,
      isRenewable: true,
      isOwn: true,
    },
    life: {
      expiresAt: clock.now() + leftMs,
      confirmedAt: clock.now(),
      periodMs: hour,
      isRenewable: true,
      isCapped: false,
      failures: 0,
    },
  };
}

/** An upstream that is to go on with the token of the last run, at a vault that says of it what `lookUp` says. */
async function start(
  t: Test,
  leftMs: number,
  lookUp: 'alive' | 'dead' | 'may not' | 'may not by policy' | 'hangs',
) {
  const vault = await startStubVault();
  t.teardown(vault.close);
  let isForbidden = false;
  vault.route(({ path, headers }) => {
    const isLast = headers['x-vault-token'] === 's.last';
    if (path === 'auth/token/lookup-self' && isLast) {
      if (lookUp === 'hangs') return () => undefined;
      if (lookUp === 'may not by policy') return deniedByPolicy;
      if (lookUp !== 'alive') return denied;
      return {
        json: {
          data: { ttl: 1800, renewable: true, accessor: 'acc', policies: ['default'], expire_time: 'x' },
        },
      };
    }
    if (path !== 'secret/data/app') return undefined;
    return isLast && (lookUp === 'dead' || isForbidden) ? denied : { json: kv2({ a: '1' }) };
  });
  const made = createTestUpstream({ config: { addresses: [vault.address], auth: appRole } });
  t.teardown(() => made.upstream.close(shutdown));
  const ended: string[] = [];
  made.upstream.listen({ leasesEnd: (leaseIds) => ended.push(...leaseIds) });
  made.upstream.login?.resume(writeLogin(tokenOfLastRun(leftMs), clock), ['database/creds/app/1']);
  made.upstream.start();
  if (lookUp !== 'hangs') await made.upstream.ready(ready());
  return {
    ...made,
    vault,
    ended,
    logins: () => vault.count('auth/approle/login'),
    forbid: () => (isForbidden = true),
  };
}

t.test('comes back as it was handed on', async (t) => {
  const login = writeLogin(tokenOfLastRun(1000), clock);
  const back = readLogin(login, clock);
  t.equal(back.value.text(), 's.last');
  t.ok(Math.abs(back.life.expiresAt - clock.now() - 1000) < 500);
  t.match(back.grant, { accessor: 'acc', isOwn: true });
});

t.test('goes on with the token of the last run, and hands it on again', async (t) => {
  const { upstream, logins, vault, ended } = await start(t, hour, 'alive');
  await upstream.read(reference, interactive());
  t.equal(logins(), 0);
  t.match(upstream.status().login, { state: 'logged_in', accessor: 'acc' });
  t.match(readLogin(upstream.login?.handOn() ?? SecretValue.fromText('{}'), clock).value.text(), 's.last');
  t.ok(
    Math.abs((upstream.leases.issuerEndsAt?.('database/creds/app/1') ?? 0) - clock.wall() - 1_800_000) < 5000,
  );
  t.strictSame(ended, []);
  await upstream.close({ revokeToken: true, signal: ready() });
  t.equal(vault.count('auth/token/revoke-self'), 1, 'it is the agent’s own');
});

t.test('one that may not look itself up is believed as long as it was told', async (t) => {
  const { upstream, logins } = await start(t, hour, 'may not');
  await upstream.read(reference, interactive());
  t.equal(logins(), 0);
});

t.test('one that its policy forbids to look itself up ends when it was told to', async (t) => {
  const { upstream, logins } = await start(t, hour, 'may not by policy');
  await upstream.read(reference, interactive());
  t.equal(logins(), 0);
  const { expiresAt = 0 } = upstream.status().login;
  t.ok(Math.abs(expiresAt - clock.wall() - hour) < 5000);
});

t.test('one that upstream revoked meanwhile is followed by one login', async (t) => {
  const { upstream, logins, ended } = await start(t, hour, 'dead');
  t.ok(await upstream.read(reference, interactive()));
  t.equal(logins(), 1);
  t.strictSame(ended, ['database/creds/app/1']);
});

t.test('stopped before it is known whether it lives, the run hands it on, or revokes it', async (t) => {
  const { upstream, vault } = await start(t, hour, 'hangs');
  await waitFor('the look at it', () => vault.count('auth/token/lookup-self') > 0);
  t.match(readLogin(upstream.login?.handOn() ?? SecretValue.fromText('{}'), clock).value.text(), 's.last');
  await upstream.close({ revokeToken: true, signal: ready() });
  const revoked = vault.requests.filter(({ path }) => path === 'auth/token/revoke-self');
  t.match(revoked, [{ headers: { 'x-vault-token': 's.last' } }]);
});

t.test('one that has ended is followed by a login, and its leases are told', async (t) => {
  const { upstream, logins, ended } = await start(t, -1000, 'dead');
  await upstream.read(reference, interactive());
  t.equal(logins(), 1);
  t.strictSame(ended, ['database/creds/app/1']);
});

t.test('what yesterday’s token may not do is tried with a fresh login, once', async (t) => {
  const { upstream, logins, forbid } = await start(t, hour, 'alive');
  forbid();
  await t.rejects(upstream.read(reference, interactive()), { code: 'denied' });
  await waitFor('a fresh login', () => logins() === 1);
  await waitFor('its token', async () =>
    upstream.read(reference, interactive()).then(
      () => true,
      () => false,
    ),
  );
  t.equal(logins(), 1);
});

t.test('knows a login that cannot be repeated', async (t) => {
  const auth = {
    ...appRole,
    method: 'approle',
    roleId: 'r',
    roleIdFile: undefined,
    secretIdFile: '/s',
  } as const;
  t.equal(isUsedUp({ ...auth, removeSecretIdFile: true, secretIdWrapped: false }), true);
  t.equal(isUsedUp({ ...auth, removeSecretIdFile: false, secretIdWrapped: false }), false);
  t.equal(isUsedUp({ ...auth, removeSecretIdFile: false, secretIdWrapped: true }), true);
});
