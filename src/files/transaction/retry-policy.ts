// When a transaction that failed is tried again. Pure; a change of a secret or of the config does not wait for it.
import type { BackoffLimits } from '../../base/time/backoff.ts';
import type { Step } from './transaction-policy.ts';

export type RetryKind = 'file' | 'check' | 'notify' | 'rollback';

/**
 * A file that could not be written is tried often, since a full disk or a missing folder mends itself; a check and a
 * program less so; and a rollback seldom, because each try disturbs a program that runs well on the old value.
 */
export const defaultRetryLimits: Readonly<Record<RetryKind, BackoffLimits>> = {
  file: { minMs: 1000, maxMs: 60_000 },
  check: { minMs: 2000, maxMs: 300_000 },
  notify: { minMs: 1000, maxMs: 300_000 },
  rollback: { minMs: 30_000, maxMs: 900_000 },
};

export function retryKind(failedStep: Step, wasRolledBack: boolean): RetryKind {
  if (wasRolledBack) return 'rollback';
  if (failedStep === 'check') return 'check';
  return failedStep === 'notify' || failedStep === 'settle' ? 'notify' : 'file';
}
