// What others can change is not run: looked at when the config was read, which may be long ago, and here each time again.
import { type ErrorCode, LatchkeyError } from '../../base/errors.ts';
import type { FaultOf } from '../../base/surroundings.ts';
import { filesOfCommand, type WhereFrom } from './check-modes.ts';

interface RunningOf extends WhereFrom {
  readonly faultOf: FaultOf | undefined;
  /** What is thrown (default `process_failed`). */
  readonly code?: ErrorCode;
}

/** Throws what others can change of a command. */
export function mustBeOurs(command: readonly string[], options: RunningOf): void {
  const { faultOf, code = 'process_failed' } = options;
  if (faultOf === undefined) return;
  for (const { path, role } of filesOfCommand(command, options)) {
    const fault = faultOf(path, role);
    if (fault !== undefined) throw new LatchkeyError(code, fault);
  }
}
