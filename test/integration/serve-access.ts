import { chmodSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import t from 'tap';
import { createBlindPeerReader } from '../../src/access/peer-reader.ts';
import type { AuditEntry } from '../../src/audit/audit-line.ts';
import { type AuditLog, createSilentAudit } from '../../src/audit/audit-log.ts';
import { type LogFields, type Logger, silentLogger } from '../../src/base/logger.ts';
import type { AccessConfig } from '../../src/config/resolved.ts';
import { needsRoot } from '../support/needs-root.ts';
import { getScript, nobody, runAs } from '../support/other-user.ts';
import { ask, startServing, unixListener } from '../support/serving.ts';
import { waitFor } from '../support/wait-for.ts';

const own = process.getuid?.() ?? 0;

function rulesFor(uid: number, allow: string[], more: object = {}): AccessConfig {
  return {
    strict: true,
    rules: [{ name: 'test', client: { uid }, allow, vault: [], admin: false, ...more }],
  };
}

async function openTo(
  t: { teardown(callback: () => unknown): void },
  rules: AccessConfig,
  logger: Logger = silentLogger,
) {
  const serving = await startServing({
    rules,
    logger,
    listeners: (folder) => [unixListener(join(folder, 'api.sock'), ['secrets', 'metrics'], { mode: 0o666 })],
  });
  t.teardown(() => serving.close());
  chmodSync(serving.folder, 0o755);
  serving.put('stripe', { key: 'sk_1' });
  serving.put('database', { password: 'p' });
  return serving;
}

t.test('another user gets nothing without a rule, not even names', { skip: needsRoot }, async (t) => {
  const serving = await openTo(t, { rules: [], strict: false });
  for (const path of [
    '/secrets',
    '/secrets/stripe',
    '/secrets/ghost',
    '/refused/stripe',
    '/events',
    '/status',
    '/metrics',
    '/nowhere',
  ]) {
    const answer = await runAs(nobody, getScript, [serving.socketPath, path]);
    t.equal(answer.trim(), '403 {"error":{"code":"denied","message":"not allowed"}}', path);
  }
  t.match(await runAs(nobody, getScript, [serving.socketPath, '/healthz']), /^200 /);
});

t.test('a refused caller is in the log once, with who it is and why', { skip: needsRoot }, async (t) => {
  const lines: [LogFields, string][] = [];
  const logger = { ...silentLogger, warn: (...line: [LogFields, string]) => lines.push(line) };
  const serving = await openTo(t, { rules: [], strict: false }, logger);
  for (const path of ['/secrets/stripe', '/secrets/database', '/status']) {
    await runAs(nobody, getScript, [serving.socketPath, path]);
  }
  t.match(lines, [
    [
      { listener: 'listeners[0]', caller: { uid: nobody }, secret: 'stripe', reason: String },
      'refused a caller',
    ],
  ]);
  t.equal(lines.length, 1);
});

t.test('another user gets what a rule gives him and no more', { skip: needsRoot }, async (t) => {
  const serving = await openTo(t, rulesFor(nobody, ['stripe']));
  const get = (path: string): Promise<string> => runAs(nobody, getScript, [serving.socketPath, path]);
  t.equal((await get('/secrets/stripe/key')).trim(), '200 sk_1');
  t.match(await get('/secrets/database'), /^403 /);
  t.match(await get('/secrets/ghost'), /^403 /, 'a name that does not exist is no different');
  t.match(await get('/status'), /^403 /);
  const list = await get('/secrets');
  t.match(list, '"name":"stripe"');
  t.notMatch(list, 'database');
  t.match(await get('/metrics'), /^200 /);
});

t.test('strict asks the agent’s own user for a rule too', async (t) => {
  const serving = await openTo(t, rulesFor(own, ['stripe']));
  const over = { socketPath: serving.socketPath };
  t.equal((await ask('/secrets/stripe', over)).status, 200);
  t.equal((await ask('/secrets/database', over)).status, 403);
  t.equal((await ask('/status', over)).status, 403);
  t.equal((await ask('/refresh', { ...over, method: 'POST' })).status, 403);
  t.equal((await ask('/access/test', { ...over, method: 'POST', body: '{}' })).status, 403);
  serving.access.replace(rulesFor(own, ['stripe'], { admin: true }));
  t.equal((await ask('/status', over)).status, 200);
});

t.test('a caller who cannot be told has the least rights', async (t) => {
  const serving = await startServing({ peers: createBlindPeerReader('the kernel does not tell') });
  t.teardown(() => serving.close());
  serving.put('stripe', { key: 'sk_1' });
  const over = { socketPath: serving.socketPath };
  for (const path of ['/secrets', '/secrets/stripe', '/status', '/metrics', '/events', '/x']) {
    t.equal((await ask(path, over)).status, 403, path);
  }
});

t.test('each denial is audited, that of a scrape too', async (t) => {
  const audited: AuditEntry[] = [];
  const audit: AuditLog = {
    ...createSilentAudit(),
    append(entry, recipient) {
      audited.push(entry);
      recipient.recorded(undefined);
    },
  };
  const serving = await startServing({ audit, rules: { rules: [], strict: true } });
  t.teardown(() => serving.close());
  for (const path of ['/metrics', '/healthz', '/secrets/stripe'])
    await ask(path, { socketPath: serving.socketPath });
  t.match(audited, [
    { path: '/metrics', isAllowed: false, status: 403 },
    { name: 'stripe', isAllowed: false, status: 403 },
  ]);
  t.equal(audited.length, 2);
});

t.test('a changed rule holds for the very next request of a kept-alive connection', async (t) => {
  const serving = await openTo(t, rulesFor(own, ['stripe']));
  const socket = connect(serving.socketPath);
  const next = (): Promise<string> => {
    socket.write('GET /secrets/stripe/key HTTP/1.1\r\nHost: localhost\r\n\r\n');
    return new Promise((resolve) => socket.once('data', (bytes) => resolve(String(bytes))));
  };
  t.match(await next(), /^HTTP\/1\.1 200/);
  serving.access.replace(rulesFor(own, ['database']));
  const ended = new Promise((resolve) => socket.once('end', resolve));
  t.match(await next(), /^HTTP\/1\.1 403.*Connection: close/s);
  await ended;
  t.pass('a refused caller keeps no connection');
  socket.destroy();
});

t.test('a wait that is no longer allowed ends with 403 at once', async (t) => {
  const serving = await openTo(t, rulesFor(own, ['stripe', 'database']));
  const over = { socketPath: serving.socketPath };
  const { etag = '' } = (await ask('/secrets/stripe', over)).headers;
  const waiting = ask('/secrets/stripe?wait=60s', { ...over, headers: { 'if-none-match': etag } });
  await waitFor('the wait', () => serving.registry.render().includes('latchkey_open_waits 1'));
  serving.access.replace(rulesFor(own, ['database']));
  t.match(await waiting, { status: 403, text: /denied/ });
});

t.test('an event stream loses names with the rules, and ends when none is left', async (t) => {
  const serving = await openTo(t, rulesFor(own, ['stripe', 'database']));
  const socket = connect(serving.socketPath);
  let text = '';
  socket.on('data', (chunk) => {
    text += String(chunk);
  });
  socket.write('GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n');
  await waitFor('the stream', () => text.includes('retry: 1000'));
  serving.put('stripe', { key: 'a' });
  await waitFor('stripe', () => text.includes('"stripe"'));
  serving.access.replace(rulesFor(own, ['database']));
  serving.put('stripe', { key: 'b' });
  serving.put('database', { password: 'b' });
  await waitFor('database', () => text.includes('"database"'));
  t.equal(text.split('"stripe"').length, 2, 'told once, before');
  serving.access.replace({ rules: [], strict: true });
  await waitFor('the end of the stream', () => text.endsWith('0\r\n\r\n'));
  socket.destroy();
});
