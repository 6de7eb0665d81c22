// Whether the server as a whole serves: remembers why not, so that requests fail at once, and asks gently until it does again.

import { describeError } from '../../base/errors.ts';
import type { Logger } from '../../base/logger.ts';
import { backoffDelayMs } from '../../base/time/backoff.ts';
import type { Clock } from '../../base/time/clock.ts';
import { createChangePoint, until } from '../../base/time/until.ts';
import type { AwayState, UpstreamFailure } from './failure.ts';
import { isAborted } from './failure.ts';

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
  /** Looks since a request was last answered well: the waits go on growing while the health alone is good. */
  let attempts = 0;
  /** How often it went away again before any request was answered. */
  let flaps = 0;
  let isUnproven = false;
  let told: AwayState | undefined;
  let invalid: { target: string | undefined; at: number } | undefined;

  function set(next: UpstreamFailure | undefined): void {
    const before = failure?.state;
    failure = next;
    if (before === next?.state) return;
    tell(before, next);
    if (next === undefined) changed.tell();
    onChange();
  }

  /** One line a state, and not one for each turn of a server that comes and goes: then only what lasts is told. */
  function tell(before: AwayState | undefined, next: UpstreamFailure | undefined): void {
    if (next === undefined && flaps === 0) tellServing(before);
    if (next === undefined || next.state === told) return;
    told = next.state;
    logger.warn({ event: 'upstream.away', state: next.state }, describeError(next));
  }

  function tellServing(before: AwayState | undefined): void {
    if (told === undefined) return;
    told = undefined;
    logger.info({ state: 'serving', before }, 'the upstream serves again');
  }

  async function poll(): Promise<void> {
    if (isPolling) return;
    isPolling = true;
    try {
      while (failure !== undefined) {
        attempts += 1;
        await clock.sleep(backoffDelayMs(attempts, pollBackoff, random), lifetime.signal);
        set(await probe(lifetime.signal));
      }
      isUnproven = true;
    } catch (error) {
      if (!lifetime.signal.aborted && !isAborted(error)) throw error;
    } finally {
      isPolling = false;
    }
  }

  async function probeNow(): Promise<void> {
    let found: UpstreamFailure | undefined;
    isPolling = true;
    try {
      found = await probe(lifetime.signal);
    } catch (error) {
      if (!lifetime.signal.aborted && !isAborted(error)) throw error;
    } finally {
      isPolling = false;
    }
    if (found !== undefined) away(found);
    // Whoever found it away meanwhile has left the asking to this look, which may have been answered before.
    else if (isAway()) void poll();
  }

  function away(next: UpstreamFailure, target?: string): void {
    if (lifetime.signal.aborted) return;
    if (failure === undefined && isUnproven) flaps += 1;
    isUnproven = false;
    invalid = next.state === 'answer_invalid' ? { target, at: clock.now() } : undefined;
    set(next);
    if (!isGateOpen[next.state]) void poll();
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
      if (failure === undefined) {
        tellServing(told);
        [attempts, flaps, isUnproven] = [0, 0, false];
        return;
      }
      const isOther = invalid?.target !== undefined && invalid.target !== target;
      if (isOther && clock.now() < (invalid?.at ?? 0) + invalidMs) return;
      set(undefined);
    },
    async whenServing(signal) {
      await until(changed.changes, () => !isAway(), signal);
    },
    close() {
      lifetime.abort();
    },
  };
}
