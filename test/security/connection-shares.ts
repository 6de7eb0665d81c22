// One user cannot take the connections of the others: floods as real other users, against callers with a rule and root.

import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import type { AccessConfig } from '../../src/config/resolved.ts';
import { createConnectionShares, createDescriptorBudget } from '../../src/server/listen/connection-shares.ts';
import { sharesOf } from '../../src/server/listen/shares.ts';
import { needsRoot } from '../support/needs-root.ts';
import { getScript, runAs } from '../support/other-user.ts';
import {
  ask,
  portOf,
  type ServingOptions,
  startServing,
  tcpListener,
  unixListener,
} from '../support/serving.ts';
import { loadCredential } from '../support/systemd-client.ts';
import { waitFor } from '../support/wait-for.ts';

const [attacker, app] = [61_001, 61_002];
const rules: AccessConfig = {
  strict: false,
  rules: [{ name: 'app', client: { uid: app }, allow: ['stripe'], vault: [], admin: false }],
};

async function withServing(t: Test, options: ServingOptions) {
  const serving = await startServing({ rules, ...options });
  t.teardown(serving.close);
  chmodSync(serving.folder, 0o755);
  serving.put('stripe', { key: 'k' });
  return serving;
}

/** Opens many connections, sends what `send` is, and prints how many of them live once they are down to `most`. */
const floodScript = `
  import { connect } from 'node:net';
  const [path, count, most, send] = process.argv.slice(1);
  let open = 0;
  for (let i = 0; i < Number(count); i += 1) {
    const socket = connect(path, () => { if (send) socket.write(send); });
    open += 1;
    socket.on('error', () => {});
    socket.on('close', () => { open -= 1; });
    socket.resume();
  }
  const end = Date.now() + 16_000;
  setInterval(() => {
    if (open > Number(most) && Date.now() < end) return;
    setTimeout(() => { console.log(open); process.exit(); }, 500);
  }, 50);
`;

t.test(
  'a user without a rule holds few connections, others and root are served',
  { skip: needsRoot },
  async (t) => {
    const most = 640;
    const serving = await withServing(t, {
      listeners: (folder) => [
        unixListener(join(folder, 'api.sock'), ['secrets', 'admin'], { mode: 0o666, maxConnections: most }),
      ],
    });
    const path = serving.socketPath;
    const flood = runAs(attacker, floodScript, [path, '2000', String(sharesOf(most).oneStranger), '']);
    await waitFor(
      'the flood',
      () => (serving.server.status()[0]?.connections ?? 0) >= sharesOf(most).oneStranger,
    );
    t.match(await runAs(app, getScript, [path, '/secrets/stripe/key']), /^200 k/);
    t.equal((await ask('/status', { socketPath: path })).status, 200);
    t.ok((serving.server.status()[0]?.connections ?? 0) <= sharesOf(most).oneStranger + 2);
    t.ok(Number(await flood) <= sharesOf(most).oneStranger, 'the rest was closed');
  },
);

t.test('a user with a rule leaves some to others, and to root', { skip: needsRoot }, async (t) => {
  const most = 64;
  const serving = await withServing(t, {
    listeners: (folder) => [
      unixListener(join(folder, 'api.sock'), ['secrets', 'admin'], { mode: 0o666, maxConnections: most }),
    ],
  });
  const path = serving.socketPath;
  const flood = runAs(app, floodScript, [
    path,
    '500',
    String(sharesOf(most).oneUser),
    'GET /secrets/stripe HTTP/1.1\r\nHost: localhost\r\n\r\n',
  ]);
  await waitFor('the flood', () => (serving.server.status()[0]?.connections ?? 0) >= sharesOf(most).oneUser);
  t.equal((await ask('/status', { socketPath: path })).status, 200);
  t.match(await runAs(attacker, getScript, [path, '/healthz']), /^200/, 'a probe of another user');
  t.equal(Number(await flood), sharesOf(most).oneUser);
});

t.test(
  'whoever is refused keeps no connection, nor does a stranger who probes',
  { skip: needsRoot },
  async (t) => {
    const serving = await withServing(t, {
      listeners: (folder) => [unixListener(join(folder, 'api.sock'), ['secrets'], { mode: 0o666 })],
    });
    for (const path of ['/secrets/stripe', '/healthz']) {
      const send = `GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`;
      t.equal(Number(await runAs(attacker, floodScript, [serving.socketPath, '50', '0', send])), 0, path);
    }
  },
);

t.test('TCP connections that show no token give way to those that do', async (t) => {
  const serving = await withServing(t, {
    listeners: (folder) => [tcpListener(join(folder, 'token'), ['secrets'], { maxConnections: 100 })],
  });
  const { readFileSync } = await import('node:fs');
  const token = readFileSync(join(serving.folder, 'token'), 'utf8');
  const port = portOf(serving.server, 'listeners[1]');
  const sockets: Socket[] = [];
  t.teardown(() => {
    for (const socket of sockets) socket.destroy();
  });
  for (let count = 0; count < 400; count += 1) {
    const socket = connect({ port, host: '127.0.0.1' });
    socket.on('error', () => undefined);
    sockets.push(socket);
  }
  await waitFor(
    'the flood to be cut',
    () => sockets.filter(({ destroyed, closed }) => destroyed || closed).length > 300,
  );
  const answer = await ask('/secrets/stripe/key', { port, headers: { authorization: `Bearer ${token}` } });
  t.equal(answer.status, 200);
});

t.test('requests that wait are bounded on each connection', async (t) => {
  const serving = await withServing(t, {});
  const { etag = '' } = (await ask('/secrets/stripe', { socketPath: serving.socketPath })).headers;
  const socket = connect(serving.socketPath);
  let text = '';
  socket.on('data', (chunk) => {
    text += String(chunk);
  });
  const one = `GET /secrets/stripe?wait=60s HTTP/1.1\r\nHost: localhost\r\nIf-None-Match: ${etag}\r\n\r\n`;
  socket.write(one.repeat(200));
  await waitFor('the waits', () => serving.registry.render().includes('latchkey_open_waits 64'));
  serving.put('stripe', { key: 'other' });
  await waitFor('the answers', () => text.includes('503'));
  t.equal(text.match(/HTTP\/1\.1 200/g)?.length, 64);
  socket.destroy();
});

t.test('the process never opens more connections than it has descriptors for', (t) => {
  const budget = createDescriptorBudget(64);
  t.equal(budget.most, 16, 'half of the descriptors is for files, and each connection may take two');
  const first = createConnectionShares(() => 1000, budget);
  const second = createConnectionShares(() => 1000, budget);
  const places = [];
  for (let count = 0; count < 100; count += 1) {
    const place = (count % 2 === 0 ? first : second).take('0', 'owner');
    if (place !== undefined) places.push(place);
  }
  t.equal(places.length, 16);
  t.equal(second.take('1', 'ruled'), undefined);
  for (const give of places) give();
  t.equal(first.count + second.count + budget.count, 0);
  let ruled = 0;
  while (first.take('1', 'ruled') !== undefined) ruled += 1;
  t.equal(ruled, 12, 'one user: three quarters');
  t.ok(second.take('2', 'ruled'));
  t.ok(second.take('0', 'owner'));
  t.end();
});

t.test(
  'a user who floods the socket of credentials keeps no unit from its own',
  { skip: needsRoot },
  async (t) => {
    const most = 64;
    const serving = await withServing(t, {
      rules: {
        ...rules,
        rules: [{ name: 'b', client: { unit: 'b.service' }, allow: ['stripe'], vault: [], admin: false }],
      },
      listeners: (folder) => [
        unixListener(join(folder, 'api.sock'), ['systemd'], { mode: 0o666, maxConnections: most }),
      ],
    });
    // Reads nothing: its refusals, of more than a megabyte each, do not end.
    const script = floodScript.replace('socket.resume();', '');
    const flood = runAs(attacker, script, [
      serving.socketPath,
      '500',
      String(sharesOf(most).oneStranger),
      '',
    ]);
    await waitFor('the flood', () =>
      serving.registry.render().includes('latchkey_connections_refused_total'),
    );
    for (let count = 0; count < 5; count += 1)
      t.equal(String(await loadCredential(serving.socketPath, 'b.service', 'stripe.key')), 'k');
    const open = () => serving.server.status()[0]?.connections ?? 0;
    await waitFor('the rest to be closed', () => open() <= sharesOf(most).oneStranger);
    await flood;
  },
);

/** Connects so often, one after another, and prints how many had an answer and how long it took. */
const oftenScript = `
  import { connect } from 'node:net';
  const [path, count] = process.argv.slice(1);
  const began = Date.now();
  let answered = 0;
  for (let i = 0; i < Number(count); i += 1) {
    await new Promise((over) => {
      const socket = connect(path, () => socket.write('GET /secrets/stripe HTTP/1.1\\r\\nHost: localhost\\r\\n\\r\\n'));
      socket.once('data', () => { answered += 1; socket.destroy(); });
      socket.on('error', () => {}).on('close', over);
    });
  }
  console.log(answered + ' ' + (Date.now() - began));
`;

t.test(
  'a user who connects again and again costs no more than a little, and keeps nobody out',
  { skip: needsRoot },
  async (t) => {
    const { socketPath, registry, server } = await withServing(t, {
      listeners: (folder) => [unixListener(join(folder, 'api.sock'), ['secrets'], { mode: 0o666 })],
    });
    const refused = () => /latchkey_connections_refused_total\{[^}]*\} [1-9]/.test(registry.render());
    let isOver = false;
    const flood = runAs(attacker, oftenScript, [socketPath, '3000']).finally(() => {
      isOver = true;
    });
    await waitFor('the first is cut', () => isOver || refused());
    t.match(await runAs(app, getScript, [socketPath, '/secrets/stripe']), /^200 /);
    t.equal((await ask('/secrets/stripe', { socketPath })).status, 200);
    const [answered = 0, tookMs = 0] = (await flood).split(' ').map(Number);
    t.ok(answered >= 200, 'one who is refused now and then is told so');
    t.ok(answered <= 210 + tookMs / 10, `${answered} of 3000 in ${tookMs} ms were looked at`);
    t.ok(answered < 3000 || tookMs > 28_000, 'the rest was not');
    await waitFor('none is left', () => server.status()[0]?.connections === 0);
    await waitFor(
      'they are heard again',
      async () => (await runAs(attacker, getScript, [socketPath, '/secrets/stripe'])) !== '' || undefined,
    );
  },
);

const noPrlimit = spawnSync('prlimit', ['--version']).status !== 0 && 'needs prlimit(1)';

t.test('who finds no room because few files may be open is told that', { skip: noPrlimit }, async (t) => {
  const limitFiles = (soft: number | string) =>
    execFileSync('prlimit', ['--pid', String(process.pid), `--nofile=${soft}:`]);
  const before =
    /^Max open files +(\d+)/m.exec(readFileSync('/proc/self/limits', 'latin1'))?.[1] ?? 'unlimited';
  limitFiles(200);
  // The limit is read when the server is made.
  const serving = await withServing(t, {}).finally(() => limitFiles(before));
  const { socketPath } = serving;
  const sockets = Array.from({ length: 50 }, () => connect(socketPath));
  t.teardown(() => {
    for (const socket of sockets) socket.destroy();
  });
  const answer = await waitFor('a refusal', async () => {
    const { status, text } = await ask('/healthz', { socketPath });
    return status === 503 ? text : undefined;
  });
  t.match(
    answer,
    /the agent serves at most 50 connections at once, for more its limit of open files must be raised/,
  );
});
