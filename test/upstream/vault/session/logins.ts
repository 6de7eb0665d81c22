import type { ServerResponse } from 'node:http';
import t, { type Test } from 'tap';
import { SecretValue } from '../../../../src/base/secret-value.ts';
import type { AuthConfig } from '../../../../src/upstream/vault/config/vault-config.ts';
import { createFastClock } from '../../../support/fast-clock.ts';
import { grantedAuth, startStubVault } from '../../../support/stub-vault.ts';
import { appRole, authCommon, createTestUpstream } from '../../../support/test-upstream.ts';
import { waitFor } from '../../../support/wait-for.ts';

const soon = () => AbortSignal.timeout(60_000);

/**
 * A vault that holds back the answers to one path until it is told to give them. A second of the agent's patience is 20 of a
 * machine that may be busy.
 */
async function start(t: Test, heldPath: string, auth: AuthConfig = appRole, factor = 0.05) {
  const vault = await startStubVault();
  t.teardown(vault.close);
  const held: ServerResponse[] = [];
  vault.route(({ path }) => {
    if (path === 'sys/wrapping/unwrap' && path !== heldPath)
      return { json: { auth: grantedAuth('s.inside') } };
    return path === heldPath ? (response) => held.push(response) : undefined;
  });
  const made = createTestUpstream({
    config: { addresses: [vault.address], auth, timeoutMs: 6_000_000 },
    clock: createFastClock(factor),
  });
  t.teardown(() => made.upstream.close({ revokeToken: false, signal: soon() }));
  made.upstream.start();
  return {
    ...made,
    untilAsked: () => waitFor('the request', () => held.length > 0),
    answer(json: unknown): void {
      const response = held.pop();
      response?.writeHead(200, { 'content-type': 'application/json' });
      response?.end(JSON.stringify(json));
    },
    revoked: () =>
      vault.requests
        .filter(({ path }) => path === 'auth/token/revoke-self')
        .map(({ headers }) => headers['x-vault-token']),
  };
}

const login = 'auth/approle/login';

t.test('the token of a login that is answered after its end is revoked, and told', async (t) => {
  for (const revokeToken of [true, false]) {
    const { upstream, logs, revoked, untilAsked, answer } = await start(t, login);
    await untilAsked();
    const closed = upstream.close({ revokeToken, signal: soon() });
    answer({ auth: grantedAuth('s.late') });
    await closed;
    t.strictSame(revoked(), ['s.late'], `as it closes, own tokens ${revokeToken ? 'revoked' : 'left'}`);
    t.match(
      logs.lines.filter(({ message }) => /answered after its end/.test(String(message))),
      [{ level: 'info', fields: { accessor: 'accessor-of-s.late' } }],
    );
    await t.rejects(upstream.ready(soon()), { code: 'aborted' });
  }
});

t.test('one that comes wrapped is opened first', async (t) => {
  const auth = { ...appRole, wrapTtlSeconds: 60 };
  const { upstream, revoked, untilAsked, answer } = await start(t, login, auth);
  await untilAsked();
  const closed = upstream.close({ revokeToken: false, signal: soon() });
  answer({ wrap_info: { token: 's.wrapping', creation_path: login } });
  await closed;
  t.strictSame(revoked(), ['s.inside']);
});

t.test('a fresh one that was to replace a living one goes with it', async (t) => {
  const { upstream, revoked, untilAsked, answer } = await start(t, login, appRole, 2);
  await untilAsked();
  answer({ auth: grantedAuth('s.first', { renewable: false, lease_duration: 10 }) });
  await upstream.ready(soon());
  await untilAsked();
  const closed = upstream.close({ revokeToken: true, signal: soon() });
  answer({ auth: grantedAuth('s.second') });
  await closed;
  t.strictSame(revoked(), ['s.second', 's.first']);
});

t.test('one that comes between the end of its use and its close goes too', async (t) => {
  const { upstream, revoked, untilAsked, answer } = await start(t, login);
  await untilAsked();
  await upstream.retire?.();
  answer({ auth: grantedAuth('s.late') });
  await upstream.ready(soon());
  await upstream.close({ revokeToken: false, signal: soon() });
  t.strictSame(revoked(), ['s.late']);
});

t.test('a server that hangs does not hold up whoever closes', async (t) => {
  const one = await start(t, login, appRole, 10);
  await one.untilAsked();
  const patience = soon();
  await one.upstream.close({ revokeToken: true, signal: patience });
  t.notOk(patience.aborted, 'it gives up by itself');
  const other = await start(t, login, appRole, 10);
  await other.untilAsked();
  await other.upstream.close({ revokeToken: true, signal: AbortSignal.abort() });
  t.strictSame([...one.revoked(), ...other.revoked()], []);
});

t.test('a given token is nobody’s to revoke', async (t) => {
  const token = SecretValue.fromText('s.given');
  const auth: AuthConfig = { ...authCommon, method: 'token', mount: 'token', token };
  const { upstream, revoked, untilAsked, answer } = await start(t, 'auth/token/lookup-self', auth);
  await untilAsked();
  const closed = upstream.close({ revokeToken: true, signal: soon() });
  answer({ data: { ttl: 100, renewable: true } });
  await closed;
  t.strictSame(revoked(), []);
});
