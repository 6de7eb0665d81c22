// How long each part may take to stop. Somebody who presses Ctrl-C waits; a service manager gives every program the time
// that its config asks for.
import type { ProcessConfig } from '../config/resolved.ts';

/** All in milliseconds. */
export interface StopDeadlines {
  /** Requests that are being answered. */
  readonly drainMs: number;
  /** From here on children are killed. */
  readonly childrenMs: number;
  /** Check and notify commands are told to end at once; what does not is left behind after this. */
  readonly commandsMs: number;
  /** Revocations of leases and tokens, counted from when all else has stopped. */
  readonly upstreamMs: number;
}

/** Until everything has stopped, whatever hangs. */
export function longestStopMs({ drainMs, childrenMs, commandsMs, upstreamMs }: StopDeadlines): number {
  return Math.max(drainMs, childrenMs, commandsMs) + upstreamMs + spareMs;
}

/** For upstreams and files to be closed, and a busy host. */
const spareMs = 10_000;

export function stopDeadlines(
  isHasty: boolean,
  { processes }: { readonly processes: readonly Pick<ProcessConfig, 'stop'>[] },
): StopDeadlines {
  if (isHasty) return { drainMs: 500, childrenMs: 700, commandsMs: 1000, upstreamMs: 600 };
  const longest = Math.max(0, ...processes.map(({ stop }) => stop.timeoutMs));
  return { drainMs: 1000, childrenMs: longest + 1000, commandsMs: 1000, upstreamMs: 10_000 };
}
