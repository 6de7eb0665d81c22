// What Node would let others do with a process that holds secrets: a debugger, dumps of its memory, keys of its TLS
// sessions. A command that touches a secret does not start with any of them open.
import { LatchkeyError } from '../base/errors.ts';
import { isLockedForDebugger } from '../base/system/harden-process.ts';

/** Commands that touch no secret of anybody: developers may debug those. */
const harmless = new Set(['dev', 'demo', 'help', 'version', 'generate-config', 'completion', 'migrate']);

/** Options of Node that open one, by how they begin. */
const doors = [
  '--inspect',
  '--debug',
  '--experimental-worker-inspection',
  '--heapsnapshot',
  '--heap-prof',
  '--report-on',
  '--report-uncaught',
  '--tls-keylog',
  '--abort-on-uncaught-exception',
  '--trace-event',
  '--node-snapshot',
];

/** Throws `usage` when one is open, naming it. `command` is the first word of the command line. */
export function refuseOpenDoors(command: string | undefined, env: NodeJS.ProcessEnv): void {
  if (command === undefined || command.startsWith('-') || harmless.has(command)) return;
  const open = openDoor(env);
  if (open === undefined) return;
  throw new LatchkeyError('usage', `${command}: does not start with ${open}, which would show its memory`, {
    remedy: 'start it without',
  });
}

function openDoor(env: NodeJS.ProcessEnv): string | undefined {
  // As Node reads the variable: words may be quoted, and `_` is as good as `-`.
  const words = [...process.execArgv, ...(env['NODE_OPTIONS'] ?? '').replace(/["'\\]/g, '').split(/\s+/)];
  const option = words.find((word) => doors.some((door) => word.replaceAll('_', '-').startsWith(door)));
  if (option !== undefined) return option;
  if ((env['NODE_DEBUG'] ?? '') !== '') return 'NODE_DEBUG';
  if (isLockedForDebugger()) return undefined;
  // Opened by a signal before the first line of ours ran, where Node was not told so.
  return process.getBuiltinModule('node:inspector').url() === undefined ? undefined : 'an open debugger';
}
