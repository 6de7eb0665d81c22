import t from 'tap';
import { createReference } from '../../src/store/reference.ts';
import { secretFields } from '../../src/store/secret-version.ts';
import { kv2, startStubVault } from '../support/stub-vault.ts';
import { createTestUpstream, interactive, shutdown } from '../support/test-upstream.ts';

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
  await upstream.ready(AbortSignal.timeout(5000));
  t.match(upstream.status(), { state: 'ready', login: { state: 'logged_in', policies: ['default', 'app'] } });

  const answer = await upstream.read(reference('secret/app'), interactive());
  t.match(answer, { kind: 'static', shape: 'kv2', upstreamVersion: 7 });
  t.equal(secretFields(answer)['password'], 'p');
  t.equal(JSON.stringify(answer.body), '"[redacted]"');
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
