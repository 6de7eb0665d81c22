// `timeout` of an upstream is the time of its requests, however long: nothing else ends them before.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import t from 'tap';
import { createTransport } from '../../../src/upstream/http/transport.ts';
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
