// The first thing of every command, before a config or a secret is read: nobody may debug it, trace it or get a core of it.
import { hardenProcess, isLockedForDebugger, unblockUserSignal } from '../base/system/harden-process.ts';
import { reportFailure } from './exit-code.ts';
import { refuseOpenDoors } from './run-time-doors.ts';

/** A signal that came before our handler may be on its way through Node's own thread for a moment. */
const settleMs = 20;

/** Never throws; a number is the exit code of a command that may not run like this. */
export function closeDoors(command: string | undefined): number | undefined {
  hardenProcess();
  try {
    refuseOpenDoors(command, process.env);
    if (isLockedForDebugger()) unblockUserSignal();
    else watchForDebugger(command);
    return undefined;
  } catch (error) {
    return reportFailure(error);
  }
}

function watchForDebugger(command: string | undefined): void {
  setTimeout(() => {
    try {
      refuseOpenDoors(command, process.env);
    } catch (error) {
      process.exit(reportFailure(error));
    }
  }, settleMs).unref();
}
