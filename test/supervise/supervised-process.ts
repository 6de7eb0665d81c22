import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import t from 'tap';
import type { LogFields, Logger } from '../../src/base/logger.ts';
import { startSupervisor, stateOf, waitForState } from '../support/start-supervisor.ts';
import { createTestEnvironment, isAlive, processConfig, readWhenThere } from '../support/test-environment.ts';
import { waitFor } from '../support/wait-for.ts';

t.test('starts when every value is there, with exactly the environment that is meant', async (t) => {
  const file = join(t.testdir({}), 'env');
  const source = createTestEnvironment();
  const { supervisor } = startSupervisor(
    t,
    [processConfig({ command: ['sh', '-c', `env -0 > ${file}.new && mv ${file}.new ${file}; sleep 600`] })],
    () => source,
  );
  await waitForState(supervisor, 'waiting');
  t.match(supervisor.status()[0], {
    message: 'waits for app (upstream is away)',
    isInPlace: false,
  });
  source.set({ DB_PASSWORD: 'a b\n"c" ü$HOME', EMPTY: '' });
  await waitForState(supervisor, 'running');
  const text = await waitFor('the environment', () => readWhenThere(file));
  const environment = Object.fromEntries(
    text
      .split('\0')
      .filter(Boolean)
      .map((pair) => [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)]),
  );
  // sh adds these itself.
  for (const name of ['PWD', 'SHLVL', 'OLDPWD', '_']) delete environment[name];
  // The test runner puts these into every child of a test.
  for (const name of Object.keys(environment)) {
    if (name.startsWith('_TAPJS_') || name === 'NODE_OPTIONS') delete environment[name];
  }
  t.strictSame(environment, {
    PATH: process.env['PATH'],
    HOME: '/nowhere',
    DB_PASSWORD: 'a b\n"c" ü$HOME',
    EMPTY: '',
  });
  t.strictSame(source.held, ['{"DB_PASSWORD":"a b\\n\\"c\\" ü$HOME","EMPTY":""}']);
  t.ok(supervisor.status()[0]?.isInPlace);
});

t.test('restarts when a value changes, and not when it changes back before', async (t) => {
  const file = join(t.testdir({}), 'out');
  const source = createTestEnvironment({ VALUE: 'one' });
  const { supervisor } = startSupervisor(
    t,
    [processConfig({ command: ['sh', '-c', `echo $VALUE >> ${file}; exec sleep 600`] })],
    () => source,
  );
  await waitFor('the first start', () => readWhenThere(file) === 'one\n');
  const pid = supervisor.status()[0]?.pid;
  source.set({ VALUE: 'two' });
  source.set({ VALUE: 'one' });
  source.set({ VALUE: 'two' });
  await waitFor('the restart', () => readWhenThere(file) === 'one\ntwo\n');
  t.match(supervisor.status()[0], { restarts: 1 });
  t.not(supervisor.status()[0]?.pid, pid);
  t.strictSame(source.held, ['{"VALUE":"one"}', '{"VALUE":"two"}']);
  const second = supervisor.status()[0]?.pid;
  source.set({ VALUE: 'three' });
  source.set({ VALUE: 'two' });
  source.set(undefined);
  await new Promise((resolve) => setImmediate(resolve));
  t.equal(supervisor.status()[0]?.pid, second, 'a missing value does not stop what runs');
});

t.test('signals instead, or leaves the child alone, as the config says', async (t) => {
  const folder = t.testdir({});
  const script = (name: string) =>
    `trap 'echo hup >> ${folder}/${name}' HUP; echo up >> ${folder}/${name}; while :; do sleep 0.02; done`;
  const sources = new Map([
    ['signal', createTestEnvironment({ A: '1' })],
    ['none', createTestEnvironment({ A: '1' })],
  ]);
  const { supervisor } = startSupervisor(
    t,
    [
      processConfig({
        name: 'signal',
        command: ['sh', '-c', script('signal')],
        onRotation: { kind: 'signal', signal: 'SIGHUP' },
      }),
      processConfig({ name: 'none', command: ['sh', '-c', script('none')], onRotation: { kind: 'none' } }),
    ],
    (config) => sources.get(config.name) ?? createTestEnvironment({}),
  );
  for (const name of ['signal', 'none'])
    await waitFor(`${name} to be up`, () => readWhenThere(join(folder, name)));
  for (const source of sources.values()) source.set({ A: '2' });
  await waitFor('the signal', () => readWhenThere(join(folder, 'signal')) === 'up\nhup\n');
  t.strictSame(sources.get('signal')?.held, ['{"A":"1"}', '{"A":"2"}']);
  t.strictSame(sources.get('none')?.held, ['{"A":"1"}'], 'it still has the old one');
  t.equal(readWhenThere(join(folder, 'none')), 'up\n');
  await supervisor.signal('none', 'SIGHUP');
  await waitFor('a signal by name', () => readWhenThere(join(folder, 'none')) === 'up\nhup\n');
  await t.rejects(supervisor.signal('nobody', 'SIGHUP'), {
    code: 'process_failed',
    message: 'there is no process nobody',
  });
});

t.test('starts a child again that dies at once 100 times', async (t) => {
  const file = join(t.testdir({}), 'count');
  const restart = { onExit: 'on-failure', minBackoffMs: 1, maxBackoffMs: 2, maxAttempts: 0 } as const;
  const script = `echo x >> ${file}; [ $(wc -l < ${file}) -gt 100 ] && exec sleep 600; exit 3`;
  const { supervisor } = startSupervisor(t, [processConfig({ command: ['sh', '-c', script], restart })]);
  await waitFor('the start that lasts', () => (readWhenThere(file)?.length ?? 0) / 2 === 101);
  await waitForState(supervisor, 'running');
  t.match(supervisor.status()[0], { restarts: 100, lastExit: { code: 3 } });
});

t.test(
  'a child that ends again and again is not in place in between, and the log tells it once',
  async (t) => {
    const file = join(t.testdir({}), 'count');
    const seen: string[] = [];
    const restart = { onExit: 'always', minBackoffMs: 1, maxBackoffMs: 20_000, maxAttempts: 0 } as const;
    const script = `echo x >> ${file}; [ $(wc -l < ${file}) -gt 6 ] && exec sleep 600; exit 3`;
    const told = { info: [] as string[], debug: [] as string[] };
    const collect = (to: string[]) => (_fields: LogFields, message: string) => void to.push(message);
    const [info, debug] = [collect(told.info), collect(told.debug)];
    const logger: Logger = { debug, info, warn: info, error: info, child: () => logger };
    const { supervisor } = startSupervisor(
      t,
      [processConfig({ command: ['sh', '-c', script], restart })],
      () => createTestEnvironment({}),
      { logger, observer: { changed: ({ state, isInPlace }) => void seen.push(`${state} ${isInPlace}`) } },
    );
    await waitForState(supervisor, 'running');
    t.strictSame(
      [...new Set(seen)],
      ['starting false', 'backoff false', 'running true'],
      'in place once, at the end',
    );
    t.equal(seen.filter((one) => one === 'running true').length, 1);
    t.strictSame(told.info, [
      'process started',
      'process ended',
      'process started',
      'process ended again; told no more until it stays up',
      'process stays up again',
    ]);
    t.equal(told.debug.filter((line) => line === 'process started').length, 5);
  },
);

t.test('gives up after so many exits in a row, and tries again when a value changes', async (t) => {
  const source = createTestEnvironment({ CODE: '7' });
  const restart = { onExit: 'always', minBackoffMs: 1, maxBackoffMs: 60_000, maxAttempts: 5 } as const;
  const { supervisor, log } = startSupervisor(
    t,
    [processConfig({ command: ['sh', '-c', '[ $CODE = 0 ] && exec sleep 600; exit $CODE'], restart })],
    () => source,
  );
  await waitForState(supervisor, 'failed');
  t.match(supervisor.status()[0], {
    restarts: 4,
    message: 'ended with exit code 7; given up after 5 in a row',
    isInPlace: false,
  });
  t.equal(log().filter((line) => line.startsWith('process started')).length, 5);
  await t.rejects(supervisor.signal('child', 'SIGHUP'), { message: 'process child does not run (failed)' });
  source.set({ CODE: '0' });
  await waitForState(supervisor, 'running');
});

t.test('leaves a program that has done its work', async (t) => {
  const { supervisor } = startSupervisor(t, [processConfig({ command: ['true'] })]);
  await waitForState(supervisor, 'exited');
  t.match(supervisor.status()[0], { isInPlace: true, lastExit: { code: 0 }, restarts: 0 });
});

t.test('says what hinders a start, and goes on trying', async (t) => {
  const { supervisor } = startSupervisor(t, [
    processConfig({ name: 'a', command: ['no-such-program'] }),
    processConfig({ name: 'b', command: ['true'], user: 'no-such-user' }),
    processConfig({ name: 'c', command: ['true'], workingDir: '/no/such/folder' }),
  ]);
  await waitFor('all to fail', () => supervisor.status().every((status) => status.state === 'failed'));
  const messages = supervisor.status().map((status) => status.message ?? '');
  t.match(
    messages[0],
    /there is no program no-such-program in .*; write its whole path; given up after 10 in a row/,
  );
  t.match(messages[1], /there is no user no-such-user; create it/);
  t.match(messages[2], /working folder \S+ does not exist/);
});

t.test('kills a child that ignores TERM, with its grandchildren', async (t) => {
  const file = join(t.testdir({}), 'pids');
  const { supervisor } = startSupervisor(t, [
    processConfig({
      command: ['sh', '-c', `trap "" TERM; sleep 600 & echo $$ $! > ${file}; while :; do sleep 0.02; done`],
      stop: { signal: 'SIGTERM', timeoutMs: 200 },
    }),
  ]);
  const pids = (await waitFor('the pids', () => readWhenThere(file))).trim().split(' ').map(Number);
  t.ok(pids.every(isAlive));
  await supervisor.close({ signal: new AbortController().signal });
  await waitFor('both to be gone', () => pids.every((pid) => !isAlive(pid)));
  t.match(supervisor.status()[0], { state: 'stopped', lastExit: { signal: 'SIGKILL' } });
});

t.test('asks with the stop signal of the config, and kills what the program leaves behind', async (t) => {
  const folder = t.testdir({});
  const { supervisor } = startSupervisor(t, [
    processConfig({
      command: [
        'sh',
        '-c',
        `trap 'echo bye > ${folder}/bye; exit 0' USR2; sleep 600 & echo $! > ${folder}/pid; while :; do sleep 0.02; done`,
      ],
      stop: { signal: 'SIGUSR2', timeoutMs: 60_000 },
    }),
  ]);
  const pid = Number(await waitFor('the grandchild', () => readWhenThere(join(folder, 'pid'))));
  await supervisor.close({ signal: new AbortController().signal });
  t.equal(readWhenThere(join(folder, 'bye')), 'bye\n');
  await waitFor('the grandchild to be gone', () => !isAlive(pid));
});

t.test('kills at once when there is no time to stop', async (t) => {
  const { supervisor } = startSupervisor(t, [
    processConfig({
      command: ['sh', '-c', 'trap "" TERM; while :; do sleep 0.02; done'],
      stop: { signal: 'SIGTERM', timeoutMs: 600_000 },
    }),
  ]);
  await waitForState(supervisor, 'running');
  const controller = new AbortController();
  const closing = supervisor.close({ signal: controller.signal });
  controller.abort();
  await closing;
  t.equal(stateOf(supervisor), 'stopped');
});

t.test('logs output line by line, with what the templates made masked and plain text left', async (t) => {
  const source = createTestEnvironment({ PASSWORD: 'hunter2', LEVEL: 'debug' });
  const { supervisor, log } = startSupervisor(
    t,
    [
      processConfig({
        command: ['sh', '-c', 'echo "password $PASSWORD level $LEVEL"; printf "no newline $PASSWORD" >&2'],
        env: { PASSWORD: '{{ field "a" "b" }}', LEVEL: 'debug' },
      }),
    ],
    () => source,
  );
  await waitForState(supervisor, 'exited');
  await waitFor(
    'both lines',
    () =>
      log().some((line) => line.startsWith('no newline')) &&
      log().some((line) => line.startsWith('password')),
  );
  t.ok(
    log().includes(
      'password [redacted] level debug {"process":"child","event":"process.said","stream":"stdout"}',
    ),
  );
  t.ok(log().includes('no newline [redacted] {"process":"child","event":"process.said","stream":"stderr"}'));
  t.notMatch(log().join('\n'), 'hunter2');
});

t.test('finds a program healthy before it counts', async (t) => {
  let status = 503;
  const server = createServer((_request, response) => response.writeHead(status).end());
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => server.close());
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/health`;
  const { supervisor } = startSupervisor(t, [
    processConfig({ command: ['sleep', '600'], health: { kind: 'http', url, timeoutMs: 200 } }),
  ]);
  await waitFor('the answer', () => supervisor.status()[0]?.message === `${url} answered 503`);
  t.match(supervisor.status()[0], { state: 'unhealthy', isInPlace: false });
  status = 200;
  await waitForState(supervisor, 'running');
});

t.test(
  'starts the successor beside the old one and stops that only when the new one is healthy',
  async (t) => {
    const folder = t.testdir({ wanted: 'one' });
    const rotate = (version: string) => {
      writeFileSync(join(folder, 'wanted'), version);
      source.set({ VERSION: version });
    };
    const source = createTestEnvironment({ VERSION: 'one' });
    const { supervisor, log } = startSupervisor(
      t,
      [
        processConfig({
          command: [
            'sh',
            '-c',
            `[ $VERSION = bad ] && exec sleep 600; touch ${folder}/$VERSION; exec sleep 600`,
          ],
          overlapStart: true,
          // The probe wants the file of the version that is wanted.
          health: {
            kind: 'command',
            command: ['sh', '-c', `test -e ${folder}/$(cat ${folder}/wanted)`],
            timeoutMs: 300,
          },
          restart: { onExit: 'always', minBackoffMs: 100, maxBackoffMs: 100, maxAttempts: 0 },
        }),
      ],
      () => source,
    );
    await waitForState(supervisor, 'running');
    const first = supervisor.status()[0]?.pid ?? 0;
    rotate('bad');
    await waitFor('the failed rotation', () =>
      supervisor.status()[0]?.message?.startsWith('runs with old values: the new one is not healthy'),
    );
    t.equal(supervisor.status()[0]?.pid, first);
    t.ok(isAlive(first));
    t.strictSame(source.held, ['{"VERSION":"one"}']);
    rotate('two');
    await waitFor(
      'the successor',
      () => supervisor.status()[0]?.pid !== first && stateOf(supervisor) === 'running',
    );
    await waitFor('the old one to be stopped', () => !isAlive(first));
    t.strictSame(source.held, ['{"VERSION":"one"}', '{"VERSION":"two"}']);
    await waitFor('the stop, after the start', () => {
      const stopped = log().findLastIndex((line) => line.startsWith('process stopped'));
      return stopped > log().findLastIndex((line) => line.startsWith('process started'));
    });
  },
);

t.test('tells that an environment is too large, without showing it', async (t) => {
  const source = createTestEnvironment({ BIG: 'hunter2'.repeat(50_000) });
  const restart = { onExit: 'never', minBackoffMs: 1, maxBackoffMs: 1, maxAttempts: 1 } as const;
  const { supervisor, log } = startSupervisor(
    t,
    [processConfig({ command: ['true'], restart })],
    () => source,
  );
  await waitForState(supervisor, 'failed');
  t.match(supervisor.status()[0], {
    message:
      /cannot start \S*true \(E2BIG\); the variable BIG has 350004 bytes, the kernel takes 131071 at most/,
    isInPlace: false,
  });
  t.notMatch(log().join('\n'), 'hunter2');
});
