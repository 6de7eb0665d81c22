import { createHash } from 'node:crypto';
import { chmodSync, chownSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { ssoToken } from '../../../src/upstream/cloud/aws-sso-login.ts';
import { type FakeAnswer, startFakeService } from '../../support/fake-service.ts';
import { isRoot, needsRoot } from '../../support/needs-root.ts';
import { testFolder } from '../../support/test-folder.ts';

const minute = 60_000;
const at = (leftMs: number) => new Date(Date.now() + leftMs).toISOString();
const remedy = 'run aws sso login';

/** A login in the cache, and the service that refreshes it. */
async function start(t: Test, login: object, answer: (body: string) => FakeAnswer = () => fresh) {
  const home = testFolder(t);
  const folder = join(home, '.aws/sso/cache');
  mkdirSync(folder, { recursive: true });
  const path = join(folder, `${createHash('sha1').update('corp').digest('hex')}.json`);
  const write = (content: object) => writeFileSync(path, JSON.stringify(content), { mode: 0o600 });
  write(login);
  const oidc = await startFakeService(t, ({ path: asked, body }) =>
    asked === '/token' ? answer(body.toString()) : { status: 404 },
  );
  const env = { HOME: home, AWS_ENDPOINT_URL_SSO_OIDC: oidc.address };
  const token = () =>
    ssoToken('corp', { env, region: 'eu-west-1', remedy, signal: AbortSignal.timeout(60_000) });
  return { oidc, folder, path, write, token, cached: () => JSON.parse(readFileSync(path, 'utf8')) };
}

const registered = {
  startUrl: 'https://corp.example/start',
  region: 'eu-west-1',
  clientId: 'client',
  clientSecret: 'canary-secret',
  registrationExpiresAt: at(1e9),
  refreshToken: 'canary-refresh-1',
};
const fresh: FakeAnswer = {
  json: { accessToken: 'canary-new', expiresIn: 3600, refreshToken: 'canary-refresh-2', tokenType: 'Bearer' },
};

t.test('one that lasts is used as it is', async (t) => {
  const { token, oidc } = await start(t, {
    ...registered,
    accessToken: 'canary-old',
    expiresAt: at(20 * minute),
  });
  t.equal(await token(), 'canary-old');
  t.equal(oidc.requests.length, 0);
});

t.test('one that is about to end is refreshed once for all, in the cache too', async (t) => {
  for (const leftMs of [10 * minute, -minute]) {
    const bodies: string[] = [];
    const { token, oidc, cached, path, folder } = await start(
      t,
      { ...registered, accessToken: 'canary-old', expiresAt: at(leftMs) },
      (body) => {
        bodies.push(body);
        return fresh;
      },
    );
    t.strictSame(await Promise.all([token(), token(), token()]), ['canary-new', 'canary-new', 'canary-new']);
    t.equal(oidc.requests.length, 1);
    t.strictSame(JSON.parse(bodies[0] ?? ''), {
      grantType: 'refresh_token',
      clientId: 'client',
      clientSecret: 'canary-secret',
      refreshToken: 'canary-refresh-1',
    });
    const { expiresAt, ...rest } = cached();
    t.strictSame(rest, { ...registered, accessToken: 'canary-new', refreshToken: 'canary-refresh-2' });
    t.match(expiresAt, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
    t.equal(statSync(path).mode & 0o777, 0o600);
    t.equal(readdirSync(folder).length, 1, 'nothing else is left there');
    t.equal(await token(), 'canary-new');
    t.equal(oidc.requests.length, 1, 'the next one finds it in the cache');
  }
});

t.test('a refusal is no harm while the login lasts, and told without a secret afterwards', async (t) => {
  const login = { ...registered, accessToken: 'canary-old', expiresAt: at(5 * minute) };
  const { token, write, cached } = await start(t, login, () => ({
    status: 400,
    json: { error: 'invalid_grant', error_description: 'canary-refresh-1' },
  }));
  t.equal(await token(), 'canary-old');
  t.strictSame(cached(), login);
  write({ ...login, expiresAt: at(-1) });
  const refused = await token().catch((error: Error) => error);
  t.match(refused, { code: 'login_failed', remedy, message: /has ended: .*answers 400/ });
  t.notMatch(JSON.stringify(refused) + String(refused), /canary/);
});

t.test('what cannot be refreshed is used to its end', async (t) => {
  const old = { accessToken: 'canary-old', expiresAt: at(5 * minute) };
  for (const [login, why] of [
    [old, /has ended$/],
    [{ ...registered, ...old, registrationExpiresAt: at(-1) }, /and so has the registration/],
  ] as const) {
    const { token, write, oidc } = await start(t, login);
    t.equal(await token(), 'canary-old');
    write({ ...login, expiresAt: at(-1) });
    await t.rejects(token(), { code: 'login_failed', message: why, remedy });
    t.equal(oidc.requests.length, 0);
  }
});

t.test(
  'where the fresh one could not be kept it is left alone',
  { skip: isRoot && 'root may write' },
  async (t) => {
    const { token, folder, oidc } = await start(t, {
      ...registered,
      accessToken: 'canary-old',
      expiresAt: at(5 * minute),
    });
    chmodSync(folder, 0o500);
    t.teardown(() => chmodSync(folder, 0o700));
    t.equal(await token(), 'canary-old');
    t.equal(oidc.requests.length, 0);
  },
);

t.test('that of another user is theirs to refresh', { skip: needsRoot }, async (t) => {
  const { token, path, write, oidc } = await start(t, {
    ...registered,
    accessToken: 'canary-old',
    expiresAt: at(5 * minute),
  });
  chownSync(path, 61_001, 61_001);
  t.equal(await token(), 'canary-old');
  write({ ...registered, accessToken: 'canary-old', expiresAt: at(-1) });
  await t.rejects(token(), { message: /is another user's to refresh/ });
  t.equal(oidc.requests.length, 0);
});

t.test(
  'nor is one used up that could not be kept where others have a hand',
  { skip: needsRoot },
  async (t) => {
    const { token, oidc, folder } = await start(t, {
      ...registered,
      accessToken: 'canary-old',
      expiresAt: at(-1),
    });
    chownSync(folder, 61_001, 61_001);
    await t.rejects(token(), { message: /a fresh one cannot be kept/ });
    t.equal(oidc.requests.length, 0);
  },
);

t.test('whoever logs in meanwhile keeps what they got', async (t) => {
  const other = { ...registered, accessToken: 'canary-other', expiresAt: at(60 * minute) };
  const setUp = await start(
    t,
    { ...registered, accessToken: 'canary-old', expiresAt: at(5 * minute) },
    () => {
      setUp.write(other);
      return fresh;
    },
  );
  t.equal(await setUp.token(), 'canary-new');
  t.strictSame(setUp.cached(), other);
});
