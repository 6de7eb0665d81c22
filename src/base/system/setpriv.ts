// The program that starts others with less than its starter has (util-linux).
import { execFile } from 'node:child_process';
import { findSystemProgram } from './system-program.ts';

/** Its options for everything that is started with it: no way back to more rights, and death with the agent. */
export const confined: readonly string[] = ['--no-new-privs', '--pdeathsig', 'KILL'];

let probed: Promise<string | undefined> | undefined;

/**
 * The path of the system's setpriv; undefined where it is missing or, as busybox's, can do next to nothing. Asks once;
 * the answer holds while the agent runs.
 */
export function probeSetpriv(): Promise<string | undefined> {
  probed ??= new Promise((resolve) => {
    const path = findSystemProgram('setpriv');
    if (path === undefined) {
      resolve(undefined);
      return;
    }
    execFile(path, ['--help'], { timeout: 5000, env: {} }, (error, stdout) => {
      const canAll = ['--reuid', '--init-groups', '--no-new-privs', '--pdeathsig'].every((option) =>
        stdout.includes(option),
      );
      resolve(error === null && canAll ? path : undefined);
    });
  });
  return probed;
}
