import t, { type Test } from 'tap';
import type { AuthConfig } from '../../../src/upstream/vault/config/vault-config.ts';
import { changedPath } from '../../../src/upstream/vault/event-subscription.ts';
import { startDevVault } from '../../support/dev-vault.ts';
import { createFastClock } from '../../support/fast-clock.ts';
import { startStubVault } from '../../support/stub-vault.ts';
import { authCommon, createTestUpstream, shutdown } from '../../support/test-upstream.ts';
import { waitFor } from '../../support/wait-for.ts';

const auth: AuthConfig = { ...authCommon, method: 'token', mount: 'token' };

async function startBoth(t: Test, flavor: 'vault' | 'openbao' = 'vault', over: { token?: string } = {}) {
  const vault = await startDevVault(t, { flavor });
  const token = over.token ?? vault.rootToken;
  const { upstream, logs } = createTestUpstream({
    config: { addresses: [vault.address], auth, events: true, timeoutMs: 100_000 },
    env: { VAULT_TOKEN: token },
    clock: createFastClock(20),
  });
  t.teardown(() => upstream.close(shutdown));
  const paths: string[] = [];
  upstream.listen({ changedUpstream: (path) => paths.push(path) });
  upstream.start();
  await upstream.ready(AbortSignal.timeout(60_000));
  const isOpen = () => logs.lines.filter((line) => line.message.startsWith('changes of KV')).length;
  return { vault, upstream, logs, paths, isOpen };
}

t.test('tells of writes to KV 2 and KV 1 by their API paths', async (t) => {
  const { vault, paths, isOpen } = await startBoth(t);
  await vault.ask('PUT', 'sys/mounts/kv1', { type: 'kv', options: { version: '1' } });
  await waitFor('the subscription', () => isOpen() === 1);
  await vault.writeSecret('secret/app', { a: '1' });
  await waitFor('the event', () => paths.includes('secret/data/app'));
  await vault.ask('PUT', 'kv1/app', { a: '1' });
  await waitFor('the event', () => paths.includes('kv1/app'));
  await vault.ask('DELETE', 'secret/data/app');
  await waitFor('the event', () => paths.filter((path) => path === 'secret/data/app').length >= 2);
});

t.test('subscribes again when the connection is lost', async (t) => {
  const { vault, paths, isOpen } = await startBoth(t);
  await waitFor('the subscription', () => isOpen() === 1);
  const port = Number(new URL(vault.address).port);
  await vault.vault.close();
  const again = await startDevVault(t, { listen: `127.0.0.1:${port}`, rootToken: vault.rootToken });
  await waitFor('another subscription', () => isOpen() === 2);
  await again.writeSecret('secret/app', { a: '1' });
  await waitFor('the event', () => paths.includes('secret/data/app'));
});

t.test('asks for the events of its namespace', async (t) => {
  const vault = await startStubVault();
  t.teardown(vault.close);
  const { upstream } = createTestUpstream({
    config: { addresses: [vault.address], events: true, namespace: 'team' },
  });
  t.teardown(() => upstream.close(shutdown));
  upstream.start();
  const request = await waitFor('the subscription', () =>
    vault.requests.find(({ path }) => path.startsWith('sys/events/subscribe')),
  );
  t.match(request.headers, { 'x-vault-namespace': 'team', 'x-vault-token': 's.token-1' });
});

t.test('a server without events, or a policy that forbids them, is no trouble to anybody', async (t) => {
  const { vault, upstream, logs } = await startBoth(t, 'openbao');
  await waitFor('the refusal', () => logs.lines.some((line) => line.message.startsWith('no events')));
  t.same(
    logs.lines.filter((line) => line.level !== 'debug').map((line) => line.message),
    ['logged in'],
  );
  t.equal(upstream.status().state, 'ready');
  await vault.writeSecret('secret/app', { a: '1' });
});

t.test('reads the path of an event, and nothing from anything else', async (t) => {
  const event = (metadata: object) => JSON.stringify({ data: { event: { metadata } } });
  t.equal(
    changedPath(event({ data_path: 'secret/data/a', path: 'secret/data/a', modified: 'true' })),
    'secret/data/a',
  );
  t.equal(changedPath(event({ path: 'kv1/a' })), 'kv1/a');
  t.equal(changedPath(event({ path: 'kv1/a', modified: 'false' })), undefined);
  for (const text of ['', 'canary', '[]', '{}', '{"data":{"event":{"metadata":{"path":1}}}}']) {
    t.equal(changedPath(text), undefined);
  }
});
