import t from 'tap';
import { decideRotation, retryWaitMs } from '../../src/supervise/rotation-policy.ts';

const base = {
  isOther: true,
  onRotation: { kind: 'restart' },
  splayMs: 10_000,
  rotateAt: undefined,
  now: 1000,
  random: () => 0.5,
} as const;

t.test('restarts after a random part of the splay, and gathers what changes together', async (t) => {
  t.strictSame(decideRotation(base), { action: 'wait', waitMs: 5050, rotateAt: 6050 });
  t.strictSame(decideRotation({ ...base, splayMs: 0 }), { action: 'wait', waitMs: 50, rotateAt: 1050 });
});

t.test('keeps the time that was decided, whatever changes meanwhile', async (t) => {
  t.strictSame(decideRotation({ ...base, rotateAt: 6050, now: 6000 }), {
    action: 'wait',
    waitMs: 50,
    rotateAt: 6050,
  });
  t.strictSame(decideRotation({ ...base, rotateAt: 6050, now: 6050 }), {
    action: 'rotate',
    rotateAt: undefined,
  });
});

t.test('does nothing once the values are those of the child again', async (t) => {
  t.strictSame(decideRotation({ ...base, isOther: false, rotateAt: 6050 }), {
    action: 'wait',
    waitMs: undefined,
    rotateAt: undefined,
  });
});

t.test('signals at once', async (t) => {
  t.match(decideRotation({ ...base, onRotation: { kind: 'signal', signal: 'SIGHUP' } }), {
    action: 'rotate',
  });
  t.match(decideRotation({ ...base, onRotation: { kind: 'none' } }), { action: 'rotate' });
});

t.test('waits longer after each failed successor, as far as the bounds let it', async (t) => {
  const bounds = { minBackoffMs: 1000, maxBackoffMs: 60_000 };
  const waits = [1, 2, 3, 6, 7, 1000].map((failures) => retryWaitMs(failures, bounds));
  t.strictSame(waits, [1000, 2000, 4000, 32_000, 60_000, 60_000]);
});
