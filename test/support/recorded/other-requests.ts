// Recorded requests that are of no dialect of secrets, and those of callers who may have nothing.
import { createHmac } from 'node:crypto';
import { type Scene, start } from './scene.ts';

export async function otherRequests({ ask, note }: Scene): Promise<void> {
  note('others');
  for (const path of ['/healthz', '/readyz', '/healthz/x', '/who-has/stripe@x'])
    for (const method of ['GET', 'HEAD', 'POST']) await ask('api', method, path);
  for (const path of ['/', '/nothing', '//', '/secrets%2fstripe', '/?x', '*']) await ask('api', 'GET', path);
  await ask('api', 'GET', '/secrets/stripe', { Host: 'evil.example' });
  await ask('api', 'GET', '/secrets/stripe', { Origin: 'http://evil.example' });
}

export async function deniedRequests({ put, access, ask, load, note }: Scene): Promise<void> {
  note('denied');
  put('closed', { a: '1' });
  access.replace({
    strict: true,
    rules: [
      { name: 'one', client: { uid: process.getuid?.() ?? 0 }, allow: ['open'], vault: [], admin: false },
    ],
  });
  for (const path of [
    ...['/secrets', '/secrets/closed', '/secrets/closed/a', '/secrets/none', '/v1/latchkey/data/closed'],
    ...['/v1/secret/data/kv', '/status', '/healthz', '/stray'],
  ])
    await ask('api', 'GET', path);
  for (const path of [
    '/v1/closed',
    '/v1/none',
    '/credentials/aws/closed',
    '/systemsmanager/parameters/get?name=closed',
  ])
    await ask('aws', 'GET', path);
  for (const id of ['prod/key', 'closed', 'none']) await ask('any', 'GET', `/v1/${id}`);
  for (const path of [
    '/secrets/closed',
    '/v1/latchkey/data/closed',
    '/v1/secret/data/kv',
    '/v1/auth/token/lookup-self',
  ])
    await ask('tcp', 'GET', path, { 'X-Vault-Token': 'TOKEN' });
  for (const method of ['PUT', 'LIST', 'POST']) await ask('api', method, '/v1/secret/data/kv');
  for (const path of ['/refused/closed', '/refresh', '/reload', '/agent/v1/cache-clear'])
    await ask('api', 'POST', path);
  await load('app.service', 'stripe');
}

/** What units get, and the refusal that systemd cannot take for a credential. */
export async function systemdRequests({ put, load, note }: Scene): Promise<void> {
  note('systemd');
  for (const id of ['stripe', 'stripe.key', 'stripe.none', 'db.password', 'none', 'mixed', 'keys.secret_key'])
    await load('app.service', id);
  await load('other.service', 'stripe');
  put('stripe', '{"key":"sk_3","amount":2.50}', { versionId: '5' });
  for (const id of ['stripe', 'stripe.key', 'stripe.amount']) await load('app.service', id);
}

export async function hookRequests({ put, ask, note }: Scene): Promise<void> {
  note('hooks');
  put('signing', { key: 'a key' });
  const body = '{"event":"changed"}';
  const time = String(start / 1000 + 30);
  const signature = createHmac('sha256', 'a key').update(`${time}.${body}`).digest('hex');
  const signed = { 'X-Timestamp': time, 'X-Signature': signature };
  for (const sent of [body, body, '{"event":"other"}'])
    await ask('hooks', 'POST', '/hooks/repository', signed, { body: sent });
  await ask('hooks', 'POST', '/hooks/repository', { ...signed, 'X-Timestamp': '1' }, { body });
  await ask('hooks', 'POST', '/hooks/repository', {}, { body });
  await ask('hooks', 'POST', '/hooks/none', signed, { body });
  await ask('hooks', 'POST', '/hooks/repository', signed, { body: 'x'.repeat(1025) });
  for (const method of ['GET', 'OPTIONS']) await ask('hooks', method, '/hooks/repository');
}

/** What the commands ask for, and what they get wrong. */
export async function adminRequests({ ask, note }: Scene): Promise<void> {
  note('admin');
  for (const path of [
    '/status',
    '/who-has/none',
    '/who-has/signing',
    '/who-has/signing@1',
    '/timeline',
    '/timeline/stripe',
  ])
    for (const method of ['GET', 'HEAD']) await ask('api', method, path);
  await ask('api', 'GET', '/timeline?last=0');
  await ask('api', 'GET', '/explain?subject=x');
  const bodies: readonly (readonly [string, string])[] = [
    ['/refresh', '{"names":["stripe"]}'],
    ['/refresh', '{"names":"stripe"}'],
    ['/refresh', 'x'],
    ['/reload', ''],
    ['/rotate/stripe', '{"revoke_now":true}'],
    ['/drill/stripe', '{"kind":"outage"}'],
    ['/drill/stripe', '{"kind":"x"}'],
    ['/log-level/debug', '{"for_seconds":60}'],
    ['/log-level/loud', ''],
    ['/access/test', '{"token":"tcp","name":"stripe"}'],
    ['/access/test', '{"token":"tcp","path":"secret/data/kv"}'],
    ['/access/test', '{}'],
  ];
  for (const [path, body] of bodies) await ask('api', 'POST', path, {}, { body });
  for (const path of ['/refresh', '/reload', '/access/test']) await ask('api', 'GET', path);
}
