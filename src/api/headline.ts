// The verdict on an agent in one line, first of all that is said of it.
import type { AgentStatus } from './status.ts';

/** `ready`, `ready, degraded: vault sealed, 4 secrets stale`, `not ready`. */
export function headlineOf({ ready, degraded }: Pick<AgentStatus, 'ready' | 'degraded'>): string {
  const verdict = ready ? 'ready' : 'not ready';
  return degraded.length === 0 ? verdict : `${verdict}, degraded: ${degraded.join(', ')}`;
}
