import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import t from 'tap';
import { createRenderFixture } from '../../support/render-fixture.ts';
import { waitFor } from '../../support/wait-for.ts';

const text = 'password={{ field "db" "password" }}\n';

t.test('explains what a file waits for, since when and why', async (t) => {
  const f = createRenderFixture(t, ['db', 'tls']);
  const pipeline = f.createPipeline([
    f.file('app.conf', text, {
      set: 'both',
      notify: [{ kind: 'command', command: ['reload', 'it'], timeoutMs: 1 }],
    }),
    f.file('tls.crt', '{{ field "tls" "cert" }}', { set: 'both', inPlace: true }),
  ]);
  t.match(pipeline.explain(f.path('app.conf')), { state: 'waiting' }, 'before it is started');
  pipeline.start();
  await pipeline.idle();
  f.publish('db', { password: 'one' });
  f.refuse('tls', 'denied', 'permission denied for secret/tls');
  await pipeline.idle();
  const explained = pipeline.explain(f.path('app.conf'));
  t.match(explained?.why, [
    /^waits for secrets since .* ago; the destination is as it was before$/,
    new RegExp(`^${f.path('tls.crt')} of the same set: tls: upstream denies it since .*: permission denied`),
  ]);
  t.strictSame(explained?.notifications, ['reload it']);
  t.match(explained?.secrets, [
    { key: f.keyOf('db'), state: 'fresh', currentVersion: 1, usedVersion: undefined },
  ]);
  t.match(pipeline.explain(f.path('tls.crt'))?.notes.join(), /in place/);
  t.equal(pipeline.explain('/elsewhere'), undefined);
});

t.test('explains a failure: what, how often, and when it is tried again', async (t) => {
  const f = createRenderFixture(t, ['db']);
  const slow = { minMs: 60_000, maxMs: 60_000 };
  const pipeline = f.createPipeline(
    [
      f.file('app.conf', text, {
        check: { command: ['sh', '-c', 'echo bad line 3; exit 1'], timeoutMs: 60_000 },
      }),
    ],
    { retry: { check: slow } },
  );
  pipeline.start();
  await pipeline.idle();
  f.publish('db', { password: 'one' });
  await pipeline.idle();
  f.publish('db', { password: 'two' });
  await waitFor('a second failure', () => pipeline.status()[0]?.failure?.count === 2);
  const explained = pipeline.explain(f.path('app.conf'));
  t.match(explained?.why.join('\n'), /the old file stays/);
  t.match(
    explained?.why.join('\n'),
    /check failed, 2 times since .* ago: files\[0\]\.check: sh failed .*: bad line 3/,
  );
  t.match(explained?.why.join('\n'), /tried again in \d+s/);
  t.strictSame(
    explained?.trace.map(({ step }) => step),
    ['stage', 'waiting', 'stage', 'check', 'failing', 'stage', 'check', 'failing'],
  );
});

t.test('is ready while a change is tried, and not while it is tried again after a failure', async (t) => {
  const f = createRenderFixture(t, ['db']);
  const [tries, gate] = [f.path('tries'), f.path('gate')];
  const script = `echo >> ${tries}; until [ -e ${gate} ]; do sleep 0.02; done; grep -q good {staged}`;
  const check = { command: ['sh', '-c', script], timeoutMs: 20_000 };
  const pipeline = f.createPipeline([f.file('app.conf', text, { check })], {
    retry: { check: { minMs: 20, maxMs: 20 } },
  });
  const waitForTry = (count: number) =>
    waitFor(`try ${count}`, () => existsSync(tries) && readFileSync(tries, 'utf8').length >= count);
  writeFileSync(gate, '');
  pipeline.start();
  await pipeline.idle();
  f.publish('db', { password: 'good one' });
  await pipeline.idle();
  rmSync(gate);
  f.publish('db', { password: 'bad' });
  await waitForTry(2);
  t.match(pipeline.status(), [{ state: 'check', isReady: true, failure: undefined }], 'the first try');
  writeFileSync(gate, '');
  await waitForTry(3);
  rmSync(gate);
  await waitFor('a further try', () => {
    const [file] = pipeline.status();
    return file?.state === 'check' && file.failure !== undefined;
  });
  t.match(pipeline.status(), [{ state: 'check', isReady: false }]);
  writeFileSync(gate, '');
  f.publish('db', { password: 'good two' });
  await waitFor('the end of it', () => pipeline.status()[0]?.state === 'current');
  t.match(pipeline.status(), [{ isReady: true, failure: undefined, retryAt: undefined }]);
});
