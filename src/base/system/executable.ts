// Where programs are looked for, and whether a path is one that this process may start.
import { accessSync, constants, statSync } from 'node:fs';
import { delimiter, resolve } from 'node:path';

export function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false; // not there, or not for us
  }
}

/** As execvp has it: a folder of PATH that is not absolute is one of this process's own working folder. */
export function placesInPath(program: string, searchPath: string): string[] {
  return searchPath.split(delimiter).map((folder) => resolve(folder, program));
}
