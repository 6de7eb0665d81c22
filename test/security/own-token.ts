// The agent's own token never leaves: a vault that shows it in every place and spelling, to a caller whose rule allows
// what is asked. A real OpenBao, where one is there, is asked by all the paths that are known to show it.
import { spawn } from 'node:child_process';
import { request as httpRequest } from 'node:http';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import t, { type Test } from 'tap';
import { freePort } from '../../src/base/system/free-port.ts';
import { startAgent } from '../support/cli.ts';
import { findRealVault, noRealVault } from '../support/real-vault.ts';
import { type StubAnswer, startStubVault } from '../support/stub-vault.ts';
import { testFolder } from '../support/test-folder.ts';
import { waitFor } from '../support/wait-for.ts';

const token = 'hvs.CAESIJ-own+token/of_the-agent=0123456789';

async function start(t: Test) {
  const vault = await startStubVault();
  t.teardown(vault.close);
  const folder = testFolder(t);
  const agent = startAgent(t, {
    folder,
    vault: { address: vault.address, rootToken: token },
    config: { listeners: [{ unix: join(folder, 'latchkey.sock'), serve: ['secrets', 'admin', 'vault'] }] },
  });
  await agent.untilReady();
  const answer = (path: string, given: StubAnswer) =>
    vault.route((asked) => (asked.path === path ? given : undefined));
  return { vault, agent, answer, socketPath: join(folder, 'latchkey.sock') };
}

/** Whatever came, until the connection ended. */
function rawGet(socketPath: string, path: string): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  let text = '';
  const sent = httpRequest({ socketPath, path, headers: { host: 'localhost' } }, (answer) => {
    text = `${answer.statusCode} ${JSON.stringify(answer.rawHeaders)}`;
    answer.on('data', (chunk) => {
      text += String(chunk);
    });
    answer.on('close', () => resolve(text));
    answer.on('error', () => resolve(text));
  });
  sent.on('error', () => resolve(text));
  sent.end();
  return promise;
}

const bytes = Buffer.from(token);
const percent = (digits: (text: string) => string) =>
  [...bytes].map((byte) => `%${digits(byte.toString(16))}`).join('');
const unicode = [...bytes].map((byte) => `\\u00${byte.toString(16)}`).join('');
const at = (offset: number, encoding: BufferEncoding) =>
  Buffer.concat([Buffer.from('xyz'.slice(0, offset)), bytes, Buffer.from('tail')]).toString(encoding);

const spellings: Record<string, string | Buffer> = {
  plain: token,
  'within a word': `abc${token}def`,
  encodeURIComponent: encodeURIComponent(token),
  'percent-encoded throughout': percent((text) => text.toUpperCase()),
  'in lower case': percent((text) => text),
  'JSON escapes': unicode,
  'JSON escapes in capitals': unicode.toUpperCase().replaceAll('\\U', '\\u'),
  'JSON with escaped slashes': token.replaceAll('/', '\\/'),
  'JSON within JSON': JSON.stringify(JSON.stringify({ id: `a"${token}` })).replaceAll('-', '\\u002d'),
  'HTML entities': [...bytes].map((byte) => `&#x${byte.toString(16)};`).join(''),
  'UTF-16': Buffer.from(token, 'utf16le'),
  hex: bytes.toString('hex'),
  'hex in capitals': bytes.toString('hex').toUpperCase(),
  'base64 in lines': at(1, 'base64').replace(/(.{10})/g, '$1\r\n'),
  'base64 with escaped slashes': at(2, 'base64').replaceAll('/', '\\/'),
  'base64, percent-encoded': encodeURIComponent(at(0, 'base64')),
};
for (const encoding of ['base64', 'base64url'] as const) {
  for (const offset of [0, 1, 2]) spellings[`${encoding} at offset ${offset}`] = at(offset, encoding);
}

t.test('no spelling of the token leaves in a body', async (t) => {
  const { agent, answer } = await start(t);
  for (const [index, [name, text]] of Object.entries(spellings).entries()) {
    const path = `sys/echo/${index}`;
    const body = Buffer.concat([Buffer.from('{"data":"'), Buffer.from(text), Buffer.from('"}')]);
    answer(path, (response) => response.writeHead(200, { 'content-type': 'text/plain' }).end(body));
    const got = await agent.ask(`/v1/${path}`);
    t.equal(got.status, 502, name);
    t.match(got.text, /held a token of the agent and is not passed on/, name);
  }
});

t.test('nor in a header, a refusal, an answer from memory, a login or the message of an error', async (t) => {
  const { agent, answer } = await start(t);
  answer('sys/header', { json: {}, headers: { 'x-echo': `Bearer ${encodeURIComponent(token)}` } });
  answer('sys/name', { json: {}, headers: { [Buffer.from(token).toString('hex')]: '1' } });
  answer('sys/refused', { status: 403, json: { errors: [`token ${token} may not`] } });
  answer('sys/wrong', { status: 500, text: `<b>${token}</b>` });
  answer('secret/data/app', { json: { data: { data: { key: token }, metadata: { version: 1 } } } });
  answer('database/creds/app', {
    json: { lease_id: 'l', lease_duration: 60, renewable: true, data: { password: token } },
  });
  answer('secret/data/away', { status: 400, json: { errors: [`bad request of ${token}`] } });
  answer('auth/approle/login', {
    json: { auth: { client_token: 's.other-token', metadata: { by: token } } },
  });
  answer('auth/token/lookup-self', { json: { data: { id: token, path: `auth/${token}` } } });
  answer('auth/token/renew-self', { json: { auth: { client_token: token }, warnings: [token] } });
  for (const path of [
    'sys/header',
    'sys/name',
    'sys/refused',
    'sys/wrong',
    'secret/data/app',
    'database/creds/app',
  ]) {
    for (const _again of [1, 2])
      t.match(await agent.ask(`/v1/${path}`), { status: 502, text: /token of the agent/ }, path);
  }
  for (const path of ['secret/data/away', 'auth/token/lookup-self']) {
    t.notMatch((await agent.ask(`/v1/${path}`)).text, token, path);
  }
  for (const path of ['auth/approle/login', 'auth/token/renew-self']) {
    const got = await agent.ask(`/v1/${path}`, { method: 'POST', body: '{}' });
    t.match(got, { status: 502, text: /token of the agent/ }, path);
  }
});

t.test('nor over chunk borders, late, in a long stream, or compressed', async (t) => {
  const { agent, answer, vault, socketPath } = await start(t);
  const split =
    (pieces: Buffer[]): StubAnswer =>
    (response) => {
      const next = (): void => {
        const piece = pieces.shift();
        if (piece === undefined) response.end();
        else response.write(piece, () => setImmediate(next));
      };
      next();
    };
  answer('sys/split', split([...Buffer.from(unicode)].map((byte) => Buffer.of(byte))));
  t.match(await agent.ask('/v1/sys/split'), { status: 502 });
  const filler = Buffer.alloc(3 * 1024 * 1024, 'x');
  for (const [name, text] of Object.entries(spellings)) {
    const spelt = Buffer.from(text);
    const half = Math.floor(spelt.length / 2);
    answer('sys/long', split([filler, spelt.subarray(0, half), spelt.subarray(half), filler]));
    const got = await rawGet(socketPath, '/v1/sys/long');
    t.match(got.slice(0, 3), '200', `${name}: it has begun`);
    t.ok(got.length < 2 * filler.length, `${name}: nothing after it came`);
    t.notMatch(got.slice(filler.length), /[^x]{40}/, `${name}: it ends before the token`);
  }
  answer('sys/late', (response) => {
    response.write('log line\n');
    setTimeout(() => response.end(token), 1200);
  });
  const late = await rawGet(socketPath, '/v1/sys/late');
  t.match(late, /^200 .*log line/s, 'what comes slowly goes on as it comes');
  t.notMatch(late, token);
  answer('sys/gzip', (response) =>
    response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync(JSON.stringify({ id: token }))),
  );
  t.match(await agent.ask('/v1/sys/gzip', { headers: { 'accept-encoding': 'gzip', range: 'bytes=0-9' } }), {
    status: 502,
  });
  const sent = vault.requests.find(({ path }) => path === 'sys/gzip');
  t.match(sent?.headers, { 'accept-encoding': 'identity' }, 'and none was asked for');
  t.equal(sent?.headers['range'], undefined, 'nor a part of the answer');
});

t.test('what can only show the token is not asked', async (t) => {
  const { agent, vault } = await start(t);
  const asked = () => vault.requests.filter(({ url }) => /help|inspect/i.test(url)).length;
  for (const path of [
    'auth/token/lookup-self?help=1',
    'auth/token/lookup-self?help',
    'auth/token/lookup-self?a=1&%68elp=true',
    'auth/token/lookup-self?a=1;help=1',
    'auth/token/renew-self?HELP=1',
    'auth/token/renew-self?+help=1',
    'sys/internal/inspect/request',
    'team-a/sys/internal/inspect/router/root',
    'sys/internal/inspect?list=true',
  ]) {
    for (const method of ['GET', 'POST', 'HEAD'])
      t.equal((await agent.ask(`/v1/${path}`, { method })).status, 403, path);
  }
  t.equal(asked(), 0);
  const own = { headers: { 'x-vault-token': 's.the-callers-own-token' } };
  await agent.ask('/v1/auth/token/lookup-self?help=1', own);
  t.equal(asked(), 1, "by the caller's own token it is their own question");
});

t.test('a caller is not shown the token that is kept for another', async (t) => {
  const { agent, answer } = await start(t);
  const kept = 's.kept-for-another-caller';
  answer('auth/approle/login', {
    json: { auth: { client_token: kept, accessor: 'acc-2', lease_duration: 600, renewable: true } },
  });
  const login = { method: 'POST', body: '{"role_id":"r","secret_id":"s"}' };
  t.match((await agent.ask('/v1/auth/approle/login', login)).text, kept);
  answer('sys/others', { json: { tokens: [kept] } });
  t.equal((await agent.ask('/v1/sys/others')).status, 502);
  const named = await agent.ask('/v1/sys/others', { method: 'POST', body: JSON.stringify({ token: kept }) });
  t.equal(named.status, 200, 'whoever names it knows it');
});

t.test('OpenBao does not give it away either', { skip: findRealVault() ? false : noRealVault }, async (t) => {
  const binary = findRealVault() ?? '';
  const port = await freePort();
  const address = `http://127.0.0.1:${port}`;
  const folder = testFolder(t);
  const flags = ['server', '-dev', '-dev-no-store-token', `-dev-listen-address=127.0.0.1:${port}`];
  const child = spawn(binary, [...flags, `-dev-root-token-id=${token.replace(/[^A-Za-z0-9]/g, '')}`], {
    env: { HOME: folder, PATH: '/usr/bin:/bin', BAO_ADDR: address, VAULT_ADDR: address },
    stdio: 'ignore',
  });
  t.teardown(() => child.kill('SIGKILL'));
  const root = token.replace(/[^A-Za-z0-9]/g, '');
  await waitFor('the server', async () => {
    const up = await fetch(`${address}/v1/sys/health`).catch(() => undefined);
    return up?.status === 200;
  });
  const made = await fetch(`${address}/v1/auth/token/create`, {
    method: 'POST',
    headers: { 'x-vault-token': root },
    body: JSON.stringify({ policies: ['root'], ttl: '1h' }),
  });
  const { auth } = (await made.json()) as { auth: { client_token: string } };
  const own = auth.client_token;
  const agent = startAgent(t, {
    folder,
    vault: { address, rootToken: own },
    config: { listeners: [{ unix: join(folder, 'latchkey.sock'), serve: ['secrets', 'admin', 'vault'] }] },
  });
  await agent.untilReady();
  const spec = (await (
    await fetch(`${address}/v1/sys/internal/specs/openapi`, { headers: { 'x-vault-token': root } })
  ).json()) as { paths: Record<string, object> };
  const paths = Object.keys(spec.paths).filter(
    (path) => !/\{|seal|step-down|revoke|quit|raw|monitor|pprof/.test(path),
  );
  t.ok(paths.length > 50, `${paths.length} paths`);
  for (const path of paths) {
    for (const query of ['', '?help=1', '?list=true']) {
      const got = await agent.ask(`/v1${path}${query}`);
      if (got.text.includes(own) || JSON.stringify(got.headers).includes(own)) t.fail(`GET ${path}${query}`);
    }
  }
  for (const path of ['lookup-self', 'renew-self', 'lookup', 'renew']) {
    for (const method of ['GET', 'POST', 'PUT', 'PATCH']) {
      for (const query of ['', '?help=1']) {
        const got = await agent.ask(`/v1/auth/token/${path}${query}`, { method, body: '{}' });
        t.notMatch(got.text, own, `${method} ${path}${query}`);
      }
    }
  }
});
