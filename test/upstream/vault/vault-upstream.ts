import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { createReference } from '../../../src/store/reference.ts';
import { secretFields } from '../../../src/store/secret-version.ts';
import { kv2, startStubVault } from '../../support/stub-vault.ts';
import { testFolder } from '../../support/test-folder.ts';
import { appRole, createTestUpstream, interactive, shutdown } from '../../support/test-upstream.ts';
import { waitFor } from '../../support/wait-for.ts';

const reference = (path: string) => createReference({ upstream: 'vault', path });

t.test('logs in by approle and reads KV 2 by its short path', async (t) => {
  const vault = await startStubVault();
  t.teardown(vault.close);
  vault.route((request) =>
    request.path === 'secret/data/app' ? { json: kv2({ password: 'p', n: 1.5 }, 7) } : undefined,
  );
  const { upstream } = createTestUpstream({ config: { addresses: [vault.address], namespace: 'team' } });
  t.teardown(() => upstream.close(shutdown));
  t.equal(upstream.status().state, 'starting');
  upstream.start();
  await upstream.ready(AbortSignal.timeout(60_000));
  t.match(upstream.status(), { state: 'ready', login: { state: 'logged_in', policies: ['default', 'app'] } });

  const answer = await upstream.read(reference('secret/app'), interactive());
  t.match(answer, { kind: 'static', content: { form: 'vault', shape: 'kv2' }, versionId: '7' });
  t.equal(secretFields(answer)['password'], 'p');
  t.equal(JSON.stringify(answer.content), '{"form":"vault","body":"[redacted]","shape":"kv2"}');
  const last = vault.requests.at(-1);
  t.match(last?.headers, {
    'x-vault-token': 's.token-1',
    'x-vault-namespace': 'team',
    'x-vault-request': 'true',
  });
  t.equal(
    upstream.canonicalKey(reference('secret/app')),
    upstream.canonicalKey(reference('secret/data/app')),
  );

  await upstream.read(reference('secret/data/app'), interactive());
  t.equal(vault.count('sys/internal/ui/mounts/secret/app'), 1, 'the mount is asked for once');
  t.equal(vault.count('sys/internal/ui/mounts/secret/data/app'), 0);
});

t.test('never has more requests under way than the budget allows, whoever asks', async (t) => {
  const vault = await startStubVault();
  t.teardown(vault.close);
  let underWay = 0;
  let most = 0;
  const unbudgeted: string[] = [];
  vault.route((request) => {
    if (upstream.status().budget.inFlight < underWay + 1) unbudgeted.push(request.path);
    if (!request.path.startsWith('secret/data/')) return undefined;
    return (response) => {
      underWay += 1;
      most = Math.max(most, underWay);
      setImmediate(() => {
        underWay -= 1;
        response.end(JSON.stringify(kv2({ a: '1' })));
      });
    };
  });
  const budget = { requestsPerSecond: 10_000, concurrency: 3 };
  const { upstream } = createTestUpstream({ config: { addresses: [vault.address], budget } });
  t.teardown(() => upstream.close(shutdown));
  upstream.start();
  const background = () => ({ signal: AbortSignal.timeout(60_000), priority: 'background' as const });
  await Promise.all([
    ...Array.from({ length: 40 }, (_, index) => upstream.read(reference(`secret/${index}`), background())),
    ...Array.from({ length: 10 }, async () => {
      const answer = await upstream.vault.forward({
        method: 'GET',
        path: '/v1/secret/data/x',
        query: '',
        headers: {},
        namespace: undefined,
        body: undefined,
        token: 'auto',
        signal: AbortSignal.timeout(60_000),
      });
      answer.body.resume();
    }),
  ]);
  t.ok(most <= 3, `at most 3, got ${most}`);
  vault.route(({ path }) =>
    path === 'secret/data/cut' ? (_, { socket }) => void socket.destroy() : undefined,
  );
  await t.rejects(upstream.read(reference('secret/cut'), background()));
  await waitFor('the look at the health', () => vault.count('sys/health') > 0);
  await waitFor('its end', () => upstream.status().budget.inFlight === 0);
  t.same(unbudgeted, [], 'logins, mounts and looks at the health count as well');
  t.match(upstream.status().budget, { inFlight: 0, queued: 0 });
});

t.test('tells listeners of each state once, and of nothing after they have left', async (t) => {
  const vault = await startStubVault();
  t.teardown(vault.close);
  const { upstream } = createTestUpstream({ config: { addresses: [vault.address] } });
  const states: string[] = [];
  const leave = upstream.listen({ status: ({ state }) => states.at(-1) !== state && states.push(state) });
  upstream.start();
  await upstream.ready(AbortSignal.timeout(60_000));
  t.same(states, ['logging_in', 'ready']);
  leave();
  await upstream.close(shutdown);
  t.same(states, ['logging_in', 'ready']);
});

t.test('a login that works does not give way to one that has no credential', async (t) => {
  const folder = testFolder(t);
  const config = (path: string, over: object = {}) => ({
    addresses: ['http://127.0.0.1:9'],
    auth: { ...appRole, secretIdFile: path, ...over } as never,
  });
  const { upstream: predecessor } = createTestUpstream({ config: config(join(folder, 'used-up')) });
  t.teardown(() => predecessor.close(shutdown));
  t.throws(
    () => createTestUpstream({ config: config(join(folder, 'missing'), { roleId: 'another' }), predecessor }),
    { code: 'config_invalid', message: /secret_id_file: .*missing is not there.*the one of before stays/ },
  );
  writeFileSync(join(folder, 'there'), 'secret-id');
  const { upstream } = createTestUpstream({ config: config(join(folder, 'there')), predecessor });
  await upstream.close(shutdown);
  const { upstream: first } = createTestUpstream({ config: config(join(folder, 'missing')) });
  await first.close(shutdown);
});
