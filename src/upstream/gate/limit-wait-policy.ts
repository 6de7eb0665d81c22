// How long nothing is asked for after a 429: as long as the server says, else a guess that grows with each refusal in a row. Pure.

import { backoffDelayMs } from '../../base/time/backoff.ts';
import type { UpstreamFailure } from './failure.ts';

/** What the server says may be cut to whole seconds: 0 is not at once. */
export const soon = { minMs: 500, maxMs: 60_000 };
const unsaid = { minMs: 1000, maxMs: 60_000 };
/** How often it is tried again before the waits grow. */
const promptTries = 4;
/** How often what is vital is tried every second or two, since the window may open at any time, before its waits grow too. */
const vitalTries = 20;

/** What the server says, where that is worth something. */
export function saidWaitMs({ retryAfterMs: said }: UpstreamFailure): number | undefined {
  return said !== undefined && said >= soon.minMs ? said : undefined;
}

/** `row`: refusals, with this one. `isPrompt`: of those held back only one asks, or it cannot wait. */
export function guessedWaitMs(
  { retryAfterMs: said }: UpstreamFailure,
  row: number,
  isPrompt: boolean,
  random: () => number,
): number {
  // A few tries are enough, wherever in the server's window the first one fell.
  if (isPrompt) return backoffDelayMs(row - promptTries, soon, random);
  return backoffDelayMs(row, said === undefined ? unsaid : soon, random);
}

/** Of what is in use and ends without it. */
export function vitalWaitMs(row: number, random: () => number): number {
  const most = row > vitalTries ? row - vitalTries + promptTries : 2;
  return backoffDelayMs(Math.min(row - promptTries, most), soon, random);
}
