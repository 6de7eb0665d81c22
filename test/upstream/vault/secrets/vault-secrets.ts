import t, { type Test } from 'tap';
import { createReference, type Operation } from '../../../../src/store/reference.ts';
import { type SecretAnswer, type SecretVersion, secretFields } from '../../../../src/store/secret-version.ts';
import type { AuthConfig } from '../../../../src/upstream/vault/config/vault-config.ts';
import { startDevVault } from '../../../support/dev-vault.ts';
import { startStubVault } from '../../../support/stub-vault.ts';
import { authCommon, createTestUpstream, interactive, shutdown } from '../../../support/test-upstream.ts';

const tokenAuth: AuthConfig = { ...authCommon, method: 'token', mount: 'token' };

async function startBoth(t: Test, policy?: string, flavor: 'vault' | 'openbao' = 'vault') {
  const vault = await startDevVault(t, { flavor });
  if (policy !== undefined) await vault.writePolicy('test', policy);
  const token = policy === undefined ? vault.rootToken : await vault.createToken({ policies: ['test'] });
  const { upstream } = createTestUpstream({
    config: { addresses: [vault.address], auth: tokenAuth },
    env: { VAULT_TOKEN: token },
  });
  t.teardown(() => upstream.close(shutdown));
  upstream.start();
  await upstream.ready(AbortSignal.timeout(60_000));
  return { vault, upstream };
}

function reference(path: string, operation: Operation = 'read', parameters: Record<string, string> = {}) {
  return createReference({ upstream: 'vault', path, operation, parameters });
}

function versionOf(answer: SecretAnswer): SecretVersion {
  return { ...answer, number: 1, obtainedAt: 0, expiresAt: undefined };
}

t.test('KV 2: reads, pins a version, lists, writes', async (t) => {
  const { vault, upstream } = await startBoth(t);
  await upstream.read(reference('secret/team/app', 'write', { password: 'first' }), interactive());
  await vault.writeSecret('secret/team/app', { password: 'second', n: 1 });
  const newest = await upstream.read(reference('secret/team/app'), interactive());
  t.match(newest, { content: { shape: 'kv2' }, versionId: '2' });
  t.equal(secretFields(newest)['password'], 'second');
  const pinned = await upstream.read(reference('secret/team/app', 'read', { version: '1' }), interactive());
  t.equal(secretFields(pinned)['password'], 'first');
  const list = await upstream.read(reference('secret/team', 'list'), interactive());
  t.same(secretFields(list)['keys'], ['app']);
  await t.rejects(upstream.read(reference('secret/none', 'list'), interactive()), { code: 'not_found' });
});

t.test('KV 2: metadata tell whether a version is the newest, where the policy allows it', async (t) => {
  const { vault, upstream } = await startBoth(t);
  await vault.writeSecret('secret/app', { a: '1' });
  const app = reference('secret/app');
  const first = versionOf(await upstream.read(app, interactive()));
  t.equal(await upstream.isCurrent(app, first, interactive()), true);
  await vault.writeSecret('secret/app', { a: '2' });
  t.equal(await upstream.isCurrent(app, first, interactive()), false);
  const pinned = reference('secret/app', 'read', { version: '1' });
  t.equal(await upstream.isCurrent(pinned, first, interactive()), true, 'a pinned version stays itself');
  const second = versionOf(await upstream.read(app, interactive()));
  await vault.ask('DELETE', 'secret/data/app');
  t.equal(await upstream.isCurrent(app, second, interactive()), false);
  await t.rejects(upstream.read(app, interactive()), { code: 'not_found', message: /deleted/ });
  await vault.ask('DELETE', 'secret/metadata/app');
  t.equal(await upstream.isCurrent(app, second, interactive()), false);
});

t.test('what is the same but for the id of its request is given back as it was', async (t) => {
  const { vault, upstream } = await startBoth(t);
  await vault.ask('PUT', 'sys/mounts/kv1', { type: 'kv', options: { version: '1' } });
  for (const path of ['secret/data/app', 'kv1/app']) {
    const app = reference(path);
    const write = (value: string) =>
      vault.ask('PUT', path, path.startsWith('kv1') ? { a: value } : { data: { a: value } });
    await write('1');
    const first = await upstream.read(app, interactive());
    t.equal(await upstream.read(app, interactive(), first), first, path);
    await write('2');
    const second = await upstream.read(app, interactive(), first);
    t.equal(secretFields(second)['a'], '2', 'of the same length, and another');
    await write('22');
    t.equal(secretFields(await upstream.read(app, interactive(), second))['a'], '22');
    await vault.ask('DELETE', path);
    await t.rejects(upstream.read(app, interactive(), second), { code: 'not_found' });
  }
  await vault.writeSecret('secret/list/app', { a: '1' });
  const list = reference('secret/list', 'list');
  const names = await upstream.read(list, interactive());
  t.not(await upstream.read(list, interactive(), names), names, 'only reads are compared');
});

t.test('the same metadata say something else once a planned deletion has come', async (t) => {
  const { vault, upstream } = await startBoth(t);
  await vault.writeSecret('secret/app', { a: '1' });
  const app = reference('secret/app');
  const version = versionOf(await upstream.read(app, interactive()));
  for (let round = 0; round < 3; round += 1)
    t.equal(await upstream.isCurrent(app, version, interactive()), true);
  await vault.ask('PUT', 'secret/metadata/app', { custom_metadata: { team: 'x' } });
  t.equal(await upstream.isCurrent(app, version, interactive()), true, 'other metadata, the same version');
  await vault.ask('PUT', 'secret/delete/app', { versions: [1] });
  t.equal(await upstream.isCurrent(app, version, interactive()), false);
  t.equal(await upstream.isCurrent(app, { ...version, versionId: '2' }, interactive()), false);
});

t.test('KV 2: metadata that may not be read are not asked for again and again', async (t) => {
  const { vault, upstream } = await startBoth(t, 'path "secret/data/*" { capabilities = ["read"] }');
  await vault.writeSecret('secret/app', { a: '1' });
  const app = reference('secret/app');
  const version = versionOf(await upstream.read(app, interactive()));
  for (let index = 0; index < 3; index += 1)
    t.equal(await upstream.isCurrent(app, version, interactive()), undefined);
  t.equal(vault.countRequests(/GET secret\/metadata/), 1);
});

t.test('KV 1: reads and writes plainly, and takes ttl for the time to the next look', async (t) => {
  const { vault, upstream } = await startBoth(t);
  await vault.ask('PUT', 'sys/mounts/kv1', { type: 'kv', options: { version: '1' } });
  await upstream.read(reference('kv1/data/app', 'write', { a: '1', ttl: '5m' }), interactive());
  const answer = await upstream.read(reference('kv1/data/app'), interactive());
  t.match(answer, { content: { shape: 'flat' }, kind: 'static', ttlSeconds: 300 });
  t.equal(secretFields(answer)['a'], '1');
  t.equal(await upstream.isCurrent(reference('kv1/data/app'), versionOf(answer), interactive()), undefined);
});

t.test('where the mounts may not be seen, the answers tell the version', async (t) => {
  const { vault, upstream } = await startBoth(t);
  vault.addFault({
    kind: 'status',
    path: 'sys/internal/ui/mounts',
    status: 403,
    errors: ['preflight capability check returned 403'],
  });
  await vault.writeSecret('secret/app', { a: '1' });
  const byData = await upstream.read(reference('secret/data/app'), interactive());
  t.match(byData, { content: { shape: 'kv2' }, versionId: '1' });
  const short = await upstream.read(reference('secret/app'), interactive());
  t.match(
    short,
    { content: { shape: 'kv2' }, versionId: '1' },
    'the warning for a versioned mount is heeded',
  );
  await upstream.read(reference('secret/app'), interactive());
  t.ok(vault.countRequests(/ui\/mounts/) <= 2, 'a refusal is remembered');
});

t.test('a thousand references of one mount ask for the mount once', async (t) => {
  const { vault, upstream } = await startBoth(t);
  await vault.writeSecret('secret/app', { a: '1' });
  await Promise.all(
    Array.from({ length: 50 }, (_, index) =>
      upstream.read(reference(`secret/app/${index}`), interactive()).catch(() => undefined),
    ),
  );
  t.equal(vault.countRequests(/ui\/mounts/), 1);
});

t.test('a mount that was replaced by another version is noticed', async (t) => {
  const { vault, upstream } = await startBoth(t);
  await vault.ask('PUT', 'sys/mounts/kv', { type: 'kv', options: { version: '1' } });
  await vault.ask('PUT', 'kv/app', { a: '1' });
  t.match(await upstream.read(reference('kv/app'), interactive()), { content: { shape: 'flat' } });
  await vault.ask('DELETE', 'sys/mounts/kv');
  await t.rejects(upstream.read(reference('kv/app'), interactive()), { code: 'mount_not_found' });
  await vault.ask('PUT', 'sys/mounts/kv', { type: 'kv', options: { version: '2' } });
  await vault.writeSecret('kv/app', { a: '2' });
  t.match(await upstream.read(reference('kv/app'), interactive()), { content: { shape: 'kv2' } });
});

t.test('leases: renewed, shortened by the server, gone elsewhere, revoked', async (t) => {
  const { vault, upstream } = await startBoth(t);
  const wrapped = reference('auth/token/create', 'write', { ttl: '60s' });
  t.match(await upstream.read(wrapped, interactive()), { kind: 'expiring', ttlSeconds: 60 });

  await vault.ask('PUT', 'sys/mounts/pki', { type: 'pki' });
  await vault.ask('PUT', 'pki/root/generate/internal', { common_name: 'root', ttl: '24h' });
  await vault.ask('PUT', 'pki/roles/web', { allow_any_name: true, max_ttl: '1h', generate_lease: true });
  const issued = await upstream.read(
    reference('pki/issue/web', 'write', { common_name: 'web.example' }),
    interactive(),
  );
  t.equal(issued.kind, 'expiring');
  t.ok((issued.ttlSeconds ?? 0) > 3000 && (issued.ttlSeconds ?? 0) <= 3600);
  const id = issued.lease?.id ?? '';
  t.ok(id.startsWith('pki/issue/web/'));
  await upstream.leases.revoke(id, interactive());
  await t.rejects(upstream.leases.renew(id, 60, interactive()), {
    code: 'lease_lost',
    remedy: /a new one is asked for/,
  });
  await upstream.leases.revoke(id, interactive());
});

t.test('certificates: key and certificate are of one issue, and each issue is another one', async (t) => {
  const { vault, upstream } = await startBoth(t);
  await vault.ask('PUT', 'sys/mounts/pki', { type: 'pki' });
  await vault.ask('PUT', 'pki/root/generate/internal', { common_name: 'root', ttl: '24h' });
  await vault.ask('PUT', 'pki/roles/web', { allow_any_name: true, max_ttl: '1h' });
  const issue = reference('pki/issue/web', 'write', { common_name: 'web.example', ttl: '10m' });
  const [first, second] = [
    await upstream.read(issue, interactive()),
    await upstream.read(issue, interactive()),
  ];
  t.match(first, { kind: 'expiring', lease: undefined });
  t.ok((first.ttlSeconds ?? 0) > 550 && (first.ttlSeconds ?? 0) <= 630);
  t.not(first.dataDigest, second.dataDigest);
});

t.test('a policy that denies names path and capability; a write never shows its values', async (t) => {
  const { upstream } = await startBoth(t, 'path "secret/data/mine" { capabilities = ["read"] }');
  await t.rejects(upstream.read(reference('secret/other'), interactive()), {
    code: 'denied',
    message: /read secret\/data\/other: denied by policy/,
    remedy: 'allow read on "secret/data/other" in a policy of this login',
  });
  const write = reference('secret/other', 'write', { password: 'canary' });
  const error = await upstream.read(write, interactive()).catch((reason: unknown) => reason);
  t.match(error, { code: 'denied', remedy: /create and update on "secret\/data\/other"/ });
  t.notMatch(JSON.stringify(error), 'canary');
});

t.test('speaks OpenBao as well', async (t) => {
  const { vault, upstream } = await startBoth(t, 'path "secret/*" { capabilities = ["read"] }', 'openbao');
  await vault.writeSecret('secret/app', { a: '1' });
  t.equal(secretFields(await upstream.read(reference('secret/app'), interactive()))['a'], '1');
  await t.rejects(upstream.read(reference('nothing/app'), interactive()), { code: /denied|mount_not_found/ });
  await t.rejects(upstream.read(reference('secret/none'), interactive()), { code: 'not_found' });
});

t.test('a path with characters of URLs arrives as it is', async (t) => {
  const { vault, upstream } = await startBoth(t);
  await vault.writeSecret('secret/a b#c%20d+é', { a: '1' });
  t.equal(secretFields(await upstream.read(reference('secret/a b#c%20d+é'), interactive()))['a'], '1');
});

t.test('an error that repeats what was written, or the token, is told without them', async (t) => {
  const vault = await startStubVault();
  t.teardown(vault.close);
  vault.route(({ path, body, headers }) =>
    path === 'transit/sign/app'
      ? { status: 400, json: { errors: [`cannot sign ${body} for ${headers['x-vault-token']}`] } }
      : undefined,
  );
  const { upstream } = createTestUpstream({ config: { addresses: [vault.address] } });
  t.teardown(() => upstream.close(shutdown));
  upstream.start();
  const parameters = { input: 'the-canary' };
  const write = { upstream: 'vault', operation: 'write' as const, path: 'transit/sign/app', parameters };
  const error = await upstream.read(write, interactive()).catch((reason: Error) => reason.message);
  t.match(
    error,
    /write transit\/sign\/app: refused with 400 \(cannot sign .*\[redacted\].* for \[redacted\]\)/,
  );
  t.notMatch(error, /canary|s\.token/);
});

t.test('an error repeats what the operator wrote, next to what came from a secret', async (t) => {
  const { vault, upstream } = await startBoth(t);
  await vault.ask('PUT', 'sys/mounts/pki', { type: 'pki' });
  await vault.ask('PUT', 'pki/root/generate/internal', { common_name: 'ca', ttl: '8760h' });
  await vault.ask('PUT', 'pki/roles/web', { allowed_domains: 'example.com', allow_subdomains: true });
  const refused = async (shownParameters?: string[]) => {
    const parameters = { common_name: 'shop.example.org', password: 'example' };
    const write = createReference({
      upstream: 'vault',
      operation: 'write',
      path: 'pki/issue/web',
      parameters,
      shownParameters,
    });
    return await upstream.read(write, interactive()).catch((reason: Error) => reason.message);
  };
  t.match(await refused(['common_name', 'password']), /common name shop\.example\.org not allowed/);
  t.match(await refused(['common_name']), /common name shop\.\[redacted\]\.org not allowed/);
  t.match(await refused(), /common name \[redacted\] not allowed/);
});
