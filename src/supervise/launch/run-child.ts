// `latchkey run -- CMD`: one program in the foreground of the agent, with its signals passed on and its exit code passed back.
import { closeSync, openSync } from 'node:fs';
import type { Timer } from '../../base/time/clock.ts';
import { exitCodeOf, type ProcessExit } from '../restart-policy.ts';
import {
  createSupervisedProcess,
  type SupervisedProcess,
  type SupervisedProcessOptions,
} from '../supervised-process.ts';
import { createCommandRunner } from './command-runner.ts';
import { isOther } from './launcher.ts';

/** `config.restart` says whether it is started again; for a run as a shell does it, `never`. */
export interface RunChildOptions
  extends Omit<SupervisedProcessOptions, 'runCommand' | 'stdin' | 'isLeader' | 'isForeground'> {
  /** How long the program may take after a TERM before its group is killed; undefined: as long as it likes. */
  readonly killAfterMs?: number | undefined;
}

export interface RunningChild {
  readonly process: SupervisedProcess;
  /** The exit code to end with: the program's own, or 128 and the number of the signal that ended it. */
  readonly exitCode: Promise<number>;
}

const passedOn = [
  'SIGHUP',
  'SIGINT',
  'SIGQUIT',
  'SIGTERM',
  'SIGUSR1',
  'SIGUSR2',
  'SIGCONT',
  'SIGWINCH',
] as const;
/** A terminal sends these to all in the foreground, the program too: passed on they would come twice. */
const fromTerminal: readonly NodeJS.Signals[] = ['SIGINT', 'SIGQUIT', 'SIGWINCH', 'SIGCONT'];

/**
 * Starts the program as soon as its values are there. Where there is a terminal it stays in the agent's session and group,
 * whatever its input is: it may ask there for a password. Until it has ended, the signals of the agent go to it; before
 * it runs, INT and TERM end the wait with 130 and 143.
 */
export function runChild(options: RunChildOptions): RunningChild {
  const { logger, clock, env, valuesInUse, faultOf } = options;
  const { user, group } = options.config;
  // A program of another user is in a session of its own: a terminal's signals come to us alone.
  const isTerminal = hasTerminal() && !isOther({ user, groupId: group });
  const child = createSupervisedProcess({
    ...options,
    stdin: 'inherit',
    isLeader: !isTerminal,
    isForeground: true,
    runCommand: createCommandRunner({ logger, clock, env, valuesInUse, faultOf }),
  });
  const stopped = Promise.withResolvers<ProcessExit>();
  const killing = new AbortController();
  let killTimer: Timer | undefined;
  const wanted = passedOn.filter((signal) => !isTerminal || !fromTerminal.includes(signal));
  const ignored = passedOn.filter((signal) => !wanted.includes(signal));
  const passOn = (signal: NodeJS.Signals) => {
    if (child.status().pid === undefined) {
      if (signal === 'SIGINT' || signal === 'SIGTERM') stopped.resolve({ code: null, signal });
      return;
    }
    // A group has its time only when it is stopped, not when it is signalled.
    if (signal === 'SIGTERM' && options.config.stop.isGroup === true)
      void child.close({ signal: killing.signal });
    else child.signal(signal);
    if (signal === 'SIGTERM') stopInTime();
  };
  function stopInTime(): void {
    if (options.killAfterMs === undefined) return;
    killTimer ??= clock.setTimer(options.killAfterMs, () => {
      killing.abort();
      void child.close({ signal: killing.signal });
    });
  }
  const ignore = (signal: NodeJS.Signals) => {
    if (child.status().pid === undefined) passOn(signal);
  };
  for (const signal of wanted) process.on(signal, passOn);
  for (const signal of ignored) process.on(signal, ignore);
  child.start();
  return {
    process: child,
    exitCode: Promise.race([child.ended, stopped.promise]).then((exit) => {
      killTimer?.cancel();
      for (const signal of wanted) process.off(signal, passOn);
      for (const signal of ignored) process.off(signal, ignore);
      // 126: it could not be started.
      return exitCodeOf(exit, 126);
    }),
  };
}

/** A controlling terminal, not only input from one: `… | latchkey run -- ssh HOST` asks for the password there. */
function hasTerminal(): boolean {
  try {
    closeSync(openSync('/dev/tty', 'r+'));
    return true;
  } catch {
    return false; // ENXIO: there is none
  }
}
