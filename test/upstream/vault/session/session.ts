import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { createSystemClock } from '../../../../src/base/time/clock.ts';
import { createReference } from '../../../../src/store/reference.ts';
import { createFastClock } from '../../../support/fast-clock.ts';
import type { LogRecord } from '../../../support/record-logs.ts';
import { createSkippingClock } from '../../../support/skipping-clock.ts';
import { grantedAuth, kv2, type StubVault, startStubVault } from '../../../support/stub-vault.ts';
import { testFolder } from '../../../support/test-folder.ts';
import {
  appRole,
  authCommon,
  createTestUpstream,
  interactive,
  shutdown,
} from '../../../support/test-upstream.ts';
import { waitFor } from '../../../support/wait-for.ts';

const reference = createReference({ upstream: 'vault', path: 'secret/app' });
const ready = () => AbortSignal.timeout(60_000);
const denied = { status: 403, json: { errors: ['permission denied'] } };
const messages = (logs: LogRecord) => logs.lines.map((line) => line.message);

async function start(
  t: Test,
  vault: StubVault,
  over: Partial<Parameters<typeof createTestUpstream>[0]> = {},
) {
  t.teardown(vault.close);
  const made = createTestUpstream({ ...over, config: { addresses: [vault.address], ...over.config } });
  t.teardown(() => made.upstream.close(shutdown));
  made.upstream.start();
  return made;
}

t.test('a revoked token leads to one login for all that wait, each repeated once', async (t) => {
  for (const errors of [['permission denied'], ['permission denied', 'invalid token']]) {
    const vault = await startStubVault();
    const revoked = new Set<unknown>();
    vault.route((request) => {
      const token = request.headers['x-vault-token'];
      if (revoked.has(token)) return { status: 403, json: { errors } };
      return request.path === 'secret/data/app' ? { json: kv2({ a: '1' }) } : undefined;
    });
    const { upstream } = await start(t, vault);
    await upstream.ready(ready());
    await upstream.read(reference, interactive());
    revoked.add('s.token-1');
    vault.requests.length = 0;
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => upstream.read(reference, interactive())),
    );
    t.equal(answers.length, 20);
    t.equal(vault.count('auth/approle/login'), 1, 'one login');
    const looks = errors.includes('invalid token') ? 0 : 1;
    t.equal(vault.count('auth/token/lookup-self'), looks, 'a look at the token only where it is not told');
    t.ok(vault.count('secret/data/app') <= 40, 'each is repeated at most once');
  }
});

t.test('a 403 of policy costs one look at the token, no login, and names the path', async (t) => {
  const vault = await startStubVault();
  vault.route((request) => (request.path === 'secret/data/app' ? denied : undefined));
  const { upstream } = await start(t, vault);
  await upstream.ready(ready());
  for (let index = 0; index < 5; index += 1) {
    await t.rejects(upstream.read(reference, interactive()), {
      code: 'denied',
      status: 403,
      message: /read secret\/data\/app: denied by policy/,
      remedy: /allow read on "secret\/data\/app"/,
    });
  }
  t.equal(vault.count('auth/token/lookup-self'), 1);
  t.equal(vault.count('auth/approle/login'), 1);
  t.equal(vault.count('secret/data/app'), 5);
  t.equal(upstream.status().state, 'ready');
});

t.test('a token that dies right after a 403 of policy is still found dead', async (t) => {
  const vault = await startStubVault();
  let isDead = false;
  vault.route((request) => {
    const token = request.headers['x-vault-token'];
    if (isDead && token === 's.token-1') return denied;
    if (request.path === 'secret/data/other') return denied;
    return request.path === 'secret/data/app' ? { json: kv2({ a: '1' }) } : undefined;
  });
  const { upstream } = await start(t, vault);
  await upstream.ready(ready());
  const other = createReference({ upstream: 'vault', path: 'secret/other' });
  await t.rejects(upstream.read(other, interactive()), { code: 'denied' });
  isDead = true;
  t.ok(await upstream.read(reference, interactive()));
});

t.test('a flood of 403s does not become a flood of looks at the token', async (t) => {
  const vault = await startStubVault();
  vault.route((request) => (request.path.startsWith('secret/data') ? denied : undefined));
  const { upstream } = await start(t, vault);
  await upstream.ready(ready());
  for (let index = 0; index < 30; index += 1) {
    const denial = createReference({ upstream: 'vault', path: `secret/${index}` });
    await t.rejects(upstream.read(denial, interactive()), { code: 'denied' });
  }
  t.ok(vault.count('auth/token/lookup-self') <= 12);
  t.equal(vault.count('auth/approle/login'), 1);
});

t.test('a token that may not look itself up is not replaced for every 403', async (t) => {
  const vault = await startStubVault();
  vault.route((request) => {
    if (/login$/.test(request.path))
      return { json: { auth: grantedAuth(`s.${vault.requests.length}`, { policies: ['app'] }) } };
    return /lookup-self|secret\/data/.test(request.path) ? denied : undefined;
  });
  const { upstream } = await start(t, vault);
  await upstream.ready(ready());
  for (let index = 0; index < 5; index += 1) {
    await t.rejects(upstream.read(reference, interactive()), { code: 'denied' });
  }
  t.equal(vault.count('auth/approle/login'), 2);
});

t.test('renews its token again and again, and logs in again at the max TTL', async (t) => {
  const vault = await startStubVault();
  const clock = createFastClock(50);
  let endsAt = 0;
  let renewals = 0;
  vault.route((request) => {
    if (/login$/.test(request.path)) {
      endsAt = clock.now() + 150_000;
      return {
        json: { auth: grantedAuth(`s.${vault.count('auth/approle/login')}`, { lease_duration: 60 }) },
      };
    }
    if (request.path !== 'auth/token/renew-self') return undefined;
    renewals += 1;
    const left = Math.floor((endsAt - clock.now()) / 1000);
    return { json: { auth: grantedAuth('x', { lease_duration: Math.min(60, left) }) } };
  });
  const { upstream } = await start(t, vault, { clock, config: slow(vault) });
  await upstream.ready(ready());
  await waitFor('a second login', () => vault.count('auth/approle/login') >= 2);
  t.ok(renewals >= 3, `${renewals} renewals`);
  await upstream.ready(ready());
  const renewal = vault.requests.find((request) => request.path === 'auth/token/renew-self');
  t.same(JSON.parse(renewal?.body ?? ''), { increment: '60s' });
});

t.test('replaces a batch token before its end, and tells which leases end with the old one', async (t) => {
  const vault = await startStubVault();
  vault.route((request) => {
    if (/login$/.test(request.path)) {
      const auth = grantedAuth(`b.${vault.count('auth/approle/login')}`, {
        lease_duration: 30,
        renewable: false,
      });
      return { json: { auth } };
    }
    if (!request.path.startsWith('database/creds')) return undefined;
    return {
      json: {
        lease_id: 'database/creds/app/1',
        lease_duration: 60,
        renewable: true,
        data: { username: 'u' },
      },
    };
  });
  const clock = createFastClock(100);
  const { upstream } = await start(t, vault, { clock, config: slow(vault) });
  const ended: [readonly string[], number][] = [];
  upstream.listen({
    leasesEnd(leaseIds, at) {
      ended.push([leaseIds, at]);
      t.equal(vault.count('auth/approle/login'), 2, 'told when there is a token to replace them with');
    },
  });
  await upstream.read(createReference({ upstream: 'vault', path: 'database/creds/app' }), interactive());
  await waitFor('a second login', () => vault.count('auth/approle/login') >= 2);
  await waitFor('the news of the leases', () => ended.length > 0);
  t.same(ended[0]?.[0], ['database/creds/app/1']);
  t.ok((ended[0]?.[1] ?? 0) > clock.wall() - 60_000);
  t.equal(vault.count('auth/token/renew-self'), 0);
  t.equal(vault.count('database/creds/app'), 1, 'a new token re-issues nothing');
});

t.test('tells which leases ended with a token that no login could replace, when it has ended', async (t) => {
  const vault = await startStubVault();
  vault.route((request) => {
    if (/login$/.test(request.path) && vault.count('auth/approle/login') > 1) return denied;
    if (/login$/.test(request.path))
      return { json: { auth: grantedAuth('s.1', { lease_duration: 30, renewable: false }) } };
    if (!request.path.startsWith('database/creds')) return undefined;
    return { json: { lease_id: 'database/creds/app/1', lease_duration: 3600, renewable: true, data: {} } };
  });
  const clock = createFastClock(100);
  // The next try would come long after the token's end.
  const auth = { ...appRole, minBackoffMs: 3_600_000, maxBackoffMs: 3_600_000 };
  const { upstream } = await start(t, vault, { clock, config: { ...slow(vault), auth } });
  const ended: [readonly string[], boolean][] = [];
  upstream.listen({
    leasesEnd: (leaseIds) => ended.push([leaseIds, upstream.status().state === 'ready']),
  });
  await upstream.read(createReference({ upstream: 'vault', path: 'database/creds/app' }), interactive());
  await waitFor('the news of the leases', () => ended.length > 0);
  t.same(ended, [[['database/creds/app/1'], false]]);
});

t.test('a refused login backs off, is told once, and is repeated until it succeeds', async (t) => {
  const vault = await startStubVault();
  let isFixed = false;
  vault.route((request) =>
    /login$/.test(request.path) && !isFixed
      ? { status: 400, json: { errors: ['invalid role or secret ID'] } }
      : undefined,
  );
  // A refused credential is not shown for a quarter of an hour.
  const { clock } = createSkippingClock();
  const { upstream, logs } = await start(t, vault, { clock });
  await waitFor('three tries', () => vault.count('auth/approle/login') >= 3);
  t.match(upstream.status(), {
    state: 'login_failed',
    message:
      /login at auth\/approle\/login: refused with 400 \(invalid role or secret ID\); check role id and secret id/,
    login: { state: 'failed' },
  });
  t.equal(logs.lines.filter((line) => line.level === 'error').length, 1);
  await t.rejects(upstream.read(reference, interactive()), { code: 'login_failed' });
  isFixed = true;
  await upstream.ready(ready());
  t.equal(upstream.status().state, 'ready');
});

t.test('a login that is denied has a state of its own', async (t) => {
  const vault = await startStubVault();
  vault.route((request) => (/login$/.test(request.path) ? denied : undefined));
  const { upstream } = await start(t, vault);
  await waitFor('the state', () => upstream.status().state === 'denied');
  t.match(upstream.status().message, /auth\.mount and namespace are right/);
});

t.test('exit_on_error rejects ready at the first failure and tries no more', async (t) => {
  const vault = await startStubVault();
  vault.route((request) =>
    /login$/.test(request.path) ? { status: 400, json: { errors: ['no'] } } : undefined,
  );
  const { upstream } = await start(t, vault, {
    config: { addresses: [vault.address], auth: { ...appRole, exitOnError: true } },
  });
  await t.rejects(upstream.ready(ready()), { code: 'login_failed' });
  t.match(upstream.status(), { state: 'login_failed', isFatal: true });
  await t.rejects(upstream.read(reference, interactive()), { code: 'login_failed' });
  t.equal(vault.count('auth/approle/login'), 1);
});

t.test('with wrap_ttl the answer of the login comes wrapped and is opened', async (t) => {
  const vault = await startStubVault();
  let creationPath = 'auth/other/login';
  vault.route((request) => {
    if (/login$/.test(request.path)) {
      t.equal(request.headers['x-vault-wrap-ttl'], '60s');
      return { json: { wrap_info: { token: 's.wrapping', creation_path: creationPath, ttl: 60 } } };
    }
    if (request.path !== 'sys/wrapping/unwrap') return undefined;
    return request.headers['x-vault-token'] === 's.wrapping'
      ? { json: { auth: grantedAuth('s.unwrapped') } }
      : { status: 400, json: { errors: ['wrapping token is not valid or does not exist'] } };
  });
  const { upstream } = await start(t, vault, {
    config: { addresses: [vault.address], auth: { ...appRole, wrapTtlSeconds: 60 } },
  });
  await waitFor('the refusal', () => upstream.status().state === 'login_failed');
  t.match(upstream.status().message, /wrapping token of another path/);
  creationPath = 'auth/approle/login';
  await upstream.ready(ready());
});

t.test('an answer of a login that somebody else has opened names the token that they have', async (t) => {
  const vault = await startStubVault();
  vault.route(({ path }) => {
    const wrapInfo = {
      token: 's.wrapping',
      creation_path: path,
      ttl: 60,
      wrapped_accessor: 'accessor-of-the-token',
    };
    if (/login$/.test(path)) return { json: { wrap_info: wrapInfo } };
    return { status: 400, json: { errors: ['wrapping token is not valid or does not exist'] } };
  });
  const { upstream } = await start(t, vault, {
    config: { addresses: [vault.address], auth: { ...appRole, wrapTtlSeconds: 60 } },
  });
  await waitFor('the refusal', () => upstream.status().state === 'login_failed');
  t.match(
    upstream.status().message,
    /cannot be opened .*somebody on the way has opened it .* \(auth\/token\/revoke-accessor, accessor-of-the-token\)/,
  );
});

t.test('requests wait for a login that is under way, and fail with it', async (t) => {
  const vault = await startStubVault();
  let answer: (() => void) | undefined;
  vault.route((request) => {
    if (request.path === 'secret/data/app') return { json: kv2({ a: '1' }) };
    if (!/login$/.test(request.path)) return undefined;
    return (response) => {
      answer = () => response.end(JSON.stringify({ auth: grantedAuth('s.late') }));
    };
  });
  const { upstream } = await start(t, vault);
  const reading = upstream.read(reference, interactive());
  const controller = new AbortController();
  const impatient = upstream.read(reference, { signal: controller.signal, priority: 'interactive' });
  const finish = await waitFor('the login request', () => answer);
  t.equal(upstream.status().state, 'logging_in');
  controller.abort();
  await t.rejects(impatient, { code: 'aborted' });
  finish();
  t.ok(await reading);
});

t.test(
  'a token that ended while the process was suspended is replaced before anybody hears of it',
  async (t) => {
    const vault = await startStubVault();
    vault.route((request) => (request.path === 'secret/data/app' ? { json: kv2({ a: '1' }) } : undefined));
    const system = createSystemClock();
    let suspendedMs = 0;
    const clock = { ...system, now: () => system.now() + suspendedMs };
    const { upstream, logs } = await start(t, vault, { clock });
    await upstream.ready(ready());
    suspendedMs = 2 * 3_600_000;
    await Promise.all([upstream.read(reference, interactive()), upstream.read(reference, interactive())]);
    t.equal(vault.count('auth/approle/login'), 2);
    t.same(messages(logs), ['logged in', 'logged in']);
  },
);

t.test('close revokes the token of a login where asked, and ends what waits', async (t) => {
  for (const revokeToken of [true, false]) {
    const vault = await startStubVault();
    t.teardown(vault.close);
    const { upstream } = createTestUpstream({ config: { addresses: [vault.address] } });
    upstream.start();
    await upstream.ready(ready());
    await upstream.close({ revokeToken, signal: ready() });
    t.equal(vault.count('auth/token/revoke-self'), revokeToken ? 1 : 0);
    t.equal(upstream.status().state, 'closed');
    await t.rejects(upstream.read(reference, interactive()), { code: 'aborted' });
    await t.rejects(upstream.ready(ready()), { code: 'aborted' });
  }
});

t.test('no log line and no error holds the token or the secret id', async (t) => {
  const vault = await startStubVault();
  const canary = 'role-id';
  vault.route((request) =>
    /login$/.test(request.path)
      ? { status: 400, json: { errors: [`bad role_id "${canary}"\nsecond line`] } }
      : undefined,
  );
  const { upstream, logs } = await start(t, vault);
  await waitFor('the state', () => upstream.status().state === 'login_failed');
  const all = JSON.stringify([logs.lines, upstream.status()]);
  t.notMatch(all, canary);
  t.match(all, /\[redacted\]/);
  t.ok(messages(logs).length > 0);
});

t.test('a refused login names the role that was asked for', async (t) => {
  const vault = await startStubVault();
  vault.route((request) =>
    /login$/.test(request.path)
      ? { status: 400, json: { errors: [`role "shop" could not be found, for ${request.body}`] } }
      : undefined,
  );
  const jwt = join(testFolder(t), 'jwt');
  writeFileSync(jwt, 'the.canary.jwt', { mode: 0o600 });
  const auth = {
    ...authCommon,
    method: 'jwt' as const,
    mount: 'jwt',
    role: 'shop',
    path: jwt,
    removeFile: false,
  };
  const { upstream } = await start(t, vault, { config: { addresses: [vault.address], auth } });
  await waitFor('the state', () => upstream.status().state === 'login_failed');
  const { message } = upstream.status();
  t.match(message, /role "shop" could not be found/);
  t.notMatch(message, /canary/);
});

function slow(vault: StubVault) {
  return { addresses: [vault.address], timeoutMs: 600_000 };
}

for (const [what, life] of [
  ['negative', -5],
  ['a hair', 0.001],
] as const) {
  t.test(`a token whose life is ${what} makes no loop of logins`, async (t) => {
    const vault = await startStubVault();
    vault.route(({ path }) =>
      /login$/.test(path) ? { json: { auth: grantedAuth('s.x', { lease_duration: life }) } } : undefined,
    );
    const auth = { ...appRole, minBackoffMs: 1000, maxBackoffMs: 60_000 };
    const clock = createFastClock(20);
    await start(t, vault, { clock, config: { ...slow(vault), auth } });
    const begun = clock.now();
    await waitFor('a minute', () => clock.now() - begun > 60_000);
    const logins = vault.count('auth/approle/login');
    // One a second where the machine is so slow that each token seems to have lived; a loop makes thousands.
    t.ok(logins >= 2 && logins <= 61, `${logins} logins in 60 s`);
  });
}

t.test('a token that is refused as soon as it is there makes no loop of logins', async (t) => {
  const vault = await startStubVault();
  vault.route(({ path }) =>
    path.startsWith('auth/approle') || path === 'sys/health'
      ? undefined
      : { status: 403, json: { errors: ['permission denied', 'invalid token'] } },
  );
  const auth = { ...appRole, minBackoffMs: 1000, maxBackoffMs: 60_000 };
  const clock = createFastClock(20);
  const { upstream } = await start(t, vault, { clock, config: { ...slow(vault), auth } });
  const begun = clock.now();
  while (clock.now() - begun < 60_000) await upstream.read(reference, interactive()).catch(() => undefined);
  const logins = vault.count('auth/approle/login');
  t.ok(logins >= 2 && logins <= 20, `${logins} logins in 60 s`);
});

t.test('a refusal that only a living token gets costs nothing, whatever the token may look up', async (t) => {
  const vault = await startStubVault();
  const ofPolicy = { status: 403, json: { errors: ['1 error occurred:\n\t* permission denied\n\n'] } };
  vault.route(({ path }) => {
    if (/login$/.test(path)) return { json: { auth: grantedAuth('s.x', { policies: ['app'] }) } };
    if (path === 'secret/data/app') return { json: kv2({ a: '1' }) };
    return path === 'sys/health' || path.startsWith('sys/internal') ? undefined : ofPolicy;
  });
  const { upstream } = await start(t, vault);
  await upstream.ready(ready());
  const answer = await upstream.read(reference, interactive());
  const version = { ...answer, number: 1, obtainedAt: 0, expiresAt: undefined };
  t.equal(await upstream.isCurrent(reference, version, interactive()), undefined, 'metadata are forbidden');
  await t.rejects(
    upstream.read(createReference({ upstream: 'vault', path: 'secret/other' }), interactive()),
    { code: 'denied' },
  );
  await t.rejects(upstream.leases.renew('database/creds/x/1', 60, interactive()), { code: 'denied' });
  t.equal(vault.count('auth/approle/login'), 1);
  t.equal(vault.count('auth/token/lookup-self'), 0);
});
