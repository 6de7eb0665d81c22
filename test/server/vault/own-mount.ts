import { connect } from 'node:net';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { ask, startServing, unixListener } from '../../support/serving.ts';

async function serve(t: Test, options: Parameters<typeof startServing>[0] = {}) {
  const serving = await startServing({
    listeners: (folder) => [unixListener(join(folder, 'api.sock'), ['vault'])],
    ...options,
  });
  t.teardown(() => serving.close());
  const call = (path: string, method = 'GET') => ask(path, { socketPath: serving.socketPath, method });
  return { ...serving, call };
}

t.test(
  'secrets of every kind are a KV version 2 engine by the name latchkey, which is only read',
  async (t) => {
    const { put, call } = await serve(t);
    put('stripe', '{"key":"sk_1","amount":1.50}', { versionId: '3' });
    const answer = await call('/v1/latchkey/data/stripe');
    t.equal(answer.status, 200);
    t.match(answer.text, /"amount":1\.50/, 'digits stay');
    t.match(JSON.parse(answer.text), {
      lease_id: '',
      renewable: false,
      lease_duration: 0,
      data: { data: { key: 'sk_1' }, metadata: { version: 3, destroyed: false } },
    });
    t.match(JSON.parse((await call('/v1/latchkey/metadata/stripe')).text), {
      data: { current_version: 3, versions: { 3: { destroyed: false } } },
    });
    t.notMatch((await call('/v1/latchkey/metadata/stripe')).text, /sk_1/);
    t.match(JSON.parse((await call('/v1/latchkey/metadata?list=true')).text), { data: { keys: ['stripe'] } });
    t.match(JSON.parse((await call('/v1/sys/internal/ui/mounts/latchkey/stripe')).text), {
      data: { type: 'kv', options: { version: '2' } },
    });
    t.match(await call('/v1/latchkey/data/none'), { status: /^(?:403|404)$/, text: /errors/ });
    t.equal((await call('/v1/latchkey/data/stripe', 'PUT')).status, 405);
    t.equal((await call('/v1/latchkey/data/stripe', 'DELETE')).status, 405);
    t.equal((await call('/v1/latchkey/config')).status, 404);
  },
);

t.test('each answer has an id of its own, and a new version is told at once', async (t) => {
  const { put, call, drop } = await serve(t);
  put('stripe', { key: 'sk_1' }, { versionId: '3' });
  const ids = new Set<string>();
  for (let round = 0; round < 3; round += 1) {
    for (const part of ['data', 'metadata']) {
      const answer = await call(`/v1/latchkey/${part}/stripe`);
      t.equal(answer.text.length, Number(answer.headers['content-length']));
      ids.add(JSON.parse(answer.text).request_id);
    }
  }
  t.equal(ids.size, 6);
  put('stripe', { key: 'sk_22' }, { versionId: '4' });
  t.match(JSON.parse((await call('/v1/latchkey/data/stripe')).text).data, {
    data: { key: 'sk_22' },
    metadata: { version: 4 },
  });
  t.equal(JSON.parse((await call('/v1/latchkey/metadata/stripe')).text).data.current_version, 4);
  drop('stripe');
  t.equal((await call('/v1/latchkey/data/stripe')).status, 404);
});

t.test('an answer that waits for its reader keeps its id while others get theirs', async (t) => {
  const { put, call, socketPath } = await serve(t);
  put('large', { key: 'k'.repeat(200_000) });
  const path = '/v1/latchkey/data/large';
  const slow = connect(socketPath);
  t.teardown(() => slow.destroy());
  slow.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`.repeat(3));
  const others: string[] = [];
  for (let round = 0; round < 5; round += 1) others.push(JSON.parse((await call(path)).text).request_id);
  let text = '';
  for await (const chunk of slow) {
    text += String(chunk);
    if (text.split('"auth":null}').length > 3) break;
  }
  const ids = [...text.matchAll(/"request_id":"([\da-f-]{36})"/g)].map(([, id = '']) => id);
  t.equal(ids.length, 3);
  t.equal(new Set([...ids, ...others]).size, 8);
});

t.test('the rules for names hold: what is denied is neither read nor listed', async (t) => {
  const uid = process.getuid?.() ?? 0;
  const rules = [{ name: 'some', client: { uid }, allow: ['open'], vault: [], admin: false }];
  const { put, call } = await serve(t, { rules: { rules, strict: true } });
  put('open', { a: '1' });
  put('closed', { a: 'canary' });
  t.equal((await call('/v1/latchkey/data/open')).status, 200);
  for (const path of ['data/closed', 'metadata/closed', 'data/none']) {
    const answer = await call(`/v1/latchkey/${path}`);
    t.equal(answer.status, 403, path);
    t.notMatch(answer.text, /canary/);
  }
  t.same(JSON.parse((await call('/v1/latchkey/metadata', 'LIST')).text).data, { keys: ['open'] });
});
