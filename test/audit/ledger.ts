import t from 'tap';
import { createLedger, type Holder } from '../../src/audit/ledger.ts';
import { createFakeClock } from '../support/fake-clock.ts';

function holderOf(pid: number, startTime: string | undefined = String(pid)): Holder {
  return { kind: 'process', uid: 1000, pid, startTime, exe: '/usr/bin/php', unit: undefined };
}

function setUp(maxRecords?: number) {
  const clock = createFakeClock();
  const held = new Map<string, number>();
  const alive = new Set<string>();
  let overflows = 0;
  const ledger = createLedger({
    clock,
    holds: {
      hold: (consumer, key, number) => held.set(`${consumer} ${key}`, number),
      release(consumer) {
        for (const id of [...held.keys()]) if (id.startsWith(`${consumer} `)) held.delete(id);
      },
    },
    isAlive: (pid, startTime) => alive.has(`${pid}@${startTime}`),
    onOverflow: () => {
      overflows += 1;
    },
    ...(maxRecords === undefined ? {} : { maxRecords }),
  });
  const deliver = (holder: Holder, number: number, entryKey = 'k', shownVersion = number + 100): void =>
    ledger.delivered(holder, { name: 'stripe', entryKey, number, shownVersion });
  return { clock, held, alive, ledger, deliver, overflows: () => overflows };
}

t.test('a caller holds the version it got, until it gets a newer one', (t) => {
  const { held, ledger, deliver, clock } = setUp();
  const caller = holderOf(7);
  deliver(caller, 1);
  deliver(caller, 1);
  t.strictSame([...held], [['caller:uid 1000, pid 7@7 k', 1]]);
  t.match(ledger.whoHas('k'), [
    { number: 1, shownVersion: 101, deliveries: 2, since: clock.wall(), name: 'stripe' },
  ]);
  deliver(caller, 2);
  t.strictSame([...held], [['caller:uid 1000, pid 7@7 k', 2]]);
  t.equal(ledger.size, 1);
  t.strictSame(ledger.whoHas('k', 101), []);
  t.equal(ledger.whoHas('k', 102).length, 1);
  t.strictSame(ledger.whoHas('other'), []);
  t.end();
});

t.test('two connections of one process are one holder, a reused pid is another', (t) => {
  const { ledger, deliver } = setUp();
  deliver(holderOf(7, '1'), 1);
  deliver(holderOf(7, '1'), 1);
  deliver(holderOf(7, '2'), 1);
  t.equal(ledger.size, 2);
  t.end();
});

t.test('lets go when the process has ended', async (t) => {
  const { clock, held, alive, ledger, deliver } = setUp();
  alive.add('7@7').add('8@8');
  deliver(holderOf(7), 1);
  deliver(holderOf(8), 1);
  await clock.advance(10_000);
  t.equal(held.size, 2);
  alive.delete('7@7');
  await clock.advance(5000);
  t.strictSame([...held.keys()], ['caller:uid 1000, pid 8@8 k']);
  t.equal(ledger.size, 1);
  alive.clear();
  await clock.advance(5000);
  t.equal(held.size, 0);
  t.equal(clock.pending, 0, 'nothing to watch, nothing set');
});

t.test('where there is no process to watch, lets go after an hour without a request', async (t) => {
  const { clock, held, deliver } = setUp();
  const unwatched: Holder[] = [
    { kind: 'token', tokens: ['listeners[1]'] },
    { kind: 'unit', unit: 'billing.service' },
    holderOf(0, undefined),
  ];
  for (const holder of unwatched) deliver(holder, 1);
  t.equal(held.size, 3);
  await clock.advance(3_500_000);
  for (const holder of unwatched.slice(0, 1)) deliver(holder, 1);
  await clock.advance(200_000);
  t.strictSame([...held.keys()], ['caller:token listeners[1] k']);
});

t.test('memory is bounded: the oldest holder goes', (t) => {
  const { held, ledger, deliver, overflows } = setUp(100);
  for (let pid = 1; pid <= 1000; pid += 1) deliver(holderOf(pid), 1);
  t.equal(ledger.size, 100);
  t.equal(held.size, 100);
  t.equal(overflows(), 1, 'told once');
  t.ok(held.has('caller:uid 1000, pid 1000@1000 k'));
  const one = holderOf(5000);
  for (let index = 0; index < 500; index += 1) deliver(one, 1, `k${index}`);
  t.ok(ledger.size <= 500);
  t.end();
});

t.test('one user who begins process after process pushes out nobody else', (t) => {
  const { held, ledger, deliver } = setUp(100);
  const others: Holder[] = [
    { ...holderOf(1), uid: 0 } as Holder,
    { ...holderOf(2), uid: 1001 } as Holder,
    { kind: 'token', tokens: ['listeners[1]'] },
    { kind: 'unit', unit: 'nginx.service' },
  ];
  for (const holder of others) deliver(holder, 1);
  for (let pid = 10; pid <= 1000; pid += 1) deliver(holderOf(pid), 1);
  const kept = [...held.keys()].filter((id) => !id.includes('uid 1000'));
  t.equal(kept.length, others.length, kept.join());
  t.equal(ledger.size, 100);
  t.ok(held.has('caller:uid 1000, pid 1000@1000 k'), 'their own oldest go');
  for (const holder of others) deliver(holder, 2);
  t.equal(ledger.whoHas('k', 102).length, others.length);
  ledger.close();
  t.equal(held.size, 0);
  t.end();
});

t.test('looks at ten thousand processes a few at a time', async (t) => {
  const { clock, alive, held, deliver } = setUp(20_000);
  for (let pid = 1; pid <= 1000; pid += 1) {
    alive.add(`${pid}@${pid}`);
    deliver(holderOf(pid), 1);
  }
  alive.clear();
  await clock.advance(2000);
  t.equal(held.size, 800);
  await clock.advance(10_000);
  t.equal(held.size, 0);
});

t.test(
  'who made room, asks again and ends is forgotten whole, though their first turn is still to come',
  async (t) => {
    const { clock, alive, held, ledger, deliver } = setUp(300);
    for (let pid = 1; pid <= 300; pid += 1) deliver(holderOf(pid), 1);
    for (let pid = 1; pid <= 300; pid += 1) alive.add(`${pid}@${pid}`);
    await clock.advance(2000);
    // The last hundred are still to be looked at. All make room, and the last of them asks again.
    for (let pid = 1001; pid <= 1300; pid += 1) deliver(holderOf(pid), 1);
    for (const key of ['k', 'l', 'm']) deliver(holderOf(300), 1, key);
    alive.clear();
    await clock.advance(20_000);
    t.equal(ledger.size, 0);
    t.equal(held.size, 0);
    for (let pid = 1; pid <= 1000; pid += 1) deliver(holderOf(pid), 1);
    t.equal(ledger.size, 300);
  },
);

t.test('an unknown caller is not noted, and close lets everything go', (t) => {
  const { held, ledger, deliver, clock } = setUp();
  deliver({ kind: 'unknown' }, 1);
  t.equal(ledger.size, 0);
  deliver(holderOf(1), 1);
  ledger.close();
  t.equal(held.size, 0);
  t.equal(clock.pending, 0);
  t.end();
});

t.test('nobody loses what they hold because the clock was set', async (t) => {
  const { clock, held, deliver } = setUp();
  deliver({ kind: 'token', tokens: ['listeners[1]'] }, 1);
  clock.jumpWall(2 * 3_600_000);
  await clock.advance(10_000);
  t.equal(held.size, 1);
  await clock.advance(3_610_000);
  t.equal(held.size, 0);
});
