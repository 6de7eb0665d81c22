import { readFileSync } from 'node:fs';
import t from 'tap';
import type { FilePipeline } from '../../src/files/file-pipeline.ts';
import { createFakeClock, type FakeClock } from '../support/fake-clock.ts';
import { createRenderFixture } from '../support/render-fixture.ts';
import { waitFor } from '../support/wait-for.ts';

const names = ['a', 'b', 'c'];
const text = names.map((name) => `{{ field "${name}" "v" }} `).join('');
const wait = { minMs: 1000, maxMs: 5000 };

/** Until the pipeline has asked for its secrets. */
async function begin(pipeline: FilePipeline, clock: FakeClock): Promise<void> {
  pipeline.start();
  await waitFor('the first execution', async () => {
    await clock.advance(0);
    return pipeline.status().every(({ missing }) => missing.length === names.length);
  });
}

/** Real work goes on beside the clock that the test drives. */
function reach(clock: FakeClock, what: string, condition: () => boolean): Promise<true> {
  return waitFor(what, async () => {
    await clock.advance(0);
    return condition();
  });
}

t.test('secrets that change together give one commit and one notification', async (t) => {
  const f = createRenderFixture(t, names);
  const clock = createFakeClock();
  const notify = [{ kind: 'command' as const, command: ['true'], timeoutMs: 60_000 }];
  const pipeline = f.createPipeline([f.file('app.conf', text, { wait, notify })], { clock });
  await begin(pipeline, clock);
  for (const name of names) f.publish(name, { v: 'one' });
  await clock.advance(0);
  await reach(clock, 'the first notification', () => f.notified.length === 1);
  t.equal(readFileSync(f.path('app.conf'), 'utf8'), 'one one one ', 'the first rendering waits for nothing');
  for (const name of names) {
    f.publish(name, { v: 'two' });
    await clock.advance(900);
  }
  t.equal(f.committed.length, 1, 'not while they change');
  await clock.advance(100);
  await reach(clock, 'the second notification', () => f.notified.length === 2);
  t.equal(readFileSync(f.path('app.conf'), 'utf8'), 'two two two ');
  t.equal(f.committed.length, 2);
});

t.test('what never comes to rest is rendered after the longest wait', async (t) => {
  const f = createRenderFixture(t, names);
  const clock = createFakeClock();
  const pipeline = f.createPipeline([f.file('app.conf', text, { wait })], { clock });
  await begin(pipeline, clock);
  for (const name of names) f.publish(name, { v: '0' });
  await clock.advance(0);
  await reach(clock, 'the first commit', () => f.committed.length === 1);
  for (let change = 1; change <= 10; change++) {
    f.publish('a', { v: String(change) });
    await clock.advance(500);
  }
  await reach(clock, 'the second commit', () => f.committed.length === 2);
  t.equal(readFileSync(f.path('app.conf'), 'utf8'), '10 0 0 ');
});

t.test('whoever waits for the files does not wait for quiet', async (t) => {
  const f = createRenderFixture(t, names);
  const pipeline = f.createPipeline([f.file('app.conf', text, { wait: { minMs: 60_000, maxMs: 60_000 } })]);
  pipeline.start();
  await pipeline.idle();
  for (const name of names) f.publish(name, { v: 'one' });
  await pipeline.idle();
  f.publish('a', { v: 'two' });
  await pipeline.idle();
  t.equal(readFileSync(f.path('app.conf'), 'utf8'), 'two one one ');
});
