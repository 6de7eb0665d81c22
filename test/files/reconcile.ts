import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import t from 'tap';
import { apply } from '../support/apply.ts';
import { createRenderFixture } from '../support/render-fixture.ts';
import { waitFor } from '../support/wait-for.ts';

const text = 'password={{ field "db" "password" }}\n';

t.test('keeps what is the same, and takes over what is new, changed and gone', async (t) => {
  const f = createRenderFixture(t, ['db']);
  const [kept, changed, gone] = [f.file('kept', text), f.file('changed', text), f.file('gone', text)];
  const pipeline = f.createPipeline([kept, changed, gone]);
  pipeline.start();
  await pipeline.idle();
  f.publish('db', { password: 'one' });
  await pipeline.idle();
  const closed: string[] = [];
  f.store.listen({ closed: ({ key }) => closed.push(key), unheld: () => closed.push('unheld') });
  f.executed.length = 0;
  const result = await apply(
    pipeline.prepare([
      { ...changed, place: 'files[0]', mode: 0o640 },
      { ...kept, place: 'files[1]' },
      { ...f.file('new', text), place: 'files[2]' },
    ]),
  );
  await pipeline.idle();
  t.strictSame(result, {
    added: [f.path('new')],
    changed: [f.path('changed')],
    removed: [f.path('gone')],
    kept: [f.path('kept')],
  });
  t.strictSame(closed, []);
  t.strictSame(f.executed.sort(), [f.path('changed'), f.path('new')]);
  t.equal(statSync(f.path('changed')).mode & 0o777, 0o640);
  t.ok(existsSync(f.path('gone')), 'a file that leaves the config stays');
  t.strictSame(
    pipeline.status().map(({ destination, place, state }) => [destination, place, state]),
    [
      [f.path('changed'), 'files[0]', 'current'],
      [f.path('kept'), 'files[1]', 'current'],
      [f.path('new'), 'files[2]', 'current'],
    ],
  );
});

t.test('an identical config does nothing', async (t) => {
  const f = createRenderFixture(t, ['db']);
  const files = [f.file('a', text), f.file('b', text)];
  const pipeline = f.createPipeline(files);
  pipeline.start();
  await pipeline.idle();
  f.publish('db', { password: 'one' });
  await pipeline.idle();
  f.executed.length = 0;
  await apply(pipeline.prepare(structuredClone(files)));
  await pipeline.idle();
  t.strictSame(f.executed, []);
  await apply(pipeline.prepare(structuredClone(files), { force: true }));
  await pipeline.idle();
  t.strictSame(f.executed.length, 2);
  t.strictSame(f.committed.length, 2, 'same bytes');
});

t.test('a template that cannot be parsed changes nothing', async (t) => {
  const f = createRenderFixture(t, ['db']);
  const file = f.file('a', text);
  const pipeline = f.createPipeline([file]);
  pipeline.start();
  await pipeline.idle();
  const bad = apply(
    pipeline.prepare([f.file('b', text), { ...file, source: { kind: 'inline', text: '{{ if }}' } }]),
  );
  await t.rejects(bad, { code: 'template_invalid' });
  t.strictSame(
    pipeline.status().map(({ destination }) => destination),
    [f.path('a')],
  );
});

t.test('a change of the config waits for the transaction that runs', async (t) => {
  const f = createRenderFixture(t, ['db']);
  const gate = f.path('gate');
  const check = { command: ['sh', '-c', `while [ ! -e ${gate} ]; do sleep 0.01; done`], timeoutMs: 10_000 };
  const file = f.file('a', text, { check });
  const pipeline = f.createPipeline([file]);
  pipeline.start();
  await pipeline.idle();
  f.publish('db', { password: 'one' });
  await waitFor('the check', () => pipeline.status()[0]?.state === 'check');
  const reconciled = apply(pipeline.prepare([{ ...file, source: { kind: 'inline', text: `new ${text}` } }]));
  writeFileSync(gate, '');
  await reconciled;
  await pipeline.idle();
  t.equal(readFileSync(f.path('a'), 'utf8'), 'new password=one\n');
});
