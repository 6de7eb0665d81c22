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
