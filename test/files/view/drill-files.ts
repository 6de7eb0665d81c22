import { existsSync, readdirSync, readFileSync } from 'node:fs';
import t from 'tap';
import { makeUpOnce, simulateRotation } from '../../../src/content/simulate.ts';
import { createRenderFixture } from '../../support/render-fixture.ts';

const override = makeUpOnce((_key, secret) => simulateRotation(secret));
const text = 'password={{ field "db" "password" }}\n';

t.test(
  'rehearses a rotation on staged copies with the real checks, and says who would recover',
  async (t) => {
    const f = createRenderFixture(t, ['db', 'other']);
    const mark = f.path('mark');
    const append = (what: string) => ({
      command: ['sh', '-c', `echo ${what} >> ${mark}`],
      timeoutMs: 60_000,
    });
    const pipeline = f.createPipeline([
      f.file('reloads', text, {
        check: { command: ['sh', '-c', `cat {staged} >> ${mark}`], timeoutMs: 60_000 },
        notify: [{ kind: 'command', ...append('reloaded') }],
      }),
      f.file('restarts', text, {
        notify: [{ kind: 'command', command: ['true', 'restart'], timeoutMs: 60_000 }],
      }),
      f.file('reads', text),
      f.file('fails', text, {
        check: { command: ['grep', '-q', 'password=one', '{staged}'], timeoutMs: 60_000 },
      }),
      f.file('unrelated', '{{ field "other" "x" }}'),
    ]);
    pipeline.start();
    await pipeline.idle();
    f.publish('db', { password: 'one' });
    f.publish('other', { x: 'y' });
    await pipeline.idle();
    const before = readFileSync(mark, 'utf8');
    const report = await pipeline.drill({ key: f.keyOf('db'), kind: 'rotation', notify: false, override });
    t.match(report, [
      { destination: f.path('reloads'), outcome: 'recovers', steps: [{ step: 'stage' }, { step: 'check' }] },
      { destination: f.path('restarts'), outcome: 'restarts' },
      { destination: f.path('reads'), outcome: 'unknown' },
      { destination: f.path('fails'), outcome: 'fails', note: /check step fails/ },
    ]);
    t.equal(report.length, 4);
    const checked = readFileSync(mark, 'utf8').slice(before.length);
    t.match(checked, /^password=[a-z]{3}\n$/, 'the check saw another value, and nobody was told');
    t.notMatch(checked, 'one');
    t.equal(readFileSync(f.path('reloads'), 'utf8'), 'password=one\n');
    t.strictSame(
      readdirSync(f.folder).filter((name) => name.startsWith('.latchkey-')),
      [],
    );
    await pipeline.drill({ key: f.keyOf('db'), kind: 'revocation', notify: true, override });
    t.match(readFileSync(mark, 'utf8'), /reloaded\n$/);
  },
);

t.test('tells how long a file lasts when its upstream is away', async (t) => {
  const f = createRenderFixture(t, ['db', 'lease', 'never']);
  const pipeline = f.createPipeline([
    f.file('static', text),
    f.file('leased', '{{ field "lease" "x" }}'),
    f.file('waiting', '{{ field "never" "x" }}'),
  ]);
  pipeline.start();
  await pipeline.idle();
  f.publish('db', { password: 'one' });
  f.publish('lease', { x: 'y' }, 'lease-1');
  f.store.extend(f.keyOf('lease'), Date.now() + 60_000);
  await pipeline.idle();
  const outage = (name: string) =>
    pipeline.drill({ key: f.keyOf(name), kind: 'outage', notify: false, override });
  t.match(await outage('db'), [{ outcome: 'keeps', note: /24h \(max_stale\)/ }]);
  t.match(await outage('lease'), [{ outcome: 'keeps', note: /as long as its lease/ }]);
  t.match(await outage('never'), [{ outcome: 'fails', note: /never had this secret/ }]);
  await t.rejects(pipeline.drill({ key: 'nope', kind: 'rotation', notify: false, override }), {
    code: 'not_found',
  });
  t.notOk(existsSync(f.path('waiting')));
});
