import { Readable } from 'node:stream';
import { json } from 'node:stream/consumers';
import t from 'tap';
import type { ProcessCaller } from '../../../src/access/caller.ts';
import type { ForwardedAnswer, ForwardedRequest } from '../../../src/base/forwarded.ts';
import { SecretValue } from '../../../src/base/secret-value.ts';
import { createLeaseEngine } from '../../../src/lease/lease-engine.ts';
import type { VaultAccess } from '../../../src/server/agent-view.ts';
import { createVaultHeld, type HeldRequest } from '../../../src/server/vault/vault-held.ts';
import { vaultTarget } from '../../../src/server/vault/vault-path-policy.ts';
import { createStore } from '../../../src/store/store.ts';
import { createFakeClock } from '../../support/fake-clock.ts';
import { recordLogs } from '../../support/record-logs.ts';

const caller: ProcessCaller = {
  ...{ kind: 'process', uid: 1, gid: 1, groups: [], pid: 10, startTime: '5' },
  ...{ exe: undefined, unit: undefined, container: undefined, isForeign: false },
};
const hour = 3_600_000;

function answerOf(status: number, value: object): ForwardedAnswer {
  const headers = { 'content-type': 'application/json' };
  return { status, headers, body: Readable.from([Buffer.from(JSON.stringify(value))]) };
}

/** A vault of logins whose tokens live `ttl` seconds from each renewal. */
function create({ ttl = 3600, ...limits }: { ttl?: number; maxEntries?: number; maxBytes?: number } = {}) {
  const clock = createFakeClock();
  const endsAt = new Map<string, number>();
  const state = { isAway: false, upstream: 'vault', accessor: 'own', renewals: 0, slow: Promise.resolve() };
  const secondsLeft = (token: string) => Math.max(0, ((endsAt.get(token) ?? 0) - clock.now()) / 1000);
  const forward = async ({ path, token }: ForwardedRequest): Promise<ForwardedAnswer> => {
    if (state.isAway) throw new Error('away');
    const id = token instanceof SecretValue ? token.text() : '';
    if (secondsLeft(id) <= 0) {
      await state.slow;
      return answerOf(403, { errors: [] });
    }
    if (path === '/v1/auth/token/lookup-self') {
      const answer = answerOf(200, { data: { ttl: Math.floor(secondsLeft(id)) } });
      await state.slow;
      return answer;
    }
    state.renewals += 1;
    endsAt.set(id, clock.now() + ttl * 1000);
    return answerOf(200, { auth: { client_token: id, renewable: true, lease_duration: ttl } });
  };
  const engine = createLeaseEngine({
    ...{ store: createStore({ clock }), upstreams: new Map(), clock, random: () => 0.5 },
    logger: recordLogs().logger,
  });
  const vault: VaultAccess = {
    upstream: () => ({ name: state.upstream, namespace: undefined, source: state.upstream }),
    ownAccessor: () => state.accessor,
    ownTokens: () => [],
    canonicalKey: () => '',
    refresh: async () => new Map(),
    leasesRevoked() {},
    hold: engine.hold,
  };
  const held = createVaultHeld({ forward, vault, clock, limits });
  t.teardown(() => held.close());
  const request = (over: Partial<HeldRequest> & { secretId?: string } = {}): HeldRequest => ({
    ...{ method: 'POST', target: vaultTarget('/v1/auth/approle/login', ''), namespace: undefined },
    ...{ token: 'auto', caller, body: Buffer.from(`{"secret_id":"${over.secretId ?? 's'}"}`), ...over },
  });
  const mint = () => {
    const token = `s.${endsAt.size + 1}`;
    endsAt.set(token, clock.now() + ttl * 1000);
    const auth = { client_token: token, accessor: `a${token}`, renewable: true, lease_duration: ttl };
    return answerOf(200, { auth });
  };
  return {
    ...{ clock, held, state, endsAt, request, mint },
    secondsLeft,
    async obtain(over: Parameters<typeof request>[0] = {}, ask = async () => mint()): Promise<string> {
      const found = await held.obtain(request(over), ask);
      if (found.kind !== 'held') return found.kind;
      return `${JSON.parse(found.answer.body.toString()).auth.client_token}${found.isHit ? ' again' : ''}`;
    },
  };
}

t.test('a token in use is renewed for as long as it is used, then let go', async (t) => {
  const { clock, held, obtain, state, secondsLeft } = create();
  t.equal(await obtain(), 's.1');
  for (let turn = 0; turn < 20; turn += 1) {
    await clock.advance(0.5 * hour);
    held.used(SecretValue.fromText('s.1'));
  }
  t.equal(await obtain(), 's.1 again');
  const { renewals } = state;
  t.ok(renewals >= 12 && renewals <= 18, `${renewals} renewals in ten hours`);
  await clock.advance(3 * hour);
  t.equal(clock.pending, 0, 'nobody used it: no timer is left');
  t.equal(secondsLeft('s.1'), 0);
  t.equal(await obtain(), 's.2');
});

t.test('often asked for is not renewed less', async (t) => {
  const { clock, obtain } = create({ ttl: 60 });
  await obtain();
  for (let turn = 0; turn < 100; turn += 1) {
    await clock.advance(3000);
    t.equal(await obtain(), 's.1 again');
  }
});

t.test('while upstream is away the token is handed out, but not to its very end', async (t) => {
  const { clock, obtain, state } = create({ ttl: 100 });
  await obtain();
  state.isAway = true;
  await clock.advance(80_000);
  t.equal(await obtain({}, () => Promise.reject(new Error('away'))), 's.1 again');
  await clock.advance(15_000);
  await t.rejects(
    obtain({}, () => Promise.reject(new Error('away'))),
    /away/,
  );
  state.isAway = false;
  t.equal(await obtain(), 's.2');
});

t.test('a token that its holder made live shorter is not handed out beyond that', async (t) => {
  const { clock, obtain, endsAt } = create();
  await obtain();
  endsAt.set('s.1', clock.now() + 600_000);
  await clock.advance(5000);
  t.equal(await obtain(), 's.1 again');
  await clock.advance(700_000);
  t.equal(await obtain(), 's.1 again', 'renewed in time');
  endsAt.set('s.1', clock.now() + 1000);
  await clock.advance(5000);
  t.equal(await obtain(), 's.2', 'found dead');
});

t.test('what was asked before a revocation and answered after it is not kept', async (t) => {
  const { held, obtain, mint } = create();
  const answer = Promise.withResolvers<ForwardedAnswer>();
  const first = obtain({}, () => answer.promise);
  held.revokedToken({ accessor: 'somebody' }, false);
  answer.resolve(mint());
  t.equal(await first, 'answer', 'its caller gets it');
  t.equal(await obtain(), 's.2');
});

t.test('a look-up that was sent before a revocation proves nothing after it', async (t) => {
  const { clock, held, obtain, state, endsAt } = create();
  await obtain();
  await clock.advance(5000);
  const slow = Promise.withResolvers<void>();
  state.slow = slow.promise;
  const first = obtain();
  await clock.settle();
  endsAt.set('s.1', 0);
  held.revokedToken({ accessor: 'of its parent' }, false);
  const second = obtain();
  await clock.settle();
  slow.resolve();
  await first;
  t.equal(await second, 's.2');
});

t.test('who learns late that a token is over takes the one that others were given meanwhile', async (t) => {
  const { clock, obtain, state, endsAt } = create({ ttl: 100 });
  await obtain();
  state.isAway = true;
  await clock.advance(95_000);
  state.isAway = false;
  endsAt.set('s.1', 0);
  const late = Promise.withResolvers<void>();
  state.slow = late.promise;
  const first = obtain();
  state.slow = Promise.resolve();
  t.equal(await obtain(), 's.2');
  late.resolve();
  t.equal(await first, 's.2 again');
});

t.test('there is room for so many; the least used goes', async (t) => {
  const { clock, obtain } = create({ maxEntries: 3 });
  for (const secretId of ['1', '2', '3']) {
    await obtain({ secretId });
    await clock.advance(1000);
  }
  await obtain({ secretId: '1' });
  await clock.advance(1000);
  t.equal(await obtain({ secretId: '4' }), 's.4');
  t.equal(await obtain({ secretId: '1' }), 's.1 again');
  t.equal(await obtain({ secretId: '2' }), 's.5');
  t.equal(clock.pending, 3);
});

t.test('one user who asks for more and more pushes out nobody else', async (t) => {
  const { clock, obtain } = create({ maxEntries: 10 });
  const other: ProcessCaller = { ...caller, uid: 61_001, pid: 7 };
  for (const secretId of ['1', '2']) await obtain({ secretId });
  for (let index = 0; index < 50; index += 1) {
    await clock.advance(1000);
    await obtain({ secretId: `other ${index}`, caller: other });
  }
  t.equal(await obtain({ secretId: '1' }), 's.1 again');
  t.equal(await obtain({ secretId: '2' }), 's.2 again');
  t.equal(await obtain({ secretId: 'other 49', caller: other }), 's.52 again', 'their own least used go');
  t.equal(clock.pending, 10);
});

t.test('there is room for so many bytes; of whoever has most the least used goes', async (t) => {
  const { clock, obtain, mint } = create({ maxBytes: 100_000 });
  const other: ProcessCaller = { ...caller, uid: 61_001, pid: 7 };
  const heavy = async () => {
    const { auth } = (await json(mint().body)) as { auth: object };
    return answerOf(200, { auth, padding: 'x'.repeat(10_000) });
  };
  for (const secretId of ['1', '2', '3', '4', '5']) await obtain({ secretId });
  for (let index = 0; index < 20; index += 1) {
    await clock.advance(1000);
    await obtain({ secretId: `heavy ${index}`, caller: other }, heavy);
  }
  for (const secretId of ['1', '2', '3', '4', '5'])
    t.equal(await obtain({ secretId }), `s.${secretId} again`, 'many light ones of another stay');
  t.equal(await obtain({ secretId: 'heavy 19', caller: other }), 's.25 again');
  t.equal(await obtain({ secretId: 'heavy 18', caller: other }), 's.24 again');
  t.equal(clock.pending, 8, 'three heavy ones are kept');
});

t.test('differences in any part are another request', async (t) => {
  const { obtain, state } = create();
  await obtain();
  const others: Partial<HeldRequest>[] = [
    { method: 'PUT' },
    { namespace: 'team' },
    { target: vaultTarget('/v1/auth/other/login', '') },
    { target: vaultTarget('/v1/auth/approle/login', 'a=b') },
    { token: SecretValue.fromText('s.mine') },
    { token: undefined },
    { body: undefined },
  ];
  for (const other of others) t.notMatch(await obtain(other), /again/, JSON.stringify(other));
  t.equal(await obtain(), 's.1 again');
  t.equal(await obtain({ caller: { ...caller, uid: 2 } }), 's.1 again', 'it shows the same credential');
  const bare = { body: Buffer.from('{"role_id":"r"}') };
  await obtain(bare);
  t.notMatch(await obtain({ ...bare, caller: { ...caller, uid: 2 } }), /again/);
  const shown = { ...bare, token: SecretValue.fromText('anything') };
  await obtain(shown);
  t.notMatch(await obtain({ ...shown, caller: { ...caller, uid: 2 } }), /again/, 'nobody has checked it');
  t.match(await obtain({ ...bare, caller: { ...caller, pid: 11, startTime: '9' } }), /again/);
  state.upstream = 'another';
  t.notMatch(await obtain(), /again/);
});

t.test("what the agent's own token made ends with that one", async (t) => {
  const { obtain, state } = create();
  const creation = { target: vaultTarget('/v1/auth/token/create', '') };
  t.equal(await obtain(creation), 's.1');
  t.equal(await obtain(creation), 's.1 again');
  t.equal(await obtain(), 's.2');
  state.accessor = 'of another login';
  t.equal(await obtain(creation), 's.3');
  t.equal(await obtain(), 's.2 again', 'a login is not of that token');
});

t.test('requests that fail share nothing, and nothing stays behind', async (t) => {
  const { obtain, clock } = create();
  const refuse = async () => answerOf(400, { errors: ['no'] });
  t.same(await Promise.all([obtain({}, refuse), obtain({}, refuse)]), ['answer', 'pass']);
  t.equal(await obtain({}, refuse), 'answer');
  t.equal(clock.pending, 0);
  t.equal(await obtain(), 's.1');
});

t.test('closing ends every timer', async (t) => {
  const { obtain, held, clock } = create();
  await obtain();
  await obtain({ secretId: '2' });
  t.equal(clock.pending, 2);
  held.close();
  t.equal(clock.pending, 0);
});

t.test('a token is looked up before it is handed out again, also where the clock was set back', async (t) => {
  const { clock, endsAt, obtain } = create();
  t.equal(await obtain(), 's.1');
  clock.jumpWall(-hour);
  await clock.advance(10_000);
  endsAt.set('s.1', 0);
  t.equal(await obtain(), 's.2', 'somebody has revoked it upstream');
});
