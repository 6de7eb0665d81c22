// One request of a secret in flight. Who comes meanwhile shares the next one, because the answer under way may be older
// than the wish; the one before is promoted for somebody who waits.
import { LatchkeyError } from '../../base/errors.ts';
import type { Notice, NoticedBy } from '../../store/notice.ts';
import type { Priority, Urgency } from '../../store/secret-reading.ts';

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

interface AskingOptions {
  isStopped: () => boolean;
  now: () => number;
  /** Resolves with whether the data changed. */
  send: (mode: AskMode, urgency: Urgency) => Promise<boolean>;
  onStart: (notice: Notice) => void;
  onEnd: (error: unknown) => void;
}

export interface Asking {
  /** `by`: why, since `at` (default now); of several who share a request the first says so. */
  ask(mode: AskMode, priority: Priority, by: NoticedBy, at?: number): Promise<AskResult>;
  isBusy(): boolean;
  /** Resolves when nothing is in flight. */
  idle(): Promise<void>;
}

export function createAsking(options: AskingOptions): Asking {
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

  function start(mode: AskMode, priority: Priority, notice: Notice): Promise<AskResult> {
    if (options.isStopped()) return Promise.resolve({ outcome: 'failed', error: closing() });
    if (promotion.signal.aborted) promotion = new AbortController();
    inFlight = run(mode, priority);
    options.onStart(notice);
    return inFlight;
  }

  function ask(mode: AskMode, priority: Priority, by: NoticedBy, at = options.now()): Promise<AskResult> {
    const notice = { by, at };
    if (inFlight === undefined) return start(mode, priority, notice);
    if (priority === 'interactive') promotion.abort();
    if (mode === 'due') return inFlight;
    if (next === undefined) {
      const following = { mode, priority, result: inFlight.then(() => begin()) };
      const begin = (): Promise<AskResult> => {
        next = undefined;
        return inFlight ?? start(following.mode, following.priority, notice);
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

export function closing(): LatchkeyError {
  return new LatchkeyError('aborted', 'the agent is closing');
}
