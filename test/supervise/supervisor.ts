import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { LatchkeyError } from '../../src/base/errors.ts';
import { apply } from '../support/apply.ts';
import { recordLogs } from '../support/record-logs.ts';
import { startSupervisor, stateOf, waitForState } from '../support/start-supervisor.ts';
import { createTestEnvironment, isAlive, processConfig } from '../support/test-environment.ts';
import { testFolder } from '../support/test-folder.ts';
import { waitFor } from '../support/wait-for.ts';

t.test('says what is wrong with a template, and starts the others', async (t) => {
  const { supervisor } = startSupervisor(
    t,
    [
      processConfig({ name: 'bad', command: ['true'] }),
      processConfig({ name: 'good', command: ['sleep', '600'] }),
    ],
    (config) => {
      if (config.name === 'bad') throw new LatchkeyError('template_invalid', 'env.A:1:3: unexpected "}"');
      return createTestEnvironment({});
    },
  );
  await waitFor('good to run', () => stateOf(supervisor, 1) === 'running');
  t.match(supervisor.status()[0], { state: 'failed', message: 'env.A:1:3: unexpected "}"' });
});

t.test('on a new config children that are the same go on, the others follow', async (t) => {
  const one = processConfig({ name: 'one', command: ['sleep', '601'] });
  const two = processConfig({ name: 'two', command: ['sleep', '602'] });
  const three = processConfig({ name: 'three', command: ['sleep', '603'] });
  const { supervisor, sources } = startSupervisor(t, [one, two, three]);
  await waitFor('all to run', () => supervisor.status().every((status) => status.state === 'running'));
  const before = new Map(supervisor.status().map((status) => [status.name, status.pid ?? 0]));
  await apply(
    supervisor.prepare([
      { ...one, stop: { signal: 'SIGINT', timeoutMs: 1 } },
      { ...two, command: ['sleep', '702'] },
      processConfig({ name: 'four', command: ['sleep', '604'] }),
    ]),
  );
  const pidOf = (name: string) => supervisor.status().find((status) => status.name === name)?.pid;
  await waitFor('two to be another', () => pidOf('two') !== undefined && pidOf('two') !== before.get('two'));
  await waitFor('four to run', () => pidOf('four'));
  await waitFor('three to be gone', () => !isAlive(before.get('three') ?? 0));
  t.equal(pidOf('one'), before.get('one'));
  t.strictSame(
    supervisor
      .status()
      .map((status) => status.name)
      .sort(),
    ['four', 'one', 'two'],
  );
  t.equal(sources.length, 4, 'only what is new asks for its environment');
  await waitFor('one to be closed', () => sources.filter((source) => source.isClosed).length === 1);
});

t.test('one that goes and comes again begins when the first has ended', async (t) => {
  const file = join(t.testdir({}), 'order');
  const config = processConfig({
    command: [
      'sh',
      '-c',
      `trap 'sleep 0.3; echo end >> ${file}; exit 0' TERM; echo begin >> ${file}; while :; do sleep 0.02; done`,
    ],
  });
  const { supervisor } = startSupervisor(t, [config]);
  await waitFor('the first', () => existsSync(file));
  await apply(supervisor.prepare([]));
  await apply(supervisor.prepare([config]));
  await waitFor('the second', () => readFileSync(file, 'utf8').split('\n').length > 3);
  t.equal(readFileSync(file, 'utf8'), 'begin\nend\nbegin\n');
});

t.test('a config that cannot be built changes nothing', async (t) => {
  const one = processConfig({ name: 'one', command: ['sleep', '601'] });
  const { supervisor, sources } = startSupervisor(t, [one], (config) => {
    if (config.name === 'bad') throw new LatchkeyError('template_invalid', 'env.A:1:3: unexpected "}"');
    return createTestEnvironment({});
  });
  await waitForState(supervisor, 'running');
  const pid = supervisor.status()[0]?.pid;
  const two = processConfig({ name: 'two', command: ['sleep', '602'] });
  await t.rejects(apply(supervisor.prepare([two, processConfig({ name: 'bad', command: ['true'] })])), {
    code: 'template_invalid',
  });
  t.strictSame(
    supervisor.status().map((status) => [status.name, status.pid]),
    [['one', pid]],
  );
  t.strictSame(
    sources.map((source) => source.isClosed),
    [false],
    'nothing was asked for what could not be taken over',
  );
});

t.test('with force the variables are made again, and only other values restart a child', async (t) => {
  const config = processConfig({ command: ['sleep', '600'], env: { A: '{{ x }}' } });
  let value = 'one';
  const { supervisor, sources } = startSupervisor(t, [config], () => createTestEnvironment({ A: value }));
  await waitForState(supervisor, 'running');
  const pid = supervisor.status()[0]?.pid;
  await apply(supervisor.prepare([{ ...config }], { force: true }));
  t.equal(supervisor.status()[0]?.pid, pid);
  t.strictSame(
    sources.map((source) => [source.isClosed, source.held.length]),
    [
      [true, 1],
      [false, 1],
    ],
  );
  value = 'two';
  await apply(supervisor.prepare([{ ...config }], { force: true }));
  await waitFor(
    'the restart',
    () => supervisor.status()[0]?.pid !== pid && stateOf(supervisor) === 'running',
  );
});

t.test('a program that is not there is told once, and again when something else is wrong', async (t) => {
  const folder = testFolder(t);
  const program = join(folder, 'server');
  const { logger, lines } = recordLogs();
  const environment = createTestEnvironment({});
  const restart = { onExit: 'on-failure', minBackoffMs: 1, maxBackoffMs: 5, maxAttempts: 1_000_000 } as const;
  const { supervisor } = startSupervisor(
    t,
    [{ ...processConfig({ name: 'server', command: [program] }), restart }],
    () => environment,
    { logger },
  );
  const tries = () => lines.filter(({ message }) => message === 'process cannot be started');
  const told = () =>
    tries().flatMap(({ level, fields }) => (level === 'error' ? [String(fields['error'])] : []));
  await waitFor('five tries', () => tries().length >= 5);
  t.match(told(), [/does not exist/]);
  writeFileSync(program, '', { mode: 0o644 });
  await waitFor('another cause', () => told().length > 1);
  t.match(told(), [/does not exist/, /not executable/]);
  t.match(supervisor.status(), [{ state: 'backoff', message: /not executable/ }]);
});
