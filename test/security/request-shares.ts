// One user's requests cannot take the memory of the agent, nor its patience with all others: waits, streams, bodies and
// answers that nobody reads, by a real other user who has a rule, against another one and root.
import { type ChildProcess, spawn } from 'node:child_process';
import { chmodSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import type { AccessConfig } from '../../src/config/resolved.ts';
import { createRequestShares, RequestCosts, usedUp } from '../../src/server/http/request-costs.ts';
import { sharesOf } from '../../src/server/listen/shares.ts';
import { needsRoot } from '../support/needs-root.ts';
import { getScript, runAs } from '../support/other-user.ts';
import { createSeededRandom } from '../support/seeded-random.ts';
import { ask, type Serving, startServing, unixListener } from '../support/serving.ts';
import { waitFor } from '../support/wait-for.ts';

const [greedy, modest] = [61_001, 61_002];
const rules: AccessConfig = {
  strict: false,
  rules: [greedy, modest].map((uid) => ({
    ...{ name: `app${uid}`, client: { uid }, allow: ['*'], admin: false },
    vault: [{ path: '*', methods: ['POST'] }],
  })),
};

/** Opens connections, sends the same on each as often as is said, reads nothing, and lives until it is killed. */
const floodScript = `
  import { connect } from 'node:net';
  const [path, connections, times, text, body] = process.argv.slice(1);
  const send = (text + 'y'.repeat(Number(body))).repeat(Number(times));
  for (let i = 0; i < Number(connections); i += 1) {
    const socket = connect(path, () => socket.write(send));
    socket.on('error', () => {});
    socket.pause();
  }
  setInterval(() => {}, 1000);
`;

function flood(
  t: Test,
  serving: Serving,
  request: string,
  numbers: { connections: number; times: number; body?: number },
): ChildProcess {
  const { connections, times, body = 0 } = numbers;
  const args = [serving.socketPath, String(connections), String(times), request, String(body)];
  const child = spawn(process.execPath, ['--input-type=module', '-e', floodScript, ...args], {
    ...{ uid: greedy, gid: greedy, cwd: '/', stdio: 'ignore' },
  });
  t.teardown(() => child.kill('SIGKILL'));
  return child;
}

const head = (line: string, more = ''): string => `${line} HTTP/1.1\r\nHost: localhost\r\n${more}\r\n`;
const asked = (serving: Serving, uid: number): Promise<string> =>
  runAs(uid, getScript, [serving.socketPath, '/secrets/one/key']);

async function withServing(t: Test): Promise<Serving> {
  const serving = await startServing({
    rules,
    listeners: (folder) => [
      unixListener(join(folder, 'api.sock'), ['secrets', 'admin', 'vault'], { mode: 0o666 }),
    ],
  });
  t.teardown(serving.close);
  chmodSync(serving.folder, 0o755);
  serving.put('one', { key: 'k' });
  return serving;
}

/** They have their share and no more, all others are served, and with their connections all is given back. */
async function hasTheirShare(t: Test, serving: Serving, flooding: ChildProcess): Promise<void> {
  const refused = await waitFor('the share to be used up', async () => {
    const answer = await asked(serving, greedy);
    return answer.startsWith('503') && answer;
  });
  t.match(refused, /too_many_connections.*your share/);
  t.match(await asked(serving, modest), /^200 k/, 'another user is served');
  t.equal((await ask('/status', { socketPath: serving.socketPath })).status, 200, 'root is served');
  flooding.kill('SIGKILL');
  await waitFor('all to be given back', async () => (await asked(serving, greedy)).startsWith('200 k'));
}

const slow = { skip: needsRoot };

t.test('requests that wait', slow, async (t) => {
  const serving = await withServing(t);
  const { etag = '' } = (await ask('/secrets/one', { socketPath: serving.socketPath })).headers;
  const wait = head('GET /secrets/one?wait=600s', `If-None-Match: ${etag}\r\n`);
  const flooding = flood(t, serving, wait, { connections: 220, times: 64 });
  await hasTheirShare(t, serving, flooding);
  await waitFor('the waits to end', () => serving.registry.render().includes('latchkey_open_waits 0'));
});

t.test('answers that nobody reads', slow, async (t) => {
  const serving = await withServing(t);
  for (let count = 0; count < 1000; count += 1) serving.put(`a-name-of-some-length-${count}`, { key: 'k' });
  const flooding = flood(t, serving, head('GET /secrets'), { connections: 100, times: 10 });
  await hasTheirShare(t, serving, flooding);
});

t.test('bodies that do not end', slow, async (t) => {
  const serving = await withServing(t);
  const post = head('POST /v1/secret/data/x', 'Content-Length: 262144\r\n');
  flood(t, serving, post, { connections: 300, times: 1, body: 262_000 });
  const most = Math.ceil(sharesOf(64 * 1024 * 1024).oneUser / 262_000);
  const refused = /latchkey_requests_total\{dialect="vault",status="503"\} (\d+)/;
  await waitFor('the others to be refused', () => {
    const count = Number(refused.exec(serving.registry.render())?.[1] ?? 0);
    return count >= 300 - most && (serving.server.status()[0]?.connections ?? 0) <= most;
  });
  t.match(await asked(serving, modest), /^200 k/, 'another user is served');
});

t.test('a wait that is queued behind another ends with its connection', async (t) => {
  const serving = await withServing(t);
  const { etag = '' } = (await ask('/secrets/one', { socketPath: serving.socketPath })).headers;
  const socket = connect(serving.socketPath);
  socket.write(head('GET /secrets/one?wait=600s', `If-None-Match: ${etag}\r\n`).repeat(10));
  await waitFor('the waits', () => serving.registry.render().includes('latchkey_open_waits 10'));
  socket.destroy();
  await waitFor('their end', () => serving.registry.render().includes('latchkey_open_waits 0'));
});

t.test('no more than 64 requests of a connection wait at a time', async (t) => {
  const serving = await withServing(t);
  const { etag = '' } = (await ask('/secrets/one/key', serving)).headers;
  const socket = connect(serving.socketPath);
  t.teardown(() => socket.destroy());
  let text = '';
  socket.on('data', (bytes) => {
    text += String(bytes);
  });
  socket.write(head('GET /secrets/one/key?wait=60s', `If-None-Match: ${etag}\r\n`).repeat(80));
  await waitFor('the rest is turned away', () =>
    /^latchkey_denials_total\{why="share"\} [1-9]/m.test(serving.registry.render()),
  );
  t.match(serving.registry.render(), 'latchkey_open_waits 64');
  serving.put('one', { key: 'another' });
  await waitFor('the first one that was not taken', () => text.includes('you have your share'));
  t.equal(text.split('HTTP/1.1 200').length - 1, 64);
});

t.test('whatever happens to requests, what they had is given back', (t) => {
  const random = createSeededRandom(1);
  const shares = createRequestShares();
  const pick = <T>(of: readonly T[]): T => of[Math.floor(random() * of.length)] as T;
  let living: RequestCosts[] = [];
  for (let step = 0; step < 20_000; step += 1) {
    const costs =
      random() < 0.3 || living.length === 0
        ? new RequestCosts(shares, pick(['1', '2', 'unknown']), pick(['owner', 'ruled', 'stranger']))
        : pick(living);
    if (!living.includes(costs)) living.push(costs);
    const act = pick(['open', 'keep', 'unread', 'end'] as const);
    if (act === 'open') costs.open();
    if (act === 'keep') costs.keep(Math.floor(random() * 1000));
    if (act === 'unread') costs.setUnread(Math.floor(random() * 1000));
    if (act !== 'end') continue;
    costs.end();
    // Whatever comes late costs nothing.
    costs.keep(1000);
    costs.open();
    living = living.filter((one) => one !== costs);
  }
  for (const costs of living) costs.end();
  t.equal(shares.open.total, 0);
  t.equal(shares.bytes.total, 0);
  t.end();
});

t.test('a user has three quarters, strangers little, and some is left to root and administrators', (t) => {
  const shares = createRequestShares();
  const take = (user: string, standing: 'owner' | 'ruled' | 'stranger'): number => {
    let count = 0;
    for (; usedUp(shares, user, standing) === undefined; count += 1)
      new RequestCosts(shares, user, standing).open();
    return count;
  };
  const { oneStranger, strangers, oneUser, ruled } = sharesOf(16_384);
  t.equal(take('1', 'stranger'), oneStranger);
  t.equal(take('1', 'ruled'), oneUser - oneStranger, 'as whoever they are');
  t.ok(take('2', 'ruled') > 0);
  t.equal(take('3', 'ruled'), 0);
  t.equal(shares.open.total, ruled);
  t.equal(take('3', 'stranger'), 0);
  t.equal(take('0', 'owner'), 16_384 - ruled);
  t.ok(strangers > oneStranger);
  t.end();
});
