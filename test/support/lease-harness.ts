// A lease engine on a fake clock and a fake upstream, with the store between: what the tests of src/lease start from.
import { silentLogger } from '../../src/base/logger.ts';
import { createLeaseEngine, type LeaseEngineOptions } from '../../src/lease/lease-engine.ts';
import { createStateFile } from '../../src/lease/run/state-file.ts';
import { defaultEntryPolicy, type Entry, type EntryPolicy } from '../../src/store/entry.ts';
import { createReference } from '../../src/store/reference.ts';
import { secretFields } from '../../src/store/secret-version.ts';
import { createStore } from '../../src/store/store.ts';
import { createFakeClock, type FakeClock } from './fake-clock.ts';
import { createFakeUpstream } from './fake-upstream.ts';
import { createSeededRandom } from './seeded-random.ts';

interface HarnessOptions extends Partial<LeaseEngineOptions> {
  statePath?: string;
  canCheck?: boolean;
  /** Requests in flight at a time. */
  concurrency?: number;
  seed?: number;
  clock?: FakeClock;
  upstream?: ReturnType<typeof createFakeUpstream>;
}

/** Nothing is started; `close` lets the clock run while the engine closes. */
export function createLeaseHarness(options: HarnessOptions = {}) {
  const { canCheck = false, seed = 7, concurrency = 16, statePath, ...rest } = options;
  const clock = rest.clock ?? createFakeClock();
  const store = createStore({ clock });
  const upstream = rest.upstream ?? createFakeUpstream({ clock, canCheck, concurrency });
  const engine = createLeaseEngine({
    store,
    random: createSeededRandom(seed),
    logger: silentLogger,
    upstreams: new Map([['vault', upstream]]),
    ...(statePath === undefined
      ? {}
      : { stateFile: createStateFile({ path: statePath, logger: silentLogger, clock }) }),
    ...rest,
    clock,
  });
  upstream.onRecovered = () => engine.upstreamRecovered('vault');
  return {
    clock,
    store,
    upstream,
    engine,
    open: (path: string, policy: Partial<EntryPolicy> = {}) =>
      store.open(createReference({ upstream: 'vault', path }), {
        ...defaultEntryPolicy,
        onExit: 'revoke',
        ...policy,
      }),
    shown: (entry: Entry) => entry.current && secretFields(entry.current)['value'],
    isCurrentAlive: (entry: Entry) => upstream.isAlive(entry.current?.lease?.id ?? ''),
    /** Waits for `promise` while simulated time passes. */
    async during<T>(promise: Promise<T>, ms = 10_000): Promise<T> {
      await clock.advance(ms);
      return promise;
    },
    async close(signal: AbortSignal = new AbortController().signal) {
      const closing = engine.close({ signal });
      await clock.advance(10_000);
      await closing;
      upstream.close();
    },
  };
}
