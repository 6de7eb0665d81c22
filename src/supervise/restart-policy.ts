// Decides what happens after a process has ended by itself: start it again, when, or leave it.
import { constants } from 'node:os';
import { backoffDelayMs } from '../base/time/backoff.ts';
import type { ProcessConfig } from '../config/resolved.ts';
import type { BackgroundProcess } from './launch/find-background.ts';

export interface ProcessExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** It ended well, but went on in the background, out of reach. */
  readonly background?: BackgroundProcess | undefined;
}

export type RestartDecision =
  | { readonly action: 'restart'; readonly delayMs: number; readonly attempts: number }
  /** It ended as it should, or is not to be started again. */
  | { readonly action: 'leave'; readonly attempts: number }
  | { readonly action: 'give_up'; readonly attempts: number };

interface RestartInput {
  readonly exit: ProcessExit;
  /** How long it ran, in milliseconds. */
  readonly ranMs: number;
  /** Exits in a row before this one. */
  readonly attempts: number;
  readonly settings: ProcessConfig['restart'];
  /** Numbers in [0, 1). */
  readonly random: () => number;
}

/** A run of at least the longest wait ends the row: the next exit counts as the first. */
export function decideRestart({ exit, ranMs, attempts, settings, random }: RestartInput): RestartDecision {
  const { onExit, minBackoffMs, maxBackoffMs, maxAttempts } = settings;
  const count = (ranMs >= maxBackoffMs ? 0 : attempts) + 1;
  const isWanted = onExit === 'always' || (onExit === 'on-failure' && !isSuccess(exit));
  if (!isWanted) return { action: 'leave', attempts: count };
  if (maxAttempts > 0 && count >= maxAttempts) return { action: 'give_up', attempts: count };
  const delayMs = backoffDelayMs(count, { minMs: minBackoffMs, maxMs: maxBackoffMs }, random);
  return { action: 'restart', delayMs, attempts: count };
}

export function isSuccess(exit: ProcessExit): boolean {
  return exit.code === 0;
}

/** As shells have it; `unknown` where neither is told. */
export function exitCodeOf({ code, signal }: ProcessExit, unknown: number): number {
  return code ?? (signal === null ? unknown : 128 + constants.signals[signal]);
}

/** `exit code 3`, `SIGSEGV` */
export function describeExit({ code, signal }: ProcessExit): string {
  return signal ?? `exit code ${code ?? 'unknown'}`;
}
