import { once } from 'node:events';
import { connect } from 'node:net';
import t from 'tap';
import { WebSocket } from 'ws';
import { startDevVault, type TestVault } from '../../../../test/support/dev-vault.ts';

function subscribe(dev: TestVault, glob: string, token: string): WebSocket {
  const url = `${dev.address.replace('http', 'ws')}/v1/sys/events/subscribe/${glob}?json=true`;
  return new WebSocket(url, { headers: { 'x-vault-token': token } });
}

async function nextEvent(
  socket: WebSocket,
): Promise<{ data: { event_type: string; event: { metadata: Record<string, string> } } }> {
  const [message] = await once(socket, 'message');
  return JSON.parse(String(message));
}

t.test('tells a subscriber of a write, with path and version', async (t) => {
  const dev = await startDevVault(t);
  const socket = subscribe(dev, 'kv-v2/*', dev.rootToken);
  await once(socket, 'open');
  const event = nextEvent(socket);
  await dev.writeSecret('secret/app', { key: 'value' });
  const { data } = await event;
  t.equal(data.event_type, 'kv-v2/data-write');
  t.match(data.event.metadata, {
    path: 'secret/data/app',
    data_path: 'secret/data/app',
    operation: 'data-write',
    current_version: '1',
  });
  t.notMatch(JSON.stringify(data), 'value');
  t.equal(dev.vault.subscriptions, 1);
});

t.test('tells nothing of paths that the token may not subscribe to', async (t) => {
  const dev = await startDevVault(t);
  await dev.writePolicy(
    'events',
    `path "sys/events/subscribe/*" { capabilities = ["read"] }
     path "secret/data/mine/*" { capabilities = ["read", "subscribe"] subscribe_event_types = ["kv-v2/data-*"] }
     path "secret/data/other/*" { capabilities = ["read"] }`,
  );
  const socket = subscribe(dev, 'kv-v2/*', await dev.createToken({ policies: ['events'] }));
  await once(socket, 'open');
  const event = nextEvent(socket);
  await dev.writeSecret('secret/other/a', { key: '1' });
  await dev.writeSecret('secret/mine/a', { key: '1' });
  t.equal((await event).data.event.metadata['path'], 'secret/data/mine/a');
});

t.test('refuses a token without the right, and the whole path where the flavor is OpenBao', async (t) => {
  const dev = await startDevVault(t);
  const [denied] = await once(subscribe(dev, '*', await dev.createToken({ policies: ['default'] })), 'error');
  t.match(denied.message, /403/);
  const bao = await startDevVault(t, { flavor: 'openbao' });
  const [missing] = await once(subscribe(bao, '*', bao.rootToken), 'error');
  t.match(missing.message, /404/);
});

t.test('a subscription to what is no URL is refused, and ends nothing', async (t) => {
  const dev = await startDevVault(t);
  const { hostname, port } = new URL(dev.address);
  for (const target of ['//', '//[', '/v1/%ZZ', '/v1/sys/events/subscribe/%']) {
    const socket = connect(Number(port), hostname);
    socket.resume().on('error', () => undefined);
    socket.write(`GET ${target} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n`);
    await once(socket, 'close');
  }
  const { status } = await fetch(`${dev.address}/v1/sys/health`);
  t.equal(status, 200, 'it is still there');
});
