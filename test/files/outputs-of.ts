import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import t from 'tap';
import { createRenderFixture } from '../support/render-fixture.ts';
import { waitFor } from '../support/wait-for.ts';

t.test('what a template writes elsewhere commits with its file, or not at all', async (t) => {
  const f = createRenderFixture(t, ['tls']);
  const key = f.path('tls.key');
  const text = `{{ field "tls" "key" | writeToFile "${key}" "" "" "0600" }}{{ field "tls" "cert" }}`;
  const check = { command: ['sh', '-c', '! grep -q bad {staged}'], timeoutMs: 60_000 };
  const pipeline = f.createPipeline([f.file('tls.crt', text, { mode: 0o644, check })]);
  pipeline.start();
  await pipeline.idle();
  t.notOk(existsSync(key));
  f.publish('tls', { cert: 'cert one', key: 'key one' });
  await pipeline.idle();
  t.equal(readFileSync(f.path('tls.crt'), 'utf8'), 'cert one');
  t.equal(readFileSync(key, 'utf8'), 'key one');
  t.equal(statSync(key).mode & 0o777, 0o600);
  f.publish('tls', { cert: 'bad', key: 'key two' });
  await waitFor('the failure', () => pipeline.status()[0]?.failure);
  t.equal(readFileSync(key, 'utf8'), 'key one');
});

t.test('appends once, however often it is executed', async (t) => {
  const f = createRenderFixture(t, ['a']);
  writeFileSync(f.path('list'), 'first\n');
  const text = `{{ "second\\n" | writeToFile "${f.path('list')}" "" "" "0644" "append" }}{{ field "a" "x" }}`;
  const pipeline = f.createPipeline([f.file('out', text)]);
  pipeline.start();
  await pipeline.idle();
  for (const x of ['1', '2', '3']) {
    f.publish('a', { x });
    await pipeline.idle();
  }
  t.equal(readFileSync(f.path('list'), 'utf8'), 'first\nsecond\n');
  t.equal(readFileSync(f.path('out'), 'utf8'), '3');
});

t.test('writes nothing outside of the folders that are open to templates', async (t) => {
  const f = createRenderFixture(t, ['a']);
  const pipeline = f.createPipeline([f.file('out', '{{ "x" | writeToFile "/tmp/../etc/x" "" "" "0644" }}')]);
  pipeline.start();
  await pipeline.idle();
  t.match(pipeline.status(), [{ failure: { code: 'template_failed', message: /in none of the folders/ } }]);
});
