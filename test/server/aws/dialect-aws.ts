import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { arnOf, nameOfId } from '../../../src/server/aws/aws-secret.ts';
import { createFakeClock } from '../../support/fake-clock.ts';
import { ask, portOf, startServing, tcpListener, unixListener } from '../../support/serving.ts';

async function serveAws(t: Test, options: Parameters<typeof startServing>[0] = {}) {
  const serving = await startServing({
    listeners: (folder) => [
      unixListener(join(folder, 'api.sock'), ['aws']),
      tcpListener(join(folder, 'token'), ['aws']),
    ],
    ...options,
  });
  t.teardown(() => serving.close());
  const { socketPath } = serving;
  const get = (path: string, headers: Record<string, string> = {}, method = 'GET') =>
    ask(path, { socketPath, headers, method });
  return { ...serving, get };
}

t.test('answers GetSecretValue by query and by path, as AWS does', async (t) => {
  const { put, get } = await serveAws(t);
  put('stripe', '{"key":"sk_1","amount":1.50}', { versionId: '3' });
  const answer = await get('/secretsmanager/get?secretId=stripe');
  t.match(answer, { status: 200, headers: { 'content-type': 'application/json' } });
  const value = JSON.parse(answer.text);
  t.match(value, {
    Name: 'stripe',
    ARN: /^arn:aws:secretsmanager:local:000000000000:secret:stripe-[A-Za-z0-9]{6}$/,
    VersionId: /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/,
    SecretString: '{"key":"sk_1","amount":1.50}',
    VersionStages: ['AWSCURRENT'],
    CreatedDate: /^\d+(\.\d+)?$/,
  });
  t.equal((await get('/v1/stripe')).text, answer.text);
  t.equal((await get(`/v1/${value.ARN}?refreshNow=1`)).text, answer.text);
  t.equal((await get(`/secretsmanager/get?secretId=stripe&versionId=${value.VersionId}`)).text, answer.text);
});

t.test('a secret of one field that stands for the whole is that text, or those bytes', async (t) => {
  const { put, get } = await serveAws(t);
  put('one', { value: 'just this' });
  put('bytes', { secret_binary: 'AAEC' });
  t.match(JSON.parse((await get('/v1/one')).text), { SecretString: 'just this' });
  const bytes = JSON.parse((await get('/v1/bytes')).text);
  t.match(bytes, { SecretBinary: 'AAEC' });
  t.notOk('SecretString' in bytes);
});

t.test('AWSPREVIOUS is the version that somebody still holds', async (t) => {
  const { put, get, store } = await serveAws(t);
  const key = put('db', { password: 'old' });
  const before = JSON.parse((await get('/v1/db')).text);
  store.hold('file:/etc/app.conf', key, 1);
  put('db', { password: 'new' });
  t.match(JSON.parse((await get('/v1/db?versionStage=AWSCURRENT')).text), { SecretString: /new/ });
  t.match(JSON.parse((await get('/v1/db?versionStage=AWSPREVIOUS')).text), {
    SecretString: /old/,
    VersionId: before.VersionId,
    VersionStages: ['AWSPREVIOUS'],
  });
  t.match(JSON.parse((await get(`/v1/db?versionId=${before.VersionId}`)).text), { SecretString: /old/ });
  const wrong = await get(`/v1/db?versionId=${before.VersionId}&versionStage=AWSCURRENT`);
  t.match(wrong, { status: 400, text: /"__type":"ResourceNotFoundException"/ });
  t.equal((await get('/v1/db?versionStage=AWSPENDING')).status, 400);
});

t.test(
  'what is kept of an older version is not given once nobody holds it, or another is the one before',
  async (t) => {
    const { put, get, store } = await serveAws(t);
    const key = put('db', { password: 'first' });
    const { VersionId: id } = JSON.parse((await get('/v1/db')).text);
    store.hold('file:/etc/a.conf', key, 1);
    put('db', { password: 'second' });
    const paths = ['/v1/db?versionStage=AWSPREVIOUS', `/v1/db?versionId=${id}`];
    for (const path of [...paths, ...paths])
      t.match(JSON.parse((await get(path)).text), { SecretString: /first/ });
    const parameter = '/systemsmanager/parameters/get?name=/db/password&label=AWSPREVIOUS';
    for (let round = 0; round < 2; round += 1)
      t.match(JSON.parse((await get(parameter)).text), { Parameter: { Value: 'first' } });
    store.hold('file:/etc/b.conf', key, 2);
    put('db', { password: 'third' });
    t.match(JSON.parse((await get('/v1/db?versionStage=AWSPREVIOUS')).text), { SecretString: /second/ });
    t.match(JSON.parse((await get(parameter)).text), { Parameter: { Value: 'second' } });
    t.equal((await get(`/v1/db?versionId=${id}`)).status, 400, 'it is held, and not the one before');
    // Whoever asks holds what they got last.
    t.match(JSON.parse((await get('/v1/db')).text), { SecretString: /third/ });
    store.release('file:/etc/a.conf');
    store.release('file:/etc/b.conf');
    for (const path of [...paths, parameter]) t.equal((await get(path)).status, 400, path);
  },
);

t.test('words what is wrong as the agent of AWS does', async (t) => {
  const { put, get, open } = await serveAws(t);
  put('stripe', { key: 'sk_1' });
  open('late');
  const cases: [string, Record<string, string>, number, string | RegExp, string?][] = [
    ['/ping', {}, 200, 'healthy'],
    ['/secretsmanager/get', {}, 400, 'missing parameter secretId'],
    ['/v1/', {}, 400, 'missing secret ID'],
    ['/v1/stripe?refreshNow=yes', {}, 400, 'invalid refreshNow value'],
    ['/v1/stripe?roleArn=arn', {}, 400, 'unknown parameter: roleArn'],
    ['/v1/stripe', { 'x-forwarded-for': '10.0.0.1' }, 400, 'Forwarded'],
    ['/v1/stripe', { origin: 'http://localhost' }, 403, /Origin/],
    ['/v1/stripe', {}, 405, 'Not allowed', 'POST'],
    ['/secretsmanager/put', {}, 404, 'Not found'],
    [
      '/v1/none',
      {},
      400,
      /^\{"__type":"ResourceNotFoundException","message":"Secrets Manager can't find the/,
    ],
    ['/v1/late', {}, 503, /^\{"__type":"ServiceUnavailableException"/],
  ];
  for (const [path, headers, status, text, method] of cases) {
    t.match(await get(path, headers, method), { status, text }, `${method ?? 'GET'} ${path}`);
  }
});

t.test('over TCP the token is wanted, but for ping', async (t) => {
  const { put, server, folder } = await serveAws(t);
  put('stripe', { key: 'sk_1' });
  const port = portOf(server, 'listeners[1]');
  const token = readFileSync(join(folder, 'token'), 'utf8');
  t.match(await ask('/ping', { port }), { status: 200, text: 'healthy' });
  t.match(await ask('/ping', { port, method: 'HEAD' }), { status: 200, text: '' });
  for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS']) {
    t.match(await ask('/ping', { port, method }), { status: 405, text: 'Not allowed' }, method);
  }
  t.match(await ask('/v1/stripe', { port }), { status: 403, text: 'Bad Token' });
  t.match(await ask('/v1/stripe', { port, headers: { 'x-vault-token': 'x' } }), { status: 403 });
  for (const header of ['x-aws-parameters-secrets-token', 'x-vault-token']) {
    t.equal((await ask('/v1/stripe', { port, headers: { [header]: token } })).status, 200, header);
  }
  t.match(await ask('/credentials/aws/stripe', { port }), { status: 403, text: /^\{"Code":"AccessDenied"/ });
});

t.test('a caller without a rule gets nothing, and learns nothing of names', async (t) => {
  const { put, get } = await serveAws(t, {
    rules: {
      strict: true,
      rules: [
        { name: 'one', client: { uid: process.getuid?.() ?? 0 }, allow: ['stripe'], vault: [], admin: false },
      ],
    },
  });
  put('stripe', { key: 'sk_1' });
  put('other', { key: 'canary-value' });
  t.equal((await get('/v1/stripe')).status, 200);
  const there = await get('/v1/other');
  const absent = await get('/v1/nothing');
  t.match(there, { status: 403, text: /AccessDeniedException/ });
  t.equal(there.text, absent.text);
  for (const path of ['/credentials/aws/other', '/systemsmanager/parameters/get?name=/other/key']) {
    const answer = await get(path);
    t.equal(answer.status, 403, path);
    t.notMatch(answer.text, 'canary-value');
  }
});

t.test('parameters: the whole, or one field by its path', async (t) => {
  const { put, get } = await serveAws(t);
  put('stripe', { key: 'sk_1', id: 'acct' }, { versionId: '7' });
  const at = '/systemsmanager/parameters/get?withDecryption=true&name=';
  t.match(JSON.parse((await get(`${at}stripe`)).text), {
    Parameter: { Name: 'stripe', Type: 'SecureString', Value: '{"key":"sk_1","id":"acct"}', Version: 7 },
  });
  t.match(JSON.parse((await get(`${at}%2Fstripe%2Fkey&version=7`)).text), { Parameter: { Value: 'sk_1' } });
  for (const path of [`${at}stripe/none`, `${at}stripe&version=6`, `${at}stripe&label=x`, `${at}none`]) {
    t.match(await get(path), { status: 400, text: /"__type":"ParameterNotFound"/ }, path);
  }
  t.match(await get(at), { status: 400, text: 'missing parameter name' });
});

t.test('an ARN means its name, whatever else looks like one means itself', (t) => {
  t.equal(nameOfId(arnOf('a-b-c')), 'a-b-c');
  t.equal(nameOfId('arn:aws:secretsmanager:local:000000000000:secret:stripe'), 'stripe');
  t.equal(nameOfId('stripe-abcdef'), 'stripe-abcdef');
  t.end();
});

t.test('where the Vault dialect is served too, serve says whose /v1 is', async (t) => {
  const serving = await startServing({
    listeners: (folder) => [
      unixListener(join(folder, 'a.sock'), ['aws', 'vault'], { place: 'listeners[0]' }),
      unixListener(join(folder, 'v.sock'), ['vault', 'aws'], { place: 'listeners[1]' }),
    ],
  });
  t.teardown(() => serving.close());
  serving.put('stripe', { key: 'sk_1' });
  const get = (socket: string, path: string) => ask(path, { socketPath: join(serving.folder, socket) });
  t.equal((await get('a.sock', '/v1/stripe')).status, 200);
  t.match(await get('v.sock', '/v1/stripe'), { status: 504, text: /"errors"/ });
  t.equal((await get('v.sock', '/secretsmanager/get?secretId=stripe')).status, 200);
});

t.test(
  'an alias is another name: a path, an ARN of AWS with or without its suffix, a parameter',
  async (t) => {
    const arn = 'arn:aws:secretsmanager:eu-central-1:123456789012:secret:prod/db';
    const { put, get } = await serveAws(t, {
      aliases: { 'prod/db': 'db', [arn]: 'db', '/prod/db': 'db' },
    });
    put('db', { password: 'p' });
    const id = encodeURIComponent;
    const ask = async (path: string) => JSON.parse((await get(path)).text);
    t.match(await ask(`/secretsmanager/get?secretId=${id('prod/db')}`), {
      Name: 'prod/db',
      SecretString: /"p"/,
    });
    t.match(await ask(`/secretsmanager/get?secretId=${id(`${arn}-a1b2c3`)}`), {
      Name: 'prod/db',
      ARN: `${arn}-a1b2c3`,
      SecretString: /"p"/,
    });
    t.match(await ask(`/secretsmanager/get?secretId=${id(arn)}`), { ARN: arn, SecretString: /"p"/ });
    t.match(await ask(`/systemsmanager/parameters/get?name=${id('/prod/db/password')}`), {
      Parameter: { Name: '/prod/db/password', Value: 'p' },
    });
    t.equal((await get(`/secretsmanager/get?secretId=${id(`${arn.replace('prod', 'test')}`)}`)).status, 400);
  },
);

t.test('what is kept follows the version, the rules and the names', async (t) => {
  const own = process.getuid?.() ?? 0;
  const rulesFor = (allow: string[]) => ({
    strict: true,
    rules: [{ name: 'app', client: { uid: own }, allow, vault: [], admin: false }],
  });
  const { put, get, access, drop } = await serveAws(t, { rules: rulesFor(['stripe']) });
  put('stripe', { key: 'one' });
  const paths = [
    '/v1/stripe',
    '/secretsmanager/get?secretId=stripe',
    '/systemsmanager/parameters/get?name=stripe/key',
  ];
  for (const path of paths) {
    put('stripe', { key: 'one' });
    for (const _again of [1, 2]) t.match(await get(path), { status: 200, text: /one/ }, path);
    put('stripe', { key: 'two' });
    for (const _again of [1, 2]) t.match(await get(path), { status: 200, text: /two/ }, path);
    access.replace(rulesFor(['other']));
    t.equal((await get(path)).status, 403, path);
    access.replace(rulesFor(['stripe']));
    t.match(await get(path), { status: 200, text: /two/ }, path);
  }
  drop('stripe');
  for (const path of paths) t.equal((await get(path)).status, 400, path);
});

t.test('an alias that a reload gives to another is that one at once, whatever was kept', async (t) => {
  const arn = 'arn:aws:secretsmanager:eu-central-1:123456789012:secret:prod';
  const aliases: Record<string, string> = { prod: 'blue', [arn]: 'blue' };
  const { put, get, renamed } = await serveAws(t, { aliases });
  put('blue', { access_key: 'of blue', secret_key: 's' });
  put('green', { access_key: 'of green', secret_key: 's' });
  const paths = [
    '/v1/prod',
    `/secretsmanager/get?secretId=${encodeURIComponent(arn)}`,
    `/v1/${encodeURIComponent(`${arn}-a1b2c3`)}`,
    '/systemsmanager/parameters/get?name=prod',
    '/systemsmanager/parameters/get?name=prod/access_key',
    '/credentials/aws/prod',
  ];
  for (const path of [...paths, ...paths]) t.match(await get(path), { status: 200, text: /of blue/ }, path);
  Object.assign(aliases, { prod: 'green', [arn]: 'green' });
  renamed();
  for (const path of [...paths, ...paths]) t.match(await get(path), { status: 200, text: /of green/ }, path);
  delete aliases['prod'];
  renamed();
  t.equal((await get('/v1/prod')).status, 400);
});

t.test('what is kept is of the listener that was asked: elsewhere the same URL means another', async (t) => {
  const anySecret = { upstream: 'aws', ttlMs: 60_000, cacheSize: 5, servesStale: true };
  const asked: string[] = [];
  const serving = await startServing({
    listeners: (folder) => [
      unixListener(join(folder, 'long.sock'), ['aws'], {
        anySecret: { ...anySecret, pathPrefix: '/v1/db/' },
      }),
      unixListener(join(folder, 'short.sock'), ['aws'], { anySecret: { ...anySecret, pathPrefix: '/v1/' } }),
    ],
    view: {
      async awsSecret(_upstream, { secretId }) {
        asked.push(secretId);
        return { Name: secretId, SecretString: `of AWS: ${secretId}` };
      },
    },
  });
  t.teardown(() => serving.close());
  serving.put('one', { value: 'of the config' });
  const get = async (name: string) =>
    (await ask('/v1/db/one', { socketPath: join(serving.folder, `${name}.sock`) })).text;
  for (const _round of [1, 2, 3]) {
    t.match(await get('long'), /of the config/);
    t.match(await get('short'), /of AWS: db\/one/);
  }
  t.strictSame(asked, ['db/one'], 'and is asked for once');
});

t.test('a secret by any id is kept as bytes for as long as the config says, and no longer', async (t) => {
  const clock = createFakeClock();
  let count = 0;
  const { get, access } = await serveAws(t, {
    clock,
    listeners: (folder) => [
      unixListener(join(folder, 'api.sock'), ['aws'], {
        anySecret: { upstream: 'aws', ttlMs: 5000, cacheSize: 2, servesStale: false, pathPrefix: '/v1/' },
      }),
    ],
    view: {
      async awsSecret(_upstream, { secretId }) {
        count += 1;
        return { Name: secretId, SecretString: `${secretId} ${count}` };
      },
    },
  });
  const text = async (id: string) => JSON.parse((await get(`/v1/${id}`)).text).SecretString;
  t.strictSame([await text('a'), await text('a'), await text('a')], ['a 1', 'a 1', 'a 1']);
  t.equal(await text('a?refreshNow=true'), 'a 2');
  t.equal(await text('a'), 'a 2', 'a fresh one is the one that is kept');
  await clock.advance(5000);
  t.equal(await text('a'), 'a 3');
  await text('b');
  await text('a');
  await text('c');
  t.equal(await text('a'), 'a 3', 'what was asked for last stays');
  t.equal(await text('b'), 'b 6', 'and what was not makes room');
  const another = { name: 'another', client: { uid: 4_000_000 }, allow: ['*'], vault: [], admin: false };
  access.replace({ strict: true, rules: [another] });
  t.equal((await get('/v1/b')).status, 403, 'the rules are asked for what is kept too');
});
