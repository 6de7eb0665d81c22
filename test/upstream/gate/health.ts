import t, { type Test } from 'tap';
import { createReference } from '../../../src/store/reference.ts';
import { UpstreamFailure } from '../../../src/upstream/gate/failure.ts';
import { createHealth } from '../../../src/upstream/gate/health.ts';
import { serverRefusal } from '../../../src/upstream/vault/answer-policy.ts';
import { createFakeClock } from '../../support/fake-clock.ts';
import { createFastClock } from '../../support/fast-clock.ts';
import { recordLogs } from '../../support/record-logs.ts';
import { kv2, startStubVault } from '../../support/stub-vault.ts';
import { createTestUpstream, interactive, shutdown } from '../../support/test-upstream.ts';
import { waitFor } from '../../support/wait-for.ts';

const read = (path: string) => createReference({ upstream: 'vault', path });

async function start(t: Test) {
  const vault = await startStubVault();
  t.teardown(vault.close);
  const { upstream, logs } = createTestUpstream({
    config: { addresses: [vault.address], timeoutMs: 100_000 },
    clock: createFastClock(50),
  });
  t.teardown(() => upstream.close(shutdown));
  upstream.start();
  await upstream.ready(AbortSignal.timeout(60_000));
  const states = () =>
    logs.lines.filter(({ fields }) => 'state' in fields).map(({ fields }) => fields['state'] as string);
  return { vault, upstream, states };
}

for (const [state, status, errors, health] of [
  ['sealed', 503, 'Vault is sealed', { status: 503, json: { initialized: true, sealed: true } }],
  ['standby', 500, 'local node not active but active cluster node not found', { status: 472, json: {} }],
  ['standby', 500, 'local node not active but active cluster node not found', { status: 474, json: {} }],
  ['uninitialized', 503, 'server is not yet initialized', { status: 501, json: { initialized: false } }],
] as const) {
  t.test(`stays ${state} while the health says so (${health.status}), in one log line`, async (t) => {
    const { vault, upstream, states } = await start(t);
    let isAway = true;
    vault.route(({ path }) => {
      if (!isAway) return path === 'secret/data/a' ? { json: kv2({}) } : undefined;
      return path === 'sys/health' ? health : { status, json: { errors: [errors] } };
    });
    await t.rejects(upstream.read(read('secret/a'), interactive()));
    await waitFor('three looks at the health', () => vault.count('sys/health') >= 3);
    t.same(states(), [state]);
    t.equal(upstream.status().state, state);
    isAway = false;
    await waitFor('the recovery', () => upstream.status().state === 'ready');
    t.same(states(), [state, 'serving']);
  });
}

t.test('a bad answer counts until the same question is answered well', async (t) => {
  const { vault, upstream, states } = await start(t);
  let isBad = true;
  vault.route(({ path }) => {
    if (path === 'secret/data/bad' && isBad) return { text: '<html>' };
    return path.startsWith('secret/data/') ? { json: kv2({ a: '1' }) } : undefined;
  });
  await t.rejects(upstream.read(read('secret/bad'), interactive()));
  await upstream.read(read('secret/good'), interactive());
  t.equal(upstream.status().state, 'answer_invalid', 'another question was answered');
  isBad = false;
  await upstream.read(read('secret/bad'), interactive());
  t.equal(upstream.status().state, 'ready');
  t.same(states(), ['answer_invalid', 'serving']);
});

t.test('a request that finds it away while a look is under way is not left without one', async (t) => {
  const clock = createFakeClock();
  const looks: PromiseWithResolvers<UpstreamFailure | undefined>[] = [];
  const health = createHealth({
    ...{ clock, random: () => 0.5, logger: recordLogs().logger, onChange: () => undefined },
    probe() {
      const look = Promise.withResolvers<UpstreamFailure | undefined>();
      looks.push(look);
      return look.promise;
    },
  });
  t.teardown(health.close);
  health.suspect();
  health.away(new UpstreamFailure('unavailable', 'cannot reach it'));
  t.equal(looks.length, 1);
  looks[0]?.resolve(undefined);
  await clock.advance(10_000);
  t.equal(looks.length, 2, 'the first was answered, but nobody knows for when');
  t.ok(health.isAway());
  looks[1]?.resolve(undefined);
  await health.whenServing(AbortSignal.timeout(10_000));
  t.notOk(health.isAway());
  await clock.advance(60_000);
  t.equal(looks.length, 2);
});

t.test('Retry-After of days is cut to five minutes', async (t) => {
  const after = (seconds: string) =>
    serverRefusal({
      status: 429,
      headers: { 'retry-after': seconds, date: 'Wed, 21 Oct 2026 07:28:00 GMT' },
      body: Buffer.alloc(0),
      address: 'http://127.0.0.1',
    })?.retryAfterMs;
  t.equal(after('86400'), 300_000);
  t.equal(after('7'), 7000);
  t.equal(after('Wed, 21 Oct 2026 07:28:20 GMT'), 20_000, 'as a date, by the clock of the server');
  t.equal(after('Wed, 21 Oct 2026 07:27:00 GMT'), 0);
  t.equal(after('soon'), undefined);
});
