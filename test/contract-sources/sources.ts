// The contract of every kind of upstream but Vault (test/contract has that): one suite, over fakes of one frame and real things.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { silentLogger } from '../../src/base/logger.ts';
import { createSystemClock } from '../../src/base/time/clock.ts';
import { createLeaseEngine } from '../../src/lease/lease-engine.ts';
import { defaultEntryPolicy, type EntryPolicy } from '../../src/store/entry.ts';
import { createReference } from '../../src/store/reference.ts';
import { type SecretAnswer, secretFields } from '../../src/store/secret-version.ts';
import { createStore } from '../../src/store/store.ts';
import { createAuthority } from '../support/certificates.ts';
import type { FakeFault } from '../support/fake-service.ts';
import { startKindSource } from '../support/kind-source.ts';
import { awsKinds } from '../support/kinds/aws-kinds.ts';
import { cloudKinds } from '../support/kinds/cloud-kinds.ts';
import { httpKind } from '../support/kinds/http-kind.ts';
import type { KindCase, KindFixture } from '../support/kinds/kind-fixture.ts';
import { kubernetesKind } from '../support/kinds/kubernetes-kind.ts';
import { localKinds } from '../support/kinds/local-kinds.ts';
import { testFolder } from '../support/test-folder.ts';
import { startTlsFront } from '../support/tls-front.ts';
import { waitFor } from '../support/wait-for.ts';

const cases: readonly KindCase[] = [...localKinds, httpKind, kubernetesKind, ...cloudKinds, ...awsKinds(t)];
const canary = 'canary-5f1d';

async function setUp(t: Test, kind: KindCase, options?: { timeout?: string }) {
  const fixture = await kind.start(t, options);
  const up = await startKindSource(t, fixture.config, fixture.env === undefined ? {} : { env: fixture.env });
  await up.source.ready(AbortSignal.timeout(60_000));
  t.teardown(() => {
    const told = JSON.stringify([up.logs, up.source.status()]);
    if (told.includes(canary)) throw new Error(`${kind.kind}: a value is in the log or the status`);
  });
  return { ...up, fixture };
}

function valueIn(answer: SecretAnswer): Buffer {
  const { content } = answer;
  if (content.form === 'bytes') return Buffer.from(content.value.bytes());
  return Buffer.from(String(secretFields(answer)['value']));
}

async function codeOf(reading: Promise<unknown>): Promise<string> {
  return await reading.then(
    () => 'fine',
    (error: { code?: string; message?: string; stack?: string }) => {
      if (`${error.message}`.includes(canary)) throw new Error('a value is in an error');
      return error.code ?? 'no code';
    },
  );
}

for (const kind of cases) {
  t.test(
    `${kind.kind}: reads values and fields, sees a rotation, removal and denial`,
    { skip: kind.skip ?? false },
    async (t) => {
      const { fixture, read, isCurrent, fields, source } = await setUp(t, kind);
      const path = await fixture.put('plain', `${canary} one`);
      const first = await read(path);
      t.equal(valueIn(first).toString(), `${canary} one`);
      t.not(await isCurrent(path, first), false, 'it is still that one');
      t.equal((await read(path)).dataDigest, first.dataDigest, 'the same data is the same');
      if (fixture.isFixed !== true) {
        await fixture.put('plain', `${canary} two`);
        await waitFor('the rotation is seen', async () => (await isCurrent(path, first)) !== true);
        const second = await read(path);
        t.equal(valueIn(second).toString(), `${canary} two`);
        t.not(second.dataDigest, first.dataDigest);
        if (second.versionId !== undefined) t.not(second.versionId, first.versionId);
      }
      if (fixture.putFields !== undefined) {
        t.match(await fields(await fixture.putFields('fields', { user: 'joe', password: canary })), {
          user: 'joe',
          password: canary,
        });
      }
      t.equal(await codeOf(read(`${path}-none`)), 'not_found');
      t.equal(source.status().state, 'ready', 'what is not there says nothing of the rest');
      await fixture.remove?.('plain');
      if (fixture.remove) t.equal(await codeOf(read(path)), 'not_found', 'removed is not away');
      if (fixture.deny) {
        const denied = await fixture.put('denied', canary);
        await read(denied);
        await fixture.deny('denied');
        t.equal(await codeOf(read(denied)), 'denied');
        t.equal(source.status().state, 'ready');
      }
    },
  );

  t.test(
    `${kind.kind}: carries binary, large and oddly named values`,
    { skip: kind.skip ?? false },
    async (t) => {
      const { fixture, read } = await setUp(t, kind);
      const bytes = Buffer.from(Array.from({ length: 256 }, (_, index) => index));
      if (fixture.hasBinary) t.same(valueIn(await read(await fixture.put('binary', bytes))), bytes);
      const large = `${'x'.repeat(fixture.largest - 10)}the end`;
      t.equal(valueIn(await read(await fixture.put('large', large))).toString(), large);
      t.equal(valueIn(await read(await fixture.put('empty-line', 'a\n'))).toString(), 'a\n');
      t.equal(valueIn(await read(await fixture.put('text', 'ä€😀 "q" \\ $x'))).toString(), 'ä€😀 "q" \\ $x');
      if (!fixture.hasUnicodeNames) return;
      for (const name of ['Passwörter', 'with space', 'a+b&c=d%20', 'q.r-s_t']) {
        t.equal(valueIn(await read(await fixture.put(name, name))).toString(), name);
      }
    },
  );

  t.test(`${kind.kind}: pushes, and knows names of one secret`, { skip: kind.skip ?? false }, async (t) => {
    const { fixture, read, changed, source } = await setUp(t, kind);
    const path = await fixture.put('pushed', 'one');
    await read(path);
    if (fixture.isPushed) {
      await fixture.put('pushed', 'two');
      await waitFor('the change is told', () => changed.includes(path));
      t.equal(valueIn(await read(path)).toString(), 'two');
    }
    const other = fixture.alias?.(path);
    if (other === undefined) return;
    await read(other);
    const reference = (name: string) => ({
      upstream: 'up',
      operation: 'read' as const,
      path: name,
      parameters: {},
    });
    t.equal(source.canonicalKey(reference(other)), source.canonicalKey(reference(path)));
    t.not(source.canonicalKey(reference('other')), source.canonicalKey(reference(path)));
  });

  t.test(
    `${kind.kind}: tells limits, outages and nonsense apart, and comes back`,
    { skip: kind.skip ?? false },
    async (t) => {
      const { fixture, read, source, logs } = await setUp(t, kind, { timeout: '500ms' });
      const { service } = fixture;
      if (service === undefined) return;
      const path = await fixture.put('app', canary);
      await read(path);
      const faults: readonly [string, FakeFault, string | RegExp][] = [
        ['500', { status: 500, text: canary }, 'upstream_unavailable'],
        ['503', { status: 503, text: `<html>${canary}` }, 'upstream_unavailable'],
        ['hang', { how: 'hang' }, 'upstream_unavailable'],
        ['slow', { how: 'slow' }, /^(?:upstream_unavailable|fine)$/],
        ['cut', { how: 'cut' }, 'upstream_unavailable'],
        ['reset', { how: 'reset' }, 'upstream_unavailable'],
        [
          'redirect',
          { status: 302, headers: { location: 'http://127.0.0.1:1/' } },
          'upstream_answer_invalid',
        ],
        ['another content', { text: `<html>${canary}` }, fixture.isAnyAnswer ? 'fine' : /answer_invalid/],
        ['clock', { skewMs: 600_000 }, 'fine'],
      ];
      for (const [name, fault, code] of faults) {
        service.fault = { ...fault, ...matching(fixture) };
        t.match(await codeOf(read(path)), code, name);
        service.fault = undefined;
        await waitFor(`it is back after ${name}`, async () => (await codeOf(read(path))) === 'fine');
        t.equal(source.status().state, 'ready');
      }
      await service.down();
      t.equal(await codeOf(read(path)), 'upstream_unavailable', 'down');
      t.equal(source.status().state, 'unavailable');
      await service.up();
      await waitFor('it is back', async () => (await codeOf(read(path))) === 'fine');
      t.equal(
        logs.filter(({ level }) => level === 'warn').length < 40,
        true,
        'a line a change of state, no more',
      );
    },
  );

  t.test(
    `${kind.kind}: leaves a service that limits it alone, as long as that says`,
    { skip: kind.skip ?? false },
    async (t) => {
      const { fixture, read, source } = await setUp(t, kind);
      const { service } = fixture;
      if (service === undefined) return;
      const path = await fixture.put('app', canary);
      await read(path);
      const inTwoSeconds = () => new Date(Date.now() + 2000).toUTCString();
      for (const [form, value] of [
        ['seconds', () => '1'],
        ['a date', inTwoSeconds],
      ] as const) {
        const attempt = async () => {
          const begun = performance.now();
          service.fault = { status: 429, headers: { 'retry-after': value() }, ...matching(fixture) };
          const limited = await codeOf(read(path));
          const { state } = source.status();
          service.fault = undefined;
          const before = service.requests.length;
          const meanwhile = await codeOf(read(path));
          const asked = service.requests.length - before;
          const tookMs = performance.now() - begun;
          await waitFor('it is asked again', async () => (await codeOf(read(path))) === 'fine');
          return { seen: { limited, state, meanwhile, asked }, tookMs };
        };
        let { seen, tookMs } = await attempt();
        // Where the machine was so busy that the limit was over meanwhile, it says nothing.
        for (let more = 0; tookMs > 900 && more < 5; more += 1) ({ seen, tookMs } = await attempt());
        t.strictSame(
          seen,
          {
            ...{ limited: 'upstream_rate_limited', state: 'rate_limited' },
            ...{ meanwhile: 'upstream_rate_limited', asked: 0 },
          },
          form,
        );
      }
    },
  );

  t.test(`${kind.kind}: logs in again when its login has ended`, { skip: kind.skip ?? false }, async (t) => {
    const { fixture, read } = await setUp(t, kind);
    if (fixture.expireLogin === undefined) return;
    const path = await fixture.put('app', canary);
    await read(path);
    fixture.expireLogin();
    t.equal(valueIn(await read(path)).toString(), canary);
  });

  t.test(
    `${kind.kind}: a login that is refused is told as that, and comes back`,
    { skip: kind.skip ?? false },
    async (t) => {
      const { fixture, read, source } = await setUp(t, kind);
      const { service, expireLogin } = fixture;
      if (service === undefined || expireLogin === undefined) return;
      const path = await fixture.put('app', canary);
      await read(path);
      service.fault = { status: 401, text: canary, ...matching(fixture) };
      t.match(await codeOf(read(path)), /^(?:login_failed|token_invalid)$/);
      t.equal(source.status().state, 'login_failed');
      service.fault = undefined;
      await waitFor('it is logged in again', async () => (await codeOf(read(path))) === 'fine');
      t.equal(source.status().state, 'ready');
    },
  );

  t.test(
    `${kind.kind}: speaks TLS with servers of its authority, and with no other`,
    { skip: kind.skip ?? false },
    async (t) => {
      const fixture = await kind.start(t);
      const { service, config } = fixture;
      if (service === undefined || !JSON.stringify(config).includes(service.address)) return;
      const authority = await createAuthority();
      const port = await startTlsFront(t, service.port, await authority.issue());
      const behind = JSON.parse(
        JSON.stringify(config).replaceAll(service.address, `https://127.0.0.1:${port}`),
      );
      const folder = testFolder(t);
      const start = async (name: string, cert: string) => {
        writeFileSync(join(folder, name), cert, { mode: 0o600 });
        const tls = { ca_file: join(folder, name) };
        return await startKindSource(
          t,
          { ...behind, tls },
          fixture.env === undefined ? {} : { env: fixture.env },
        );
      };
      const path = await fixture.put('app', canary);
      const { read } = await start('good.pem', authority.cert);
      t.equal(valueIn(await read(path)).toString(), canary);
      const other = await start('other.pem', (await createAuthority('Other')).cert);
      const before = service.requests.length;
      t.equal(await codeOf(other.read(path)), 'upstream_unavailable');
      t.equal(other.source.status().state, 'tls_failed');
      const seen = service.requests.slice(before);
      t.ok(
        seen.every((one) => fixture.isRead?.(one) !== true),
        'and nothing was asked through it',
      );
    },
  );

  t.test(
    `${kind.kind}: what is removed or denied is kept as the policy says, and no longer`,
    { skip: kind.skip ?? false },
    async (t) => {
      const { fixture, source } = await setUp(t, kind);
      const clock = createSystemClock();
      const store = createStore({ clock });
      const engine = createLeaseEngine({
        ...{ store, clock, random: Math.random, logger: silentLogger },
        upstreams: new Map([['up', source]]),
      });
      t.teardown(() => engine.close({ signal: AbortSignal.timeout(2000) }));
      const open = async (name: string, policy: Partial<EntryPolicy>) =>
        store.open(createReference({ upstream: 'up', path: await fixture.put(name, canary) }), {
          ...{ ...defaultEntryPolicy, refreshMs: 100, maxStaleMs: 3_600_000, onStale: 'keep' },
          ...policy,
        }).entry;
      const gone = await open('gone', { onRemoved: 'fail' });
      const missed = await open('missed', { onRemoved: 'keep' });
      const refused = await open('refused', { onDenied: 'fail' });
      const doubted = await open('doubted', { onDenied: 'keep' });
      const all = [gone, missed, refused, doubted];
      engine.start();
      await waitFor('all are there', () => all.every(({ state }) => state === 'fresh'));
      await fixture.remove?.('gone');
      await fixture.remove?.('missed');
      await fixture.deny?.('refused');
      await fixture.deny?.('doubted');
      if (fixture.remove) {
        await waitFor('it is seen', () => gone.state === 'expired' && missed.state === 'removed');
        t.match(
          [gone, missed],
          [
            { current: undefined, isRemoved: true },
            { isRemoved: true, error: { code: 'not_found' } },
          ],
        );
        t.ok(missed.current !== undefined, 'kept, for as long as max_stale');
      }
      if (fixture.deny) {
        await waitFor('it is seen', () => refused.state === 'expired' && doubted.state === 'denied');
        t.match(
          [refused, doubted],
          [{ current: undefined, error: { code: 'denied' } }, { error: { code: 'denied' } }],
        );
        t.ok(doubted.current !== undefined);
      } else t.equal(refused.state, 'fresh', 'the others are as they were');
      t.equal(source.status().state, 'ready');
    },
  );
}

function matching(fixture: KindFixture): Pick<FakeFault, 'matches'> {
  const { isRead } = fixture;
  return isRead === undefined ? {} : { matches: isRead };
}
