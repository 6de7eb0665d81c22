// Service accounts of 1Password by a library that is there or not, and what its failures mean.
import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { startFakeAccount } from '../../support/fake-onepassword-sdk.ts';
import { startKindSource } from '../../support/kind-source.ts';
import { testFolder } from '../../support/test-folder.ts';
import { waitFor } from '../../support/wait-for.ts';

const item = (title: string, fields: Record<string, string>) => ({
  id: `id-${title.toLowerCase()}`,
  title,
  version: 1,
  fields: new Map(Object.entries(fields)),
});

async function refusalOf(t: Test, sdkPath: string, token: string): Promise<string | undefined> {
  const { source } = await startKindSource(
    t,
    { kind: 'onepassword', sdk_path: sdkPath },
    { env: { OP_SERVICE_ACCOUNT_TOKEN: token } },
  );
  const { message } = await waitFor('the refusal', () => {
    const status = source.status();
    return status.state === 'login_failed' ? status : undefined;
  });
  return message;
}

t.test('without the library it says what is missing and how to get it', async (t) => {
  const message = await refusalOf(t, testFolder(t), 'ops_canary');
  t.match(message, /need the package @1password\/sdk, which is not in \/tmp/);
  t.match(message, /npm install --prefix .* @1password\/sdk.*sdk_path; or use a Connect server/);
});

t.test('a library that others can change is not loaded', async (t) => {
  const account = startFakeAccount(t);
  chmodSync(join(account.folder, 'node_modules/@1password/sdk'), 0o777);
  const message = await refusalOf(t, account.folder, account.token);
  t.match(
    message,
    /@1password\/sdk is not loaded: .*node_modules\/@1password\/sdk can be written by everybody/,
  );
  t.strictSame(account.logins, []);
});

t.test('nor one of which a single file, or what it loads of the vendor, is theirs', async (t) => {
  for (const path of ['sdk/index.js', 'sdk-core/nodejs/core.js', 'sdk-core/linked/core.js']) {
    const account = startFakeAccount(t);
    const vendors = join(account.folder, 'node_modules/@1password');
    mkdirSync(join(vendors, 'sdk-core/nodejs'), { recursive: true });
    mkdirSync(join(account.folder, 'store'));
    symlinkSync(join(account.folder, 'store'), join(vendors, 'sdk-core/linked'));
    symlinkSync(vendors, join(vendors, 'sdk-core/round'));
    writeFileSync(join(vendors, path), 'export {};\n', { flag: 'a' });
    chmodSync(join(vendors, path), 0o666);
    const message = await refusalOf(t, account.folder, account.token);
    t.match(message, /@1password\/sdk is not loaded: .*\.js can be written by everybody/, path);
    t.strictSame(account.logins, []);
  }
});

t.test('references that come together are one request, and each counts', async (t) => {
  const account = startFakeAccount(t);
  for (const name of ['a', 'b', 'c']) account.items.set(name, item(name, { password: name }));
  const counts: number[] = [];
  account.onRead = (count) => counts.push(count);
  const { source, read } = await startKindSource(
    t,
    { kind: 'onepassword', sdk_path: account.folder },
    { env: { OP_SERVICE_ACCOUNT_TOKEN: account.token } },
  );
  await source.ready(AbortSignal.timeout(60_000));
  await Promise.all(['a', 'b', 'c', 'a'].map((name) => read(`op://Apps/${name}/password`)));
  t.strictSame(counts, [3]);
  t.match(source.status().budget, { asked: { hour: 1 }, limits: [{ most: 1000, used: 3, from: 'service' }] });
  t.equal(account.logins.length, 1);
});

t.test('failures of the library are told apart, without its words', async (t) => {
  const account = startFakeAccount(t);
  account.items.set('db', item('db', { password: 'one' }));
  const { source, read, logs } = await startKindSource(
    t,
    { kind: 'onepassword', sdk_path: account.folder },
    { env: { OP_SERVICE_ACCOUNT_TOKEN: account.token } },
  );
  await source.ready(AbortSignal.timeout(60_000));
  const path = 'op://Apps/db/password';
  const code = async (of = path) =>
    await read(of).then(
      () => 'fine',
      (error: { code: string }) => error.code,
    );
  t.equal(await code('op://Apps/db/none'), 'not_found');
  t.equal(await code('op://Other/db/password'), 'not_found');
  account.failure = { name: 'Error', message: 'dns canary-5f1d' };
  t.equal(await code(), 'upstream_unavailable');
  account.failure = undefined;
  t.equal(await code(), 'fine');
  account.failure = { name: 'AuthExpiredError', message: 'canary-5f1d' };
  t.equal(await code(), 'login_failed');
  account.failure = undefined;
  t.equal(await code(), 'fine', 'it logs in again');
  account.failure = { name: 'RateLimitExceededError', message: 'canary-5f1d' };
  t.equal(await code(), 'upstream_rate_limited');
  t.equal(source.status().state, 'rate_limited');
  t.notMatch(JSON.stringify([logs, source.status()]), /canary/);
});
