// One secret's way through time: its members in the store, its one request in flight, its plan. When to ask is decided in
// schedule-policy.ts; what an answer changes is in track-requests.ts.
import { LatchkeyError } from '../base/errors.ts';
import type { Reference } from '../store/reference.ts';
import type { Priority, Urgency } from '../store/secret-reading.ts';
import { stateOnFailure } from './failure-policy.ts';
import type { IssuedValue } from './hand-over.ts';
import { chooseRequest, type RequestKind } from './schedule-policy.ts';
import { isMinted, type SecretView } from './secret-view.ts';
import {
  createTrackContext,
  issuedValues,
  publishTo,
  shownEnd,
  type TrackContext,
  type TrackParts,
  viewOf,
} from './track-context.ts';
import { createTrackPlan } from './track-plan.ts';
import { createTrackRequests, type Reading, type TrackRequests } from './track-requests.ts';
import { lifeOf, restoreValue, shiftValue } from './tracked-value.ts';

/**
 * `due`: what the schedule wants; `check`: ask upstream now, keep a living lease; `replace`: another credential, within
 * the mint floor; `rotate`: another credential, because an administrator wants it.
 */
export type AskMode = 'due' | 'check' | 'replace' | 'rotate';

const strength: readonly AskMode[] = ['due', 'check', 'replace', 'rotate'];

export interface AskResult {
  readonly outcome: 'changed' | 'same' | 'failed';
  readonly error?: unknown;
}

export interface SecretTrack {
  canonicalKey(): string;
  readonly reference: Reference;
  /** Keys of the entries that mean this secret. */
  readonly members: ReadonlySet<string>;
  /** Nobody wants it, nothing is under way and its lease is gone: until then an entry that comes back finds it here. */
  isOver(): boolean;
  rename(canonicalKey: string): void;
  join(entryKey: string): void;
  leave(entryKey: string): void;
  /** One request at a time: asked during one, a single further one follows it, shared by all who asked. */
  ask(mode: AskMode, priority: Priority): Promise<AskResult>;
  /** Takes over the entries of another track that turned out to mean the same secret, and what it has just read. */
  absorb(entryKeys: readonly string[], reading: Reading): boolean;
  replan(): void;
  /** The host slept for `jumpMs`; 0: only the wall clock was set back. */
  shift(jumpMs: number): void;
  upstreamRecovered(): void;
  view(): SecretView;
  issued(): IssuedValue[];
  /** Stops the schedule and gives up what can be repeated; resolves when nothing is in flight. */
  stop(): Promise<void>;
}

interface TrackOptions extends TrackParts {
  reference: Reference;
  canonicalKey: string;
  /** Returns the track that owns a canonical key that `track` has just learnt: itself or an older one. */
  settleKey(track: SecretTrack, canonicalKey: string): SecretTrack;
}

export function createSecretTrack(options: TrackOptions): SecretTrack {
  const { settleKey, reference, ...parts } = options;
  const context = createTrackContext(reference, options.canonicalKey, parts);
  const { store, clock, sources, members } = context;
  const requests = createTrackRequests(context, route);
  const plan = createTrackPlan(context, () => {
    void asking.ask('due', context.value === undefined ? 'interactive' : 'background');
  });
  const asking = createAsking({
    isStopped: () => context.isStopped,
    send: (mode, urgency) => send(context, requests, mode, urgency),
    onStart: plan.awaitAnswer,
    onEnd(error) {
      if (error !== undefined) requests.fail(error);
      plan.clear();
      plan.replan();
    },
  });

  function route(reading: Reading): boolean {
    const { answer } = reading;
    const canonical = sources.find(reference.upstream)?.canonicalKey(reference) ?? context.canonicalKey;
    const owner = canonical === context.canonicalKey ? track : settleKey(track, canonical);
    if (isMinted(answer.kind)) context.floor.note(canonical, lifeOf(answer), clock.now());
    if (owner === track) return requests.accept(reading);
    const moving = [...members];
    members.clear();
    return owner.absorb(moving, reading);
  }

  /** An entry that comes later gets what the others have; not before its opener has the handle. */
  function mirror(entryKey: string): void {
    if (!members.has(entryKey)) return;
    if (context.value !== undefined && !context.isExpired) publishTo(context, entryKey, context.value.answer);
    if (context.failure !== undefined) {
      store.fail(entryKey, context.lastError, stateOnFailure(viewOf(context), clock.now()));
    }
    plan.replan();
  }

  function hasLivingLease(): boolean {
    const lease = context.value?.lease;
    return lease !== undefined && context.book.find(lease.upstream, lease.id) === lease;
  }

  /** What it had before everybody left counts only where its lease can be had back. */
  function wake(): void {
    const lease = context.value?.lease;
    if (lease !== undefined && context.book.reclaim(lease)) return;
    Object.assign(context, { value: undefined, isExpired: false, failure: undefined, lastError: undefined });
  }

  /** Goes on with what the last run was issued; upstream is asked whether its lease still lives. */
  function restore(entryKey: string): boolean {
    const issued = context.handOver?.take(entryKey);
    if (issued === undefined) return false;
    const { lease: granted, kind } = issued.answer;
    const lease = granted && context.book.find(reference.upstream, granted.id);
    if (granted !== undefined && (lease === undefined || !context.book.reclaim(lease))) return false;
    const value = restoreValue(issued, lease, { now: clock.now(), wall: clock.wall() });
    if (value.ownEnd !== undefined && value.ownEnd <= clock.now()) return false;
    context.value = value;
    if (isMinted(kind)) context.floor.note(context.canonicalKey, value.lifeMs, value.confirmedAt);
    return true;
  }

  const track: SecretTrack = {
    canonicalKey: () => context.canonicalKey,
    reference,
    members,
    isOver: () => members.size === 0 && !asking.isBusy() && !hasLivingLease(),
    rename(next) {
      context.canonicalKey = next;
    },
    join(entryKey) {
      const isFirst = members.size === 0;
      members.add(entryKey);
      if (isFirst) wake();
      const isRestored = isFirst && context.value === undefined && restore(entryKey);
      if (isFirst && context.value === undefined) plan.replan();
      else queueMicrotask(() => mirror(entryKey));
      if (isRestored && context.value?.lease?.canRenew === true)
        queueMicrotask(() => void asking.ask('check', 'background'));
    },
    leave(entryKey) {
      members.delete(entryKey);
      if (members.size === 0) plan.clear();
    },
    ask: asking.ask,
    absorb(entryKeys, reading) {
      for (const key of entryKeys) members.add(key);
      const hasOne = context.value !== undefined && !context.isExpired;
      if (!hasOne || !isMinted(reading.answer.kind)) {
        const isChanged = requests.accept(reading);
        // The newcomers may want it fresher.
        plan.replan();
        return isChanged;
      }
      requests.discard(reading);
      for (const key of entryKeys) mirror(key);
      return true;
    },
    replan: plan.replan,
    shift(jumpMs) {
      if (context.value !== undefined) shiftValue(context.value, jumpMs, clock.now());
      const end = shownEnd(context);
      const isShown = end !== undefined && context.failure === undefined && !context.isExpired;
      if (isShown) for (const key of members) store.extend(key, end);
      plan.replan();
    },
    upstreamRecovered: plan.upstreamRecovered,
    view: () => viewOf(context),
    issued: () => issuedValues(context),
    async stop() {
      context.isStopped = true;
      plan.clear();
      context.repeatable.abort(closing());
      await asking.idle();
    },
  };
  return track;
}

interface AskingOptions {
  isStopped: () => boolean;
  /** Resolves with whether the data changed. */
  send: (mode: AskMode, urgency: Urgency) => Promise<boolean>;
  onStart: () => void;
  onEnd: (error: unknown) => void;
}

/**
 * One request in flight; who comes meanwhile shares the next one, as the answer under way may be older than the wish. The
 * one before is promoted for somebody who waits.
 */
function createAsking(options: AskingOptions) {
  let inFlight: Promise<AskResult> | undefined;
  let promotion = new AbortController();
  let next: { mode: AskMode; priority: Priority; result: Promise<AskResult> } | undefined;

  async function run(mode: AskMode, priority: Priority): Promise<AskResult> {
    // Even the shortest request ends after `ask` has noted that it is under way.
    await Promise.resolve();
    let failure: unknown;
    let isChanged = false;
    try {
      isChanged = await options.send(mode, { priority, promoted: promotion.signal });
    } catch (error) {
      failure = error;
    }
    inFlight = undefined;
    options.onEnd(failure);
    if (failure !== undefined) return { outcome: 'failed', error: failure };
    return { outcome: isChanged ? 'changed' : 'same' };
  }

  function start(mode: AskMode, priority: Priority): Promise<AskResult> {
    if (options.isStopped()) return Promise.resolve({ outcome: 'failed', error: closing() });
    promotion = new AbortController();
    inFlight = run(mode, priority);
    options.onStart();
    return inFlight;
  }

  function ask(mode: AskMode, priority: Priority): Promise<AskResult> {
    if (inFlight === undefined) return start(mode, priority);
    if (priority === 'interactive') promotion.abort();
    if (mode === 'due') return inFlight;
    if (next === undefined) {
      const following = { mode, priority, result: inFlight.then(() => begin()) };
      const begin = (): Promise<AskResult> => {
        next = undefined;
        return inFlight ?? start(following.mode, following.priority);
      };
      next = following;
    } else {
      if (strength.indexOf(mode) > strength.indexOf(next.mode)) next.mode = mode;
      if (priority === 'interactive') next.priority = priority;
    }
    return next.result;
  }

  return { ask, isBusy: () => inFlight !== undefined, idle: async () => void (await inFlight) };
}

async function send(
  context: TrackContext,
  requests: TrackRequests,
  mode: AskMode,
  urgency: Urgency,
): Promise<boolean> {
  if (mode === 'rotate') context.floor.forgive(context.canonicalKey);
  const request = requestFor(context, mode);
  if (request === 'none') return false;
  const lease = context.value?.lease;
  if (request === 'renew' && lease !== undefined) return requests.renew(lease, urgency);
  return request === 'poll' ? requests.poll(urgency) : requests.read(urgency);
}

function requestFor(context: TrackContext, mode: AskMode): RequestKind | 'none' {
  const { value, isExpired, failure } = context;
  const request = chooseRequest(viewOf(context), context.clock.now());
  if (mode === 'due' || value === undefined || isExpired) return request;
  if (mode === 'replace' || mode === 'rotate' || !isMinted(value.kind)) return 'read';
  // A lease that cannot be renewed cannot be asked for either: it is kept.
  return request === 'renew' || failure !== undefined ? request : 'none';
}

function closing(): LatchkeyError {
  return new LatchkeyError('aborted', 'the agent is closing');
}
