import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import t from 'tap';
import { startDevVault } from '../../../../test/support/dev-vault.ts';

async function exchange(socket: Socket, line: string, token: string): Promise<string> {
  socket.write(`${line} HTTP/1.1\r\nHost: vault\r\nX-Vault-Token: ${token}\r\n\r\n`);
  const [answer] = await once(socket, 'data');
  return String(answer);
}

t.test('takes LIST on a connection that is kept, mixed with other methods', async (t) => {
  const dev = await startDevVault(t);
  await dev.writeSecret('secret/app', { key: 'value' });
  const { port } = new URL(dev.address);
  const socket = connect(Number(port), '127.0.0.1');
  t.teardown(() => socket.destroy());
  for (const line of [
    'LIST /v1/secret/metadata',
    'GET /v1/secret/data/app',
    'LIST /v1/secret/metadata/',
    'LIST /v1/secret/metadata?x=y',
  ]) {
    const answer = await exchange(socket, line, dev.rootToken);
    t.match(answer, /^HTTP\/1.1 200 OK/, line);
    if (line.startsWith('LIST')) t.match(answer, '"keys":["app"]');
  }
  t.match(await exchange(socket, 'BREW /v1/coffee', dev.rootToken), /^HTTP\/1.1 400/);
});
