// One secret's way through time: its schedule, its one request in flight, its value and its current lease. It reports to
// the store for every entry that means this secret. When to ask is decided in schedule-policy.ts.
import type { Clock, Timer } from '../base/clock.ts';
import { describeError, errorCode, LatchkeyError } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import { type EntryPolicy, mergePolicies } from '../store/entry.ts';
import type { Reference } from '../store/reference.ts';
import type { SecretAnswer } from '../store/secret-version.ts';
import type { Store } from '../store/store.ts';
import { addFailure, expiryAt, isOutage, mayHaveMinted, stateOnFailure } from './failure-policy.ts';
import type { LeaseBook, OwnedLease } from './lease-book.ts';
import type { Priority } from './lease-upstream.ts';
import type { MintFloor } from './mint-floor.ts';
import {
  chooseRequest,
  type PlannedStep,
  planAfterRecovery,
  planNext,
  type RequestKind,
  type ScheduleLimits,
} from './schedule-policy.ts';
import { type FailureView, isMinted, type SecretView } from './secret-view.ts';
import {
  confirmValue,
  createTrackedValue,
  noteOutcome,
  shiftValue,
  type TrackedValue,
  valueView,
} from './tracked-value.ts';
import type { UpstreamCalls } from './upstream-calls.ts';

/** `due`: what the schedule wants; `check`: ask upstream now, keep a living lease; `replace`: another credential. */
export type AskMode = 'due' | 'check' | 'replace';

export interface AskResult {
  readonly outcome: 'changed' | 'same' | 'failed';
  readonly error?: unknown;
}

/** What all tracks share. */
export interface TrackParts {
  readonly store: Store;
  readonly clock: Clock;
  readonly random: () => number;
  readonly limits: ScheduleLimits;
  readonly logger: Logger;
  readonly calls: UpstreamCalls;
  readonly book: LeaseBook;
  readonly floor: MintFloor;
  /** Ends with the engine. */
  readonly signal: AbortSignal;
  /** The track has learnt its canonical key: returns the one that owns it, the same or another. */
  settleKey(track: SecretTrack, canonicalKey: string): SecretTrack;
}

export interface SecretTrack {
  readonly canonicalKey: string;
  readonly reference: Reference;
  readonly members: ReadonlySet<string>;
  rename(canonicalKey: string): void;
  join(entryKey: string): void;
  leave(entryKey: string): void;
  /** One request at a time: asked during one, a single further one follows it, shared by all who asked. */
  ask(mode: AskMode, priority: Priority): Promise<AskResult>;
  /** Takes over the entries of another track that turned out to mean the same secret, and what it has just read. */
  absorb(entryKeys: Iterable<string>, answer: SecretAnswer, sentAt: number): boolean;
  replan(): void;
  shift(jumpMs: number): void;
  upstreamRecovered(): void;
  view(): SecretView;
  /** Stops the schedule and gives up what can be repeated; resolves when nothing is in flight. */
  stop(): Promise<void>;
}

interface TrackState {
  canonicalKey: string;
  readonly members: Set<string>;
  value: TrackedValue | undefined;
  isExpired: boolean;
  failure: FailureView | undefined;
  lastError: unknown;
  askedAt: number | undefined;
  plan: PlannedStep | undefined;
  /** Waits for another request to find upstream there again. */
  isParked: boolean;
  timer: Timer | undefined;
  inFlight: Promise<AskResult> | undefined;
  followUp: { mode: AskMode; result: Promise<AskResult> } | undefined;
  isStopped: boolean;
}

export function createSecretTrack(
  reference: Reference,
  canonicalKey: string,
  parts: TrackParts,
): SecretTrack {
  const { store, clock, random, limits, calls, book, floor } = parts;
  const repeatable = new AbortController();
  const state: TrackState = {
    canonicalKey,
    members: new Set(),
    value: undefined,
    isExpired: false,
    failure: undefined,
    lastError: undefined,
    askedAt: undefined,
    plan: undefined,
    isParked: false,
    timer: undefined,
    inFlight: undefined,
    followUp: undefined,
    isStopped: false,
  };

  function policy(): EntryPolicy | undefined {
    const policies = [...state.members].flatMap((key) => store.find(key)?.policy ?? []);
    return policies.length > 0 ? policies.reduce(mergePolicies) : undefined;
  }

  function view(): SecretView {
    return {
      policy: policy() ?? { refreshMs: 30_000, onStale: 'expire' },
      value: state.value && valueView(state.value),
      isExpired: state.isExpired,
      failure: state.failure,
      askedAt: state.askedAt,
      mintAllowedAt: floor.allowedAt(state.canonicalKey),
    };
  }

  function setPlan(plan: PlannedStep | undefined): void {
    state.timer?.cancel();
    state.timer = undefined;
    state.isParked = false;
    state.plan = plan;
    const isOver = plan === undefined || state.isStopped || state.members.size === 0;
    const at = isOver ? Number.POSITIVE_INFINITY : plan.at;
    const shown =
      plan !== undefined && Number.isFinite(at)
        ? { action: plan.action, at: toWall(at), why: plan.why }
        : undefined;
    for (const key of state.members) store.plan(key, shown);
    if (Number.isFinite(at)) state.timer = clock.setTimer(at - clock.now(), onTimer);
  }

  function replan(): void {
    if (state.inFlight === undefined) setPlan(planNext(view(), clock.now(), random, limits));
  }

  /** While a request is on its way only the end of the value counts. */
  function planExpiryOnly(): void {
    const at = state.isExpired ? undefined : expiryAt(view());
    setPlan(
      at === undefined ? undefined : { action: 'expire', at, why: 'the answer of upstream is awaited' },
    );
  }

  function onTimer(): void {
    const { plan } = state;
    const now = clock.now();
    if (plan === undefined || now < plan.at) setPlan(plan);
    else if (plan.action === 'expire') expire();
    else if (calls.outage(reference.upstream).admit(now))
      void ask('due', state.value === undefined ? 'interactive' : 'background');
    else park(plan, now);
  }

  /** Upstream is away and another request probes it. */
  function park(plan: PlannedStep, now: number): void {
    const at = (calls.outage(reference.upstream).nextProbeAt() ?? now) + 1000 * random();
    const waiting: PlannedStep = {
      action: 'retry',
      at,
      why: `waits for upstream ${reference.upstream} to answer again`,
    };
    const expiry = state.isExpired ? undefined : expiryAt(view());
    setPlan(expiry !== undefined && expiry < at ? { action: 'expire', at: expiry, why: plan.why } : waiting);
    state.isParked = true;
  }

  function expire(): void {
    const at = expiryAt(view());
    if (at === undefined || at > clock.now() || state.isExpired) {
      replan();
      return;
    }
    state.isExpired = true;
    const error =
      state.lastError ??
      new LatchkeyError(
        'lease_lost',
        `${state.canonicalKey}: the credential has ended before there was another`,
      );
    parts.logger.warn(
      { secret: state.canonicalKey, code: errorCode(error) },
      'secret has expired and is not handed out any more',
    );
    for (const key of state.members) store.fail(key, error, 'expired');
    if (state.inFlight === undefined) replan();
    else setPlan(undefined);
  }

  function ask(mode: AskMode, priority: Priority): Promise<AskResult> {
    if (state.isStopped) return Promise.resolve({ outcome: 'failed', error: closing() });
    const { inFlight, followUp } = state;
    if (inFlight === undefined) return start(mode, priority);
    if (mode === 'due') return inFlight;
    if (followUp !== undefined) {
      if (mode === 'replace') followUp.mode = mode;
      return followUp.result;
    }
    const next = { mode, result: inFlight.then(() => begin()) };
    const begin = (): Promise<AskResult> => {
      state.followUp = undefined;
      return state.isStopped
        ? Promise.resolve({ outcome: 'failed', error: closing() })
        : start(next.mode, priority);
    };
    state.followUp = next;
    return next.result;
  }

  function start(mode: AskMode, priority: Priority): Promise<AskResult> {
    const run = perform(mode, priority);
    state.inFlight = run;
    planExpiryOnly();
    return run;
  }

  async function perform(mode: AskMode, priority: Priority): Promise<AskResult> {
    // Also the shortest request ends after `start` has noted that it is under way.
    await Promise.resolve();
    let result: AskResult;
    try {
      result = { outcome: (await send(mode, priority)) ? 'changed' : 'same' };
    } catch (error) {
      fail(error);
      result = { outcome: 'failed', error };
    }
    state.inFlight = undefined;
    replan();
    return result;
  }

  async function send(mode: AskMode, priority: Priority): Promise<boolean> {
    const request = requestFor(mode);
    if (request === 'none') return false;
    if (request === 'renew' && state.value?.lease !== undefined) return renew(state.value.lease, priority);
    if (request === 'poll' && (await confirm(priority))) return false;
    return read(priority);
  }

  function requestFor(mode: AskMode): RequestKind | 'none' {
    const { value } = state;
    const request = chooseRequest(view(), clock.now());
    if (mode === 'due' || value === undefined || state.isExpired) return request;
    if (!isMinted(value.kind)) return 'read';
    if (mode === 'replace') return 'read';
    // A lease that cannot be renewed cannot be asked for either: it is kept.
    return request === 'renew' ? 'renew' : state.failure === undefined ? 'none' : request;
  }

  async function renew(lease: OwnedLease, priority: Priority): Promise<boolean> {
    state.askedAt = clock.now();
    try {
      await book.renew(lease, { signal: repeatable.signal, priority });
    } catch (error) {
      if (errorCode(error) === 'denied') {
        lease.canRenew = false;
        parts.logger.warn(
          { secret: state.canonicalKey },
          'upstream denies renewals of this lease, it is replaced before it ends',
        );
      } else if (errorCode(error) === 'lease_lost') {
        lease.endsAt = Math.min(lease.endsAt, clock.now());
        lease.canRenew = false;
        parts.logger.warn(
          { secret: state.canonicalKey },
          'the lease is gone upstream, another one is asked for',
        );
        return read(priority);
      } else throw error;
    }
    succeed();
    for (const key of state.members) store.extend(key, toWall(lease.endsAt));
    return false;
  }

  async function confirm(priority: Priority): Promise<boolean> {
    const upstream = calls.upstream(reference.upstream);
    const [key] = state.members;
    const version = key === undefined ? undefined : store.find(key)?.current;
    if (upstream?.isCurrent === undefined || version === undefined || state.value === undefined) return false;
    const sentAt = clock.now();
    state.askedAt = sentAt;
    const isCurrent = await calls.call(
      reference.upstream,
      { signal: repeatable.signal, priority },
      async (own, options) => own.isCurrent?.(reference, version, options),
    );
    if (isCurrent !== true) return false;
    confirmValue(state.value, sentAt, clock.now());
    succeed();
    for (const member of state.members) store.extend(member, store.find(member)?.expiresAt);
    return true;
  }

  async function read(priority: Priority): Promise<boolean> {
    const mints = state.value === undefined || isMinted(state.value.kind);
    const sentAt = clock.now();
    if (mints && sentAt < floor.allowedAt(state.canonicalKey))
      throw belowFloor(floor.allowedAt(state.canonicalKey) - sentAt);
    state.askedAt = sentAt;
    // A read that makes a credential is not given up half-way: its lease would be nobody's.
    const signal = mints ? parts.signal : repeatable.signal;
    let answer: SecretAnswer;
    try {
      answer = await calls.call(reference.upstream, { signal, priority }, (upstream, options) =>
        upstream.read(reference, options),
      );
    } catch (error) {
      if (mints && state.value !== undefined && mayHaveMinted(error, clock.now() - sentAt))
        floor.note(state.canonicalKey, state.value.lifeMs, clock.now());
      throw error;
    }
    return receive(answer, sentAt);
  }

  function receive(answer: SecretAnswer, sentAt: number): boolean {
    const canonical = calls.upstream(reference.upstream)?.canonicalKey(reference) ?? state.canonicalKey;
    const owner = canonical === state.canonicalKey ? track : parts.settleKey(track, canonical);
    if (isMinted(answer.kind)) floor.note(canonical, lifeOf(answer), clock.now());
    if (owner === track) return accept(answer, sentAt);
    const moving = [...state.members];
    state.members.clear();
    return owner.absorb(moving, answer, sentAt);
  }

  function accept(answer: SecretAnswer, sentAt: number): boolean {
    const before = state.value;
    const lease = own(answer, sentAt, state.members);
    if (state.members.size === 0) {
      if (lease !== undefined) book.retire(lease, 0);
      return false;
    }
    const value = createTrackedValue(answer, lease, sentAt);
    state.value = value;
    succeed();
    if (before?.lease !== undefined && before.lease !== lease) book.supersede(before.lease);
    let isChanged = false;
    for (const key of [...state.members])
      isChanged = store.publish(key, answer, shownEnd(value)) || isChanged;
    noteOutcome(value, before, isChanged, clock.now());
    return isChanged;
  }

  function own(answer: SecretAnswer, sentAt: number, users: Iterable<string>): OwnedLease | undefined {
    const { lease } = answer;
    if (lease === undefined || lease.durationSeconds <= 0) return undefined;
    const [key] = state.members;
    return book.add({
      upstream: reference.upstream,
      id: lease.id,
      key: key ?? state.canonicalKey,
      durationSeconds: lease.durationSeconds,
      isRenewable: lease.isRenewable,
      users,
      policy: policy() ?? { overlapMs: 0, onExit: 'revoke' },
      grantedAt: sentAt,
    });
  }

  function succeed(): void {
    state.isExpired = false;
    state.failure = undefined;
    state.lastError = undefined;
  }

  function fail(error: unknown): void {
    if (state.isStopped || (errorCode(error) === 'aborted' && parts.signal.aborted)) return;
    const before = state.failure;
    state.failure = addFailure(before, error, clock.now());
    state.lastError = error;
    const next = stateOnFailure(view(), clock.now());
    state.isExpired = next === 'expired';
    if (before?.code !== state.failure.code) {
      parts.logger.warn(
        { secret: state.canonicalKey, code: errorCode(error), state: next },
        describeError(error),
      );
    }
    for (const key of state.members) store.fail(key, error, next);
  }

  function toWall(at: number): number {
    return clock.wall() + (at - clock.now());
  }

  function shownEnd(value: TrackedValue): number | undefined {
    const { endsAt, changesAt, kind } = valueView(value);
    const at = endsAt ?? (kind === 'rotating' ? changesAt : undefined);
    return at === undefined ? undefined : toWall(at);
  }

  /** An entry that comes later gets what the others have; not before its opener has the handle. */
  function mirror(entryKey: string): void {
    const { value } = state;
    if (!state.members.has(entryKey)) return;
    if (value !== undefined && !state.isExpired) {
      value.lease?.users.add(entryKey);
      store.publish(entryKey, value.answer, shownEnd(value));
    }
    if (state.failure !== undefined)
      store.fail(entryKey, state.lastError, stateOnFailure(view(), clock.now()));
    replan();
  }

  const track: SecretTrack = {
    get canonicalKey() {
      return state.canonicalKey;
    },
    reference,
    members: state.members,
    rename: (next) => {
      state.canonicalKey = next;
    },
    join(entryKey) {
      state.members.add(entryKey);
      if (state.plan === undefined) replan();
      else queueMicrotask(() => mirror(entryKey));
    },
    leave(entryKey) {
      state.members.delete(entryKey);
      if (state.members.size === 0) setPlan(undefined);
    },
    ask,
    absorb(entryKeys, answer, sentAt) {
      for (const key of entryKeys) state.members.add(key);
      if (state.value === undefined || state.isExpired || !isMinted(answer.kind))
        return accept(answer, sentAt);
      const surplus = own(answer, sentAt, []);
      if (surplus !== undefined && surplus !== state.value.lease) book.retire(surplus, 0);
      for (const key of entryKeys) mirror(key);
      return true;
    },
    replan,
    shift(jumpMs) {
      if (state.value !== undefined) {
        shiftValue(state.value, jumpMs);
        const end = shownEnd(state.value);
        if (end !== undefined && !state.isExpired)
          for (const key of state.members) if (state.failure === undefined) store.extend(key, end);
      }
      replan();
    },
    upstreamRecovered() {
      const isHit = state.failure !== undefined && isOutage(state.failure.code);
      if (state.inFlight === undefined && (isHit || state.isParked))
        setPlan(planAfterRecovery(view(), clock.now(), random, limits));
    },
    view,
    async stop() {
      state.isStopped = true;
      setPlan(undefined);
      repeatable.abort(closing());
      await state.inFlight;
    },
  };
  return track;
}

function lifeOf(answer: SecretAnswer): number {
  return 1000 * (answer.lease?.durationSeconds ?? answer.ttlSeconds ?? 0);
}

function closing(): LatchkeyError {
  return new LatchkeyError('aborted', 'the agent is closing');
}

function belowFloor(waitMs: number): LatchkeyError {
  return new LatchkeyError(
    'upstream_rate_limited',
    `a credential was made at this path a moment ago, the next one may be made in ${Math.ceil(waitMs / 1000)} s`,
  );
}
