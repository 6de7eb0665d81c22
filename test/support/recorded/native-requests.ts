// Recorded requests of the native dialect.
import { SecretValue } from '../../../src/base/secret-value.ts';
import { UpstreamError } from '../../../src/base/upstream-error.ts';
import { answerOf } from '../serving.ts';
import { type Scene, start } from './scene.ts';

export async function nativeRequests({ put, open, store, ask, note, pass }: Scene): Promise<void> {
  note('native');
  const key = put('stripe', '{"key":"sk_1","amount":1.50,"note":"ä\\n"}', { versionId: '3' }, 'flat');
  open('late');
  pass(1500);
  for (const path of ['/secrets', '/secrets/', '/secrets/stripe', '/secrets/other', '/secrets/stripe/key'])
    for (const method of ['GET', 'HEAD']) await ask('api', method, path);
  await ask('api', 'GET', '/secrets/stripe/key', { 'If-None-Match': 'LAST' });
  await ask('api', 'GET', '/secrets/stripe');
  await ask('api', 'GET', '/secrets/stripe', { 'If-None-Match': 'LAST' });
  await ask('api', 'HEAD', '/secrets/stripe', { 'If-None-Match': '*' });
  await ask('api', 'GET', '/secrets/stripe', { 'If-None-Match': '"x"' });
  await ask('api', 'GET', '/secrets/stripe', { Connection: 'close' });
  for (const path of [
    ...['/secrets/stripe/amount', '/secrets/stripe/note', '/secrets/stripe/kex', '/secrets/none'],
    ...['/secrets/late', '/secrets/%73tripe', '/secrets/st%zz', '/secrets/stripe/key/more', '/secrets//key'],
    ...[
      '/secrets/stripe/',
      '/secrets/stripe?wait=0s',
      '/secrets/stripe?wait=x',
      '/secrets/../secrets/stripe',
    ],
  ])
    await ask('api', 'GET', path);
  for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS']) await ask('api', method, '/secrets/stripe');
  note('another second');
  pass(1000);
  await ask('api', 'GET', '/secrets/stripe');
  await ask('api', 'GET', '/secrets/stripe/key');
  note('stale');
  store.fail(key, new UpstreamError('upstream_unavailable', 'the vault is away'), 'stale');
  for (const path of ['/secrets', '/secrets/stripe', '/secrets/stripe/key']) await ask('api', 'GET', path);
  note('another version, with an end');
  store.publish(key, answerOf('{"key":"sk_2"}', { versionId: '4' }), start + 60_000);
  for (const path of ['/secrets', '/secrets/stripe', '/secrets/stripe/key', '/secrets/stripe/amount'])
    await ask('api', 'GET', path);
}

/** By TCP, by other versions and forms of HTTP, by every kind of content; a refusal, a stream. */
export async function otherNativeRequests(scene: Scene): Promise<void> {
  const { put, open, store, ask, listen, note } = scene;
  note('native: other forms');
  const proof = { Authorization: 'Bearer TOKEN' };
  for (const headers of [proof, { 'X-Vault-Token': 'TOKEN' }, {}, { Authorization: 'Bearer x' }])
    for (const path of ['/secrets/stripe', '/secrets/stripe/key', '/secrets'])
      await ask('tcp', 'GET', path, headers);
  await ask('tcp', 'HEAD', '/secrets/stripe', proof);
  await ask('tcp', 'GET', '/secrets/stripe/key', { ...proof, Connection: 'close' });
  for (const path of ['/secrets/stripe', '/secrets/stripe/key']) {
    await ask('api', 'GET', path, {}, { version: '1.0' });
    await ask('api', 'GET', path, { Connection: 'keep-alive' }, { version: '1.0' });
    await ask('api', 'GET', path, {}, { body: 'a body' });
  }
  for (const path of ['/secrets/other/key', '/secrets/other', '/secrets/other/none'])
    for (let round = 0; round < 2; round += 1) await ask('api', 'GET', path);
  await ask('api', 'GET', '/secrets/other/key', { 'If-None-Match': 'LAST' });
  note('native: kinds of content');
  put(
    'mixed',
    '{"":"empty name","a b/c":"x","list":[1,2.0,{"a":null}],"no":false,"nothing":null,"ü":"ö","long":1e400}',
  );
  for (const path of ['', '/a%20b%2Fc', '/list', '/no', '/nothing', '/%C3%BC', '/long', '/%FF'])
    await ask('api', 'GET', `/secrets/mixed${path}`);
  const raw = open('raw').key;
  for (const bytes of ['plain text', Buffer.from([0, 1, 255])]) {
    const value = SecretValue.fromBytes(Buffer.from(bytes));
    const content = { form: 'bytes', value } as const;
    store.publish(raw, { content, kind: 'static', dataDigest: String(bytes.length) }, undefined);
    for (const path of ['', '/value', '/secret_binary']) await ask('api', 'GET', `/secrets/raw${path}`);
  }
  const fields = { form: 'fields', json: SecretValue.fromText('{"a":"1","b":2.50}') } as const;
  store.publish(open('fields').key, { content: fields, kind: 'static', dataDigest: 'f' }, undefined);
  for (const path of ['', '/a', '/b']) await ask('api', 'GET', `/secrets/fields${path}`);
  put('nested', '{"data":{"key":"inner"},"metadata":{"version":9}}', { versionId: '9' }, 'kv2');
  for (const path of ['', '/key', '/data']) await ask('api', 'GET', `/secrets/nested${path}`);
  note('native: why there is none');
  const failed = open('failed').key;
  for (const code of ['denied', 'not_found', 'upstream_sealed', 'upstream_unavailable'] as const) {
    store.fail(failed, new UpstreamError(code, 'as the vault says'), 'pending');
    for (const path of ['/secrets/failed', '/secrets/failed/key']) await ask('api', 'GET', path);
  }
  note('native: refused elsewhere, events');
  for (const path of ['/refused/stripe', '/refused/stripe', '/refused/none']) await ask('api', 'POST', path);
  await ask('api', 'GET', '/refused/stripe');
  await ask('api', 'POST', '/events');
  await listen('api', '/events', '"version":2}', () => put('mixed', '{"a":"2"}'));
}
