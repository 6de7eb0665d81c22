import t from 'tap';
import { UpstreamFailure } from '../../../src/upstream/gate/failure.ts';
import { createQuota } from '../../../src/upstream/gate/quota.ts';
import { createFakeClock, type FakeClock } from '../../support/fake-clock.ts';
import { recordLogs } from '../../support/record-logs.ts';

const { signal } = new AbortController();
const second = 1000;

/** A server that answers so many requests of each window and refuses the rest, as Vault's rate limit quotas do. */
function createServer(clock: FakeClock, options: { most: number; windowMs: number; isSilent?: boolean }) {
  const logs = recordLogs();
  const quota = createQuota({ clock, random: () => 0.5, logger: logs.logger });
  let [windowAt, left] = [clock.now(), options.most];
  let refused = 0;
  const served: string[] = [];

  async function ask(path: string, priority: 'interactive' | 'background' = 'interactive', mount = 'kv/') {
    const scope = { path: `${mount}${path}`, mount };
    return await quota.within({ scope, priority, signal }, limit(path));
  }

  function limit(path: string) {
    return async () => {
      if (clock.now() - windowAt >= options.windowMs) [windowAt, left] = [clock.now(), options.most];
      if (left === 0) {
        refused += 1;
        const retryAfterMs = options.windowMs - (clock.now() - windowAt);
        const told = options.isSilent === true ? {} : { retryAfterMs };
        throw new UpstreamFailure('rate_limited', 'too many', { ...told, status: 429 });
      }
      left -= 1;
      served.push(path);
    };
  }
  return { ask, limit, quota, served, logs, refused: () => refused };
}

/** Polls that wait in line are not asked for twice. */
function createPolls(ask: (path: string, priority: 'background') => Promise<void>) {
  const waiting = new Map<string, Promise<void>>();
  return {
    poll(name: string, onServed: () => void = () => undefined) {
      if (waiting.has(name)) return;
      const asked = ask(name, 'background').then(onServed, () => undefined);
      waiting.set(
        name,
        asked.finally(() => waiting.delete(name)),
      );
    },
    ended: () => Promise.all(waiting.values()),
  };
}

const isRefused = (promise: Promise<unknown>) =>
  promise.then(
    () => false,
    () => true,
  );

t.test('one path that is limited holds back that path alone', async (t) => {
  const clock = createFakeClock();
  const quota = createQuota({ clock, random: () => 0.5, logger: recordLogs().logger });
  const ask = (path: string, work: () => Promise<string>) =>
    quota.within({ scope: { path, mount: 'kv/' }, priority: 'interactive', signal }, work);
  await t.rejects(
    ask('kv/a', () => Promise.reject(new UpstreamFailure('rate_limited', 'x', { retryAfterMs: 5000 }))),
  );
  await t.rejects(
    ask('kv/a', async () => 'asked'),
    { code: 'upstream_rate_limited', retryAfterMs: 5000 },
  );
  t.equal(await ask('kv/b', async () => 'asked'), 'asked');
  await clock.advance(5000);
  t.equal(await ask('kv/a', async () => 'asked'), 'asked');
});

t.test('without a word of how long, the waits grow', async (t) => {
  const clock = createFakeClock();
  const quota = createQuota({ clock, random: () => 0.5, logger: recordLogs().logger });
  const waits: number[] = [];
  for (let round = 0; round < 10; round += 1) {
    const ask = () =>
      quota.within({ scope: { path: 'kv/a', mount: 'kv/' }, priority: 'interactive', signal }, () =>
        Promise.reject(new UpstreamFailure('rate_limited', 'x')),
      );
    await t.rejects(ask());
    const { retryAfterMs = 0 } = await ask().catch((error: UpstreamFailure) => error);
    waits.push(Number(retryAfterMs));
    await clock.advance(Number(retryAfterMs));
  }
  t.strictSame(
    [...waits].sort((a, b) => a - b),
    waits,
  );
  t.ok((waits[4] ?? 0) < second, 'what cannot wait tries again soon at first');
  t.ok((waits[9] ?? 0) > 10 * (waits[0] ?? 0));
});

t.test('one path without luck does not make its whole mount wait longer and longer', async (t) => {
  const clock = createFakeClock();
  const quota = createQuota({ clock, random: () => 0.5, logger: recordLogs().logger });
  const ask = (path: string, work: () => Promise<string>) =>
    quota.within({ scope: { path, mount: 'kv/' }, priority: 'interactive', signal }, work);
  const refused = async (path: string): Promise<number> => {
    const failure = new UpstreamFailure('rate_limited', 'too many', { status: 429 });
    const error = await ask(path, () => Promise.reject(failure)).catch((thrown: UpstreamFailure) => thrown);
    return error instanceof UpstreamFailure ? (error.retryAfterMs ?? 0) : 0;
  };
  await refused('kv/a');
  await refused('kv/b');
  await clock.advance(4 * second);
  t.equal(await ask('kv/b', async () => 'asked'), 'asked');
  for (let round = 0; round < 8; round += 1) {
    await clock.advance(4 * second);
    const waitMs = await refused('kv/a');
    t.ok(waitMs > 0 && waitMs <= second, `round ${round}: ${waitMs} ms`);
    await clock.advance(waitMs);
    t.equal(await ask('kv/b', async () => 'asked'), 'asked');
  }
});

t.test('under one quota every secret gets its first value before any is polled again', async (t) => {
  const clock = createFakeClock();
  const server = createServer(clock, { most: 3, windowMs: 10 * second });
  const names = Array.from({ length: 20 }, (_, index) => `s${index}`);
  const polls = createPolls(server.ask);
  const first = new Set<string>();
  const early: string[] = [];
  for (let tick = 0; tick < 200; tick += 1) {
    for (const name of names)
      if (first.has(name))
        polls.poll(name, () => void (first.size >= 4 && first.size < names.length && early.push(name)));
      else if (!(await isRefused(server.ask(name)))) first.add(name);
    await clock.advance(second);
    if (first.size === names.length) break;
  }
  const [tookMs, inVain] = [clock.now(), server.refused()];
  await clock.advance(60 * second);
  await polls.ended();
  t.equal(first.size, 20);
  t.ok(tookMs <= 80 * second, `in ${tookMs / second} s, at 3 every 10 s`);
  t.strictSame(early, [], 'nobody was polled while another had nothing');
  t.ok(inVain <= 12, `${inVain} requests in vain`);
});

t.test('polls that come just when the window opens do not keep the others away', async (t) => {
  const clock = createFakeClock();
  const { ask, served } = createServer(clock, { most: 4, windowMs: second });
  const names = Array.from({ length: 20 }, (_, index) => `s${index}`);
  const polls = createPolls(ask);
  for (let round = 0; round < 60; round += 1) {
    for (const name of names) polls.poll(name);
    await clock.advance(second);
  }
  t.ok(served.length > 180, `${served.length} of 240 places were used`);
  for (const name of names) {
    const times = served.filter((one) => one === name).length;
    t.ok(times >= 6, `${name} was polled ${times} times in 60 s, of 12`);
  }
  await clock.advance(60 * second);
  await polls.ended();
});

t.test('a poll that somebody begins to wait for leaves the line', async (t) => {
  const clock = createFakeClock();
  const { quota, ask } = createServer(clock, { most: 1, windowMs: 5 * second });
  t.notOk(await isRefused(ask('a')));
  for (const name of ['b', 'c']) t.ok(await isRefused(ask(name, 'background', 'kv/')));
  const [promotion, end] = [new AbortController(), new AbortController()];
  const poll = (path: string, options: { promoted?: AbortSignal; signal: AbortSignal }) =>
    quota.within({ scope: { path, mount: 'kv/' }, priority: 'background', ...options }, async () => path);
  const first = poll('kv/d', { signal });
  const ended = t.rejects(poll('kv/e', { signal: end.signal }), { code: 'aborted' });
  const promoted = t.rejects(poll('kv/f', { signal, promoted: promotion.signal }), {
    code: 'upstream_rate_limited',
  });
  end.abort();
  await ended;
  promotion.abort();
  await promoted;
  await clock.advance(6 * second);
  t.notOk(await isRefused(ask('f')), 'what is waited for goes first');
  await clock.advance(6 * second);
  t.equal(await first, 'kv/d', 'and the others keep their place');
});

t.test('what something in use ends without goes first, whatever else is asked for elsewhere', async (t) => {
  const clock = createFakeClock();
  const { ask, quota, served, limit } = createServer(clock, { most: 1, windowMs: 5 * second });
  t.notOk(await isRefused(ask('a')));
  t.ok(await isRefused(ask('b')));
  const renew = () =>
    quota.within(
      {
        scope: { path: 'sys/leases/renew', mount: 'sys/leases/' },
        priority: 'interactive',
        isVital: true,
        signal,
      },
      limit('renew'),
    );
  t.ok(await isRefused(renew()));
  await clock.advance(5 * second);
  t.ok(await isRefused(ask('b')), 'the window is the renewal’s');
  t.notOk(await isRefused(renew()));
  await clock.advance(5 * second);
  t.notOk(await isRefused(ask('b')));
  t.strictSame(served, ['a', 'renew', 'b']);
});

t.test('but more of it than the limit lets through keeps nobody away for good', async (t) => {
  const clock = createFakeClock();
  const { ask, quota, served } = createServer(clock, { most: 1, windowMs: 5 * second });
  t.notOk(await isRefused(ask('a')));
  t.ok(await isRefused(ask('b')));
  const renew = (name: string) =>
    quota.within(
      { scope: { path: `db/${name}`, mount: 'db/' }, priority: 'background', isVital: true, signal },
      () =>
        Promise.reject(
          new UpstreamFailure('rate_limited', 'too many', { retryAfterMs: second, status: 429 }),
        ),
    );
  for (let at = 0; at < 65; at += 1) {
    await renew(`lease-${at}`).catch(() => undefined);
    await ask('b').catch(() => undefined);
    await clock.advance(second);
  }
  t.strictSame(served, ['a', 'b']);
});

t.test('what something in use ends without does not stand in line with the polls of its mount', async (t) => {
  const clock = createFakeClock();
  const { ask, quota, served, limit } = createServer(clock, { most: 1, windowMs: 5 * second });
  const polls = createPolls(ask);
  t.notOk(await isRefused(ask('a')));
  for (const name of ['b', 'c']) t.ok(await isRefused(ask(name, 'background')));
  for (let index = 0; index < 20; index += 1) polls.poll(`s${index}`);
  const scope = { path: 'kv/creds', mount: 'kv/' };
  const replace = () =>
    quota.within({ scope, priority: 'background', isVital: true, signal }, limit('creds'));
  t.match(await replace().catch((error: unknown) => error), { retryAfterMs: 5 * second }, 'told at once');
  await clock.advance(5500);
  await replace();
  t.strictSame(served, ['a', 'creds'], 'the next window is its own');
  await clock.advance(120 * second);
  await polls.ended();
});

t.test(
  'what something in use waits for at one mount holds up no other but when its turn has come',
  async (t) => {
    const clock = createFakeClock();
    const { quota, ask, served } = createServer(clock, { most: 2, windowMs: 5 * second });
    for (const name of ['a', 'b']) t.notOk(await isRefused(ask(name)));
    t.ok(await isRefused(ask('c')));
    let isOpen = false;
    const scope = { path: 'database/creds', mount: 'database/' };
    const replace = () =>
      quota.within({ scope, priority: 'interactive', isVital: true, signal }, async () => {
        if (!isOpen)
          throw new UpstreamFailure('rate_limited', 'too many', { retryAfterMs: 60_000, status: 429 });
      });
    t.ok(await isRefused(replace()));
    const before = served.length;
    for (let waited = 5; waited <= 55; waited += 5) {
      await clock.advance(5 * second);
      t.notOk(await isRefused(ask('c')), `after ${waited} s`);
    }
    t.equal(served.length, before + 11);
    await clock.advance(5 * second);
    isOpen = true;
    t.ok(await isRefused(ask('c')), 'now it is its turn');
    await replace();
    t.notOk(await isRefused(ask('c')));
  },
);

t.test(
  'where the server tells no wait, what something in use ends without is not held by what polls guessed',
  async (t) => {
    const clock = createFakeClock();
    const server = createServer(clock, { most: 3, windowMs: 5 * second, isSilent: true });
    const polls = createPolls(server.ask);
    const names = Array.from({ length: 20 }, (_, index) => `s${index}`);
    const scope = { path: 'kv/creds', mount: 'kv/' };
    const renew = () =>
      server.quota.within({ scope, priority: 'interactive', isVital: true, signal }, server.limit('creds'));
    const tookMs: number[] = [];
    for (let round = 0; round < 12; round += 1) {
      for (let tick = 0; tick < 23; tick += 1) {
        for (const name of names) polls.poll(name);
        await clock.advance(second);
      }
      const askedAt = clock.now();
      for (;;) {
        const error = await renew().then(
          () => undefined,
          (thrown: UpstreamFailure) => thrown,
        );
        if (error === undefined) break;
        await clock.advance((error.retryAfterMs ?? 0) + 100);
      }
      tookMs.push(clock.now() - askedAt);
    }
    t.ok(Math.max(...tookMs) <= 5.5 * second, `renewed after ${tookMs.join(', ')} ms`);
    for (const name of names) {
      const times = server.served.filter((one) => one === name).length;
      t.ok(times >= 5, `${name} was polled ${times} times of about 8`);
    }
    await clock.advance(120 * second);
    await polls.ended();
  },
);

t.test('a poll in line that is refused for something else is not sent twice', async (t) => {
  const clock = createFakeClock();
  const { ask, quota } = createServer(clock, { most: 1, windowMs: 5 * second });
  t.notOk(await isRefused(ask('a')));
  const held = Promise.withResolvers<void>();
  const scope = (path: string) => ({ path: `kv/${path}`, mount: 'kv/' });
  const early = quota.within({ scope: scope('slow'), priority: 'interactive', signal }, async () => {
    await held.promise;
    throw new UpstreamFailure('rate_limited', 'too many', { retryAfterMs: 5000, status: 429 });
  });
  for (const name of ['b', 'c']) t.ok(await isRefused(ask(name, 'background')));
  let sent = 0;
  const poll = quota.within({ scope: scope('d'), priority: 'background', signal }, async () => {
    sent += 1;
    held.resolve();
    await early.catch(() => undefined);
    throw new UpstreamFailure('unavailable', 'broken', { status: 502 });
  });
  const refused = t.rejects(poll, { message: 'broken' });
  await clock.advance(30 * second);
  await refused;
  t.equal(sent, 1);
});

t.test('a limit is one log line when it begins and one when it is over', async (t) => {
  const clock = createFakeClock();
  const { ask, logs, quota } = createServer(clock, { most: 2, windowMs: 5 * second });
  const polls = createPolls(ask);
  const told = new Set<string>();
  for (let round = 0; round < 60; round += 1) {
    for (const name of ['a', 'b', 'c', 'd']) polls.poll(name);
    for (const { mount } of quota.status()) told.add(mount);
    await clock.advance(second);
  }
  t.equal(logs.lines.length, 1);
  t.strictSame([...told], ['kv/']);
  await clock.advance(120 * second);
  await ask('a');
  t.equal(logs.lines.length, 2);
  t.strictSame(quota.status(), []);
});

t.test('other mounts go on', async (t) => {
  const clock = createFakeClock();
  const { ask } = createServer(clock, { most: 1, windowMs: 60 * second });
  t.notOk(await isRefused(ask('a')));
  for (const name of ['b', 'c']) t.ok(await isRefused(ask(name)));
  const quota = ask('renew', 'background', 'sys/leases/');
  t.ok(await isRefused(quota), 'the server alone decides there');
  await clock.advance(60 * second);
  t.notOk(await isRefused(ask('renew', 'background', 'sys/leases/')));
});

t.test('callers wait while the agent is owed a turn at that mount, and no longer', async (t) => {
  const clock = createFakeClock();
  const { ask, quota } = createServer(clock, { most: 1, windowMs: 10 * second });
  const scope = (path: string) => ({ path: `kv/${path}`, mount: 'kv/' });
  t.notOk(await isRefused(ask('a')));
  quota.callerAnswered(scope('b'), { status: 429, headers: {} });
  t.equal(quota.heldForAgent(scope('b')), undefined, 'the agent wants nothing');
  t.ok(await isRefused(ask('a')));
  t.match(quota.heldForAgent(scope('b')), { state: 'rate_limited', answerHeaders: { 'retry-after': '10' } });
  t.equal(quota.heldForAgent({ path: 'other/b', mount: 'other/' }), undefined, 'another mount');
  await clock.advance(10 * second);
  t.match(quota.heldForAgent(scope('b')), { state: 'rate_limited' }, 'the first turn is of the agent');
  t.notOk(await isRefused(ask('a')));
  t.equal(quota.heldForAgent(scope('b')), undefined);
});

t.test('a limit of all paths makes callers of other mounts wait for the agent too', async (t) => {
  const clock = createFakeClock();
  const { ask, quota } = createServer(clock, { most: 1, windowMs: 10 * second });
  const scope = { path: 'secret/data/a', mount: 'secret/' };
  t.notOk(await isRefused(ask('a')));
  t.ok(await isRefused(ask('renew', 'interactive', 'sys/leases/')));
  t.equal(quota.heldForAgent(scope), undefined, 'nothing tells that it is limited');
  quota.callerAnswered(scope, { status: 429, headers: {} });
  t.match(quota.heldForAgent(scope), { state: 'rate_limited' });
  t.equal(quota.heldForAgent({ path: 'free/a', mount: 'free/' }), undefined);
  await clock.advance(10 * second);
  t.notOk(await isRefused(ask('renew', 'interactive', 'sys/leases/')));
  t.equal(quota.heldForAgent(scope), undefined);
});

t.test('callers do not wait for polls, nor at other paths of a mount of which one is limited', async (t) => {
  const clock = createFakeClock();
  const { ask, quota } = createServer(clock, { most: 1, windowMs: 10 * second });
  const scope = (path: string) => ({ path: `kv/${path}`, mount: 'kv/' });
  t.notOk(await isRefused(ask('a', 'background')));
  t.ok(await isRefused(ask('a', 'background')));
  t.equal(quota.heldForAgent(scope('a')), undefined);
  t.ok(await isRefused(ask('a')));
  await clock.advance(10 * second);
  t.equal(quota.heldForAgent(scope('b')), undefined);
  await clock.advance(10 * second);
  t.equal(quota.heldForAgent(scope('a')), undefined, 'the agent has not come');
});

t.test('a wait of no time, as servers tell that cut to seconds, is not at once and grows', async (t) => {
  const clock = createFakeClock();
  const quota = createQuota({ clock, random: () => 0.5, logger: recordLogs().logger });
  let asked = 0;
  const refuse = async () => {
    asked += 1;
    throw new UpstreamFailure('rate_limited', 'x', { retryAfterMs: 0 });
  };
  const scope = { path: 'kv/a', mount: 'kv/' };
  for (let tick = 0; tick < 600; tick += 1) {
    await t.rejects(quota.within({ scope, priority: 'interactive', signal }, refuse));
    await clock.advance(100);
  }
  t.ok(asked <= 12, `${asked} requests in a minute`);
});

t.test('polls get a turn now and then, however many ask in vain for a first value', async (t) => {
  const clock = createFakeClock();
  const server = createServer(clock, { most: 2, windowMs: 5 * second });
  const line = createPolls(server.ask);
  let polls = 0;
  for (let tick = 0; tick < 600; tick += 1) {
    line.poll('poll', () => {
      polls += 1;
    });
    for (const name of ['x', 'y', 'z']) await isRefused(server.ask(`${name}${tick}`));
    await clock.advance(second);
  }
  t.ok(polls >= 3 && polls <= 12, `${polls} polls in ten minutes`);
});
