import { Agent, request } from 'node:http';
import t from 'tap';
import { LatchkeyError } from '../../src/base/errors.ts';
import { ask, startServing } from '../support/serving.ts';
import { waitFor } from '../support/wait-for.ts';

const serving = await startServing();
t.teardown(() => serving.close());
const waitForMetric = (line: string): Promise<unknown> =>
  waitFor(line, () => serving.registry.render().includes(line));
const over = { socketPath: serving.socketPath };

t.test('a secret is JSON with its numbers as they came', async (t) => {
  serving.put(
    'stripe',
    '{"key":"sk_1","rate":1.50,"big":123456789012345678901234567890,"on":true,"list":[1e3]}',
    {
      versionId: '7',
    },
  );
  const answer = await ask('/secrets/stripe', over);
  t.equal(answer.status, 200);
  t.equal(answer.headers['content-type'], 'application/json');
  t.match(
    answer.text,
    '"data":{"key":"sk_1","rate":1.50,"big":123456789012345678901234567890,"on":true,"list":[1e3]}',
  );
  t.match(answer.json(), {
    name: 'stripe',
    version: 7,
    obtained_at: /^\d{4}-\d\d-\d\dT.*Z$/,
    expires_at: null,
    age_seconds: Number,
    stale: false,
  });
  t.match(answer.headers, { etag: /^W\/"[\w-]{22}"$/, age: /^\d+$/, 'cache-control': 'no-store' });
});

t.test('of KV 2 the data are the inner data', async (t) => {
  serving.put('kv2', '{"data":{"password":"p"},"metadata":{"version":3}}', { versionId: '3' }, 'kv2');
  t.match((await ask('/secrets/kv2', over)).json(), { data: { password: 'p' }, version: 3 });
});

t.test('a field is its raw bytes without a newline', async (t) => {
  serving.put(
    'fields',
    '{"text":"grüß\\n","number":1.50,"object":{"a":[1.0]},"null":null,"a/b c":"odd","empty":""}',
  );
  const expected: [string, string][] = [
    ['text', 'grüß\n'],
    ['number', '1.50'],
    ['object', '{"a":[1.0]}'],
    ['null', 'null'],
    ['a%2Fb%20c', 'odd'],
    ['empty', ''],
  ];
  for (const [field, text] of expected) {
    const answer = await ask(`/secrets/fields/${field}`, over);
    t.equal(answer.status, 200, field);
    t.equal(answer.text, text, field);
    t.equal(answer.headers['content-type'], 'text/plain; charset=utf-8');
    t.equal(answer.headers['content-length'], String(Buffer.byteLength(text)));
  }
});

t.test('the list names states and never values', async (t) => {
  serving.put('listed', { password: 'CANARY-LIST' });
  serving.open('pending-one');
  const answer = await ask('/secrets', over);
  const { secrets } = answer.json() as { secrets: { name: string; state: string; version: number | null }[] };
  t.match(
    secrets.find(({ name }) => name === 'listed'),
    { state: 'fresh', version: 1, stale: false },
  );
  t.match(
    secrets.find(({ name }) => name === 'pending-one'),
    { state: 'pending', version: null },
  );
  t.notMatch(answer.text, 'CANARY');
});

t.test('an ETag that is still right gives 304, after a change 200 again', async (t) => {
  serving.put('tagged', { a: 'one', b: 'same' });
  for (const path of ['/secrets/tagged', '/secrets/tagged/a']) {
    const first = await ask(path, over);
    const { etag = '' } = first.headers;
    for (const header of [etag, `"other", ${etag}`, '*']) {
      const again = await ask(path, { ...over, headers: { 'if-none-match': header } });
      t.equal(again.status, 304, `${path} ${header}`);
      t.equal(again.text, '');
      t.equal(again.headers.etag, etag);
    }
    t.equal((await ask(path, { ...over, headers: { 'if-none-match': '"other"' } })).status, 200);
  }
  const untouched = (await ask('/secrets/tagged/b', over)).headers.etag ?? '';
  const before = (await ask('/secrets/tagged/a', over)).headers.etag ?? '';
  serving.put('tagged', { a: 'two', b: 'same' });
  const after = await ask('/secrets/tagged/a', { ...over, headers: { 'if-none-match': before } });
  t.match(after, { status: 200, text: 'two' });
  t.equal((await ask('/secrets/tagged/b', { ...over, headers: { 'if-none-match': untouched } })).status, 304);
});

t.test('wait answers when the secret changes, and 304 when it does not', async (t) => {
  serving.put('waited', { key: 'one' });
  const { etag = '' } = (await ask('/secrets/waited/key', over)).headers;
  const tagged = { ...over, headers: { 'if-none-match': etag } };
  const waiting = ask('/secrets/waited/key?wait=20s', tagged);
  await waitForMetric('latchkey_open_waits 1');
  serving.put('waited', { key: 'two' });
  t.match(await waiting, { status: 200, text: 'two' });
  const { etag: next = '' } = (await ask('/secrets/waited/key', over)).headers;
  const patient = await ask('/secrets/waited/key?wait=50ms', { ...over, headers: { 'if-none-match': next } });
  t.equal(patient.status, 304);
  t.equal((await ask('/secrets/waited/key?wait=1h', tagged)).status, 200, 'has changed already');
  await waitForMetric('latchkey_open_waits 0');
});

t.test('who was refused with a secret has upstream asked, and not in a row', async (t) => {
  serving.put('refused-one', { key: 'one' });
  const post = (path: string) => ask(path, { ...over, method: 'POST' });
  t.match((await post('/refused/refused-one')).json(), { name: 'refused-one', outcome: 'same', version: 1 });
  const again = await post('/refused/refused-one');
  t.match(again.json(), { outcome: 'recent' });
  t.equal(again.headers['content-type'], 'application/json');
  t.equal((await post('/refused/nobody')).status, 404);
  t.match(await ask('/refused/refused-one', over), { status: 405, headers: { allow: 'POST' } });
});

t.test('wait without an ETag waits for the first value', async (t) => {
  serving.open('late');
  t.match(await ask('/secrets/late', over), { status: 503, text: /"code":"pending"/ });
  const waiting = ask('/secrets/late/key?wait=20s', over);
  await waitForMetric('latchkey_open_waits 1');
  serving.put('late', { key: 'here' });
  t.match(await waiting, { status: 200, text: 'here' });
});

t.test('a client that goes away while it waits leaves nothing behind', async (t) => {
  serving.put('left', { key: 'one' });
  const { etag = '' } = (await ask('/secrets/left', over)).headers;
  const gone = new AbortController();
  const waiting = ask('/secrets/left?wait=20s', {
    ...over,
    headers: { 'if-none-match': etag },
    signal: gone.signal,
  });
  await waitForMetric('latchkey_open_waits 1');
  gone.abort();
  await t.rejects(waiting);
  await waitForMetric('latchkey_open_waits 0');
});

t.test('a stale secret says so, an expired one is not handed out', async (t) => {
  const key = serving.put('aging', { key: 'old' });
  serving.store.fail(key, new LatchkeyError('upstream_sealed', 'the vault is sealed'), 'stale');
  const stale = await ask('/secrets/aging', over);
  t.match(stale.json(), { stale: true, data: { key: 'old' } });
  t.equal(stale.headers['latchkey-stale'], 'true');
  t.equal((await ask('/secrets/aging/key', over)).headers['latchkey-stale'], 'true');
  serving.store.fail(key, new LatchkeyError('upstream_sealed', 'the vault is sealed'), 'expired');
  const expired = await ask('/secrets/aging/key', over);
  t.match(expired.json(), { error: { code: 'expired', message: /the vault is sealed/ } });
  t.equal(expired.status, 503);
});

t.test('each failure of upstream has its status', async (t) => {
  const cases: [ConstructorParameters<typeof LatchkeyError>[0], number, string][] = [
    ['not_found', 404, 'not_found'],
    ['mount_not_found', 404, 'mount_not_found'],
    ['denied', 502, 'upstream_denied'],
    ['upstream_answer_invalid', 502, 'upstream_answer_invalid'],
    ['upstream_sealed', 503, 'upstream_sealed'],
    ['upstream_unavailable', 503, 'upstream_unavailable'],
    ['login_failed', 503, 'login_failed'],
  ];
  for (const [code, status, shown] of cases) {
    const { key } = serving.open(`failing-${code}`);
    serving.store.fail(key, new LatchkeyError(code, 'why it failed'), 'pending');
    const answer = await ask(`/secrets/failing-${code}`, over);
    t.equal(answer.status, status, code);
    t.match(answer.json(), { error: { code: shown, message: /why it failed/ } });
  }
});

t.test('what is not there, or not asked for rightly, is told', async (t) => {
  serving.put('plain', { key: 'v' });
  const cases: [string, string, number, string][] = [
    ['GET', '/secrets/ghost', 404, 'not_found'],
    ['GET', '/secrets/plain/ghost', 404, 'not_found'],
    ['GET', '/secrets/plain/__proto__', 404, 'not_found'],
    ['GET', '/secrets/plain/key/deeper', 400, 'request_invalid'],
    ['GET', '/secrets/plain/', 400, 'request_invalid'],
    ['GET', '/secrets//key', 400, 'request_invalid'],
    ['GET', '/secrets/%zz', 400, 'usage'],
    ['GET', '/secrets/plain?wait=soon', 200, ''],
    ['POST', '/secrets/plain', 405, 'method_not_allowed'],
    ['DELETE', '/secrets', 405, 'method_not_allowed'],
    ['GET', '/nowhere', 404, 'not_found'],
    ['GET', '/', 404, 'not_found'],
    ['GET', '/status/more', 404, 'not_found'],
    ['GET', '/refresh', 405, 'method_not_allowed'],
  ];
  for (const [method, path, status, code] of cases) {
    const answer = await ask(path, { ...over, method });
    t.equal(answer.status, status, `${method} ${path}`);
    if (code !== '') t.match(answer.json(), { error: { code, message: String } });
  }
  const { etag = '' } = (await ask('/secrets/plain', over)).headers;
  const wrongWait = await ask('/secrets/plain?wait=soon', { ...over, headers: { 'if-none-match': etag } });
  t.match(wrongWait.json(), { error: { code: 'usage', message: /^wait: expected a duration/ } });
});

t.test('HEAD answers as GET does, without the body', async (t) => {
  serving.put('headed', { key: 'abc' });
  for (const path of ['/secrets', '/secrets/headed', '/secrets/headed/key', '/healthz', '/metrics']) {
    const got = await ask(path, over);
    const headed = await ask(path, { ...over, method: 'HEAD' });
    t.equal(headed.status, got.status, path);
    t.equal(headed.text, '');
    t.equal(headed.headers['content-type'], got.headers['content-type']);
  }
});

t.test('prepared answers keep a connection in order, pipelined too', async (t) => {
  serving.put('order', { a: 'first', b: 'second' });
  const { connect } = await import('node:net');
  const socket = connect(serving.socketPath);
  const one = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`;
  socket.write(
    `${one('/secrets/order/a')}${one('/secrets/ghost')}${one('/secrets/order/b')}` +
      `GET /secrets/order/a HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`,
  );
  let text = '';
  for await (const chunk of socket) text += String(chunk);
  const bodies = text
    .split(/HTTP\/1\.1 /)
    .slice(1)
    .map((part) => part.slice(part.indexOf('\r\n\r\n') + 4));
  t.match(bodies, ['first', /not_found/, 'second', 'first']);
  t.match(text, /Connection: keep-alive[\s\S]*Connection: close/);
});

t.test('HTTP/1.0 is answered and closed', async (t) => {
  const { connect } = await import('node:net');
  const socket = connect(serving.socketPath);
  socket.write('GET /secrets/order/a HTTP/1.0\r\n\r\n');
  let text = '';
  for await (const chunk of socket) text += String(chunk);
  t.match(text, /^HTTP\/1\.1 200 OK[\s\S]*first$/);
});

t.test('events tell of each rotation', async (t) => {
  serving.put('watched', { key: 'one' });
  const { promise: opened, resolve: open } = Promise.withResolvers<void>();
  let text = '';
  const stream = request(
    { ...over, path: '/events', headers: { host: 'localhost' }, agent: new Agent() },
    (answer) => {
      t.match(answer.headers, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
      answer.on('data', (chunk: Buffer) => {
        text += String(chunk);
        open();
      });
      answer.on('error', () => {});
    },
  );
  stream.on('error', () => {});
  stream.end();
  await opened;
  serving.put('watched', { key: 'two' }, { versionId: '5' });
  await waitFor('the event', () => text.includes('event: rotated'));
  t.match(text, 'event: rotated\ndata: {"name":"watched","version":5}\n\n');
  t.notMatch(text, 'two');
  stream.destroy();
  await waitForMetric('latchkey_open_event_streams 0');
});

t.test('refresh, reload and status are for the admin', async (t) => {
  const all = await ask('/refresh', { ...over, method: 'POST' });
  t.ok((all.json() as { results: unknown[] }).results.length > 3);
  const named = await ask('/refresh?name=plain&name=order', { ...over, method: 'POST' });
  t.strictSame(
    (named.json() as { results: { name: string }[] }).results.map(({ name }) => name),
    ['plain', 'order'],
  );
  const inBody = await ask('/refresh', { ...over, method: 'POST', body: '{"names":["plain"]}' });
  t.match(inBody.json(), { results: [{ name: 'plain', outcome: 'same' }] });
  for (const body of ['{', '[]', '{"names":"plain"}', '{"names":[1]}']) {
    t.equal((await ask('/refresh', { ...over, method: 'POST', body })).status, 400, body);
  }
  t.equal((await ask('/refresh', { ...over, method: 'POST', body: 'x'.repeat(70_000) })).status, 400);
  t.match((await ask('/reload', { ...over, method: 'POST' })).json(), { status: 'reloaded' });
  t.match((await ask('/status', over)).json(), { api_version: 1, version: 'test', audit: { state: 'off' } });
});

t.test('access test explains a decision', async (t) => {
  const test = (body: object) => ask('/access/test', { ...over, method: 'POST', body: JSON.stringify(body) });
  t.match((await test({ uid: 4242, name: 'plain' })).json(), {
    decision: { isAllowed: false, reason: 'no rule matches the caller' },
    rules: [],
  });
  t.match((await test({ user: 'root', admin: true })).json(), {
    decision: { isAllowed: true, reason: 'root' },
  });
  t.match((await test({ token: 'listeners[1]', path: 'secret/x', method: 'PUT' })).json(), { decision: {} });
  for (const body of [
    {},
    { name: 'plain' },
    { uid: 1 },
    { uid: 'x', name: 'a' },
    { user: 'no-such-user', name: 'a' },
    { groups: ['no-such-group'], name: 'a' },
    { uid: 1, name: 2 },
  ]) {
    t.equal((await test(body)).status, 400, JSON.stringify(body));
  }
});

t.test('who-has names the callers of each version', async (t) => {
  serving.put('held', { key: 'one' });
  await ask('/secrets/held', over);
  serving.put('held', { key: 'two' });
  const { holders } = (await ask('/who-has/held', over)).json() as { holders: object[] };
  t.match(holders, [
    { consumer: /^caller:uid \d+, pid \d+@\d+$/, version: 1, is_current: false, pid: process.pid },
  ]);
  t.match((await ask('/who-has/held@1', over)).json(), { current_version: 2, holders: [{}] });
  t.match((await ask('/who-has/held@2', over)).json(), { holders: [] });
  await ask('/secrets/held/key', over);
  t.match((await ask('/who-has/held', over)).json(), { holders: [{ version: 2, is_current: true }] });
  t.equal((await ask('/who-has/ghost', over)).status, 404);
  t.equal((await ask('/who-has/held@x', over)).status, 400);
});

t.test('health needs no rights, readiness says what is missing', async (t) => {
  t.match(await ask('/healthz', over), { status: 200, text: '{"status":"alive"}\n' });
  t.equal((await ask('/readyz', over)).status, 200);
  const waiting = await startServing({
    view: { readiness: () => ({ isReady: false, missing: ['secret stripe: pending'] }) },
  });
  const answer = await ask('/readyz', { socketPath: waiting.socketPath });
  t.equal(answer.status, 503);
  t.match(answer.json(), { missing: ['secret stripe: pending'], error: { code: 'not_ready' } });
  await waiting.close();
});

t.test('what a handler throws is told by its code, a stranger’s error by nothing', async (t) => {
  const failing = await startServing({
    view: {
      refresh: () => Promise.reject(new Error('CANARY in a stranger’s error')),
      reload: () => Promise.reject(new LatchkeyError('config_invalid', 'files[0].mode: expected …')),
    },
  });
  const there = { socketPath: failing.socketPath, method: 'POST' };
  const stranger = await ask('/refresh', there);
  t.equal(stranger.status, 500);
  t.notMatch(stranger.text, 'CANARY');
  t.match(await ask('/reload', there), { status: 422, text: /files\[0\]\.mode/ });
  await failing.close();
});
