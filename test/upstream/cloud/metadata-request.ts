import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import t from 'tap';
import type { LatchkeyError } from '../../../src/base/errors.ts';
import { metadataText } from '../../../src/upstream/cloud/metadata-request.ts';

t.test('a refusal by a service whose clock is another names the clock', async (t) => {
  let aheadMs = 0;
  const server = createServer((_request, response) => {
    response.sendDate = false;
    response.setHeader('date', new Date(Date.now() + aheadMs).toUTCString());
    response.writeHead(403).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => server.close());
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  const asked = { service: 'STS', url, remedy: 'check the role' };
  const refusal = async () => {
    const failure = metadataText({ ...asked, signal: AbortSignal.timeout(10_000) });
    return (await failure.catch((error: unknown) => error)) as LatchkeyError;
  };
  t.match(await refusal(), { code: 'login_failed', remedy: 'check the role' });
  aheadMs = 7_200_000;
  t.match(await refusal(), { remedy: /^set the clock of this host: it is \S+ behind/ });
  aheadMs = -7_200_000;
  t.match(await refusal(), { remedy: /^set the clock of this host: it is \S+ ahead of/ });
});
