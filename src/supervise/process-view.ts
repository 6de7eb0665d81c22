// What is shown of a process: its state and since when, put together with the facts that its loop knows.
import type { Clock } from '../base/time/clock.ts';
import type { ProcessObserver, ProcessState, ProcessStatus } from './process-status.ts';
import { isSuccess, type ProcessExit } from './restart-policy.ts';

interface ProcessFacts {
  readonly pid: number | undefined;
  readonly starts: number;
  readonly lastExit: ProcessExit | undefined;
  readonly isRequired: boolean;
}

interface ProcessViewOptions {
  readonly name: string;
  readonly clock: Clock;
  readonly observer: ProcessObserver | undefined;
  readonly facts: () => ProcessFacts;
}

export interface ProcessView {
  show(state: ProcessState, message?: string): void;
  readonly state: ProcessState;
  readonly message: string | undefined;
  status(): ProcessStatus;
}

export function createProcessView({ name, clock, observer, facts }: ProcessViewOptions): ProcessView {
  let state: ProcessState = 'stopped';
  let message: string | undefined;
  let since = clock.wall();

  function status(): ProcessStatus {
    const { pid, starts, lastExit, isRequired } = facts();
    const isDone = state === 'exited' && lastExit !== undefined && isSuccess(lastExit);
    return {
      name,
      state,
      since,
      restarts: Math.max(0, starts - 1),
      isInPlace: !isRequired || state === 'running' || isDone,
      ...(pid === undefined ? {} : { pid }),
      ...(message === undefined ? {} : { message }),
      ...(lastExit === undefined ? {} : { lastExit }),
    };
  }

  return {
    status,
    show(next, nextMessage) {
      if (next !== state) since = clock.wall();
      state = next;
      message = nextMessage;
      observer?.changed?.(status());
    },
    get state() {
      return state;
    },
    get message() {
      return message;
    },
  };
}
