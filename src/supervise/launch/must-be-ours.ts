// What others can change is not run: looked at when the config was read, which may be long ago, and here each time again.
import { LatchkeyError } from '../../base/errors.ts';
import type { FaultOf } from '../../base/surroundings.ts';
import { filesOfCommand } from '../../config/resolve/check-modes.ts';

/** Throws `process_failed`. */
export function mustBeOurs(
  command: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
  faultOf: FaultOf | undefined,
): void {
  if (faultOf === undefined) return;
  for (const { path, role } of filesOfCommand(command, env)) {
    const fault = faultOf(path, role);
    if (fault !== undefined) throw new LatchkeyError('process_failed', fault);
  }
}
