// Programs of the system that run with the agent's rights on others' behalf. They are looked for in the system's own folders,
// never in a PATH, which is somebody's: a child's, or that of whoever started us.
import { join } from 'node:path';
import { findPathFault } from '../paths/trusted-path.ts';
import { isExecutable } from './executable.ts';

const folders = ['/usr/bin', '/bin', '/usr/sbin', '/sbin', '/run/current-system/sw/bin'];
const found = new Map<string, string>();

/** The absolute path, of a file that only root can change; undefined when this system has none. */
export function findSystemProgram(name: string): string | undefined {
  const known = found.get(name);
  if (known !== undefined) return known;
  const path = folders
    .map((folder) => join(folder, name))
    .find((candidate) => isExecutable(candidate) && findPathFault(candidate) === undefined);
  if (path !== undefined) found.set(name, path);
  return path;
}
