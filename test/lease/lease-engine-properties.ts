import fc from 'fast-check';
import t from 'tap';
import { UpstreamError } from '../../src/base/upstream-error.ts';
import { defaultScheduleLimits, mintFloorMs } from '../../src/lease/track/schedule-policy.ts';
import { type FakeRequest, unavailable } from '../support/fake-upstream.ts';
import { createLeaseHarness } from '../support/lease-harness.ts';

const second = 1000;
const minute = 60 * second;
const creds = 'database/creds/app';

const failures: Record<string, (request: FakeRequest) => Error | undefined> = {
  none: () => undefined,
  away: () => unavailable(),
  sealed: () => new UpstreamError('upstream_sealed', 'sealed', { status: 503 }),
  limited: () => new UpstreamError('upstream_rate_limited', 'slow', { status: 429, retryAfterMs: 3000 }),
  'renew fails': ({ operation }) => (operation === 'renew' ? unavailable(500) : undefined),
  'renew denied': ({ operation }) =>
    operation === 'renew' ? new UpstreamError('denied', 'no', { status: 403 }) : undefined,
};

const step = fc.oneof(
  fc.record({ kind: fc.constant('wait' as const), seconds: fc.integer({ min: 1, max: 900 }) }),
  fc.record({ kind: fc.constant('fault' as const), name: fc.constantFrom(...Object.keys(failures)) }),
  fc.record({ kind: fc.constant('lose' as const), isOn: fc.boolean() }),
  fc.constant({ kind: 'revoke' as const }),
  fc.constant({ kind: 'refresh' as const }),
  fc.constant({ kind: 'replace' as const }),
  fc.constant({ kind: 'hold' as const }),
  fc.constant({ kind: 'release' as const }),
  fc.constant({ kind: 'reopen' as const }),
  fc.record({ kind: fc.constant('set clock' as const), seconds: fc.integer({ min: -7200, max: 7200 }) }),
);

const role = fc.record({
  ttlSeconds: fc.integer({ min: 20, max: 3600 }),
  lives: fc.integer({ min: 1, max: 5 }),
  isRenewable: fc.boolean(),
});

t.test('whatever happens: floors hold, one request at a time, nothing leaks, and it recovers', async () => {
  const property = fc.asyncProperty(
    role,
    fc.array(step, { maxLength: 40 }),
    fc.integer(),
    async ({ ttlSeconds, lives, isRenewable }, steps, seed) => {
      const world = createLeaseHarness({ seed });
      const { clock, store, upstream, engine } = world;
      upstream.latencyMs = 50;
      upstream.setLeased(creds, { ttlSeconds, maxTtlSeconds: ttlSeconds * lives, isRenewable });
      let handle = world.open(creds, { overlapMs: 10 * second });
      // The answers that the engine never got, so that nobody can revoke their leases.
      const lost = new Set<string>();
      engine.start();
      // What a path costs is known from its first answer on.
      await clock.advance(second);
      for (const one of steps) {
        if (one.kind === 'wait') await clock.advance(one.seconds * second);
        else if (one.kind === 'fault') upstream.fault = failures[one.name];
        else if (one.kind === 'lose') {
          upstream.lose = ({ operation }) => {
            if (!one.isOn || operation !== 'read') return undefined;
            lost.add([...upstream.issued.keys()].at(-1) ?? '');
            return unavailable();
          };
        } else if (one.kind === 'revoke') upstream.revokeElsewhere(handle.entry.current?.lease?.id ?? '');
        else if (one.kind === 'refresh') void engine.refresh();
        else if (one.kind === 'replace') void engine.refresh([handle.key], { replace: true });
        else if (one.kind === 'hold') store.hold('file', handle.key, handle.entry.current?.number ?? 0);
        else if (one.kind === 'release') store.release('file');
        else if (one.kind === 'set clock') clock.jumpWall(one.seconds * second);
        else {
          handle.close();
          handle = world.open(creds, { overlapMs: 10 * second });
        }
        await clock.advance(100);
      }
      upstream.fault = undefined;
      upstream.lose = undefined;
      // A lease that was revoked elsewhere is found at its next renewal, at the latest after its life.
      await clock.advance(ttlSeconds * second + 3 * minute);
      const isAlive = world.isCurrentAlive(handle.entry);
      const times = upstream.mints(creds).map(({ mintedAt }) => mintedAt);
      const gaps = times.slice(1).map((at, index) => at - (times[index] ?? 0));
      const floorMs = mintFloorMs(ttlSeconds * second, defaultScheduleLimits);
      await world.close();
      const leaked = [...upstream.issued.keys()].filter((id) => upstream.isAlive(id) && !lost.has(id));
      return (
        isAlive &&
        gaps.every((gap) => gap >= floorMs - 1) &&
        leaked.length === 0 &&
        upstream.doubled === 0 &&
        clock.pending === 0
      );
    },
  );
  await fc.assert(property, { numRuns: 150, interruptAfterTimeLimit: 20_000 });
});
