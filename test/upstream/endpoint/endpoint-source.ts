import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { loadConfigText } from '../../../src/config/load.ts';
import { createAuthority } from '../../support/certificates.ts';
import { startFakeService } from '../../support/fake-service.ts';
import { startKindSource } from '../../support/kind-source.ts';
import { testFolder } from '../../support/test-folder.ts';

t.test('makes the request of path and parameters, each escaped for its place', async (t) => {
  const service = await startFakeService(t, () => ({ json: { ok: 'yes' } }));
  const up = await startKindSource(t, {
    kind: 'http',
    method: 'POST',
    url: `${service.address}/v1/{path}?role={role}`,
    headers: { 'Content-Type': 'application/json', 'X-App': 'a' },
    body: '{"path":"{path}","role":"{role}"}',
  });
  await up.read('a b/c?d', { role: 'x"&y' });
  const [request] = service.requests;
  t.equal(request?.url, '/v1/a%20b/c%3Fd?role=x%22%26y');
  await up.read('a b/c#d/é', { role: '1' });
  t.equal(service.requests[1]?.url, '/v1/a%20b/c%23d/%C3%A9?role=1');
  t.same(JSON.parse(service.requests[1]?.body ?? ''), { path: 'a b/c#d/é', role: '1' });
  t.match(request, { method: 'POST', headers: { 'x-app': 'a', accept: 'application/json' } });
  await t.rejects(up.read('x'), {
    code: 'request_invalid',
    message: 'x: the upstream wants the parameter role',
  });
  for (const path of ['a/../../b', './x'])
    await t.rejects(up.read(path, { role: 'r' }), {
      code: 'request_invalid',
      message: /expected a path without/,
    });
});

t.test('takes value, version and end out of the answer', async (t) => {
  const end = Math.round(Date.now() / 1000) + 100;
  const answer: unknown = {
    data: [{ 'a/b': { user: 'joe', n: 1 } }],
    v: 12,
    until: end,
    text: 'only',
    list: [1, 2],
  };
  const service = await startFakeService(t, () => ({ json: answer }));
  const at = (value: string) =>
    startKindSource(t, { kind: 'http', url: service.address, value, version: '/v', expires: '/until' });
  const up = await at('/data/0/a~1b');
  t.same(await up.fields('x'), { user: 'joe', n: 1 });
  const read = await up.read('x');
  t.match(read, { kind: 'expiring', versionId: '12' });
  t.ok(Math.abs((read.ttlSeconds ?? 0) - 100) <= 2);
  t.same(await (await at('/text')).fields('x'), { value: 'only' });
  t.same(await (await at('/list')).fields('x'), { value: [1, 2] });
  await t.rejects((await at('/none/0')).read('x'), {
    code: 'not_found',
    message: /answers without \/none\/0/,
  });
});

t.test('an answer in another encoding is refused, not changed', async (t) => {
  const service = await startFakeService(t, () => ({ text: Buffer.from('{"text":"caf\xe9"}', 'latin1') }));
  const up = await startKindSource(t, { kind: 'http', url: service.address, value: '/text' });
  await t.rejects(up.read('x'), { code: 'upstream_answer_invalid', message: /JSON that is no UTF-8/ });
});

t.test('asks with the ETag, and not at all while the answer says that it is good', async (t) => {
  let etag = '"1"';
  let control = 'max-age=3600';
  const service = await startFakeService(t, ({ headers }) =>
    headers['if-none-match'] === etag
      ? { status: 304 }
      : { text: 'v', headers: { etag, 'cache-control': control } },
  );
  const up = await startKindSource(t, { kind: 'http', url: `${service.address}/{path}` });
  const answer = await up.read('x');
  const reference = { upstream: 'up', operation: 'read', path: 'x', parameters: {} } as const;
  const version = { ...answer, number: 1, obtainedAt: 0, expiresAt: undefined };
  const poll = () =>
    up.source.isCurrent?.(reference, version, {
      priority: 'background',
      signal: AbortSignal.timeout(60_000),
    });
  t.equal(await poll(), true);
  t.equal(service.requests.length, 1, 'max-age holds');
  t.equal(await up.isCurrent('x', answer), true);
  t.equal(service.requests.length, 2, 'who asks now is answered now');
  etag = '"2"';
  t.equal(await up.isCurrent('x', answer), false);
  control = 'no-cache, max-age=3600';
  await up.read('x');
  const before = service.requests.length;
  t.equal(await poll(), true);
  t.equal(service.requests.length, before + 1);
});

t.test(
  'credentials come from files, read for each request, and never leave the host of the URL',
  async (t) => {
    const file = join(testFolder(t), 'token');
    writeFileSync(file, 'Bearer one\n', { mode: 0o600 });
    const service = await startFakeService(t, () => ({ text: 'v' }));
    const up = await startKindSource(t, {
      kind: 'http',
      url: `${service.address}/{path}`,
      header_files: { Authorization: file },
    });
    await up.read('x');
    writeFileSync(file, 'Bearer two\n');
    await up.read('x');
    t.same(
      service.requests.map(({ headers }) => headers.authorization),
      ['Bearer one', 'Bearer two'],
    );
    writeFileSync(file, 'a\nb: c\n');
    await t.rejects(up.read('x'), { code: 'login_failed', message: /expected one line/ });
    const config = (url: string) => () =>
      loadConfigText('/x.yaml', JSON.stringify({ upstreams: { h: { kind: 'http', url } } }), { env: {} });
    t.throws(config('https://{path}.example/x'), { message: /after the host only/ });
    t.throws(config('ftp://x/{path}'), { message: /expected a URL/ });
  },
);

t.test('speaks TLS with its own authority and client certificate', async (t) => {
  const authority = await createAuthority();
  const [server, client] = [await authority.issue(), await authority.issue({ usage: 'client' })];
  const service = await startFakeService(t, () => ({ text: 'v' }), server);
  const folder = testFolder(t);
  const write = (name: string, text: string) => {
    writeFileSync(join(folder, name), text, { mode: 0o600 });
    return join(folder, name);
  };
  const tls = {
    ca_file: write('ca', authority.cert),
    cert_file: write('cert', client.cert),
    key_file: write('key', client.key),
  };
  const up = await startKindSource(t, { kind: 'http', url: `${service.address}/{path}`, tls });
  t.same(await up.fields('x'), { value: 'v' });
  const untrusting = await startKindSource(t, { kind: 'http', url: `${service.address}/{path}` });
  await t.rejects(untrusting.read('x'), {
    code: 'upstream_unavailable',
    message: /no trusted TLS connection/,
  });
  t.equal(untrusting.source.status().state, 'tls_failed');
});
