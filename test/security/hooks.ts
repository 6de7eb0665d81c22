// Hooks under attack: unsigned, wrong, sent again, flooded, huge, slow, guessed; what they tell, and what they bring about.
import { createHmac } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import t, { type Test } from 'tap';
import { createAuditLog } from '../../src/audit/audit-log.ts';
import { refusalFileOf } from '../../src/audit/refusal-trail.ts';
import { silentLogger } from '../../src/base/logger.ts';
import { createSystemClock } from '../../src/base/time/clock.ts';
import type { HookConfig } from '../../src/config/resolved.ts';
import { ask, portOf, startServing, tcpListener, unixListener } from '../support/serving.ts';
import { testFolder } from '../support/test-folder.ts';
import { waitFor } from '../support/wait-for.ts';

const common = { maxBodyBytes: 1024, eventsPerMinute: 600, requestsPerMinute: 600 };
const body = '{"event":"changed"}';

function hmacHook(name: string, path: string, more: object = {}): HookConfig {
  return {
    name,
    ...common,
    refresh: ['db-*', 'stripe'],
    proof: {
      kind: 'hmac',
      secretFile: path,
      secret: undefined,
      keyEncoding: 'text',
      header: 'x-latchkey-signature',
      algorithm: 'sha256',
      signed: '{timestamp}.{body}',
      timestampHeader: 'x-latchkey-timestamp',
      idHeader: 'webhook-id',
      toleranceMs: 300_000,
    },
    ...more,
  };
}

function signed(key: string, text = body, at = Date.now() / 1000): Record<string, string> {
  const time = String(Math.floor(at));
  const signature = createHmac('sha256', key).update(`${time}.${text}`).digest('hex');
  return { 'x-latchkey-timestamp': time, 'x-latchkey-signature': `sha256=${signature}` };
}

async function setUp(t: Test, hooksIn: (folder: string) => HookConfig[]) {
  const folder = testFolder(t);
  writeFileSync(join(folder, 'key'), 'sesame-key\n', { mode: 0o600 });
  const auditFile = join(folder, 'audit.jsonl');
  const told: string[][] = [];
  const hooks = hooksIn(folder);
  const serving = await startServing({
    listeners: (folder) => [
      unixListener(join(folder, 'api.sock'), ['hooks']),
      { ...tcpListener('', ['hooks']), tokenFile: undefined } as ReturnType<typeof tcpListener>,
    ],
    audit: createAuditLog({
      settings: { file: auditFile, onFailure: 'deny', maxBytes: 0, keepFiles: 0 },
      clock: createSystemClock(),
      logger: silentLogger,
    }),
    view: { hooks: () => hooks, mayHaveChanged: (names) => void told.push([...names]) },
  });
  t.teardown(serving.close);
  for (const name of ['db-one', 'db-two', 'stripe', 'other']) serving.put(name, { word: 'canary-7c1' });
  const port = portOf(serving.server, 'listeners[1]');
  const post = (name: string, headers: Record<string, string> = {}, text = body) =>
    ask(`/hooks/${name}`, { port, method: 'POST', headers, body: text });
  const audit = () =>
    [auditFile, refusalFileOf(auditFile)]
      .map((path) => (existsSync(path) ? readFileSync(path, 'utf8') : ''))
      .join('');
  return { ...serving, folder, port, post, told, hooks, audit };
}

t.test('a signed message asks for what its hook names, and for nothing else', async (t) => {
  const { post, told, audit, registry } = await setUp(t, (folder) => [hmacHook('app', join(folder, 'key'))]);
  const answer = await post('app', signed('sesame-key'));
  t.equal(answer.status, 202);
  t.equal(answer.text, '{}\n');
  t.strictSame(told, [['db-one', 'db-two', 'stripe']]);
  t.match(
    audit(),
    /"dialect":"hooks".*"path":"\/hooks\/app","allowed":true,"reason":"hook app: asks for db-one/,
  );
  t.match(registry.render(), 'latchkey_hook_messages_total{hook="app",outcome="accepted"} 1');
  const proxied = {
    ...signed('sesame-key', body, Date.now() / 1000 - 1),
    host: 'hooks.example.com',
    'x-forwarded-for': '203.0.113.9',
  };
  t.equal((await post('app', proxied)).status, 202, 'through a proxy, by another name');
});

t.test('a message may be as large as its hook says, whatever strangers share', async (t) => {
  const { post } = await setUp(t, (folder) => [
    hmacHook('app', join(folder, 'key'), { maxBodyBytes: 4 * 1024 * 1024 }),
  ]);
  const large = 'x'.repeat(4 * 1024 * 1024);
  t.equal((await post('app', signed('sesame-key', large), large)).status, 202);
});

t.test('all refusals are one, and bring nothing about', async (t) => {
  const { post, told, audit, port } = await setUp(t, (folder) => [
    hmacHook('app', join(folder, 'key')),
    hmacHook('lost', join(folder, 'no-such-key')),
  ]);
  const old = Date.now() / 1000 - 3600;
  const { 'x-latchkey-signature': good = '', ...unsigned } = signed('sesame-key');
  const twice = (signatures: readonly string[]) =>
    ask('/hooks/app', {
      ...{ port, method: 'POST', body },
      headers: { ...unsigned, 'x-latchkey-signature': signatures as never },
    });
  const answers = {
    unsigned: await post('app'),
    'another key': await post('app', signed('sesame')),
    'another body': await post('app', signed('sesame-key'), '{"event":"other"}'),
    'too old': await post('app', signed('sesame-key', body, old)),
    'no such hook': await post('none', signed('sesame-key')),
    'a hook of the prototype': await post('__proto__', signed('sesame-key')),
    'its key is away': await post('lost', signed('sesame-key')),
    'two signatures': await twice(['sha256=00', good]),
    'two signatures, the good one first': await twice([good, 'sha256=00']),
    'the same signature twice': await twice([good, good]),
    'a page in a browser': await post('app', { ...signed('sesame-key'), origin: 'https://evil.example' }),
  };
  for (const [name, { status, text, headers }] of Object.entries(answers)) {
    t.equal(status, 403, name);
    if (name !== 'a page in a browser') t.equal(text, answers.unsigned.text, `${name}: the same words`);
    t.equal(headers.connection, 'close', `${name}: and the connection ends`);
  }
  t.strictSame(told, []);
  t.notMatch(audit(), /sesame|canary/);
  t.match(
    audit(),
    /from this host.*hook app: no header x-latchkey-signature/,
    'the operator is told who and why',
  );
  t.equal((await ask('/hooks/app', { port })).status, 405);
  t.equal((await ask('/secrets/stripe', { port })).status, 403, 'nothing else is served there');
  t.equal((await ask('/status', { port })).status, 403);
});

t.test('a message that is sent again is answered alike, and happens no more than that', async (t) => {
  const { post, told } = await setUp(t, (folder) => [hmacHook('app', join(folder, 'key'))]);
  const headers = signed('sesame-key');
  const answers = await Promise.all([1, 2, 3, 4].map(() => post('app', headers)));
  t.strictSame(
    answers.map(({ status }) => status),
    [202, 202, 202, 202],
  );
  const bare = { ...headers, 'x-latchkey-signature': headers['x-latchkey-signature']?.slice(7) ?? '' };
  t.equal((await post('app', bare)).status, 202);
  // Two changes in the second that is signed look the same: one further question is for them.
  await waitFor('that second is over', () => told.length === 2);
  for (let round = 0; round < 5; round += 1) t.equal((await post('app', headers)).status, 202);
  t.equal((await post('app', signed('sesame-key', body, Date.now() / 1000 - 5))).status, 202);
  t.equal(told.length, 3, 'the one that is new alone');
});

t.test('what cannot be told from its repetition is put together, and none of it is lost', async (t) => {
  const { post, told } = await setUp(t, (folder) => {
    const hook = hmacHook('app', join(folder, 'key'), { eventsPerMinute: 60 });
    return [{ ...hook, proof: { ...hook.proof, signed: '{body}' } } as HookConfig];
  });
  const headers = {
    'x-latchkey-signature': `sha256=${createHmac('sha256', 'sesame-key').update(body).digest('hex')}`,
  };
  for (let round = 0; round < 60; round += 1) t.equal((await post('app', headers)).status, 202);
  t.ok(told.length <= 23, `60 messages made ${told.length} questions`);
  const before = told.length;
  await waitFor('the last ones', () => told.length > before);
});

t.test('a flood is turned away, and another sender is heard', async (t) => {
  const { post, told, registry, port, socketPath } = await setUp(t, (folder) => [
    hmacHook('app', join(folder, 'key'), { requestsPerMinute: 30 }),
  ]);
  const flood = await Promise.all(Array.from({ length: 200 }, () => post('app', signed('guess'))));
  const limited = flood.filter(({ status }) => status === 429);
  t.ok(limited.length >= 188, `${limited.length} of 200 were not looked at`);
  t.match(limited[0]?.headers, { 'retry-after': /^[1-9]\d?$/ });
  t.match(registry.render(), /latchkey_hook_messages_total\{hook="app",outcome="limited"\} 1[89]\d/);
  const message = { method: 'POST', body, headers: signed('sesame-key') };
  const another = await ask('/hooks/app', { port, ...message, localAddress: '127.0.0.2' });
  t.equal(another.status, 429, 'every user has all addresses of this host');
  const other = await ask('/hooks/app', { socketPath, ...message });
  t.equal(other.status, 202, 'who comes from elsewhere is heard');
  t.equal(told.length, 1);
});

t.test('the huge and the slow are cut, and hold nothing up', async (t) => {
  const { post, port, told } = await setUp(t, (folder) => [hmacHook('app', join(folder, 'key'))]);
  const huge = 'x'.repeat(2000);
  t.equal((await post('app', signed('sesame-key', huge), huge)).status, 403, 'longer than max_body');
  const endless = connect(port, '127.0.0.1');
  endless.on('error', () => undefined);
  endless.write('POST /hooks/app HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n');
  const chunk = `400\r\n${'x'.repeat(1024)}\r\n`;
  let sent = 0;
  const pour = setInterval(() => {
    if (endless.writable) endless.write(chunk);
    sent += 1;
  }, 5);
  await new Promise((ended) => endless.once('close', ended).resume());
  clearInterval(pour);
  t.ok(sent < 200, 'without an end');
  const slow = Array.from({ length: 12 }, () => {
    const socket = connect(port, '127.0.0.1');
    socket.on('error', () => undefined);
    socket.write('POST /hooks/app HTTP/1.1\r\nHost: x\r\nContent-Length: 500\r\n\r\n{');
    return { socket, ended: new Promise((ended) => socket.once('close', ended).resume()) };
  });
  await waitFor('some of the slow are refused', async () => (await post('app', signed('x'))).status === 429);
  await Promise.all(slow.map(({ ended }) => ended));
  t.equal((await post('app', signed('sesame-key'))).status, 202, 'and others are served');
  t.equal(told.length, 1);
});

t.test('slow messages from all addresses of this host take no place of others', async (t) => {
  const { post, port, socketPath } = await setUp(t, (folder) => [hmacHook('app', join(folder, 'key'))]);
  const slow = Array.from({ length: 80 }, (_, index) =>
    connect({ port, host: '127.0.0.1', localAddress: `127.0.1.${1 + (index % 10)}` })
      .on('error', () => undefined)
      .resume(),
  );
  t.teardown(() => slow.forEach((socket) => void socket.destroy()));
  for (const socket of slow)
    socket.write('POST /hooks/app HTTP/1.1\r\nHost: x\r\nContent-Length: 500\r\n\r\n{');
  await waitFor('what they have is used up', async () => (await post('app', signed('x'))).status === 429);
  const message = { method: 'POST', body, headers: signed('sesame-key') };
  t.equal((await ask('/hooks/app', { socketPath, ...message })).status, 202);
});

t.test('connections that prove nothing take no more than their share', async (t) => {
  const { post, port, server } = await setUp(t, (folder) => [hmacHook('app', join(folder, 'key'))]);
  const idle = Array.from({ length: 60 }, () =>
    connect(port, '127.0.0.1')
      .on('error', () => undefined)
      .resume(),
  );
  t.teardown(() => idle.forEach((socket) => void socket.destroy()));
  await waitFor('they are there', () => (server.status()[1]?.connections ?? 0) > 10);
  t.equal((await post('app', signed('sesame-key'))).status, 202);
});

t.test('tokens count by issuer, audience, sender, time and key', async (t) => {
  const { privateKey, publicKey } = await generateKeyPair('RS256');
  const other = await generateKeyPair('RS256');
  const jwk = { ...(await exportJWK(publicKey)), kid: 'k1', alg: 'RS256', use: 'sig' };
  const jwtHook = (folder: string, name: string, isOnce: boolean): HookConfig => ({
    name,
    ...common,
    refresh: ['stripe'],
    proof: {
      kind: 'jwt',
      jwksUrl: undefined,
      jwksFile: join(folder, 'jwks.json'),
      issuer: 'https://accounts.example',
      audience: ['https://host.example/hooks/push'],
      claims: { email: 'push@project.example', email_verified: 'true' },
      header: 'authorization',
      isOnce,
      toleranceMs: 60_000,
    },
  });
  const { post, told, folder } = await setUp(t, (folder) => [
    jwtHook(folder, 'push', false),
    jwtHook(folder, 'once', true),
  ]);
  writeFileSync(join(folder, 'jwks.json'), JSON.stringify({ keys: [jwk] }));
  const claims = { email: 'push@project.example', email_verified: true };
  const token = (more: Record<string, unknown> = {}, key = privateKey, header = {}) =>
    new SignJWT({
      ...{ iss: 'https://accounts.example', aud: 'https://host.example/hooks/push' },
      ...{ exp: Math.floor(Date.now() / 1000) + 300, ...claims, ...more },
    })
      .setProtectedHeader({ alg: 'RS256', kid: 'k1', ...header })
      .sign(key);
  const send = async (text: string, name = 'push') =>
    (await post(name, { authorization: `Bearer ${text}` })).status;
  t.equal(await send(await token()), 202);
  t.strictSame(told, [['stripe']]);
  const [head = '', payload = ''] = (await token()).split('.');
  const none = Buffer.from('{"alg":"none"}').toString('base64url');
  // Signed with what everybody can read: the published key as if it were a common secret.
  const common256 = `${Buffer.from('{"alg":"HS256","kid":"k1"}').toString('base64url')}.${payload}`;
  const forged = createHmac('sha256', JSON.stringify(jwk)).update(common256).digest('base64url');
  const refused: Record<string, string> = {
    'another issuer': await token({ iss: 'https://evil.example' }),
    'another audience': await token({ aud: 'https://other.example' }),
    'another sender': await token({ email: 'someone@project.example' }),
    'a sender that is not sure': await token({ email_verified: false }),
    'a list for a claim': await token({ email_verified: { toString: 'true' } }),
    over: await token({ exp: Math.floor(Date.now() / 1000) - 120 }),
    'without an end': await token({ exp: undefined }),
    'not yet': await token({ nbf: Math.floor(Date.now() / 1000) + 3600 }),
    'another key': await token({}, other.privateKey),
    'no signature': `${none}.${payload}.`,
    'a cut one': `${head}.${payload}`,
    'a key that all can read': `${common256}.${forged}`,
    'no token': '',
    'a huge one': 'x'.repeat(15_000),
  };
  for (const [name, text] of Object.entries(refused)) t.equal(await send(text), 403, name);
  t.equal(told.length, 1);
  t.equal(await send(await token(), 'once'), 403, 'once needs a jti');
  const single = await token({ jti: 'j1' });
  t.equal(await send(single, 'once'), 202);
  t.equal(await send(single, 'once'), 202, 'the sender is told the same');
  t.equal(told.length, 2, 'and nothing happens twice');

  const validation = JSON.stringify([
    { eventType: 'Microsoft.EventGrid.SubscriptionValidationEvent', data: { validationCode: 'code-1' } },
  ]);
  const headers = { 'aeg-event-type': 'SubscriptionValidation' };
  t.equal((await post('push', headers, validation)).status, 403, 'nobody validates without a token');
  const valid = await post('push', { ...headers, authorization: `Bearer ${await token()}` }, validation);
  t.strictSame([valid.status, JSON.parse(valid.text)], [200, { validationResponse: 'code-1' }]);
  t.equal(told.length, 2);
});

t.test('CloudEvents of Event Grid are agreed to, of others not', async (t) => {
  const { port, hooks } = await setUp(t, (folder) => [hmacHook('app', join(folder, 'key'))]);
  const options = (origin: string, name = 'app') =>
    ask(`/hooks/${name}`, { port, method: 'OPTIONS', headers: { 'webhook-request-origin': origin } });
  t.equal((await options('eventgrid.azure.net')).status, 403, 'no hook takes tokens');
  const [hook] = hooks;
  if (hook === undefined) return;
  hooks.push({ ...hook, name: 'grid', proof: { ...jwtProofOf(), jwksFile: '/none' } });
  const agreed = await options('eventgrid.azure.net', 'grid');
  t.match(agreed, { status: 200, headers: { 'webhook-allowed-origin': 'eventgrid.azure.net' } });
  t.equal((await options('eventgrid.azure.net.evil.example')).status, 403);
  t.equal((await options('*')).status, 403);
});

function jwtProofOf() {
  return {
    kind: 'jwt' as const,
    jwksUrl: undefined,
    issuer: 'i',
    audience: ['a'],
    claims: {},
    header: 'authorization',
    isOnce: false,
    toleranceMs: 0,
  };
}
