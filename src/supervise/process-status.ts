// What is known of a supervised process, for status, readiness and logs.
import type { ProcessExit } from './restart-policy.ts';

/**
 * `waiting`: for values; `starting`: runs, not yet found healthy or not yet for long; `unhealthy`: its probe failed, and goes on; `backoff`:
 * ended, is started again soon; `exited`: ended and is left so; `failed`: given up until its values or its config change.
 */
export type ProcessState =
  | 'waiting'
  | 'starting'
  | 'running'
  | 'unhealthy'
  | 'stopping'
  | 'backoff'
  | 'exited'
  | 'failed'
  | 'stopped';

export interface ProcessStatus {
  readonly name: string;
  readonly state: ProcessState;
  /** Wall time in milliseconds. */
  readonly since: number;
  readonly pid?: number;
  /** Starts after the first. */
  readonly restarts: number;
  readonly message?: string;
  readonly lastExit?: ProcessExit;
  /** As far as readiness goes: it runs (or has ended as it should), or is not required. */
  readonly isInPlace: boolean;
}

export type StartReason = 'first' | 'exit' | 'rotation' | 'config';

/** Told of what happens, for metrics; must not throw. */
export interface ProcessObserver {
  started?(name: string, reason: StartReason): void;
  changed?(status: ProcessStatus): void;
}
