// Whether the server as a whole serves: remembers why not, so that requests fail at once, and asks gently until it does again.
import { backoffDelayMs } from '../../base/backoff.ts';
import type { Clock, Timer } from '../../base/clock.ts';
import { describeError } from '../../base/errors.ts';
import type { Logger } from '../../base/logger.ts';
import { createChangePoint, until } from '../../base/until.ts';
import { isAborted } from '../vault/answer-policy.ts';
import type { AwayState, UpstreamFailure } from './failure.ts';

export interface Health {
  /** Why the server does not serve; undefined while it does. */
  failure(): UpstreamFailure | undefined;
  /** Requests are pointless now. */
  isAway(): boolean;
  /** Throws the failure while requests are pointless. */
  check(): void;
  /** The server does not serve: from now on it is asked until it does. */
  away(failure: UpstreamFailure, target?: string): void;
  /** A request failed in a way that may or may not concern the server: asks it at once, and only then decides. */
  suspect(): void;
  /** A good answer came; `target` tells of bad answers to the same question that they are over. */
  reached(target: string): void;
  /** Resolves while the server serves. Rejects when aborted. */
  whenServing(signal: AbortSignal): Promise<void>;
  close(): void;
}

export interface HealthOptions {
  readonly clock: Clock;
  readonly random: () => number;
  readonly logger: Logger;
  /** Asks `sys/health`; resolves to what is wrong, or undefined. */
  readonly probe: (signal: AbortSignal) => Promise<UpstreamFailure | undefined>;
  readonly onChange: () => void;
}

const pollBackoff = { minMs: 500, maxMs: 10_000 };
/** A limit without Retry-After is waited out this long. */
const defaultLimitMs = 1000;
/** A bad answer counts until the same question is answered well, or for this long where nobody repeats the question. */
const invalidMs = 60_000;
/** One bad answer does not silence an upstream whose other answers are good. */
const isGateOpen: Partial<Record<AwayState, true>> = { answer_invalid: true };

export function createHealth(options: HealthOptions): Health {
  const { clock, random, logger, probe, onChange } = options;
  const lifetime = new AbortController();
  const changed = createChangePoint();
  let failure: UpstreamFailure | undefined;
  let isPolling = false;
  let limitTimer: Timer | undefined;
  let invalid: { target: string | undefined; at: number } | undefined;

  function set(next: UpstreamFailure | undefined): void {
    const before = failure?.state;
    failure = next;
    if (before === next?.state) return;
    if (next) logger.warn({ state: next.state }, describeError(next));
    else logger.info({ state: 'serving', before }, 'the upstream serves again');
    if (next === undefined) changed.tell();
    onChange();
  }

  async function poll(): Promise<void> {
    if (isPolling) return;
    isPolling = true;
    try {
      for (let attempt = 1; failure !== undefined; attempt += 1) {
        await clock.sleep(backoffDelayMs(attempt, pollBackoff, random), lifetime.signal);
        set(await probe(lifetime.signal));
      }
    } catch (error) {
      if (!lifetime.signal.aborted && !isAborted(error)) throw error;
    } finally {
      isPolling = false;
    }
  }

  async function probeNow(): Promise<void> {
    isPolling = true;
    try {
      const found = await probe(lifetime.signal);
      isPolling = false;
      if (found !== undefined) away(found);
    } catch (error) {
      if (!lifetime.signal.aborted && !isAborted(error)) throw error;
    } finally {
      isPolling = false;
    }
  }

  function waitLimitOut(limit: UpstreamFailure): void {
    limitTimer?.cancel();
    limitTimer = clock.setTimer(limit.retryAfterMs ?? defaultLimitMs, () => {
      if (failure?.state === 'rate_limited') set(undefined);
    });
  }

  function away(next: UpstreamFailure, target?: string): void {
    if (lifetime.signal.aborted) return;
    invalid = next.state === 'answer_invalid' ? { target, at: clock.now() } : undefined;
    set(next);
    if (next.state === 'rate_limited') waitLimitOut(next);
    else if (!isGateOpen[next.state]) void poll();
  }

  function isAway(): boolean {
    return failure !== undefined && !isGateOpen[failure.state];
  }

  return {
    failure: () => failure,
    isAway,
    check() {
      if (failure !== undefined && isAway()) throw failure;
    },
    away,
    suspect() {
      if (!isPolling && failure === undefined && !lifetime.signal.aborted) void probeNow();
    },
    reached(target) {
      if (failure === undefined || failure.state === 'rate_limited') return;
      const isOther = invalid?.target !== undefined && invalid.target !== target;
      if (isOther && clock.now() < (invalid?.at ?? 0) + invalidMs) return;
      set(undefined);
    },
    async whenServing(signal) {
      await until(changed.changes, () => !isAway(), signal);
    },
    close() {
      lifetime.abort();
      limitTimer?.cancel();
    },
  };
}
