import t from 'tap';
import { longestStopMs, stopDeadlines } from '../../src/agent/stop-policy.ts';

const processes = [
  { stop: { signal: 'SIGTERM' as const, timeoutMs: 30_000 } },
  { stop: { signal: 'SIGTERM' as const, timeoutMs: 5000 } },
];

t.test('Ctrl-C is over in two seconds whatever children may take', async (t) => {
  const { drainMs, childrenMs, commandsMs, upstreamMs } = stopDeadlines(true, { processes });
  t.ok(Math.max(drainMs, childrenMs, commandsMs) + upstreamMs < 2000);
});

t.test('otherwise no child is killed before its stop.timeout', async (t) => {
  t.ok(stopDeadlines(false, { processes }).childrenMs > 30_000);
  t.ok(stopDeadlines(false, { processes: [] }).childrenMs < 2000);
});

t.test('a service manager is asked for all the time that it may take', async (t) => {
  const deadlines = stopDeadlines(false, { processes });
  const { childrenMs, upstreamMs } = deadlines;
  t.ok(longestStopMs(deadlines) > childrenMs + upstreamMs);
});
