import t from 'tap';
import { decideRestart, describeExit } from '../../src/supervise/restart-policy.ts';

const settings = { onExit: 'on-failure', minBackoffMs: 1000, maxBackoffMs: 30_000, maxAttempts: 5 } as const;
const failed = { code: 1, signal: null };
const fine = { code: 0, signal: null };
const killed = { code: null, signal: 'SIGKILL' } as const;
const base = { exit: failed, ranMs: 0, attempts: 0, settings, random: () => 1 };

t.test('starts again after a failure, with a wait that doubles up to the longest', async (t) => {
  const waits = [0, 1, 2, 3].map((attempts) => decideRestart({ ...base, attempts }));
  t.strictSame(
    waits.map((decision) => decision.action === 'restart' && decision.delayMs),
    [1000, 2000, 4000, 8000],
  );
  const often = { ...settings, maxAttempts: 0 };
  t.match(decideRestart({ ...base, attempts: 99, settings: often }), { action: 'restart', delayMs: 30_000 });
});

t.test('gives up after so many exits in a row', async (t) => {
  t.match(decideRestart({ ...base, attempts: 3 }), { action: 'restart', attempts: 4 });
  t.match(decideRestart({ ...base, attempts: 4 }), { action: 'give_up', attempts: 5 });
});

t.test('begins a new row after a long run', async (t) => {
  t.match(decideRestart({ ...base, attempts: 4, ranMs: 30_000 }), {
    action: 'restart',
    delayMs: 1000,
    attempts: 1,
  });
});

t.test('looks at how it ended where it is told to', async (t) => {
  t.match(decideRestart({ ...base, exit: fine }), { action: 'leave' });
  t.match(decideRestart({ ...base, exit: killed }), { action: 'restart' });
  t.match(decideRestart({ ...base, exit: fine, settings: { ...settings, onExit: 'always' } }), {
    action: 'restart',
  });
  t.match(decideRestart({ ...base, settings: { ...settings, onExit: 'never' } }), { action: 'leave' });
});

t.test('waits at least half, so that none retries at once', async (t) => {
  t.match(decideRestart({ ...base, random: () => 0 }), { delayMs: 500 });
});

t.test('names an exit', async (t) => {
  t.equal(describeExit(failed), 'exit code 1');
  t.equal(describeExit(killed), 'SIGKILL');
});
