// A thousand files on a thousand references: one change costs one file.
import { readFileSync } from 'node:fs';
import t from 'tap';
import { createRenderFixture } from '../support/render-fixture.ts';

const count = 1000;
const cpuLimitMs = 50;

t.test('one change among a thousand files executes one template and writes one file', async (t) => {
  const names = Array.from({ length: count }, (_, at) => `s${at}`);
  const f = createRenderFixture(t, names);
  const files = names.map((name) => f.file(`${name}.conf`, `password={{ field "${name}" "password" }}\n`));
  const pipeline = f.createPipeline(files);
  const start = performance.now();
  pipeline.start();
  await pipeline.idle();
  for (const name of names) f.publish(name, { password: 'one' });
  await pipeline.idle();
  t.comment(`${count} files: ${Math.round(performance.now() - start)} ms`);
  t.equal(f.committed.length, count);
  t.ok(pipeline.status().every(({ state }) => state === 'current'));
  const costs: number[] = [];
  for (let round = 0; round < 5; round += 1) {
    f.executed.length = 0;
    f.committed.length = 0;
    const before = process.cpuUsage();
    f.publish('s500', { password: `round ${round}` });
    await pipeline.idle();
    const { user, system } = process.cpuUsage(before);
    costs.push((user + system) / 1000);
    t.strictSame([f.executed, f.committed], [[f.path('s500.conf')], [f.path('s500.conf')]]);
  }
  t.equal(readFileSync(f.path('s500.conf'), 'utf8'), 'password=round 4\n');
  t.comment(`CPU of one change: ${costs.map((ms) => ms.toFixed(1)).join(', ')} ms`);
  t.ok(costs.every((ms) => ms < cpuLimitMs));
});
