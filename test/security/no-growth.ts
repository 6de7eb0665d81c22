// The agent's memory does not grow with requests of any kind, allowed or refused. `LATCHKEY_GROWTH_REQUESTS=1000000` asks
// for that many of each kind; the default shows a leak of four kilobytes a request.
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import t from 'tap';
import { startAgent } from '../support/cli.ts';
import { startStubVault } from '../support/stub-vault.ts';
import { testFolder } from '../support/test-folder.ts';

const count = Number(process.env['LATCHKEY_GROWTH_REQUESTS'] ?? 4000);
const allowedGrowthKb = 12 * 1024;
const rounds = 5;

const head = (line: string, more = ''): string => `${line} HTTP/1.1\r\nHost: localhost\r\n${more}\r\n`;
const kinds: Record<string, (number: number) => string> = {
  'LIST of what there is': () => head('LIST /v1/secret/metadata/app'),
  'a list by its query': () => head('GET /v1/secret/metadata/app?list=true'),
  'GET of a secret of the vault': () => head('GET /v1/secret/data/app'),
  'GET of many paths': (number) => head(`GET /v1/secret/data/${number}`),
  'GET of a name': () => head('GET /secrets/app'),
  'names that there are not': (number) => head(`GET /secrets/${number}/${'x'.repeat(2000)}`),
  'long URLs': (number) => head(`GET /v1/sys/${number}?${'x'.repeat(12_000)}`),
  'many headers': (number) => head('GET /secrets/app', `X-${number}: ${'y'.repeat(4000)}\r\n`),
  'foreign hosts': (number) => `GET / HTTP/1.1\r\nHost: ${number}.example\r\n\r\n`,
  'methods that there are not': () => head('BREW /secrets/app'),
  'a LIST of another dialect': () => head('LIST /secrets/app'),
  'torn requests': () => 'GET /secrets/app HTTP/1.1\r\nHo',
};

t.setTimeout(240_000 + count);
t.test('memory stays flat', { timeout: 240_000 + count }, async (t) => {
  const vault = await startStubVault();
  t.teardown(vault.close);
  vault.route(({ path }) =>
    path.startsWith('secret/data/')
      ? { json: { request_id: 'r', data: { data: { key: 'k' }, metadata: { version: 1 } } } }
      : { json: { data: { keys: ['a', 'b'] } } },
  );
  vault.route(({ path }) => {
    if (path.startsWith('sys/internal/ui/mounts'))
      return { json: { data: { path: 'secret/', type: 'kv', options: { version: '2' } } } };
    return path === 'auth/token/lookup-self'
      ? { json: { data: { ttl: 0, renewable: false, policies: [] } } }
      : undefined;
  });
  const folder = testFolder(t);
  const socketPath = join(folder, 'latchkey.sock');
  const budget = { requests_per_second: 100_000, concurrency: 64 };
  const agent = startAgent(t, {
    folder,
    vault: { address: vault.address, rootToken: 'the-agents-own-token' },
    upstream: { budget },
    config: {
      secrets: { app: { path: 'secret/data/app' } },
      listeners: [{ unix: socketPath, serve: ['secrets', 'admin', 'vault'] }],
      log: { level: 'warn', file: join(folder, 'agent.log') },
    },
  });
  await agent.untilReady();
  const residentKb = (): number =>
    Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${agent.pid}/status`, 'utf8'))?.[1]);

  /** One after the other on a connection, for as long as the agent keeps it. */
  async function send(requests: number, make: (number: number) => string): Promise<void> {
    for (let sent = 0; sent < requests; ) {
      const { promise, resolve } = Promise.withResolvers<void>();
      const socket = connect(socketPath, () => socket.write(make(sent)));
      socket.on('data', (bytes) => {
        if (!/\r\n\r\n.|content-length: 0|304 /is.test(bytes.toString('latin1'))) return;
        sent += 1;
        if (sent < requests) socket.write(make(sent));
        else socket.end();
      });
      socket.on('error', () => undefined);
      socket.on('close', () => resolve());
      if (!make(0).endsWith('\r\n\r\n')) {
        sent += 1;
        socket.once('connect', () => socket.end());
      }
      await promise;
    }
  }

  for (const [kind, make] of Object.entries(kinds)) {
    const lanes = 8;
    const all = (requests: number) =>
      Promise.all(Array.from({ length: lanes }, () => send(Math.ceil(requests / lanes), make)));
    // The first rounds bring the heap and its buffers to the size that such work wants; a leak shows in every one.
    const grown: number[] = [];
    while (grown.length < rounds && !(Number(grown.at(-1)) < allowedGrowthKb)) {
      const before = residentKb();
      await all(count);
      grown.push(residentKb() - before);
    }
    t.ok(Number(grown.at(-1)) < allowedGrowthKb, `${kind}: ${grown.join(', ')} KiB after ${count} each`);
  }
});
