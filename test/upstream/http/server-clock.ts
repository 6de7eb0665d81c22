import t from 'tap';
import { createServerClock } from '../../../src/upstream/http/server-clock.ts';
import { createFakeClock } from '../../support/fake-clock.ts';
import { recordLogs } from '../../support/record-logs.ts';

const hour = 3_600_000;

t.test(
  'tells how far the clocks are apart, once in the log, and no difference that means nothing',
  async (t) => {
    const clock = createFakeClock();
    const logs = recordLogs();
    const server = createServerClock({ clock, logger: logs.logger });
    const hear = (aheadMs: number) =>
      server.note(new Date(clock.wall() + aheadMs).toUTCString(), clock.wall());
    hear(1500);
    t.equal(server.skewMs(), 0);
    t.equal(server.wall(), clock.wall());
    for (const ahead of [-hour, -hour + 400, hour, 10_000]) {
      hear(ahead);
      t.ok(Math.abs(server.skewMs() - ahead) <= 1000, `${ahead}`);
      t.equal(server.wall(), clock.wall() + server.skewMs());
    }
    t.strictSame(
      logs.lines.map(({ level }) => level),
      ['warn', 'info'],
    );
  },
);

t.test('an answer without a date, or too long under way, tells nothing', async (t) => {
  const clock = createFakeClock();
  const server = createServerClock({ clock, logger: recordLogs().logger });
  for (const date of [undefined, '', 'yesterday']) server.note(date, clock.wall());
  server.note(new Date(clock.wall() + hour).toUTCString(), clock.wall() - 60_000);
  t.equal(server.skewMs(), 0);
});

t.test('by the time of the server a host that slept and a clock that was set are told apart', async (t) => {
  const clock = createFakeClock();
  const server = createServerClock({ clock, logger: recordLogs().logger });
  let aheadMs = 0;
  const hear = () => server.note(new Date(clock.wall() + aheadMs).toUTCString(), clock.wall());
  t.equal(server.takeSlept(clock.now()), undefined);
  hear();
  await clock.advance(60_000);
  hear();
  t.equal(server.takeSlept(clock.now()), 0);
  clock.jumpWall(hour);
  aheadMs = -hour;
  t.equal(server.takeSlept(clock.now() + 1), undefined, 'nothing was heard since');
  hear();
  t.equal(server.takeSlept(clock.now()), 0, 'the clock was set');
  clock.jumpWall(2 * hour);
  hear();
  await clock.advance(1000);
  hear();
  const slept = server.takeSlept(clock.now()) ?? 0;
  t.ok(Math.abs(slept - 2 * hour) < 2000, `slept ${slept} ms`);
  t.equal(server.takeSlept(clock.now()), 0, 'told once');
});
