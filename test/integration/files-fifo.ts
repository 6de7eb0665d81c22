// A destination that is a FIFO, read by real readers.
import { lstatSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { open, readFile } from 'node:fs/promises';
import t from 'tap';
import { createRenderFixture } from '../support/render-fixture.ts';
import { waitFor } from '../support/wait-for.ts';

const text = 'password={{ field "db" "password" }}\n';

t.test('each reader gets the whole value of its moment, one after another', async (t) => {
  const f = createRenderFixture(t, ['db']);
  writeFileSync(f.path('fifo'), 'a plain file from before');
  const pipeline = f.createPipeline([f.file('fifo', text, { fifo: true, mode: 0o640 })]);
  pipeline.start();
  await pipeline.idle();
  f.publish('db', { password: 'one' });
  await pipeline.idle();
  t.ok(lstatSync(f.path('fifo')).isFIFO());
  t.equal(statSync(f.path('fifo')).mode & 0o777, 0o640);
  for (let round = 0; round < 10; round += 1)
    t.equal(await readFile(f.path('fifo'), 'utf8'), 'password=one\n');
  for (const password of ['two', 'x'.repeat(300_000)]) {
    f.publish('db', { password });
    await pipeline.idle();
    t.equal(await readFile(f.path('fifo'), 'utf8'), `password=${password}\n`);
  }
  t.strictSame(
    readdirSync(f.folder).filter((name) => name.startsWith('.latchkey-')),
    [],
  );
  t.match(pipeline.status(), [{ state: 'current' }]);
});

t.test('survives a reader that goes away early, and somebody who removes the FIFO', async (t) => {
  const f = createRenderFixture(t, ['db']);
  const drifted: string[] = [];
  const pipeline = f.createPipeline([f.file('fifo', text, { fifo: true })], {
    observer: { drifted: (destination, what) => drifted.push(`${destination} ${what}`) },
  });
  pipeline.start();
  await pipeline.idle();
  f.publish('db', { password: 'x'.repeat(300_000) });
  await pipeline.idle();
  const reader = await open(f.path('fifo'), 'r');
  await reader.read(Buffer.alloc(10), 0, 10, null);
  await reader.close();
  t.equal((await readFile(f.path('fifo'))).length, 300_010);
  rmSync(f.path('fifo'));
  await waitFor('the FIFO', () => lstatSync(f.path('fifo'), { throwIfNoEntry: false })?.isFIFO());
  t.equal((await readFile(f.path('fifo'))).length, 300_010);
  rmSync(f.path('fifo'));
  writeFileSync(f.path('fifo'), 'a file');
  await waitFor('the FIFO', () => lstatSync(f.path('fifo')).isFIFO());
  t.equal((await readFile(f.path('fifo'))).length, 300_010);
  t.strictSame(drifted, [`${f.path('fifo')} deleted`, `${f.path('fifo')} content`]);
  t.match(
    f.log.filter(({ level }) => level === 'warn').map(({ message }) => message),
    [
      'somebody else deleted the file: it was put right',
      'somebody else changed the content of the file: it was put right',
    ],
  );
});

t.test('is checked on a staged file, and notified like any other', async (t) => {
  const f = createRenderFixture(t, ['db']);
  const pipeline = f.createPipeline([
    f.file('fifo', text, {
      fifo: true,
      check: { command: ['sh', '-c', '! grep -q bad {staged}'], timeoutMs: 60_000 },
      notify: [{ kind: 'command', command: ['true'], timeoutMs: 60_000 }],
    }),
  ]);
  pipeline.start();
  await pipeline.idle();
  f.publish('db', { password: 'good' });
  await pipeline.idle();
  t.strictSame(f.notified, ['true']);
  f.publish('db', { password: 'bad' });
  await waitFor('the failure', () => pipeline.status()[0]?.failure);
  t.equal(await readFile(f.path('fifo'), 'utf8'), 'password=good\n');
});
