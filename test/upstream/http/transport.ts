// `timeout` of an upstream is the time of its requests, however long: nothing else ends them before, but for those that may be
// sent again.
import { closeSync, constants, openSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { mkfifo } from '../../../src/base/system/libc.ts';
import { createOpenRequests } from '../../../src/upstream/http/open-requests.ts';
import { createTransport } from '../../../src/upstream/http/transport.ts';
import { WholeAnswer } from '../../../src/upstream/http/whole-answer.ts';
import { createFakeClock } from '../../support/fake-clock.ts';

const noTls = {
  caFile: undefined,
  caPath: undefined,
  certFile: undefined,
  keyFile: undefined,
  serverName: undefined,
  skipVerify: false,
};

for (const timeoutMs of [1000, 600_000]) {
  t.test(`a request that nobody answers ends after ${timeoutMs} ms`, async (t) => {
    const clock = createFakeClock();
    const asked = Promise.withResolvers<void>();
    const server = createServer(() => asked.resolve());
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const transport = createTransport({ tls: noTls, clock, timeoutMs, maxBodyBytes: 1000 });
    t.teardown(async () => {
      await transport.close();
      server.closeAllConnections();
      server.close();
    });
    const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const { signal } = new AbortController();
    let end: string | undefined;
    const exchange = transport
      .exchange(address, { method: 'GET', target: '/v1/secret/data/app', headers: {}, signal })
      .catch((error: Error) => {
        end = error.message;
      });
    await asked.promise;
    await clock.advance(timeoutMs - 1);
    t.equal(end, undefined, 'one millisecond before');
    await clock.advance(1);
    await exchange;
    t.match(end, `within ${timeoutMs} ms`);
  });
}

/** What may be asked twice, of a server of the test's own, by a clock that stands. */
async function startAsking(t: Test, server: Server) {
  const clock = createFakeClock();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const transport = createTransport({ tls: noTls, clock, timeoutMs: 60_000, maxBodyBytes: 1000 });
  t.teardown(async () => {
    await transport.close();
    server.closeAllConnections();
    server.close();
  });
  const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const { signal } = new AbortController();
  const ask = (target: string) =>
    transport.exchange(address, { method: 'GET', target, headers: {}, signal, isHarmless: true });
  return { clock, address, ask };
}

t.test('who may be asked twice waits for a part of its time for the answer to begin', async (t) => {
  const asked = Promise.withResolvers<void>();
  const { clock, address, ask } = await startAsking(
    t,
    createServer(() => asked.resolve()),
  );
  const silent = ask('/').catch((error: unknown) => error);
  await asked.promise;
  await clock.advance(10_000);
  t.match(await silent, { isSilent: true, message: `${address} has not answered for 10 s` });
});

t.test(
  'one that learns of the silence later leaves the connections alone that others have made since',
  async (t) => {
    let isSilent = true;
    let connections = 0;
    const asked = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const server = createServer((request, response) => {
      if (isSilent) asked[Number(request.url?.slice(1))]?.resolve();
      else response.end('{}');
    });
    server.on('connection', () => {
      connections += 1;
    });
    const { clock, ask } = await startAsking(t, server);
    const first = ask('/0').catch((error: unknown) => error);
    await asked[0]?.promise;
    await clock.advance(1000);
    const second = ask('/1').catch((error: unknown) => error);
    await asked[1]?.promise;
    t.equal(connections, 2);
    await clock.advance(9000);
    t.match(await first, { isSilent: true });
    isSilent = false;
    await ask('/');
    t.equal(connections, 3, 'another one, for those before may be dead');
    await clock.advance(1000);
    t.match(await second, { isSilent: true });
    await ask('/');
    t.equal(connections, 3);
  },
);

t.test('an answer that has begun has the whole time', async (t) => {
  const clock = createFakeClock();
  const open = createOpenRequests(clock);
  const { signal } = new AbortController();
  const oversized = () => new Error('too large');
  const whole = new WholeAnswer({ signal, beginsBy: 10_000, endsAt: 60_000, maxBodyBytes: 1000, oversized });
  const failed = t.rejects(whole.answer);
  open.begin(whole);
  await clock.advance(9000);
  const controller = { abort: () => undefined } as unknown as Parameters<WholeAnswer['onRequestStart']>[0];
  whole.onRequestStart(controller);
  whole.onResponseStart(controller, 100, {});
  whole.onResponseStart(controller, 200, {});
  await clock.advance(50_999);
  t.notOk(whole.isOver);
  await clock.advance(1);
  t.ok(whole.isOver);
  await failed;
});

/** As where a network's disk is away: whatever asks a disk from now on waits until this is called. */
function hangDisks(pipe: string): () => Promise<void> {
  mkfifo(pipe, 0o600);
  const threads = Number(process.env['UV_THREADPOOL_SIZE'] ?? 4);
  const waiting = Array.from({ length: threads }, () => open(pipe, 'r'));
  return async () => {
    const writer = openSync(pipe, constants.O_RDWR | constants.O_NONBLOCK);
    for (const handle of await Promise.all(waiting)) await handle.close();
    closeSync(writer);
  };
}

for (const how of ['exchange', 'open'] as const) {
  const name = `${how}: a request ends in time, and by its signal, while certificates cannot be read`;
  t.test(name, async (t) => {
    const clock = createFakeClock();
    const folder = t.testdir({ authorities: {} });
    const tls = { ...noTls, caPath: join(folder, 'authorities') };
    const transport = createTransport({ tls, clock, timeoutMs: 1000, maxBodyBytes: 1000 });
    const given = new AbortController();
    const ask = (signal: AbortSignal): Promise<unknown> =>
      transport[how]('https://127.0.0.1:9', { method: 'GET', target: '/v1/a', headers: {}, signal });
    const comeBack = hangDisks(join(folder, 'pipe'));
    try {
      const inTime = t.rejects(ask(new AbortController().signal), { message: /within 1000 ms/ });
      const bySignal = t.rejects(ask(given.signal), { code: 'aborted' });
      given.abort();
      await bySignal;
      await clock.advance(1000);
      await inTime;
      await transport.close();
    } finally {
      await comeBack();
    }
  });
}
