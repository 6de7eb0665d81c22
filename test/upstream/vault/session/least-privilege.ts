// A token that may do what it is for and nothing else: no policy `default`, no look at itself, no metadata, no sys/….
import t, { type Test } from 'tap';
import { createReference } from '../../../../src/store/reference.ts';
import type { SecretVersion } from '../../../../src/store/secret-version.ts';
import { createFastClock } from '../../../support/fast-clock.ts';
import { grantedAuth, kv2, startStubVault } from '../../../support/stub-vault.ts';
import { createTestUpstream, interactive, shutdown } from '../../../support/test-upstream.ts';
import { waitFor } from '../../../support/wait-for.ts';

const kv = createReference({ upstream: 'vault', path: 'secret/app' });
const creds = createReference({ upstream: 'vault', path: 'database/creds/app' });
const ready = () => AbortSignal.timeout(60_000);

async function start(t: Test) {
  const vault = await startStubVault();
  t.teardown(vault.close);
  let logins = 0;
  let canLogIn = true;
  vault.route(({ path }) => {
    if (path === 'auth/approle/login') {
      if (!canLogIn) return { status: 400, json: { errors: ['invalid secret id'] } };
      logins += 1;
      return { json: { auth: grantedAuth(`s.${logins}`, { policies: ['app'], lease_duration: 600 }) } };
    }
    if (path === 'auth/token/renew-self')
      return { json: { auth: grantedAuth('x', { lease_duration: 600 }) } };
    if (path === 'secret/data/app') return { json: kv2({ a: '1' }) };
    if (path === 'database/creds/app')
      return {
        json: {
          lease_id: 'database/creds/app/1',
          lease_duration: 3600,
          renewable: true,
          data: { username: 'u' },
        },
      };
    if (path.startsWith('sys/internal/ui/mounts')) return undefined;
    return { status: 403, json: { errors: ['permission denied'] } };
  });
  const clock = createFastClock(100);
  const made = createTestUpstream({ config: { addresses: [vault.address], timeoutMs: 600_000 }, clock });
  t.teardown(() => made.upstream.close(shutdown));
  const ended: number[] = [];
  made.upstream.listen({ leasesEnd: (_ids, at) => ended.push(at - clock.wall()) });
  made.upstream.start();
  await made.upstream.ready(ready());
  await made.upstream.read(creds, interactive());
  return { ...made, vault, ended, logins: () => logins, refuseLogins: () => (canLogIn = false) };
}

t.test('metadata that it may not see say nothing of it', async (t) => {
  const { upstream, logins, ended } = await start(t);
  const answer = await upstream.read(kv, interactive());
  const version: SecretVersion = { ...answer, number: 1, obtainedAt: 0, expiresAt: undefined };
  t.equal(await upstream.isCurrent(kv, version, interactive()), undefined, 'a read tells');
  await upstream.read(kv, interactive());
  t.equal(logins(), 1);
  t.strictSame(ended, [], 'nothing living is dropped');
});

t.test('one that is suspected is replaced, and what was got by it lives on', async (t) => {
  const { upstream, logins, ended } = await start(t);
  const other = createReference({ upstream: 'vault', path: 'other/app' });
  await t.rejects(upstream.read(other, interactive()), { code: 'denied' });
  t.equal(logins(), 2, 'a fresh one is asked once');
  t.ok(ended.length === 1 && (ended[0] ?? 0) > 60_000, 'its leases have the time that it has');
  await t.rejects(upstream.read(other, interactive()), { code: 'denied' });
  t.equal(logins(), 2);
});

t.test('it is kept, and renewed, where another cannot be had', async (t) => {
  const { upstream, vault, logins, ended, refuseLogins } = await start(t);
  refuseLogins();
  const other = createReference({ upstream: 'vault', path: 'other/app' });
  await t.rejects(upstream.read(other, interactive()), { code: 'denied' });
  await waitFor('renewals beyond its life', () => vault.count('auth/token/renew-self') >= 3);
  await upstream.read(kv, interactive());
  t.equal(logins(), 1);
  t.strictSame(ended, []);
});
