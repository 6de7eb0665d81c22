import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { createRenderFixture } from '../support/render-fixture.ts';
import { waitFor } from '../support/wait-for.ts';

const text = 'password={{ field "db" "password" }}\n';

function leftovers(folder: string): string[] {
  return readdirSync(folder).filter((name) => name.startsWith('.latchkey-'));
}

t.test('waits for its secrets, then writes the file with the mode that was asked for', async (t) => {
  const f = createRenderFixture(t, ['db']);
  const pipeline = f.createPipeline([f.file('app.conf', text, { mode: 0o640 })]);
  pipeline.start();
  await pipeline.idle();
  t.notOk(existsSync(f.path('app.conf')));
  t.match(pipeline.status(), [{ state: 'waiting', isReady: false, missing: [{ reason: 'pending' }] }]);
  f.publish('db', { password: 'one' });
  await pipeline.idle();
  t.equal(readFileSync(f.path('app.conf'), 'utf8'), 'password=one\n');
  t.equal(statSync(f.path('app.conf')).mode & 0o7777, 0o640);
  t.match(pipeline.status(), [{ state: 'current', isReady: true, missing: [], failure: undefined }]);
  t.strictSame(leftovers(f.folder), []);
});

t.test('says why a secret is missing', async (t) => {
  const f = createRenderFixture(t, ['db']);
  const pipeline = f.createPipeline([f.file('app.conf', text)]);
  pipeline.start();
  await pipeline.idle();
  f.refuse('db', 'denied', 'permission denied for secret/db');
  t.match(pipeline.status(), [{ missing: [{ key: f.keyOf('db'), reason: 'denied' }] }]);
  f.refuse('db', 'not_found', 'no secret at secret/db');
  await pipeline.idle();
  t.match(pipeline.status(), [{ missing: [{ reason: 'absent' }] }]);
  const why = pipeline.explain(f.path('app.conf'))?.why.join('\n') ?? '';
  t.match(why, /waits for secrets/);
  t.match(why, /upstream has no such secret.*no secret at secret\/db/);
});

t.test('writes and notifies nothing when the bytes are the same, and mends the mode', async (t) => {
  const f = createRenderFixture(t, ['db']);
  const mark = f.path('mark');
  const file = f.file('app.conf', text, {
    notify: [{ kind: 'command', command: ['sh', '-c', `echo x >> ${mark}`], timeoutMs: 60_000 }],
  });
  writeFileSync(file.destination, 'password=one\n', { mode: 0o644 });
  const before = statSync(file.destination).ino;
  const pipeline = f.createPipeline([file]);
  pipeline.start();
  await pipeline.idle();
  f.publish('db', { password: 'one', other: 'a' });
  await pipeline.idle();
  t.equal(statSync(file.destination).ino, before);
  t.equal(statSync(file.destination).mode & 0o7777, 0o600);
  t.notOk(existsSync(mark));
  f.publish('db', { password: 'one', other: 'b' });
  await pipeline.idle();
  t.notOk(existsSync(mark));
  f.publish('db', { password: 'two', other: 'b' });
  await pipeline.idle();
  t.equal(readFileSync(mark, 'utf8'), 'x\n');
});

t.test('holds the version in the file until the next one is in use', async (t) => {
  const f = createRenderFixture(t, ['db']);
  const unheld: number[] = [];
  f.store.listen({ unheld: (_entry, version) => unheld.push(version.number) });
  const gate = f.path('gate');
  const file = f.file('app.conf', text, {
    check: { command: ['sh', '-c', `while [ ! -e ${gate} ]; do sleep 0.01; done`], timeoutMs: 10_000 },
  });
  const pipeline = f.createPipeline([file]);
  pipeline.start();
  await pipeline.idle();
  writeFileSync(gate, '');
  f.publish('db', { password: 'one' }, 'lease-1');
  await pipeline.idle();
  t.strictSame(
    [...f.store.holders(f.keyOf('db'))].map(([id, version]) => [id, version.number]),
    [[`file:${file.destination}`, 1]],
  );
  const { unlinkSync } = await import('node:fs');
  unlinkSync(gate);
  f.publish('db', { password: 'two' }, 'lease-2');
  await waitFor('the check', () => pipeline.status()[0]?.state === 'check');
  t.strictSame(unheld, []);
  f.publish('db', { password: 'three' }, 'lease-3');
  t.strictSame(unheld, [], 'a version that is staged is held too');
  writeFileSync(gate, '');
  await pipeline.idle();
  t.strictSame(unheld, [1, 2]);
  t.match(readFileSync(file.destination, 'utf8'), /three/);
});

t.test('a check that fails leaves the old file, says its last line masked, and is tried again', async (t) => {
  const f = createRenderFixture(t, ['db']);
  const gate = f.path('gate');
  const script = `if grep -q bad-secret {staged} && [ ! -e ${gate} ]; then echo fine; echo "bad $(cat {staged}) in {staged}"; exit 3; fi`;
  const file = f.file('app.conf', text, { check: { command: ['sh', '-c', script], timeoutMs: 60_000 } });
  const pipeline = f.createPipeline([file]);
  pipeline.start();
  await pipeline.idle();
  f.publish('db', { password: 'good' });
  await pipeline.idle();
  f.publish('db', { password: 'bad-secret' });
  await waitFor('a second try', () => (pipeline.status()[0]?.failure?.count ?? 0) >= 2);
  const failure = pipeline.status()[0]?.failure;
  t.equal(failure?.code, 'check_failed');
  t.match(
    failure?.message,
    /files\[0\]\.check: sh failed with exit code 3: bad password=\*\*\* in .*app\.conf$/,
  );
  t.notMatch(JSON.stringify(f.log), /bad-secret/);
  t.equal(readFileSync(file.destination, 'utf8'), 'password=good\n');
  t.equal(f.log.filter((line) => line.level === 'warn').length, 1, 'one line, not one a try');
  writeFileSync(gate, '');
  await waitFor('the retry', () => pipeline.status()[0]?.state === 'current');
  t.equal(readFileSync(file.destination, 'utf8'), 'password=bad-secret\n');
  t.strictSame(leftovers(f.folder), []);
});

t.test('the next good value goes through after a failed check without waiting', async (t) => {
  const f = createRenderFixture(t, ['db']);
  const file = f.file('app.conf', text, {
    check: { command: ['sh', '-c', '! grep -q bad {staged}'], timeoutMs: 60_000 },
  });
  const slow = { minMs: 3_600_000, maxMs: 3_600_000 };
  const pipeline = f.createPipeline([file], { retry: { check: slow } });
  pipeline.start();
  await pipeline.idle();
  f.publish('db', { password: 'bad' });
  await pipeline.idle();
  t.notOk(existsSync(file.destination));
  f.publish('db', { password: 'good' });
  await pipeline.idle();
  t.equal(readFileSync(file.destination, 'utf8'), 'password=good\n');
});

t.test('a check that hangs is ended, and the old file stays', async (t) => {
  const f = createRenderFixture(t, ['db']);
  const file = f.file('app.conf', text, { check: { command: ['sleep', '60'], timeoutMs: 50 } });
  const pipeline = f.createPipeline([file]);
  pipeline.start();
  await pipeline.idle();
  f.publish('db', { password: 'one' });
  await waitFor('the failure', () => pipeline.status()[0]?.failure);
  t.match(pipeline.status()[0]?.failure?.message, /did not end within 50ms and was killed/);
  t.notOk(existsSync(file.destination));
  t.strictSame(leftovers(f.folder), []);
});

t.test('files of a set commit all or none; the others are not held up', async (t) => {
  const f = createRenderFixture(t, ['tls', 'db']);
  const pair = 'test "$(cut -d= -f2 {staged})" = "$(cut -d= -f2 {staged:KEY})"';
  const key = f.path('tls.key');
  const files = [
    f.file('tls.crt', 'v={{ field "tls" "cert" }}', {
      set: 'tls',
      check: { command: ['sh', '-c', pair.replace('KEY', key)], timeoutMs: 60_000 },
    }),
    f.file('tls.key', 'v={{ field "tls" "key" }}', { set: 'tls' }),
    f.file('app.conf', text),
  ];
  const pipeline = f.createPipeline(files);
  pipeline.start();
  await pipeline.idle();
  f.publish('tls', { cert: 'a', key: 'a' });
  f.publish('db', { password: 'one' });
  await pipeline.idle();
  t.equal(readFileSync(f.path('tls.crt'), 'utf8'), 'v=a');
  f.publish('tls', { cert: 'b', key: 'c' });
  f.publish('db', { password: 'two' });
  await waitFor('the failure', () => pipeline.status()[0]?.failure);
  t.equal(readFileSync(f.path('tls.crt'), 'utf8'), 'v=a');
  t.equal(readFileSync(key, 'utf8'), 'v=a');
  t.equal(readFileSync(f.path('app.conf'), 'utf8'), 'password=two\n');
  f.publish('tls', { cert: 'd', key: 'd' });
  await waitFor('the set', () => pipeline.status()[0]?.state === 'current');
  t.equal(readFileSync(f.path('tls.crt'), 'utf8'), 'v=d');
  t.equal(readFileSync(key, 'utf8'), 'v=d');
});

t.test('identical notifications are sent once a transaction, in declared order', async (t) => {
  const f = createRenderFixture(t, ['db']);
  const mark = f.path('mark');
  const say = (word: string) => ({
    kind: 'command' as const,
    command: ['sh', '-c', `echo ${word} >> ${mark}`],
    timeoutMs: 60_000,
  });
  const pipeline = f.createPipeline([
    f.file('one', text, { notify: [say('first'), say('reload')] }),
    f.file('two', text, { notify: [say('reload'), say('last')] }),
  ]);
  pipeline.start();
  await pipeline.idle();
  f.publish('db', { password: 'one' });
  await pipeline.idle();
  t.equal(readFileSync(mark, 'utf8'), 'first\nreload\nlast\n');
});

t.test('a failed notification is sent again without rewriting the file', async (t) => {
  const f = createRenderFixture(t, ['db']);
  const gate = f.path('gate');
  const unheld: number[] = [];
  f.store.listen({ unheld: (_entry, version) => unheld.push(version.number) });
  const file = f.file('app.conf', text, {
    notify: [
      {
        kind: 'command',
        command: ['sh', '-c', `test -e ${gate} || { echo away; exit 1; }`],
        timeoutMs: 60_000,
      },
    ],
  });
  writeFileSync(gate, '');
  const pipeline = f.createPipeline([file]);
  pipeline.start();
  await pipeline.idle();
  f.publish('db', { password: 'one' });
  await pipeline.idle();
  const { unlinkSync } = await import('node:fs');
  unlinkSync(gate);
  f.publish('db', { password: 'two' });
  await waitFor('two failures', () => (pipeline.status()[0]?.failure?.count ?? 0) >= 2);
  t.match(pipeline.status(), [
    { state: 'owed', owed: [/^sh/], failure: { code: 'notify_failed', message: /away/ } },
  ]);
  t.equal(f.committed.length, 2);
  t.strictSame(unheld, [], 'the program may still use the old value');
  t.equal(readdirSync(f.path('state')).filter((name) => name.includes('journal')).length, 1);
  writeFileSync(gate, '');
  await waitFor('the retry', () => pipeline.status()[0]?.state === 'current');
  t.equal(f.committed.length, 2);
  t.strictSame(unheld, [1]);
  t.strictSame(leftovers(f.path('state')), []);
});

t.test(
  'goes back to the old file, with its mode, and notifies again, when a program does not take the new one',
  async (t) => {
    const f = createRenderFixture(t, ['db']);
    const mark = f.path('mark');
    const file = f.file('app.conf', text, {
      mode: 0o640,
      onFailure: 'rollback',
      notify: [{ kind: 'command', command: ['sh', '-c', `cat {destination} >> ${mark}`], timeoutMs: 60_000 }],
      settle: { kind: 'command', command: ['sh', '-c', '! grep -q bad {destination}'], timeoutMs: 1000 },
    });
    const pipeline = f.createPipeline([file], { retry: { rollback: { minMs: 60_000, maxMs: 60_000 } } });
    pipeline.start();
    await pipeline.idle();
    f.publish('db', { password: 'good' });
    await pipeline.idle();
    const before = statSync(file.destination).ino;
    f.publish('db', { password: 'bad' });
    await pipeline.idle();
    t.equal(readFileSync(file.destination, 'utf8'), 'password=good\n');
    t.equal(statSync(file.destination).ino, before, 'the very file');
    t.equal(readFileSync(mark, 'utf8'), 'password=good\npassword=bad\npassword=good\n');
    t.match(pipeline.status(), [{ state: 'failing', failure: { step: 'settle', code: 'settle_failed' } }]);
    t.strictSame(leftovers(f.folder), []);
    f.publish('db', { password: 'better' });
    await pipeline.idle();
    t.equal(readFileSync(file.destination, 'utf8'), 'password=better\n');
  },
);

t.test('a program is told of the last value although the next one is missing', async (t) => {
  const f = createRenderFixture(t, ['db']);
  const gate = f.path('gate');
  const file = f.file('app.conf', text, {
    notify: [{ kind: 'command', command: ['test', '-e', gate], timeoutMs: 60_000 }],
  });
  const pipeline = f.createPipeline([file]);
  pipeline.start();
  await pipeline.idle();
  f.publish('db', { password: 'one' });
  await waitFor('the failure', () => pipeline.status()[0]?.state === 'owed');
  f.store.fail(f.keyOf('db'), new Error('gone'), 'expired');
  await pipeline.idle();
  t.match(pipeline.status(), [{ missing: [{ reason: 'failed' }] }]);
  writeFileSync(gate, '');
  await waitFor('the notification', () => pipeline.status()[0]?.owed.length === 0);
  await pipeline.idle();
  t.match(pipeline.status(), [{ state: 'waiting', failure: undefined }]);
  t.equal(readFileSync(file.destination, 'utf8'), 'password=one\n');
  f.publish('db', { password: 'two' });
  await pipeline.idle();
  t.equal(readFileSync(file.destination, 'utf8'), 'password=two\n');
});

t.test('a first file has nothing to go back to and stays', async (t) => {
  const f = createRenderFixture(t, ['db']);
  const file = f.file('app.conf', text, {
    onFailure: 'rollback',
    notify: [{ kind: 'command', command: ['false'], timeoutMs: 60_000 }],
  });
  const pipeline = f.createPipeline([file]);
  pipeline.start();
  await pipeline.idle();
  f.publish('db', { password: 'one' });
  await waitFor('the failure', () => pipeline.status()[0]?.state === 'owed');
  t.equal(readFileSync(file.destination, 'utf8'), 'password=one\n');
});

t.test('one file that cannot be written does not hold up another', async (t) => {
  const f = createRenderFixture(t, ['db']);
  const pipeline = f.createPipeline([f.file('gone/app.conf', text), f.file('app.conf', text)]);
  pipeline.start();
  await pipeline.idle();
  f.publish('db', { password: 'one' });
  await pipeline.idle();
  t.match(pipeline.status(), [
    {
      state: 'failing',
      failure: { code: 'file_failed', message: /files\[0\]\.destination: .*no such folder.*create_parents/ },
    },
    { state: 'current' },
  ]);
  const { mkdirSync } = await import('node:fs');
  mkdirSync(f.path('gone'));
  await waitFor('the retry', () => pipeline.status()[0]?.state === 'current');
  t.equal(readFileSync(join(f.folder, 'gone/app.conf'), 'utf8'), 'password=one\n');
});

t.test('a template that cannot be parsed fails alone, and is taken when it is mended', async (t) => {
  const f = createRenderFixture(t, ['db']);
  const template = f.path('app.ctmpl');
  writeFileSync(template, '{{ if }}');
  const pipeline = f.createPipeline([
    f.file('bad.conf', '', { source: { kind: 'file', path: template } }),
    f.file('good.conf', text),
  ]);
  pipeline.start();
  await pipeline.idle();
  f.publish('db', { password: 'one' });
  await pipeline.idle();
  t.match(pipeline.status(), [
    { state: 'failing', failure: { code: 'template_invalid', message: /app\.ctmpl/ } },
    { state: 'current' },
  ]);
  writeFileSync(template, text);
  t.strictSame(await pipeline.reloadTemplates(template), [f.path('bad.conf')]);
  await pipeline.idle();
  t.equal(readFileSync(f.path('bad.conf'), 'utf8'), 'password=one\n');
  writeFileSync(template, '{{ if }}');
  await pipeline.reloadTemplates(template);
  t.match(pipeline.status()[0]?.templateProblem, /app\.ctmpl/);
  f.publish('db', { password: 'two' });
  await pipeline.idle();
  t.equal(readFileSync(f.path('bad.conf'), 'utf8'), 'password=two\n', 'the one before goes on');
});

t.test('renders once: tells of each file what became of it', async (t) => {
  const f = createRenderFixture(t, ['db', 'none']);
  writeFileSync(f.path('same.conf'), 'password=one\n');
  const pipeline = f.createPipeline([
    f.file('new.conf', text),
    f.file('same.conf', text),
    f.file('failed.conf', text, { check: { command: ['false'], timeoutMs: 60_000 } }),
    f.file('missing.conf', '{{ field "none" "x" }}'),
  ]);
  pipeline.start();
  await pipeline.idle();
  f.publish('db', { password: 'one' });
  const rendered = pipeline.renderOnce(AbortSignal.timeout(60_000));
  f.refuse('none', 'not_found', 'no secret at secret/none');
  t.match(await rendered, [
    { outcome: 'written' },
    { outcome: 'same' },
    { outcome: 'failed', message: /check/, code: 'check_failed' },
    { outcome: 'missing', message: 'no secret at secret/none', code: 'not_found' },
  ]);
});

t.test('ends commands that run when it is closed, and leaves nothing staged', async (t) => {
  const f = createRenderFixture(t, ['db']);
  const pipeline = f.createPipeline([
    f.file('app.conf', text, { check: { command: ['sleep', '60'], timeoutMs: 60_000 } }),
  ]);
  pipeline.start();
  await pipeline.idle();
  f.publish('db', { password: 'one' });
  await waitFor('the check', () => pipeline.status()[0]?.state === 'check');
  await pipeline.close({ signal: AbortSignal.timeout(60_000) });
  t.strictSame(leftovers(f.folder), []);
});
