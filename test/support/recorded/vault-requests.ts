// Recorded requests of the Vault dialect: the own mount, the cache, what is passed on, what is kept for a caller.
import { UpstreamError } from '../../../src/base/upstream-error.ts';
import { defaultEntryPolicy } from '../../../src/store/entry.ts';
import { createReference } from '../../../src/store/reference.ts';
import { answerOf } from '../serving.ts';
import { type Scene, start } from './scene.ts';

export async function vaultRequests({ store, ask, note, pass }: Scene): Promise<void> {
  note('vault: the own mount');
  for (const path of [
    ...['data/stripe', 'data/other', 'data/db', 'metadata/stripe', 'data/none', 'data/late', 'metadata/none'],
    ...['metadata?list=true', 'metadata/', 'config', 'data/', 'metadata/db'],
  ])
    await ask('api', 'GET', `/v1/latchkey/${path}`);
  await ask('api', 'GET', '/v1/latchkey/data/stripe');
  for (const method of ['PUT', 'HEAD']) await ask('api', method, '/v1/latchkey/data/stripe');
  await ask('api', 'GET', '/v1/sys/internal/ui/mounts/latchkey/stripe');
  note('vault: from the cache');
  const opened = (path: string) =>
    store.open(createReference({ upstream: 'vault', path }), defaultEntryPolicy).key;
  const metadata = '{"version":1,"created_time":"2026-01-01T00:00:00Z","deletion_time":"","destroyed":false}';
  const kv = opened('secret/data/kv');
  store.publish(
    kv,
    answerOf(`{"data":{"key":"v1"},"metadata":${metadata}}`, { versionId: '1' }, 'kv2'),
    undefined,
  );
  const lease = { id: 'secret/lease/1', durationSeconds: 60, isRenewable: true };
  const leased = opened('secret/lease');
  const now = start + 10_000;
  store.publish(leased, answerOf('{"user":"u"}', { kind: 'leased', lease }), now + 60_000);
  const ttl = '{"password":"p","ttl":30,"last_vault_rotation":"x"}';
  store.publish(opened('secret/role'), answerOf(ttl, { kind: 'rotating' }), now + 30_000);
  for (let round = 0; round < 3; round += 1) {
    for (const path of ['/v1/secret/data/kv', '/v1/secret/lease', '/v1/secret/role'])
      await ask('api', 'GET', path, { 'X-Vault-Request': 'true' });
    pass(1700);
  }
  note('vault: stale');
  store.fail(kv, new UpstreamError('upstream_unavailable', 'the vault is away'), 'stale');
  await ask('api', 'GET', '/v1/secret/data/kv');
  note('vault: what nothing answers');
  for (const path of ['/v1/secret/data/none', '/v1/denied/x', '/v1/sys/health', '/v1/', '/v1/secret/../x'])
    await ask('api', 'GET', path);
}

/** What no memory answers: lists, writes, wrapped answers, other namespaces, tokens. */
export async function passedOnToVault({ ask, note }: Scene): Promise<void> {
  note('vault: passed on');
  const json = { 'Content-Type': 'application/json' };
  await ask('api', 'GET', '/v1/secret/metadata?list=true');
  await ask('api', 'LIST', '/v1/secret/metadata');
  await ask('api', 'GET', '/v1/secret/metadata/kv');
  for (const method of ['PUT', 'PATCH'])
    await ask('api', method, '/v1/secret/data/kv', json, { body: '{"data":{"key":"v2"}}' });
  await ask('api', 'DELETE', '/v1/secret/data/kv');
  await ask('api', 'GET', '/v1/secret/data/kv', { 'X-Vault-Wrap-TTL': '60s' });
  await ask('api', 'PUT', '/v1/sys/wrapping/unwrap', json, { body: '{"token":"hvs.wrapped"}' });
  await ask('api', 'GET', '/v1/secret/data/kv', { 'X-Vault-Namespace': 'team' });
  await ask('api', 'GET', '/v1/secret/data/kv', { 'X-Vault-Token': 'hvs.callers' });
  await ask('api', 'GET', '/v1/secret/data/kv', { 'X-Vault-Wrap-TTL': '60s', Connection: 'close' });
  for (const path of [
    'secret/data/missing',
    'kv1/missing',
    'secret/data/own',
    'secret/data/kv?help=1',
    'kv1/x',
  ])
    await ask('api', 'GET', `/v1/${path}`);
  await ask('api', 'GET', '/v1/auth/token/lookup-self');
  await ask('api', 'POST', '/v1/auth/token/lookup', json, { body: '{"token":"hvs.other"}' });
  await ask('api', 'PUT', '/v1/sys/leases/renew', json, { body: '{"lease_id":"database/creds/other/1"}' });
  for (const path of [
    '/v1/secret//kv',
    '/v1/secret/%2e%2e/kv',
    '/v1/secret/data/kv?list=1&list=0',
    '/v1/secret%2fx',
  ])
    await ask('api', 'GET', path);
  note('vault: whom the listener asks for a header');
  for (const headers of [
    {},
    { 'X-Vault-Request': 'true' },
    { 'X-Vault-Request': 'true', 'X-Vault-Token': 'hvs.x' },
  ])
    for (const path of ['/v1/secret/data/kv', '/v1/latchkey/data/stripe', '/v1/secret/metadata?list=true'])
      await ask('strict', 'GET', path, headers);
  note('vault: over TCP');
  for (const headers of [{ 'X-Vault-Token': 'TOKEN' }, { Authorization: 'Bearer TOKEN' }, {}])
    for (const path of ['/v1/secret/data/kv', '/v1/latchkey/data/stripe', '/v1/latchkey/metadata/stripe'])
      for (const version of ['1.1', '1.0'] as const) await ask('tcp', 'GET', path, headers, { version });
  await ask('tcp', 'GET', '/v1/secret/data/kv', { 'X-Vault-Token': 'hvs.x', Authorization: 'Bearer TOKEN' });
  note('vault: the own mount by other methods');
  for (const path of ['metadata', 'metadata/', 'data', 'metadata/stripe'])
    await ask('api', 'LIST', `/v1/latchkey/${path}`);
  for (const method of ['POST', 'DELETE', 'PATCH'])
    await ask('api', method, '/v1/latchkey/data/stripe', json, { body: '{"data":{}}' });
}

/** Logins and leases for whoever asks the very same again, each with what is left of its life. */
export async function heldByVault({ ask, note, pass }: Scene): Promise<void> {
  note('vault: kept for a caller');
  const json = { 'Content-Type': 'application/json' };
  const login = '{"role_id":"r","secret_id":"s"}';
  for (let round = 0; round < 3; round += 1) {
    await ask('api', 'POST', '/v1/auth/approle/login', json, { body: login });
    await ask('api', 'POST', '/v1/auth/approle/login', {}, { body: login });
    await ask('api', 'POST', '/v1/auth/approle/login', {}, { body: '{"role_id":"r","secret_id":"t"}' });
    await ask('api', 'POST', '/v1/auth/token/create', json, { body: '{"ttl":"1h"}' });
    await ask('api', 'PUT', '/v1/database/creds/app', json, { body: '{}' });
    await ask('api', 'PUT', '/v1/database/creds/app', json);
    pass(round === 0 ? 1500 : 1000);
  }
  await ask('api', 'PUT', '/v1/sys/leases/revoke', json, { body: '{"lease_id":"database/creds/app/1"}' });
  await ask('api', 'PUT', '/v1/database/creds/app', json, { body: '{}' });
  note('vault: the own paths beside it');
  for (const body of [
    '{"type":"all"}',
    '{"type":"request_path","value":"/v1/secret"}',
    '{"type":"x"}',
    'x',
    '',
  ])
    await ask('api', 'POST', '/agent/v1/cache-clear', json, { body });
  await ask('api', 'GET', '/agent/v1/cache-clear');
  await ask('api', 'POST', '/agent/v1/quit');
  await ask('api', 'GET', '/proxy/v1/none');
}
