// Simulated days of one agent on a fake clock with faults at random: outages, seals, rate limits, refused renewals, lost
// and broken answers, revocations by others, shortened TTLs, sleeping hosts, set clocks, crashes. Reports every breach of
// what must hold. Run alone: `node test/soak/lease-soak.ts [days] [seed]`.
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { silentLogger } from '../../src/base/logger.ts';
import { UpstreamError } from '../../src/base/upstream-error.ts';
import { createLeaseEngine, type LeaseEngine } from '../../src/lease/lease-engine.ts';
import { createStateFile } from '../../src/lease/run/state-file.ts';
import { defaultScheduleLimits, mintFloorMs } from '../../src/lease/track/schedule-policy.ts';
import { defaultEntryPolicy, type Entry } from '../../src/store/entry.ts';
import { createReference } from '../../src/store/reference.ts';
import type { ReadableSource } from '../../src/store/secret-reading.ts';
import { secretFields } from '../../src/store/secret-version.ts';
import { createStore, type Store } from '../../src/store/store.ts';
import { createFakeClock, type FakeClock } from '../support/fake-clock.ts';
import {
  createFakeUpstream,
  type FakeRequest,
  type FakeUpstream,
  unavailable,
} from '../support/fake-upstream.ts';
import { createSeededRandom } from '../support/seeded-random.ts';

const second = 1000;
const minute = 60 * second;
const hour = 60 * minute;
const stepMs = second;

/** What upstream is allowed to cost after a fault is over: a probe, a retry and the spread after it. */
const recoveryMs = 2 * minute;
/** A slow answer and the watch on the clock. */
const noticeMs = 15 * second;
/** The overlap, and the grace for users of the last run. */
const lingerMs = 8 * minute;

const roles = {
  'database/creds/short': { ttlSeconds: 60, maxTtlSeconds: 600 },
  'database/creds/long': { ttlSeconds: 3600, maxTtlSeconds: 4 * 3600 },
  'aws/creds/fixed': { ttlSeconds: 900, maxTtlSeconds: 900, isRenewable: false },
} as const;
/** What somebody shortens the TTL of the long role to. */
const shortenedSeconds = 300;
const leasedPaths = Object.keys(roles);
const staticPaths = ['secret/a', 'secret/b', 'secret/data/a', 'secret/c'];

export interface SoakReport {
  readonly breaches: string[];
  readonly requests: number;
  readonly mints: number;
  readonly faults: Record<string, number>;
  readonly restarts: number;
}

interface Fault {
  readonly name: string;
  readonly minMs: number;
  readonly maxMs: number;
  start(world: World): () => void;
}

interface World {
  readonly clock: FakeClock;
  readonly random: () => number;
  readonly upstream: FakeUpstream;
  /** True time: goes on while the host sleeps. */
  trueNow(): number;
  sleepHost(ms: number): void;
  wokeAt(): number;
  /** Leases that no agent ever heard of. */
  readonly unknown: Set<string>;
}

const failWith = (world: World, fault: (request: FakeRequest) => Error | undefined) => {
  world.upstream.fault = fault;
  return () => {
    world.upstream.fault = undefined;
  };
};

const faults: readonly Fault[] = [
  {
    name: 'away',
    minMs: 5 * second,
    maxMs: 15 * minute,
    start: (world) => failWith(world, () => unavailable()),
  },
  {
    name: 'sealed',
    minMs: 10 * second,
    maxMs: 20 * minute,
    start: (world) => failWith(world, () => new UpstreamError('upstream_sealed', 'sealed', { status: 503 })),
  },
  {
    name: 'rate limited',
    minMs: 10 * second,
    maxMs: 5 * minute,
    start: (world) =>
      failWith(world, () =>
        world.random() < 0.7
          ? new UpstreamError('upstream_rate_limited', 'slow down', { status: 429, retryAfterMs: 2000 })
          : undefined,
      ),
  },
  {
    name: 'flapping',
    minMs: minute,
    maxMs: 20 * minute,
    start: (world) => failWith(world, () => (world.random() < 0.4 ? unavailable() : undefined)),
  },
  {
    name: 'database broken',
    minMs: minute,
    maxMs: 30 * minute,
    start: (world) =>
      failWith(world, ({ operation, target }) =>
        operation === 'read' && target.startsWith('database') ? unavailable(500) : undefined,
      ),
  },
  {
    name: 'renewals denied',
    minMs: minute,
    maxMs: hour,
    start: (world) =>
      failWith(world, ({ operation }) =>
        operation === 'renew' ? new UpstreamError('denied', 'no', { status: 403 }) : undefined,
      ),
  },
  {
    name: 'renewals broken',
    minMs: minute,
    maxMs: hour,
    start: (world) =>
      failWith(world, ({ operation }) => (operation === 'renew' ? unavailable(500) : undefined)),
  },
  {
    name: 'answers lost',
    minMs: minute,
    maxMs: 15 * minute,
    start: (world) => loseAnswers(world, () => unavailable()),
  },
  {
    name: 'answers broken',
    minMs: minute,
    maxMs: 15 * minute,
    start: (world) => loseAnswers(world, () => new UpstreamError('upstream_answer_invalid', 'not JSON')),
  },
  {
    name: 'slow',
    minMs: minute,
    maxMs: 10 * minute,
    start: (world) => {
      world.upstream.latencyMs = 3000;
      return () => {
        world.upstream.latencyMs = 20;
      };
    },
  },
  {
    name: 'revoked elsewhere',
    minMs: 0,
    maxMs: 0,
    start: (world) => {
      const alive = [...world.upstream.issued.keys()].filter((id) => world.upstream.isAlive(id));
      const unlucky = alive[Math.floor(world.random() * alive.length)];
      if (unlucky !== undefined) world.upstream.revokeElsewhere(unlucky);
      return () => {};
    },
  },
  {
    name: 'ttl shortened',
    minMs: 10 * minute,
    maxMs: 2 * hour,
    start: (world) => {
      world.upstream.setLeased('database/creds/long', {
        ttlSeconds: shortenedSeconds,
        maxTtlSeconds: 3600,
      });
      return () => world.upstream.setLeased('database/creds/long', roles['database/creds/long']);
    },
  },
  {
    name: 'host slept',
    minMs: 0,
    maxMs: 0,
    start: (world) => {
      world.sleepHost(10 * second + world.random() * 2 * hour);
      return () => {};
    },
  },
  {
    name: 'clock set',
    minMs: 0,
    maxMs: 0,
    start: (world) => {
      world.clock.jumpWall((world.random() - 0.5) * 2 * hour);
      return () => {};
    },
  },
];

function loseAnswers(world: World, error: () => Error): () => void {
  world.upstream.lose = ({ operation, target }) => {
    if (!['read', 'renew'].includes(operation) || world.random() < 0.3) return undefined;
    if (operation === 'renew') return error();
    const made = [...world.upstream.issued.values()].at(-1);
    if (made?.path === target && made.mintedAt === world.trueNow()) world.unknown.add(made.id);
    return error();
  };
  return () => {
    world.upstream.lose = undefined;
  };
}

function createWorld(seed: number): World {
  const clock = createFakeClock();
  const random = createSeededRandom(seed);
  let slept = 0;
  let wokeAt = 0;
  const trueNow = () => clock.now() + slept;
  const upstream = createFakeUpstream({ clock, now: trueNow, canCheck: true });
  upstream.latencyMs = 20;
  for (const path of leasedPaths) upstream.setLeased(path, roles[path as keyof typeof roles]);
  for (const name of ['a', 'b', 'c']) upstream.setStatic(`secret/${name}`, `${name} 0`);
  return {
    clock,
    random,
    upstream,
    trueNow,
    sleepHost(ms) {
      slept += ms;
      clock.jumpWall(ms);
      wokeAt = trueNow();
    },
    wokeAt: () => wokeAt,
    unknown: new Set(),
  };
}

/** One life of the agent, with consumers that move to new versions after a while. */
interface Run {
  readonly engine: LeaseEngine;
  readonly store: Store;
  readonly entries: readonly Entry[];
  readonly startedAt: number;
  /** Resolves when what it wanted in its file is there: real writes take longer than simulated minutes. */
  written(): Promise<void>;
  /** As by SIGKILL: nothing of it happens any more. */
  kill(): void;
}

/** As of a host that stays on while its agent is killed again and again. */
const sealKey = Buffer.alloc(32, 7);

function startRun(world: World, statePath: string): Run {
  const { clock, random } = world;
  let isDead = false;
  const own = {
    ...clock,
    setTimer: (ms: number, callback: () => void) => clock.setTimer(ms, () => isDead || callback()),
  };
  const store = createStore({ clock: own });
  const guarded = guardUpstream(world.upstream, () => isDead);
  const stateFile = createStateFile({ path: statePath, logger: silentLogger, clock });
  const engine = createLeaseEngine({
    store,
    upstreams: new Map([['vault', guarded]]),
    clock: own,
    random,
    logger: silentLogger,
    stateFile,
    handOver: { key: sealKey, originOf: () => 'vault' },
  });
  world.upstream.onRecovered = () => void (isDead || engine.upstreamRecovered('vault'));
  const entries = [...leasedPaths, ...staticPaths].map(
    (path) => store.open(createReference({ upstream: 'vault', path }), defaultEntryPolicy).entry,
  );
  store.listen({
    changed(entry, version) {
      // A check that fails for a while keeps the consumer on the old version.
      const delayMs = random() < 0.1 ? random() * 10 * minute : random() * 10 * second;
      own.setTimer(delayMs, () => store.hold('consumer', entry.key, version.number));
    },
  });
  engine.start();
  return {
    engine,
    store,
    entries,
    startedAt: world.trueNow(),
    written: stateFile.flush,
    kill: () => {
      isDead = true;
    },
  };
}

/** A killed process hears no answer. */
function guardUpstream(upstream: FakeUpstream, isDead: () => boolean): ReadableSource {
  const never = new Promise<never>(() => {});
  const guard = <T>(answer: Promise<T>): Promise<T> =>
    answer.then(
      (value) => (isDead() ? never : value),
      (error: unknown) => (isDead() ? never : Promise.reject(error)),
    );
  return {
    name: upstream.name,
    read: (...args) => guard(upstream.read(...args)),
    isCurrent: (...args) => guard(Promise.resolve(upstream.isCurrent?.(...args))),
    leases: {
      renew: (...args) => guard(upstream.leases.renew(...args)),
      revoke: (...args) => guard(upstream.leases.revoke(...args)),
    },
    canonicalKey: upstream.canonicalKey,
    isAway: () => upstream.isAway?.() === true,
  };
}

/** Runs `days` simulated days; the same seed gives the same days. */
export async function runLeaseSoak(options: { seed: number; days: number }): Promise<SoakReport> {
  const folder = mkdtempSync(join(tmpdir(), 'latchkey-soak-'));
  const statePath = join(folder, 'leases.json');
  const world = createWorld(options.seed);
  const breaches: string[] = [];
  const counts: Record<string, number> = {};
  const watch = createWatch(world, breaches);
  const plan = createFaultPlan(world, counts);
  let run = startRun(world, statePath);
  let restarts = 0;
  try {
    const end = world.clock.now() + options.days * 24 * hour;
    let nextCrash = world.clock.now() + 3 * hour;
    let edits = 0;
    while (world.clock.now() < end) {
      await plan.step(run);
      await world.clock.advance(stepMs);
      watch.step(run, plan.calmSince());
      if (world.random() < stepMs / (20 * minute)) {
        edits += 1;
        world.upstream.setStatic(`secret/${'abc'[edits % 3]}`, `edit ${edits}`);
      }
      disturb(world, run);
      if (world.clock.now() < nextCrash) continue;
      nextCrash = world.clock.now() + world.random() * 8 * hour;
      run.kill();
      await run.written();
      // What was asked for at that moment is answered to nobody.
      await world.clock.advance(5 * second);
      noteOrphans(world, statePath);
      restarts += 1;
      run = startRun(world, statePath);
    }
    plan.stop();
    await world.clock.advance(10 * minute);
    const closing = run.engine.close({ signal: new AbortController().signal, onExit: 'revoke' });
    await world.clock.advance(30 * second);
    await closing;
    for (const lease of world.upstream.issued.values()) {
      if (world.upstream.isAlive(lease.id) && !world.unknown.has(lease.id))
        breaches.push(`leaked ${lease.id}`);
    }
    checkMints(world, watch.runs, breaches);
    if (world.upstream.doubled > 0)
      breaches.push(`${world.upstream.doubled} requests for one secret at a time`);
    if (world.upstream.peakInFlight > 16) breaches.push(`${world.upstream.peakInFlight} requests in flight`);
    return {
      breaches,
      requests: world.upstream.requests.length,
      mints: world.upstream.issued.size,
      faults: counts,
      restarts,
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** People and events ask at any time. */
function disturb(world: World, { engine, entries }: Run): void {
  if (world.random() > stepMs / (5 * minute)) return;
  const entry = entries[Math.floor(world.random() * entries.length)];
  const wish = Math.floor(world.random() * 5);
  if (wish === 0) void engine.refresh();
  else if (wish === 1 && entry !== undefined) void engine.refresh([entry.key], { replace: true });
  else if (wish === 2) engine.changedUpstream('vault', 'secret/data/a');
  else if (wish === 3) engine.upstreamRecovered('vault');
  else {
    void engine.refresh();
    void engine.refresh();
  }
}

/** Faults come about once an hour and a half, one at a time. */
function createFaultPlan(world: World, counts: Record<string, number>) {
  let active: { endsAt: number; stop: () => void } | undefined;
  let calmSince = 0;
  let nextAt = 20 * minute;
  const stop = (): void => {
    active?.stop();
    if (active !== undefined) calmSince = world.trueNow();
    active = undefined;
  };
  return {
    /** Undefined while a fault is on. */
    calmSince: () => (active === undefined ? calmSince : undefined),
    stop,
    async step(run: Run) {
      const now = world.clock.now();
      if (active !== undefined && now >= active.endsAt) stop();
      if (active !== undefined || now < nextAt) return;
      nextAt = now + world.random() * 3 * hour;
      const fault = faults[Math.floor(world.random() * faults.length)];
      if (fault === undefined) return;
      counts[fault.name] = (counts[fault.name] ?? 0) + 1;
      // A clock that is set must find the same file each time.
      await run.written();
      const stopFault = fault.start(world);
      active = { endsAt: now + fault.minMs + world.random() * (fault.maxMs - fault.minMs), stop: stopFault };
      calmSince = world.trueNow();
      nextAt = Math.max(nextAt, active.endsAt + minute);
    },
  };
}

/** Looks every second at what programs would be handed. */
function createWatch(world: World, breaches: string[]) {
  const runs: number[] = [];
  const told = new Set<string>();
  const wrongSince = new Map<string, number>();
  const unusedSince = new Map<string, number>();
  const awakeMs = (): number => world.trueNow() - world.wokeAt();

  function note(what: string): void {
    if (!told.has(what)) breaches.push(`${what} at ${Math.round(world.trueNow() / second)} s`);
    told.add(what);
  }

  function lookAtLease(entry: Entry, calmMs: number): void {
    const id = entry.current?.lease?.id;
    if (id === undefined) {
      if (calmMs > recoveryMs) note(`nothing to hand out for ${entry.key}`);
      return;
    }
    if (world.upstream.isAlive(id)) return;
    const lease = world.upstream.issued.get(id);
    const endedMs = world.trueNow() - (lease?.endsAt ?? 0);
    if (lease?.revokedAt === undefined && endedMs > noticeMs && awakeMs() > noticeMs)
      note(`ended lease ${id} is handed out`);
    // One that somebody else revoked is found at its next renewal.
    const foundBy = (lease?.revokedAt ?? 0) + ((lease?.endsAt ?? 0) - (lease?.mintedAt ?? 0));
    if (lease?.revokedAt !== undefined && world.trueNow() < foundBy + recoveryMs) return;
    if (calmMs > recoveryMs) note(`dead lease ${id} is handed out`);
  }

  /** Every living lease has an owner, and those that nobody uses go soon. */
  function lookForLeaks(run: Run, calmMs: number): void {
    const owned = new Set([...run.engine.leases()].map(({ leaseId }) => leaseId));
    const used = new Set(run.entries.flatMap((entry) => usedLeases(run.store, entry)));
    for (const lease of world.upstream.issued.values()) {
      if (!world.upstream.isAlive(lease.id) || world.unknown.has(lease.id)) continue;
      const isEnding = lease.endsAt - world.trueNow() < noticeMs;
      if (calmMs > noticeMs && !isEnding && !owned.has(lease.id)) note(`nobody owns lease ${lease.id}`);
      if (used.has(lease.id)) unusedSince.delete(lease.id);
      else if (!unusedSince.has(lease.id)) unusedSince.set(lease.id, world.trueNow());
      const unusedMs = world.trueNow() - (unusedSince.get(lease.id) ?? world.trueNow());
      if (Math.min(calmMs, unusedMs) > lingerMs) note(`lease ${lease.id} lingers`);
    }
  }

  function lookAtValue(entry: Entry, calmMs: number): void {
    const path = entry.reference.path.replace('/data/', '/');
    const wanted = world.upstream.staticValue(path);
    const has = entry.current && secretFields(entry.current)['value'];
    if (has === wanted) {
      wrongSince.delete(entry.key);
      return;
    }
    const since = wrongSince.get(entry.key) ?? world.trueNow();
    wrongSince.set(entry.key, since);
    const lateMs = defaultEntryPolicy.refreshMs * 1.2 + 5 * second;
    if (Math.min(calmMs - recoveryMs, world.trueNow() - since) > lateMs) note(`old value of ${entry.key}`);
  }

  return {
    runs,
    step(run: Run, calmSince: number | undefined) {
      if (runs.at(-1) !== run.startedAt) runs.push(run.startedAt);
      const calmMs = Math.min(
        calmSince === undefined ? 0 : world.trueNow() - calmSince,
        world.trueNow() - run.startedAt,
      );
      for (const entry of run.entries) {
        if (leasedPaths.includes(entry.reference.path)) lookAtLease(entry, calmMs);
        else lookAtValue(entry, calmMs);
      }
      if (world.random() < 0.1) lookForLeaks(run, calmMs);
    },
  };
}

function usedLeases(store: Store, entry: Entry): string[] {
  const versions = [entry.current, ...store.holders(entry.key).values()];
  return versions.flatMap((version) => version?.lease?.id ?? []);
}

/** No path mints twice within its floor, but for the first answers of a new process, which knows nothing of the path. */
function checkMints(world: World, runs: readonly number[], breaches: string[]): void {
  for (const path of leasedPaths) {
    const ttlSeconds = path.endsWith('long')
      ? shortenedSeconds
      : roles[path as keyof typeof roles].ttlSeconds;
    const floorMs = mintFloorMs(1000 * ttlSeconds, defaultScheduleLimits);
    const mints = world.upstream.mints(path);
    for (const [index, lease] of mints.entries()) {
      const before = mints[index - 1];
      if (before === undefined || lease.mintedAt - before.mintedAt >= floorMs) continue;
      const isFirst = runs.some(
        (startedAt) => before.mintedAt <= startedAt + 5 * minute && lease.mintedAt >= startedAt,
      );
      if (!isFirst)
        breaches.push(`${path} minted ${lease.mintedAt - before.mintedAt} ms after the one before`);
    }
  }
}

/** Mints whose answer was under way when the process died. */
function noteOrphans(world: World, statePath: string): void {
  const known = knownLeases(statePath);
  for (const id of world.upstream.issued.keys()) {
    if (world.upstream.isAlive(id) && !known.has(id)) world.unknown.add(id);
  }
}

function knownLeases(statePath: string): Set<string> {
  if (!existsSync(statePath)) return new Set();
  const file = JSON.parse(readFileSync(statePath, 'utf8')) as { leases: { leaseId: string }[] };
  return new Set(file.leases.map(({ leaseId }) => leaseId));
}

if (import.meta.main) {
  const [days = '7', seed = '1'] = process.argv.slice(2);
  const startedAt = performance.now();
  const report = await runLeaseSoak({ days: Number(days), seed: Number(seed) });
  console.log(
    JSON.stringify({ ...report, seconds: Math.round((performance.now() - startedAt) / 1000) }, undefined, 1),
  );
  process.exitCode = report.breaches.length > 0 ? 1 : 0;
}
