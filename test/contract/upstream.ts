// The agent's upstream against every server: names to the letter, child namespaces in paths, tokens of little privilege.
import type { Test } from 'tap';
import { createReference, type Operation } from '../../src/store/reference.ts';
import { type SecretAnswer, secretFields } from '../../src/store/secret-version.ts';
import { type ContractServer, contract } from '../support/contract-server.ts';
import { createSeededRandom } from '../support/seeded-random.ts';
import { authCommon, createTestUpstream, interactive, shutdown } from '../support/test-upstream.ts';

async function upstreamOf(t: Test, server: ContractServer, token: string, namespace?: string) {
  const { upstream } = createTestUpstream({
    config: {
      addresses: [server.address],
      auth: { ...authCommon, method: 'token', mount: 'token' },
      timeoutMs: 10_000,
      ...(namespace === undefined ? {} : { namespace }),
    },
    env: { VAULT_TOKEN: token },
  });
  t.teardown(() => upstream.close(shutdown));
  upstream.start();
  await upstream.ready(AbortSignal.timeout(60_000));
  const read = (path: string, operation: Operation = 'read') =>
    upstream.read(createReference({ upstream: 'vault', path, operation }), interactive());
  return { upstream, read };
}

const fieldOf = (answer: SecretAnswer, name: string) => secretFields(answer)[name];

const signs = [
  ...'?%#&;@:\'"\\*[]{}~,!$|<>+= ^`()-_.',
  'ä',
  'é',
  '漢',
  '🔑',
  '%3F',
  '%2F',
  '%',
  'a',
  'B',
  '7',
];

function randomNames(count: number): string[] {
  const random = createSeededRandom(11);
  const pick = () => signs[Math.floor(random() * signs.length)] ?? 'a';
  const names = Array.from({ length: count }, () => {
    const length = 1 + Math.floor(random() * 8);
    return `n${Array.from({ length }, pick).join('')}n`;
  });
  return [...new Set(names)];
}

const encoded = (name: string) => name.split('/').map(encodeURIComponent).join('/');

contract('whatever a name holds reaches the server as that name', async (t, server) => {
  const { read } = await upstreamOf(t, server, 'contract-root');
  const names = [
    ...['app', 'app?prod', 'app%3Fprod', 'app#x', 'a+b c', 'data', 'metadata/x', 'deep/%41/er'],
    ...randomNames(40),
  ];
  for (const [index, name] of names.entries()) {
    await server.ask('POST', `secret/data/${encoded(name)}`, { data: { data: { index: String(index) } } });
  }
  for (const [index, name] of names.entries()) {
    t.equal(fieldOf(await read(`secret/data/${name}`), 'index'), String(index), `by its API path: ${name}`);
    if (name.startsWith('metadata/')) continue;
    t.equal(fieldOf(await read(`secret/${name}`), 'index'), String(index), `by its name: ${name}`);
  }
});

contract('a path may begin with child namespaces, for KV 1, KV 2 and lists', async (t, server) => {
  if (server.dialect === 'vault') {
    t.pass('namespaces', { skip: 'the free edition of HashiCorp Vault has none' });
    return;
  }
  await server.ask('POST', 'sys/namespaces/team', { data: {} });
  await server.ask('POST', 'sys/namespaces/sub', { namespace: 'team', data: {} });
  const inside = { namespace: 'team/sub' };
  for (const version of ['1', '2']) {
    const data = { type: 'kv', options: { version } };
    await server.ask('POST', `sys/mounts/kv${version}`, { ...inside, data });
  }
  await server.ask('POST', 'kv1/app', { ...inside, data: { where: 'one' } });
  await server.ask('POST', 'kv2/data/app', { ...inside, data: { data: { where: 'two' } } });
  await server.ask('GET', 'sys/internal/ui/mounts/sub/kv2/app', { namespace: 'team' });
  await server.ask('GET', 'sys/internal/ui/mounts/team/sub/kv2/app');
  for (const [namespace, start] of [
    [undefined, 'team/sub/'],
    ['team', 'sub/'],
    ['/team/sub/', ''],
  ] as const) {
    const { read, upstream } = await upstreamOf(t, server, 'contract-root', namespace);
    t.equal(fieldOf(await read(`${start}kv1/app`), 'where'), 'one', `KV 1 from ${namespace}`);
    t.equal(fieldOf(await read(`${start}kv2/app`), 'where'), 'two', `KV 2 from ${namespace}`);
    t.equal(fieldOf(await read(`${start}kv2/data/app`), 'where'), 'two', `by its API path from ${namespace}`);
    t.same(fieldOf(await read(`${start}kv2`, 'list'), 'keys'), ['app'], `a list from ${namespace}`);
    const reference = createReference({ upstream: 'vault', path: `${start}kv2/app` });
    const answer = await upstream.read(reference, interactive());
    const version = { ...answer, number: 1, obtainedAt: 0, expiresAt: undefined };
    t.equal(await upstream.isCurrent(reference, version, interactive()), true);
  }
});

contract(
  'a token without the default policy is used for what it may do, and no more is asked',
  async (t, server) => {
    await server.ask('POST', 'secret/data/other', { data: { data: { a: '1' } } });
    const policy = 'path "secret/data/other" { capabilities = ["read"] }';
    await server.ask('PUT', 'sys/policies/acl/little', { data: { policy } });
    const created = await server.ask('POST', 'auth/token/create', {
      data: { policies: ['little'], no_default_policy: true, ttl: '20m' },
    });
    const token: string = created.body.auth.client_token;
    await server.ask('GET', 'auth/token/lookup-self', { token });
    await server.ask('GET', 'secret/metadata/other', { token });
    const { upstream, read } = await upstreamOf(t, server, token);
    const reference = createReference({ upstream: 'vault', path: 'secret/other' });
    const answer = await upstream.read(reference, interactive());
    const version = { ...answer, number: 1, obtainedAt: 0, expiresAt: undefined };
    t.equal(await upstream.isCurrent(reference, version, interactive()), undefined);
    await t.rejects(read('secret/forbidden'), { code: 'denied' });
    t.equal(fieldOf(await read('secret/other'), 'a'), '1');
    t.match(upstream.status(), { state: 'ready', login: { state: 'logged_in' } });
    await server.ask('POST', 'auth/token/revoke', { data: { token } });
    await t.rejects(read('secret/other'), 'a dead token is found out');
    t.not(upstream.status().state, 'ready');
  },
);
