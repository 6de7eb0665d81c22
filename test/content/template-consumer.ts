import t from 'tap';
import { LatchkeyError } from '../../src/base/errors.ts';
import { createSystemClock } from '../../src/base/time/clock.ts';
import { createConsumerIndex } from '../../src/content/consumer-index.ts';
import { createDependencyResolver, resolveSecret } from '../../src/content/resolve-dependency.ts';
import { createTemplateCompiler } from '../../src/content/template-compiler.ts';
import { createTemplateConsumer } from '../../src/content/template-consumer.ts';
import { createStore } from '../../src/store/store.ts';
import { answer, secretConfig, templateConfig } from '../support/render-fixture.ts';

const clock = createSystemClock();
const compiler = createTemplateCompiler({ templates: templateConfig, env: {}, clock });

async function createFixture(text: string) {
  const store = createStore({ clock });
  const index = createConsumerIndex({ store });
  const secrets = ['a', 'b'].map(secretConfig);
  const changes: string[] = [];
  const [opened, closed]: [string[], string[]] = [[], []];
  store.listen({ opened: ({ key }) => opened.push(key), closed: ({ key }) => closed.push(key) });
  const consumer = createTemplateConsumer({
    id: 'test',
    template: await compiler.compileText({ name: 'test', text }),
    store,
    index,
    resolve: createDependencyResolver({ secrets, defaultUpstream: 'vault' }),
    upstream: undefined,
    onChange: () => changes.push('changed'),
  });
  const key = (name: string): string => resolveSecret(secretConfig(name)).key;
  const publish = (name: string, fields: Record<string, string>): void => {
    store.publish(key(name), answer(fields), undefined);
  };
  return { store, consumer, changes, opened, closed, key, publish };
}

t.test(
  'opens what it asks for, and lets go of what it asks for no more once the new output is in use',
  async (t) => {
    const f = await createFixture('{{ if eq (field "a" "on") "yes" }}{{ field "b" "x" }}{{ end }}');
    t.strictSame(
      f.consumer.execute().missing.map(({ key }) => key),
      [f.key('a')],
    );
    f.publish('a', { on: 'yes' });
    f.consumer.execute();
    t.strictSame(f.opened, [f.key('a'), f.key('b')]);
    f.publish('b', { x: '1' });
    const first = f.consumer.execute();
    t.equal(first.output.toString(), '1');
    f.consumer.hold(first, 'settled');
    f.publish('a', { on: 'no' });
    const second = f.consumer.execute();
    f.consumer.hold(second, 'staged');
    f.consumer.hold(second, 'committed');
    t.strictSame(f.closed, [], 'the old output may still be in use');
    f.consumer.hold(second, 'settled');
    t.strictSame(f.closed, [f.key('b')]);
  },
);

t.test('asks no longer for a path that never had a value once another is in its place', async (t) => {
  const f = await createFixture('{{ field "a" "x" }}');
  f.consumer.execute();
  f.consumer.rebind(await compiler.compileText({ name: 'test', text: '{{ field "b" "x" }}' }), undefined);
  f.publish('b', { x: '1' });
  f.consumer.hold(f.consumer.execute(), 'committed');
  t.strictSame(f.closed, [f.key('a')], 'though the program is not told yet');
});

t.test(
  'a secret that was removed is not there, as to an agent that starts now, and its value may be used on',
  async (t) => {
    const f = await createFixture(
      '{{ if secretExists "a" }}on{{ else }}off{{ end }} {{ secretOrDefault "a" "x" "none" }} {{ field "b" "x" }}',
    );
    const shown = () => f.consumer.execute().output.toString();
    shown();
    f.publish('a', { x: '1' });
    f.publish('b', { x: '2' });
    t.equal(shown(), 'on 1 2');
    const before = f.changes.length;
    for (const name of ['a', 'b']) f.store.fail(f.key(name), new LatchkeyError('not_found', 'none'), 'stale');
    t.ok(f.changes.length > before, 'told at once');
    t.equal(shown(), 'off none 2');
    f.store.fail(f.key('a'), new LatchkeyError('upstream_unavailable', 'away'), 'stale');
    t.equal(shown(), 'off none 2', 'an outage does not bring it back');
    f.publish('a', { x: '1' });
    t.equal(shown(), 'on 1 2');
  },
);

t.test('is told of what its last execution could see, and of nothing else', async (t) => {
  const f = await createFixture('{{ secretOrDefault "secret/a" "x" "none" }}');
  f.consumer.execute();
  f.store.fail(f.key('a'), new LatchkeyError('upstream_unavailable', 'away'), 'pending');
  t.equal(f.changes.length, 0, 'still not there');
  t.match(f.consumer.missing(), [{ reason: 'failed', message: 'away' }]);
  f.store.fail(f.key('a'), new LatchkeyError('not_found', 'none'), 'pending');
  t.equal(f.changes.length, 1, 'known to be absent');
  const execution = f.consumer.execute();
  t.strictSame([execution.output.toString(), execution.missing], ['none', []]);
  f.publish('a', { x: '1' });
  t.equal(f.changes.length, 2);
  f.consumer.execute();
  f.publish('a', { x: '1' });
  f.store.extend(f.key('a'), 5);
  t.equal(f.changes.length, 2, 'a renewal is no change');
});

t.test('a name that the config does not know is missing for good, and says so', async (t) => {
  const f = await createFixture('{{ field "nope" "x" }}');
  t.match(f.consumer.execute().missing, [
    { key: 'nope', reason: 'unknown', message: /no secret named "nope"/ },
  ]);
});

t.test('a rehearsal opens nothing and sees other values', async (t) => {
  const f = await createFixture('{{ field "a" "x" }}');
  t.match(f.consumer.rehearse(() => undefined).missing, [{ reason: 'unknown' }]);
  t.strictSame(f.opened, []);
  f.consumer.execute();
  f.publish('a', { x: '1' });
  const { output } = f.consumer.rehearse((_key, secret) => ({
    ...secret,
    data: { x: '2' },
    fields: { x: '2' },
  }));
  t.equal(output.toString(), '2');
});

t.test('gives everything up when it is closed', async (t) => {
  const f = await createFixture('{{ field "a" "x" }}');
  f.consumer.execute();
  f.publish('a', { x: '1' });
  f.consumer.hold(f.consumer.execute(), 'settled');
  t.strictSame([...f.store.holders(f.key('a')).keys()], ['test']);
  f.consumer.close();
  t.strictSame(f.closed, [f.key('a')]);
});

t.test('is not told of each of thousands of secrets that come while most are missing', async (t) => {
  const names = Array.from({ length: 2000 }, (_, index) => `s${index}`);
  const store = createStore({ clock });
  const index = createConsumerIndex({ store });
  const secrets = names.map(secretConfig);
  const text = names.map((name) => `{{ field "${name}" "v" }}`).join('');
  let executions = 0;
  let isDue = false;
  const consumer = createTemplateConsumer({
    id: 'test',
    template: await compiler.compileText({ name: 'test', text }),
    store,
    index,
    resolve: createDependencyResolver({ secrets, defaultUpstream: 'vault' }),
    upstream: undefined,
    onChange: () => {
      isDue = true;
    },
  });
  const execute = () => {
    executions += 1;
    isDue = false;
    return consumer.execute();
  };
  let last = execute();
  for (const name of names) {
    store.publish(resolveSecret(secretConfig(name)).key, answer({ v: '.' }), undefined);
    if (isDue) last = execute();
  }
  t.equal(last.output.toString(), '.'.repeat(names.length), 'the last one that comes is told');
  t.strictSame(last.missing, []);
  t.ok(executions < 60, `${executions} executions`);
});

t.test(
  'of thousands that are missing, a question looks at no more than it takes, and asks what each means once',
  async (t) => {
    const count = 3000;
    const text = Array.from({ length: count }, (_, index) => `{{ secret "kv/${index}" }}`).join('');
    const store = createStore({ clock });
    const resolver = createDependencyResolver({ secrets: [], defaultUpstream: 'vault' });
    let resolved = 0;
    const consumer = createTemplateConsumer({
      id: 'test',
      template: await compiler.compileText({ name: 'test', text }),
      store,
      index: createConsumerIndex({ store }),
      resolve: (dependency, upstream) => {
        resolved++;
        return resolver(dependency, upstream);
      },
      upstream: undefined,
      onChange: () => undefined,
    });
    t.equal(consumer.execute().missing.length, count);
    const before = resolved;
    let looked = 0;
    for (let times = 0; times < 10; times++) {
      t.equal(consumer.missing().length, count);
      t.ok(consumer.isMissing(() => ++looked > 0));
    }
    t.equal(looked, 10);
    t.equal(resolved, before);
    t.notOk(consumer.isMissing(({ reason }) => reason === 'denied'));
  },
);
