// Where the server has answered 429, and how far that reaches: the path that was asked for, and its mount once a second path
// of it is limited too. What is held back fails at once until the server's time is over; then one request at a time of the
// mount tries, those first that have no value yet. Polls wait in line, or those that come just when the
// server's window opens would take all of it each time.

import type { IncomingHttpHeaders } from 'node:http';
import { BoundedMap } from '../../base/bounded-map.ts';
import type { Logger } from '../../base/logger.ts';
import { orAborted } from '../../base/time/aborted.ts';
import type { Clock } from '../../base/time/clock.ts';
import type { Priority, Urgency } from '../../store/secret-reading.ts';
import { givenUp, UpstreamFailure } from './failure.ts';
import { guessedWaitMs, saidWaitMs, soon, vitalWaitMs } from './limit-wait-policy.ts';
import { createReserve } from './reserve.ts';

export interface Scope {
  /** With the namespace: `team/secret/data/app`. */
  readonly path: string;
  /** With the namespace and a slash at the end: `team/secret/`. */
  readonly mount: string;
}

export interface QuotaRequest extends Pick<Urgency, 'priority' | 'promoted' | 'isVital'> {
  readonly scope: Scope;
  readonly signal: AbortSignal;
}

export interface Quota {
  /** Throws at once what the server last said while it holds; else does the work, and heeds what comes of it. */
  within<T>(request: QuotaRequest, work: () => Promise<T>): Promise<T>;
  /** What a local caller is told while the agent itself waits for its turn there: no caller takes it. */
  heldForAgent(scope: Scope): UpstreamFailure | undefined;
  /** A caller's request is under way; the returned function ends it. */
  enterCaller(scope: Scope): () => void;
  /** A caller was answered. Where one is refused by a limit, and the agent elsewhere, the limit is common to both. */
  callerAnswered(scope: Scope, answer: Answered): void;
  /** The agent itself was answered, whatever for. */
  agentAnswered(headers: IncomingHttpHeaders): void;
  /** The mounts that are limited now, with the wall time until which nothing of them is asked for. */
  status(): readonly { readonly mount: string; readonly until: number }[];
}

interface Answered {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
}

export interface QuotaOptions {
  readonly clock: Clock;
  readonly random: () => number;
  readonly logger: Logger;
}

interface Hold {
  until: number;
  /** The server told it, or something vital was refused: no guess that something vital need not mind. */
  isForAll: boolean;
  failures: number;
  failure: UpstreamFailure;
}

interface Mount {
  readonly paths: Map<string, Hold>;
  /** Of all its paths. */
  hold: Hold | undefined;
  limitedAt: number;
  waitMs: number;
  /** How often in a row it was refused, whatever path. Here and below what was asked for at the same time counts once. */
  refusals: number;
  /** Paths without a value that were refused, and when. */
  readonly wanting: Map<string, number>;
  /** Ends with the last of the polls that wait in line. */
  line: Promise<void>;
  /** When one that has a value was last let through. */
  polledAt: number;
  /** Until when callers wait for the agent: it was refused something that it cannot do without. */
  owedUntil: number;
  /** When something that can be done without was last let through. */
  othersAt: number;
  /** Until when all that is limited waits for it: something in use ends without what it was refused. */
  vitalUntil: number;
  /** How often in a row that was refused. */
  vitalRefusals: number;
  /** The trial that is under way; the others wait for its outcome. */
  trial: Promise<void> | undefined;
}

/** Without another 429 for so long the limit is over. */
const quietMs = 60_000;
const mostPaths = 10_000;
/** Where the server wants to be left alone for longer, polls do not wait for it in line. */
const patienceMs = 10_000;
/** How long after the server's time is over the agent asks at the latest. */
const turnMs = 5000;
/** What the server says is cut to whole seconds. */
const earlyMs = 1000;

export function createQuota({ clock, random, logger }: QuotaOptions): Quota {
  const mounts = new Map<string, Mount>();
  /** By mount: where a caller was refused last, and when. */
  const callers = new BoundedMap<string, { path: string; at: number }>(mostPaths);
  const reserve = createReserve(clock);

  function check({ scope, priority, isVital }: QuotaRequest, mount: Mount): void {
    const now = clock.now();
    const first = isVital === true ? undefined : vitalHold(mount);
    if (first !== undefined)
      throw refuse(scope, priority, mount, { ...first, until: Math.max(first.until, now + soon.minMs) });
    const holds = [mount.paths.get(scope.path), mount.hold].filter((hold) => hold !== undefined);
    const held = holds.find((hold) => now < hold.until && (hold.isForAll || isVital !== true));
    if (held !== undefined && isVital === true)
      mount.vitalUntil = Math.max(mount.vitalUntil, held.until + turnMs);
    if (held !== undefined) throw refuse(scope, priority, mount, held);
    if (mount.hold === undefined || priority === 'interactive') return;
    // But whoever asks for ever new ones, as a program may, does not keep all polls away for good.
    if (now - mount.polledAt > quietMs + 8 * mount.waitMs) return;
    // One that asks in vain for its first value goes before those that ask whether theirs is still the newest.
    for (const [path, since] of mount.wanting)
      if (now - since > 3 * mount.waitMs + quietMs) mount.wanting.delete(path);
    if (mount.wanting.size > 0)
      throw refuse(scope, priority, mount, { ...mount.hold, until: now + mount.waitMs });
  }

  /** What something vital waits for before all that can be done without. */
  function vitalHold(mount: Mount): Hold | undefined {
    const now = clock.now();
    // But whoever holds more than the limit lets be renewed does not keep all others away for good.
    if (now - mount.othersAt > quietMs) return undefined;
    // The limit may be one of the namespace, or of all paths: then what is vital needs the place when the window opens.
    const isOwed = (one: Mount) =>
      now < one.vitalUntil && (one === mount || now >= one.vitalUntil - turnMs - earlyMs);
    return holdOf(mounts.values().find(isOwed));
  }

  function refuse({ path }: Scope, priority: Priority, mount: Mount, hold: Hold): UpstreamFailure {
    if (priority === 'interactive' && mount.wanting.size < mostPaths) mount.wanting.set(path, clock.now());
    return heldBack(hold.failure, Math.max(0, hold.until - clock.now()));
  }

  function limitedMount({ mount: name }: Scope, failure: UpstreamFailure, askedAt: number): Mount {
    const known = mounts.get(name);
    if (known !== undefined) return known;
    const mount = {
      paths: new BoundedMap<string, Hold>(mostPaths),
      hold: undefined,
      limitedAt: askedAt,
      waitMs: 0,
      refusals: 0,
      wanting: new Map<string, number>(),
      line: Promise.resolve(),
      polledAt: clock.now(),
      owedUntil: 0,
      othersAt: clock.now(),
      vitalUntil: 0,
      vitalRefusals: 0,
      trial: undefined,
    };
    mounts.set(name, mount);
    const told = failure.retryAfterMs === undefined ? {} : { wait_ms: failure.retryAfterMs };
    logger.warn(
      { mount: name, ...told },
      'the upstream limits the rate of requests here: what is asked for waits its turn',
    );
    return mount;
  }

  function limited(
    { scope, priority, isVital }: QuotaRequest,
    failure: UpstreamFailure,
    askedAt: number,
  ): number {
    const now = clock.now();
    const mount = limitedMount(scope, failure, askedAt);
    const before = mount.paths.get(scope.path);
    const failures = (before?.failures ?? 0) + 1;
    const another = (count: number) => (count === 0 || askedAt > mount.limitedAt ? count + 1 : count);
    mount.refusals = another(mount.refusals);
    if (isVital === true) mount.vitalRefusals = another(mount.vitalUntil > askedAt ? mount.vitalRefusals : 0);
    const isOfMount = mount.hold !== undefined || (mount.paths.size > 0 && before === undefined);
    // Where the mount goes on to answer others, one unlucky path tells nothing of how long the limit lasts.
    const row = isOfMount ? mount.refusals : failures;
    const said = saidWaitMs(failure);
    const waitMs =
      said ??
      (isVital === true
        ? vitalWaitMs(mount.vitalRefusals, random)
        : guessedWaitMs(failure, row, isOfMount || priority === 'interactive', random));
    const isForAll = isVital === true || said !== undefined;
    const hold = { until: now + waitMs, isForAll, failures, failure };
    mount.paths.set(scope.path, hold);
    if (isOfMount) mount.hold = hold;
    Object.assign(mount, { limitedAt: now, waitMs });
    if (isVital === true) mount.vitalUntil = now + waitMs + turnMs;
    if (priority === 'interactive') {
      mount.wanting.set(scope.path, now);
      mount.owedUntil = now + waitMs + turnMs;
    }
    return waitMs;
  }

  function served({ scope, isVital }: QuotaRequest, mount: Mount): void {
    if (isVital === true) Object.assign(mount, { vitalUntil: 0, vitalRefusals: 0 });
    mount.paths.delete(scope.path);
    mount.wanting.delete(scope.path);
    mount.refusals = 0;
    if (mount.wanting.size === 0) mount.owedUntil = 0;
    if (clock.now() - mount.limitedAt < Math.max(quietMs, 2 * mount.waitMs)) return;
    mounts.delete(scope.mount);
    logger.info({ mount: scope.mount }, 'the upstream limits the rate of requests here no more');
  }

  async function attempt<T>(request: QuotaRequest, work: () => Promise<T>): Promise<T> {
    const askedAt = clock.now();
    const known = mounts.get(request.scope.mount);
    if (known !== undefined && request.isVital !== true) known.othersAt = askedAt;
    try {
      const answer = await work();
      const mount = mounts.get(request.scope.mount);
      if (mount !== undefined) served(request, mount);
      return answer;
    } catch (error) {
      if (!isLimit(error)) throw error;
      throw heldBack(error, limited(request, error, askedAt));
    }
  }

  async function tryAlone<T>(request: QuotaRequest, mount: Mount, work: () => Promise<T>): Promise<T> {
    for (;;) {
      check(request, mount);
      if (mount.trial === undefined) break;
      await orAborted(mount.trial, request.signal, givenUp);
    }
    if (request.priority === 'background') mount.polledAt = clock.now();
    const done = Promise.withResolvers<void>();
    mount.trial = done.promise;
    try {
      return await attempt(request, work);
    } finally {
      mount.trial = undefined;
      done.resolve();
    }
  }

  /**
   * One after the other, in the order in which they came; who is refused keeps its place, and who is waited for leaves it.
   * Undefined: it has left.
   */
  async function tryInLine<T>(
    request: QuotaRequest,
    mount: Mount,
    work: () => Promise<T>,
  ): Promise<{ readonly answer: T } | undefined> {
    const { scope, priority, signal, promoted } = request;
    const leaving = AbortSignal.any([signal, ...(promoted === undefined ? [] : [promoted])]);
    const before = mount.line;
    const done = Promise.withResolvers<void>();
    mount.line = done.promise;
    try {
      await orAborted(before, leaving).catch(() => undefined);
      while (!leaving.aborted) {
        const { hold } = mount;
        const waitMs = hold === undefined ? 0 : hold.until - clock.now();
        if (hold !== undefined && waitMs > patienceMs) throw refuse(scope, priority, mount, hold);
        if (waitMs > 0) {
          await clock.sleep(waitMs, leaving).catch(() => undefined);
          continue;
        }
        try {
          return { answer: await tryAlone(request, mount, work) };
        } catch (error) {
          if (!isLimit(error)) throw error;
          if (mount.hold !== hold) continue;
          // Others go before it. It keeps its place, or those who come back by chance would be served and some never.
          const othersMs = Math.max(soon.minMs, error.retryAfterMs ?? 0);
          if (othersMs > patienceMs) throw error;
          await clock.sleep(othersMs, leaving).catch(() => undefined);
        }
      }
    } finally {
      void before.then(done.resolve);
    }
    if (signal.aborted) throw givenUp();
    return undefined;
  }

  /** What the agent was last refused and cannot do without, where the same limit may concern a caller's request. */
  function owedHold({ mount: name, path }: Scope): Hold | undefined {
    const now = clock.now();
    const other = callers.get(name);
    const isLimited = other !== undefined && now - other.at < quietMs;
    const mount = mounts.get(name);
    if (mount !== undefined && now < mount.owedUntil) {
      const isOther = isLimited && !mount.paths.has(other.path);
      return mount.hold ?? mount.paths.get(path) ?? (isOther ? holdOf(mount) : undefined);
    }
    // Both are limited, in different mounts: by a limit of the namespace, or of all paths.
    return isLimited ? holdOf(mounts.values().find((one) => now < one.owedUntil)) : undefined;
  }

  return {
    async within(request, work) {
      const mount = mounts.get(request.scope.mount);
      if (mount === undefined) return await attempt(request, work);
      if (mount.hold !== undefined) {
        const isPatient = request.priority === 'background' && request.isVital !== true;
        const done = isPatient ? await tryInLine(request, mount, work) : undefined;
        if (done !== undefined) return done.answer;
        return await tryAlone({ ...request, priority: 'interactive' }, mount, work);
      }
      check(request, mount);
      return await attempt(request, work);
    },
    heldForAgent(scope) {
      const hold = owedHold(scope);
      if (hold !== undefined) return heldBack(hold.failure, Math.max(1000, hold.until - clock.now()));
      const waitMs = reserve.waitMs(scope.mount);
      return waitMs > 0 ? heldBack(leftToAgent(scope), waitMs) : undefined;
    },
    enterCaller: ({ mount }) => reserve.enter(mount),
    callerAnswered({ mount, path }, { status, headers }) {
      if (status === 429) callers.set(mount, { path, at: clock.now() });
      reserve.callerAnswered(mount, headers);
    },
    agentAnswered: reserve.agentAnswered,
    status() {
      const now = clock.now();
      return [...mounts].flatMap(([mount, { paths, hold }]) => {
        const until = Math.max(hold?.until ?? 0, ...[...paths.values()].map((one) => one.until));
        return until > now ? [{ mount, until: clock.wall() + until - now }] : [];
      });
    },
  };
}

function isLimit(error: unknown): error is UpstreamFailure {
  return error instanceof UpstreamFailure && error.state === 'rate_limited';
}

/** Of all of it, else of the path that was limited last. */
function holdOf(mount: Mount | undefined): Hold | undefined {
  return mount && (mount.hold ?? [...mount.paths.values()].at(-1));
}

function leftToAgent({ mount }: Scope): UpstreamFailure {
  const message = `what is left of the rate limit at ${mount} is kept for the agent's own leases`;
  return new UpstreamFailure('rate_limited', message, {
    status: 429,
    remedy: 'ask less often, or raise the quota in the vault',
  });
}

/** What the server said, with what is left of its time. */
function heldBack(failure: UpstreamFailure, retryAfterMs: number): UpstreamFailure {
  const { message, remedy, status, answerHeaders } = failure;
  const seconds = String(Math.ceil(retryAfterMs / 1000));
  return new UpstreamFailure('rate_limited', message, {
    cause: failure.cause,
    retryAfterMs,
    remedy,
    ...(status === undefined ? {} : { status }),
    answerHeaders: { ...answerHeaders, 'retry-after': seconds },
  });
}
