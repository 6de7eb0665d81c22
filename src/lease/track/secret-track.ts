// Runs the state of one secret: its members in the store, its timer, its requests. What an event means is decided in
// track-state.ts, when to ask in schedule-policy.ts.

import { wallAt } from '../../base/time/clock.ts';
import { defaultEntryPolicy, type EntryPolicy, mergePolicies } from '../../store/entry.ts';
import type { Notice, NoticedBy } from '../../store/notice.ts';
import type { Reference } from '../../store/reference.ts';
import type { Priority, ReadableSource } from '../../store/secret-reading.ts';
import type { SecretAnswer } from '../../store/secret-version.ts';
import type { OwnedLease } from '../book/owned-lease.ts';
import { type IssuedValue, isOfLater, issuedValue, restoredValue } from '../run/hand-over.ts';
import { type AskMode, type AskResult, createAsking } from './asking.ts';
import { expiryAt, isOutage, stateOnFailure } from './failure-policy.ts';
import { createPlannedTimer } from './planned-timer.ts';
import { noticedBy, orExpire, type PlannedStep, planAfterRecovery, planNext } from './schedule-policy.ts';
import { createSecretRequests, type Reading } from './secret-requests.ts';
import { isMinted, isUrgent, type SecretView } from './secret-view.ts';
import type { TrackParts } from './track-parts.ts';
import {
  confirmedAtOf,
  initialState,
  lifeOf,
  shownEndOf,
  type TrackEvent,
  type TrackFacts,
  type TrackState,
  type TrackWish,
  transition,
  viewOf,
} from './track-state.ts';

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
  ask(mode: AskMode, priority: Priority, by: NoticedBy, at?: number): Promise<AskResult>;
  /** Takes over the entries of another track that turned out to mean the same secret, and what it has just read. */
  absorb(entryKeys: readonly string[], reading: Reading): boolean;
  replan(): void;
  /** The host slept for `jumpMs`; 0: only the wall clock was set back. */
  shift(jumpMs: number): void;
  upstreamRecovered(): void;
  /** Upstream cannot be asked for another reason than before: it is told in place of that one. */
  upstreamFailing(): void;
  view(): SecretView;
  /** What the next run may go on with: what was issued and lives, for each entry. */
  issued(): IssuedValue[];
  /** The answer in use that was issued, and has no lease. */
  unleased(): SecretAnswer | undefined;
  /** Stops the schedule; resolves when nothing is in flight. */
  stop(): Promise<void>;
}

interface TrackOptions extends TrackParts {
  reference: Reference;
  canonicalKey: string;
  /** Returns the track that owns a canonical key that `track` has just learnt: itself or an older one. */
  settleKey(track: SecretTrack, canonicalKey: string): SecretTrack;
}

export function createSecretTrack(options: TrackOptions): SecretTrack {
  const { store, clock, random, limits, sources, book, floor, reference } = options;
  const members = new Set<string>();
  let { canonicalKey } = options;
  let state: TrackState = initialState;
  /** Whose answer is in use: what another one has under the same version may be something else. */
  let answeredBy: ReadableSource | undefined;
  /** `parked`: its time had come while upstream was away. */
  let phase: 'idle' | 'awaiting' | 'parked' | 'stopped' = 'idle';

  const timer = createPlannedTimer({
    ...{ clock, store, members, timers: options.timers },
    isWanted: () => phase !== 'stopped' && members.size > 0,
    onTime,
  });
  const requests = createSecretRequests({
    ...options,
    ...{ view, apply, logFields, take },
    canonicalKey: () => canonicalKey,
    state: () => state,
    currentBy: (source) =>
      source === answeredBy && state.value !== undefined
        ? store.find([...members][0] ?? '')?.current
        : undefined,
  });
  const asking = createAsking({
    isStopped: () => phase === 'stopped',
    now: clock.now,
    send: requests.send,
    onStart: awaitAnswer,
    onEnd(error) {
      options.observer.answered?.(members, error);
      const isAway = sources.isAway(reference.upstream);
      if (error !== undefined && phase !== 'stopped') apply({ type: 'failed', error, isAway });
      settle();
      replan();
    },
  });

  /** The strictest wish of all entries; undefined where there is none left. */
  function policy(): EntryPolicy | undefined {
    let strictest: EntryPolicy | undefined;
    for (const key of members) {
      const own = store.find(key)?.policy;
      if (own !== undefined) strictest = strictest === undefined ? own : mergePolicies(strictest, own);
    }
    return strictest;
  }

  function facts(): TrackFacts {
    const mintAllowedAt = floor.allowedAt(canonicalKey);
    return { now: clock.now(), policy: policy() ?? defaultEntryPolicy, mintAllowedAt, canonicalKey };
  }

  function view(): SecretView {
    return viewOf(state, facts());
  }

  const wallOf = (at: number | undefined) => (at === undefined ? undefined : wallAt(clock, at));
  const shownEnd = () => wallOf(shownEndOf(state));
  const confirmedAt = () => wallOf(confirmedAtOf(state));

  /** Returns whether the data of an entry changed. */
  function apply(event: TrackEvent): boolean {
    const { state: next, wishes } = transition(state, event, facts());
    state = next;
    return wishes.map(fulfil).includes(true);
  }

  function fulfil(wish: TrackWish): boolean {
    const keys = [...members];
    if (wish.do === 'publish') return keys.map((key) => publishTo(key, wish.answer)).includes(true);
    if (wish.do === 'supersede') book.supersede(wish.lease);
    else if (wish.do === 'tell')
      options.tell(wish, { upstream: reference.upstream, fields: logFields() }, state.lastError);
    else if (wish.do === 'fail') for (const key of keys) store.fail(key, wish.error, wish.state);
    else for (const key of keys) store.extend(key, wish.keepsEnd ? 'same' : shownEnd(), confirmedAt());
    return false;
  }

  function publishTo(entryKey: string, answer: SecretAnswer): boolean {
    if (state.value?.lease !== undefined) book.use(state.value.lease, entryKey);
    return store.publish(entryKey, answer, shownEnd(), confirmedAt());
  }

  /** By the config's name where it has one, and by the key that status shows. */
  function logFields(): { secret: string; key: string } {
    const [key = canonicalKey] = members;
    const names = [...members].flatMap(options.namesOf);
    return { secret: names.length > 0 ? names.join(', ') : key, key };
  }

  // The timer.

  function set(next: PlannedStep | undefined): void {
    if (phase === 'parked') phase = 'idle';
    timer.set(next);
  }

  function replan(): void {
    if (phase !== 'awaiting') set(planNext(view(), clock.now(), random, limits));
  }

  /** No answer is awaited, and nothing is planned. */
  function settle(): void {
    if (phase === 'awaiting') phase = 'idle';
    set(undefined);
  }

  /** While a request is under way only the end of the value counts. */
  function awaitAnswer(notice: Notice): void {
    phase = 'awaiting';
    options.observer.asking?.(members, notice);
    const at = state.isExpired ? undefined : expiryAt(view());
    set(at === undefined ? undefined : { action: 'expire', at, why: 'the answer of upstream is awaited' });
  }

  function onTime(plan: PlannedStep): void {
    const seen = view();
    if (plan.action === 'expire') {
      apply({ type: 'ended' });
      if (phase === 'awaiting') set(undefined);
      else replan();
      // While upstream is away each asks once, to say why and to begin to grow stale; that costs upstream nothing.
    } else if (sources.isAway(reference.upstream) && state.failure !== undefined) park(clock.now());
    else void asking.ask('due', isUrgent(seen) ? 'interactive' : 'background', noticedBy(plan, seen));
  }

  /** Upstream is away: its gate finds out when it is back, and the engine is told. */
  function park(now: number): void {
    const at = now + limits.retry.maxMs * (0.5 + random() / 2);
    const why = `waits for upstream ${reference.upstream} to answer again`;
    set(orExpire(view(), { action: 'retry', at, why }, now));
    phase = 'parked';
  }

  /** To the track that owns the secret by now. */
  function take(reading: Reading): boolean {
    const canonical = sources.find(reference.upstream)?.canonicalKey(reference) ?? canonicalKey;
    const owner = canonical === canonicalKey ? track : options.settleKey(track, canonical);
    if (isMinted(reading.answer.kind)) floor.note(canonical, lifeOf(reading.answer), clock.now());
    if (owner === track) return accept(reading);
    const moving = [...members];
    members.clear();
    return owner.absorb(moving, reading);
  }

  function accept(reading: Reading): boolean {
    const lease = own(reading, members);
    const { answer, sentAt } = reading;
    answeredBy = reading.from;
    if (members.size > 0) return apply({ type: 'answered', answer, lease, sentAt });
    if (lease !== undefined) book.retire(lease, 0);
    return false;
  }

  function own({ answer, sentAt, from }: Reading, users: Iterable<string>): OwnedLease | undefined {
    const { lease } = answer;
    if (lease === undefined || lease.durationSeconds <= 0) return undefined;
    const [key = canonicalKey] = members;
    const { id, durationSeconds, isRenewable } = lease;
    return book.add({
      ...{ upstream: reference.upstream, issuer: from, id, key, durationSeconds, isRenewable, users },
      policy: policy() ?? { overlapMs: 0, onExit: 'revoke' },
      grantedAt: sentAt,
    });
  }

  // Entries that come and go.

  /** An entry that comes later gets what the others have; not before its opener has the handle. */
  function mirror(entryKey: string): void {
    if (!members.has(entryKey)) return;
    if (state.value !== undefined && !state.isExpired) publishTo(entryKey, state.value.answer);
    if (state.failure !== undefined)
      store.fail(entryKey, state.lastError, stateOnFailure(view(), clock.now()));
    replan();
  }

  /** What it had before everybody left counts only where its lease can be had back. */
  function wake(entryKey: string): void {
    const lease = state.value?.lease;
    if (lease !== undefined && book.reclaim(lease)) return;
    apply({ type: 'reset' });
    restore(entryKey);
  }

  /** Goes on with what the last run was issued; upstream is asked whether its lease still lives. */
  function restore(entryKey: string): void {
    const issued = options.handOver?.take(entryKey);
    if (issued === undefined) return;
    const { lease: granted } = issued.answer;
    const lease = granted && book.find(reference.upstream, granted.id);
    if (isOfLater(issued, clock) && lease?.canRenew !== true) return;
    if (granted !== undefined && (lease === undefined || !book.reclaim(lease))) return;
    const value = restoredValue(issued, lease, clock);
    if (value.ownEnd !== undefined && value.ownEnd <= clock.now()) return;
    apply({ type: 'restored', value });
    floor.note(canonicalKey, value.lifeMs, value.confirmedAt);
    if (lease?.canRenew === true) queueMicrotask(() => void asking.ask('check', 'background', 'lease'));
  }

  function hasLivingLease(): boolean {
    return state.value?.lease !== undefined && book.has(state.value.lease);
  }

  function minted(): TrackState['value'] {
    const isLiving = state.value?.lease === undefined || hasLivingLease();
    return isLiving && !state.isExpired && state.value && isMinted(state.value.answer.kind)
      ? state.value
      : undefined;
  }

  function issued(): IssuedValue[] {
    const value = minted();
    if (value === undefined || policy()?.onExit !== 'keep') return [];
    return [...members].map((key) => issuedValue(reference.upstream, key, value, clock));
  }

  const track: SecretTrack = {
    canonicalKey: () => canonicalKey,
    reference,
    members,
    isOver: () => members.size === 0 && !asking.isBusy() && !hasLivingLease(),
    rename(next) {
      canonicalKey = next;
    },
    join(entryKey) {
      const isFirst = members.size === 0;
      members.add(entryKey);
      if (isFirst) wake(entryKey);
      if (isFirst && state.value === undefined) replan();
      else queueMicrotask(() => mirror(entryKey));
    },
    leave(entryKey) {
      members.delete(entryKey);
      if (members.size === 0) settle();
    },
    ask: asking.ask,
    absorb(entryKeys, reading) {
      for (const key of entryKeys) members.add(key);
      const hasOne = state.value !== undefined && !state.isExpired;
      if (!hasOne || !isMinted(reading.answer.kind)) {
        const isChanged = accept(reading);
        // The newcomers may want it fresher.
        replan();
        return isChanged;
      }
      // Minted twice: the lease of the newcomer goes at once.
      const lease = own(reading, []);
      if (lease !== undefined && lease !== state.value?.lease) book.retire(lease, 0);
      for (const key of entryKeys) mirror(key);
      return true;
    },
    replan,
    shift(jumpMs) {
      apply({ type: 'jumped', jumpMs });
      replan();
    },
    upstreamRecovered() {
      const { failure } = state;
      const isHit =
        phase === 'parked' || (failure !== undefined && (failure.wasAway || isOutage(failure.code)));
      if (phase !== 'awaiting' && isHit) set(planAfterRecovery(view(), clock.now(), random, limits));
    },
    upstreamFailing() {
      const isHit = state.failure !== undefined && isOutage(state.failure.code);
      // Nothing is sent while upstream is away: it fails at once, and that is all that is wanted.
      if (isHit && (phase === 'idle' || phase === 'parked') && sources.isAway(reference.upstream))
        void asking.ask('due', 'background', 'retry');
    },
    view,
    issued,
    unleased() {
      const answer = minted()?.answer;
      return answer?.lease === undefined ? answer : undefined;
    },
    async stop() {
      phase = 'stopped';
      set(undefined);
      await asking.idle();
    },
  };
  return track;
}
