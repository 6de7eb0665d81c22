import { createDecipheriv, createPublicKey, diffieHellman, generateKeyPairSync, hkdfSync } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import type { SinkConfig } from '../../../../src/upstream/vault/config/vault-config.ts';
import { startDevVault } from '../../../support/dev-vault.ts';
import { isRoot, needsRoot } from '../../../support/needs-root.ts';
import { testFolder } from '../../../support/test-folder.ts';
import { appRole, createTestUpstream, shutdown } from '../../../support/test-upstream.ts';
import { waitFor } from '../../../support/wait-for.ts';

function sinkAt(path: string, over: Partial<SinkConfig> = {}): SinkConfig {
  return {
    path,
    mode: 0o640,
    owner: undefined,
    group: undefined,
    wrapTtlSeconds: undefined,
    dhPath: undefined,
    deriveKey: false,
    aad: undefined,
    ...over,
  };
}

async function startWith(t: Test, sinks: SinkConfig[]) {
  const vault = await startDevVault(t);
  const { roleId } = await vault.createAppRole('web', { secret_id_num_uses: 0 });
  const { secret_id: secretId } = (await vault.ask('PUT', 'auth/approle/role/web/secret-id')).data;
  const secretIdFile = join(testFolder(t), 'secret-id');
  writeFileSync(secretIdFile, secretId);
  const { upstream, logs } = createTestUpstream({
    config: {
      addresses: [vault.address],
      sinks,
      auth: { ...appRole, method: 'approle', roleId, secretIdFile } as never,
    },
  });
  t.teardown(() => upstream.close(shutdown));
  upstream.start();
  await upstream.ready(AbortSignal.timeout(60_000));
  const lookUp = async (token: string) =>
    await vault.vault.request('GET', 'auth/token/lookup-self', {}, { token });
  const revoke = async () => {
    await vault.ask('PUT', 'auth/token/revoke-accessor', { accessor: upstream.status().login.accessor });
    await upstream.read(
      { upstream: 'vault', operation: 'read', path: 'auth/token/lookup-self', parameters: {} },
      { signal: AbortSignal.timeout(60_000), priority: 'interactive' },
    );
  };
  return { vault, upstream, logs, lookUp, revoke };
}

const content = (path: string) =>
  waitFor(path, () => {
    try {
      return readFileSync(path, 'utf8') || undefined;
    } catch {
      return undefined;
    }
  });

t.test('writes the token with mode, owner and group, and each new one over it', async (t) => {
  const folder = testFolder(t);
  const path = join(folder, 'token');
  const ids = isRoot ? { owner: '1234', group: '4321' } : {};
  const { lookUp, revoke } = await startWith(t, [sinkAt(path, { mode: 0o440, ...ids })]);
  const first = await content(path);
  t.equal((await lookUp(first)).status, 200);
  const { mode, uid, gid } = statSync(path);
  t.equal(mode & 0o7777, 0o440);
  t.same([uid, gid], [1234, 4321], 'its owner and group', { skip: needsRoot });
  await revoke();
  await waitFor('another token', () => readFileSync(path, 'utf8') !== first);
  t.equal((await lookUp(readFileSync(path, 'utf8'))).status, 200);
  t.same(
    readdirSync(folder).filter((name) => name !== 'secret-id'),
    ['token'],
    'nothing is left beside it',
  );
});

t.test('a staged file that a killed agent left behind is replaced, a symlink is not followed', async (t) => {
  const folder = testFolder(t);
  writeFileSync(join(folder, 'victim'), 'untouched');
  symlinkSync('victim', join(folder, '.token.latchkey'));
  const path = join(folder, 'token');
  await startWith(t, [sinkAt(path)]);
  await content(path);
  t.equal(readFileSync(join(folder, 'victim'), 'utf8'), 'untouched');
});

t.test('wrapped: the wrap info, and inside it the token', async (t) => {
  const path = join(testFolder(t), 'token');
  const { vault, lookUp } = await startWith(t, [sinkAt(path, { wrapTtlSeconds: 120 })]);
  const info = JSON.parse(await content(path)) as { token: string; ttl: number; creation_path: string };
  t.match(info, { ttl: 120, creation_path: 'sys/wrapping/wrap', creation_time: String });
  const opened = await vault.vault.request('PUT', 'sys/wrapping/unwrap', {}, { token: info.token });
  t.equal((await lookUp(opened.body.data.token)).status, 200);
});

t.test('encrypted: opens with the private key, the derived key and the additional data', async (t) => {
  for (const { deriveKey, aad, wrapTtlSeconds } of [
    { deriveKey: false, aad: undefined, wrapTtlSeconds: undefined },
    { deriveKey: true, aad: 'latchkey', wrapTtlSeconds: undefined },
    { deriveKey: true, aad: undefined, wrapTtlSeconds: 60 },
  ]) {
    const { privateKey, publicKey } = generateKeyPairSync('x25519');
    const ours = Buffer.from(publicKey.export({ format: 'jwk' }).x ?? '', 'base64url');
    const folder = testFolder(t);
    writeFileSync(join(folder, 'dh'), JSON.stringify({ curve25519_public_key: ours.toString('base64') }));
    const path = join(folder, 'token');
    const sink = sinkAt(path, { dhPath: join(folder, 'dh'), deriveKey, aad, wrapTtlSeconds });
    const { lookUp } = await startWith(t, [sink]);
    const envelope = JSON.parse(await content(path)) as Record<string, string>;
    const bytes = (name: string) => Buffer.from(envelope[name] ?? '', 'base64');
    const theirs = bytes('curve25519_public_key');
    const key = { kty: 'OKP', crv: 'X25519', x: theirs.toString('base64url') };
    const shared = diffieHellman({ privateKey, publicKey: createPublicKey({ key, format: 'jwk' }) });
    const [salt, info] = [ours, theirs].sort(Buffer.compare);
    const aes = deriveKey ? Buffer.from(hkdfSync('sha256', shared, salt ?? '', info ?? '', 32)) : shared;
    const payload = bytes('encrypted_payload');
    const decipher = createDecipheriv('aes-256-gcm', aes, bytes('nonce'));
    if (aad !== undefined) decipher.setAAD(Buffer.from(aad));
    decipher.setAuthTag(payload.subarray(-16));
    const plain = Buffer.concat([decipher.update(payload.subarray(0, -16)), decipher.final()]).toString(
      'utf8',
    );
    if (wrapTtlSeconds === undefined) t.equal((await lookUp(plain)).status, 200);
    else t.match(JSON.parse(plain), { creation_path: 'sys/wrapping/wrap' });
  }
});

t.test('a sink that cannot be written is told once, and does not stop the others', async (t) => {
  const folder = testFolder(t);
  mkdirSync(join(folder, 'closed'));
  const path = join(folder, 'token');
  chmodSync(join(folder, 'closed'), 0o500);
  const { logs, upstream } = await startWith(t, [
    sinkAt(join(folder, 'missing', 'token')),
    sinkAt(join(folder, 'encrypted'), { dhPath: join(folder, 'no-key') }),
    sinkAt(path),
  ]);
  const token = await content(path);
  const errors = () => logs.lines.filter((line) => line.message === 'a sink was not written');
  await waitFor('both errors', () => errors().length === 2);
  t.match(
    errors()
      .map((line) => String(line.fields['error']))
      .sort(),
    [
      /dh_path: .*no-key cannot be read \(ENOENT\); let the reader/,
      /the sink .*missing\/token cannot be written \(ENOENT\); check that the folder/,
    ],
  );
  t.equal(upstream.status().state, 'ready');
  t.notMatch(JSON.stringify(logs.lines), token);
  mkdirSync(join(folder, 'missing'));
  t.equal(await content(join(folder, 'missing', 'token')), token, 'tried again until it can be written');
  await waitFor('its end is told too', () =>
    logs.lines.some(
      ({ message, fields }) =>
        message === 'the sink is written again' && fields['path'] === join(folder, 'missing', 'token'),
    ),
  );
});

t.test('a token that is in a sink outlives the agent', async (t) => {
  const path = join(testFolder(t), 'token');
  const { upstream, lookUp } = await startWith(t, [sinkAt(path)]);
  const token = await content(path);
  await upstream.close({ revokeToken: true, signal: AbortSignal.timeout(60_000) });
  t.equal((await lookUp(token)).status, 200);
});

t.test(
  'a sink that somebody removes or changes is written again; a wrapped token that was taken is not',
  async (t) => {
    const folder = testFolder(t);
    const [plain, wrapped] = [join(folder, 'app', 'token'), join(folder, 'wrapped')];
    mkdirSync(join(folder, 'app'));
    const { lookUp } = await startWith(t, [sinkAt(plain), sinkAt(wrapped, { wrapTtlSeconds: 60 })]);
    const token = await content(plain);
    await content(wrapped);
    const isRight = () =>
      statSync(plain, { throwIfNoEntry: false })?.mode === 0o100640 && readFileSync(plain, 'utf8') === token;
    const changes = [
      () => rmSync(plain),
      () => writeFileSync(plain, 'tampered'),
      () => chmodSync(plain, 0o666),
      () => {
        rmSync(join(folder, 'app'), { recursive: true, maxRetries: 9 });
        mkdirSync(join(folder, 'app'));
      },
    ];
    for (const change of changes) {
      await waitFor('the sink to be as it was written', isRight);
      change();
      t.notOk(isRight());
      await waitFor('the sink to be written again', isRight);
    }
    t.equal((await lookUp(token)).status, 200);
    rmSync(wrapped);
    rmSync(plain);
    await waitFor('the plain one to be there again', isRight);
    t.notOk(existsSync(wrapped), 'its reader has taken it');
  },
);

t.test('whoever changes a sink again and again does not have it written at full speed', async (t) => {
  const path = join(testFolder(t), 'token');
  await startWith(t, [sinkAt(path)]);
  const token = await content(path);
  const isRight = () => readFileSync(path, 'utf8') === token;
  const writtenAt: number[] = [];
  for (let round = 0; round < 5; round += 1) {
    await waitFor('the sink to be as it was written', isRight);
    writtenAt.push(statSync(path).mtimeMs);
    writeFileSync(path, 'tampered');
  }
  const [before = 0, last = 0] = writtenAt.slice(-2);
  t.ok(last - before >= 900, `written at ${writtenAt.join(', ')}`);
});
