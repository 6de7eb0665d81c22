// The one gate to an upstream: every request of any kind (login, probe, look-up, read, renewal, passed on) goes through it, is
// given its place, and is counted when it is sent. Whether the server serves at all, and what it limits, is asked here too.

import { type ErrorCode, errorCode } from '../../base/errors.ts';
import type { Logger } from '../../base/logger.ts';
import type { Clock } from '../../base/time/clock.ts';
import type { LimitsConfig } from '../../config/upstreams/limits.ts';
import { createAllowance, type LimitUse } from './allowance.ts';
import { type BudgetLimits, createBudget, type Turn } from './budget.ts';
import type { UpstreamFailure } from './failure.ts';
import { createHealth, type Health } from './health.ts';
import { createQuota, type Quota } from './quota.ts';

/** Told of what was sent and how it went; the metrics are made of it. */
export interface GateObserver {
  /** `seconds` counts from when it came to the gate to the answer's last byte, or its headers where it is streamed on. */
  requested(outcome: 'ok' | ErrorCode, seconds: number): void;
  loggedIn(outcome: 'ok' | ErrorCode): void;
}

export interface Passage extends Turn {
  readonly signal: AbortSignal;
}

export interface GateStatus {
  readonly inFlight: number;
  readonly queued: number;
  readonly limits: readonly LimitUse[];
  /** Requests of the last hour and the last day. */
  readonly asked: { readonly hour: number; readonly day: number };
  /** In US dollars; undefined: they cost nothing. */
  readonly priceOfTenThousand: number | undefined;
}

/** Of what has not been asked anything yet. */
export const idleGate: GateStatus = {
  inFlight: 0,
  queued: 0,
  limits: [],
  asked: { hour: 0, day: 0 },
  priceOfTenThousand: undefined,
};

export interface Gate {
  readonly health: Health;
  readonly quota: Quota;
  /** Sends when its turn has come. */
  pass<T extends { readonly status: number }>(passage: Passage, send: () => Promise<T>): Promise<T>;
  loggedIn(outcome: 'ok' | ErrorCode): void;
  setLimits(limits: BudgetLimits, allowed: LimitsConfig): void;
  status(): GateStatus;
  close(): void;
}

export interface GateOptions {
  readonly limits: BudgetLimits;
  /** Over longer times; absent: none. */
  readonly allowed?: LimitsConfig;
  readonly clock: Clock;
  /** Numbers in [0, 1). */
  readonly random: () => number;
  readonly logger: Logger;
  readonly observer?: GateObserver | undefined;
  /** Whether the server serves: resolves to what is wrong, or undefined. Its requests pass the gate themselves. */
  readonly probe: (signal: AbortSignal) => Promise<UpstreamFailure | undefined>;
  readonly onChange: () => void;
}

export function createGate(options: GateOptions): Gate {
  const { clock, random, logger, observer } = options;
  let price = options.allowed?.priceOfTenThousand;
  const allowance = createAllowance(clock, options.allowed?.limits ?? []);
  const budget = createBudget({ ...options.limits, clock, allowance });
  const health = createHealth({ clock, random, logger, probe: options.probe, onChange: options.onChange });
  return {
    health,
    quota: createQuota({ clock, random, logger }),
    async pass(passage, send) {
      const begunAt = clock.now();
      const note = (outcome: 'ok' | ErrorCode) =>
        observer?.requested(outcome, (clock.now() - begunAt) / 1000);
      const release = await budget.acquire(passage, passage.signal);
      try {
        const answer = await send();
        note(outcomeOf(answer.status));
        return answer;
      } catch (error) {
        note(errorCode(error));
        throw error;
      } finally {
        release();
      }
    },
    loggedIn: (outcome) => observer?.loggedIn(outcome),
    setLimits(limits, allowed) {
      price = allowed.priceOfTenThousand;
      allowance.setLimits(allowed.limits);
      budget.setLimits(limits);
    },
    status: () => ({
      ...budget.status(),
      limits: allowance.status(),
      asked: allowance.asked(),
      priceOfTenThousand: price,
    }),
    close: health.close,
  };
}

/** What an HTTP status says to the counters; what it means to the asker is decided elsewhere. */
function outcomeOf(status: number): 'ok' | ErrorCode {
  if (status < 400) return 'ok';
  if (status === 403) return 'denied';
  if (status === 404) return 'not_found';
  if (status === 429) return 'upstream_rate_limited';
  return status < 500 ? 'request_invalid' : 'upstream_unavailable';
}
