// What is wrong with a config on this host alone: programs, folders and files that are not there, or are something else.
import { existsSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { describeError } from '../../base/errors.ts';
import { type LookFault, lookAt } from '../../base/paths/look-at.ts';
import { specialFileFault, standardStreamOf } from '../../base/paths/special-file.ts';
import { keyAt } from '../../base/text/key-at.ts';
import { type Locate, placedLine } from '../../config/places.ts';
import { formatPath, type Path } from '../../config/problems.ts';
import type { FileConfig, ProcessConfig, ResolvedConfig } from '../../config/resolved.ts';
import { commandOf, type UpstreamConfig } from '../../config/upstreams/kinds.ts';
import { findProgram } from '../../supervise/launch/launcher.ts';

type HostProblem = readonly [at: Path, problem: string | undefined];

export function hostProblems(config: ResolvedConfig, locate: Locate | undefined): string[] {
  const written = new Set(config.files.map(({ destination }) => destination));
  return [
    ...config.files.flatMap((file, index) => fileProblems(file, ['files', index])),
    ...config.processes.flatMap(processProblems),
    ...ownProblems(config, written),
    ...config.upstreams.flatMap((upstream) => upstreamProblems(upstream, written)),
  ].flatMap(([at, problem]) =>
    problem === undefined ? [] : [placedLine(at, `${labelOf(at, config)}: ${problem}`, locate)],
  );
}

/** Files are called as in the files of the config, whosever they are. */
function labelOf([section, which, ...rest]: Path, { files }: ResolvedConfig): string {
  const file = section === 'files' && typeof which === 'number' ? files[which]?.place : undefined;
  return file === undefined
    ? formatPath([section ?? '', ...(which === undefined ? [] : [which]), ...rest])
    : keyAt(file, formatPath(rest));
}

function fileProblems(file: FileConfig, place: Path): HostProblem[] {
  const { destination, createParents, fifo, check, notify, settle, staging, inPlace } = file;
  const isStaged = staging !== undefined && !inPlace;
  return [
    [[...place, 'destination'], parentProblem(destination, createParents)],
    [[...place, 'destination'], placeProblem(destination, fifo)],
    [[...place, 'staging'], isStaged ? stagingProblem(staging, destination) : undefined],
    [[...place, 'check'], check && programProblem(check.command)],
    ...notify.map((one, index): HostProblem => {
      const problem = one.kind === 'command' ? programProblem(one.command) : undefined;
      return [[...place, 'notify', index], problem];
    }),
    [[...place, 'settle'], settle?.kind === 'command' ? programProblem(settle.command) : undefined],
  ];
}

function processProblems({ name, command, workingDir, env, health }: ProcessConfig): HostProblem[] {
  const hasOwnPath = env['PATH'] !== undefined;
  return [
    [['processes', name, 'command'], hasOwnPath ? undefined : programProblem(command, workingDir)],
    [['processes', name, 'working_dir'], workingDir === undefined ? undefined : folderProblem(workingDir)],
    [['processes', name, 'health'], health?.kind === 'command' ? programProblem(health.command) : undefined],
  ];
}

function upstreamProblems(upstream: UpstreamConfig, written: ReadonlySet<string>): HostProblem[] {
  const place: Path = ['upstreams', upstream.name];
  const command = commandOf(upstream);
  const tls = 'tls' in upstream ? upstream.tls : undefined;
  return [
    [[...place, 'command'], command && programProblem(command)],
    [[...place, 'tls', 'ca_file'], readProblem(tls?.caFile, written)],
    [[...place, 'tls', 'ca_path'], tls?.caPath === undefined ? undefined : folderProblem(tls.caPath)],
    [[...place, 'tls', 'cert_file'], readProblem(tls?.certFile, written)],
    [[...place, 'tls', 'key_file'], readProblem(tls?.keyFile, written)],
    ...('sinks' in upstream ? upstream.sinks : []).map(
      ({ path }, index): HostProblem => [[...place, 'sinks', index, 'path'], placeProblem(path)],
    ),
  ];
}

/** Of what the agent needs for itself. */
function ownProblems(
  { life, listeners, audit, log }: ResolvedConfig,
  written: ReadonlySet<string>,
): HostProblem[] {
  return [
    [['agent', 'pid_file'], placeProblem(life.pidFile)],
    ...listeners.flatMap((listener, index): HostProblem[] => {
      if (listener.kind !== 'tcp') return [];
      const place: Path = ['listeners', index];
      return [
        [[...place, 'token_file'], placeProblem(listener.tokenFile)],
        [[...place, 'tls', 'cert_file'], readProblem(listener.tls?.certFile, written)],
        [[...place, 'tls', 'key_file'], readProblem(listener.tls?.keyFile, written)],
      ];
    }),
    [['audit', 'file'], audit && (parentProblem(audit.file) ?? placeProblem(audit.file))],
    [
      ['log', 'file'],
      log.file === undefined ? undefined : (parentProblem(log.file) ?? placeProblem(log.file)),
    ],
  ];
}

function programProblem([program = '']: readonly string[], workingDir?: string): string | undefined {
  if (program.includes('{')) return undefined;
  try {
    findProgram(program, process.env['PATH'] ?? '', workingDir);
    return undefined;
  } catch (error) {
    return describeError(error);
  }
}

/** Of the folder that a file is put into; with `isMade` it is made, in a folder that is there. */
function parentProblem(path: string, isMade = false): string | undefined {
  let folder = dirname(path);
  while (isMade && folder !== dirname(folder) && !existsSync(folder)) folder = dirname(folder);
  return folderProblem(folder);
}

function folderProblem(folder: string): string | undefined {
  const { stats: found, fault } = lookAt(folder);
  if (fault !== undefined) return told(folder, fault);
  if (found === undefined) return `the folder ${folder} does not exist; make it, or correct the path`;
  return found.isDirectory() ? undefined : `${folder} is no folder; correct the path`;
}

/** What the agent writes itself (a certificate of its own listener) need not be there yet. */
function readProblem(path: string | undefined, written: ReadonlySet<string>): string | undefined {
  if (path === undefined || written.has(path)) return undefined;
  const { stats: found, fault } = lookAt(path);
  if (fault !== undefined) return told(path, fault);
  if (found === undefined) return `${path} does not exist; correct the path`;
  return found.isDirectory() ? `${path} is a folder; name a file in it` : undefined;
}

/** Folders that are still to be made are looked for when the file is written. */
function stagingProblem(staging: string, destination: string): string | undefined {
  const folder = dirname(destination);
  try {
    const from = statSync(staging);
    if (!from.isDirectory()) return `expected a folder, ${staging} is none`;
    if (from.dev === statSync(folder).dev) return undefined;
    return `${staging} is on another file system than ${folder}; choose a folder on the file system of the destination`;
  } catch {
    // Not there, or not to be seen by who asks.
    return undefined;
  }
}

/** Of what is written there: links are followed, as its writer does. */
function placeProblem(path: string | undefined, isPipeWanted = false): string | undefined {
  if (path === undefined || standardStreamOf(path) !== undefined) return undefined;
  const { stats: found, fault } = lookAt(path);
  // The agent may be let in where whoever asks is not.
  if (fault !== undefined) return fault.code === 'EACCES' ? undefined : told(path, fault);
  if (found === undefined) return undefined;
  if (found.isDirectory()) return `${path} is a folder; name a file in it`;
  const wrong = specialFileFault(path, found, isPipeWanted);
  return wrong && `${wrong.message}; ${wrong.remedy}`;
}

function told(path: string, { what, remedy }: LookFault): string {
  return `${path} ${what}; ${remedy}`;
}
