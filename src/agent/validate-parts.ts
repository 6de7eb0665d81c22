// What loading a config cannot tell: whether every template can be parsed and asks for what there is, and whether programs
// and folders are there. Asks nobody.
import { existsSync, type Stats, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { describeError, LatchkeyError } from '../base/errors.ts';
import { specialFileFault, standardStreamOf } from '../base/paths/special-file.ts';
import { createSystemClock } from '../base/time/clock.ts';
import { type Locate, placedLine } from '../config/places.ts';
import { formatPath, type Path } from '../config/problems.ts';
import type { FileConfig, ProcessConfig, ResolvedConfig } from '../config/resolved.ts';
import { commandOf, type UpstreamConfig } from '../config/upstreams/kinds.ts';
import { variableText } from '../content/process-environment.ts';
import { type ResolveDependency, resolveSecret } from '../content/resolve-dependency.ts';
import {
  createTemplateCompiler,
  type TemplateCompiler,
  templateNameOf,
} from '../content/template-compiler.ts';
import type { ExecutableTemplate } from '../content/template-consumer.ts';
import { loadTemplate } from '../content/template-loader.ts';
import { findProgram } from '../supervise/launch/launcher.ts';
import type { Dependency, LookupAnswer } from '../template/exec/lookup.ts';
import { TemplateError } from '../template/template-error.ts';
import { loadKinds } from '../upstream/kinds.ts';
import { resolverOf } from './template-rules.ts';
import type { Wanted } from './validate-online.ts';

interface ValidateOptions {
  /** Of a config for another host, templates may be missing here. */
  readonly isElsewhere?: boolean;
  /** Told of all that secrets and templates ask for, as far as it does not hang on values. */
  readonly onWanted?: (wanted: Wanted) => void;
  /** Where it stands; absent: not told. */
  readonly locate?: Locate | undefined;
  /** What is right, and worth knowing. */
  readonly onWarning?: (message: string) => void;
}

/** One line for each problem; empty when there is none. */
export async function validateParts(
  config: ResolvedConfig,
  {
    isElsewhere = false,
    onWanted = () => undefined,
    onWarning = () => undefined,
    locate,
  }: ValidateOptions = {},
): Promise<string[]> {
  const compiler = createTemplateCompiler({
    templates: config.templates,
    // A look runs nobody's program.
    runsPlugins: false,
    env: process.env,
    clock: createSystemClock(),
    isStrict: true,
    onWarning: (message) => onWarning(placedWarning(message, config, locate)),
  });
  const resolve = resolverOf(config);
  for (const secret of config.secrets) {
    onWanted({ at: ['secrets', secret.name], reference: resolveSecret(secret).reference });
  }
  const outcomes = await Promise.allSettled([
    loadKinds(config.upstreams),
    ...compiledTemplates(config, compiler, isElsewhere).map((one) =>
      placed(one, locate, async () =>
        mustBeKnown(await one.compiled, one, (dependency) => resolve(dependency, one.upstream), onWanted),
      ),
    ),
  ]);
  return [
    ...outcomes.flatMap((outcome) =>
      outcome.status === 'rejected' ? describeError(outcome.reason).split('\n') : [],
    ),
    ...(isElsewhere ? [] : hostProblems(config, locate)),
  ];
}

/** Rejects with the place of the config before each line, but where that names a place in a file of its own. */
async function placed(
  { at, path }: Pick<CompiledTemplate, 'at' | 'path'>,
  locate: Locate | undefined,
  work: () => Promise<void>,
): Promise<void> {
  try {
    await work();
  } catch (error) {
    const lines = withColumn(error).split('\n');
    const isPlaced = (line: string): boolean => path !== undefined && line.startsWith(`template: ${path}:`);
    const text = lines.map((line) => (isPlaced(line) ? line : placedLine(at, line, locate))).join('\n');
    throw new LatchkeyError('template_invalid', text);
  }
}

/** Of a template that stands in the config, with the place of it there. */
function placedWarning(message: string, config: ResolvedConfig, locate: Locate | undefined): string {
  const isAbout = (name: string): boolean => message.startsWith(`template: ${name}:`);
  const index = config.files.findIndex(
    (file) => file.source.kind === 'inline' && isAbout(templateNameOf(file)),
  );
  if (index >= 0) return placedLine(['files', index, 'contents'], message, locate);
  for (const { name, env } of config.processes) {
    const variable = Object.keys(env).find((one) => isAbout(`processes.${name}.env.${one}`));
    if (variable !== undefined) return placedLine(['processes', name, 'env', variable], message, locate);
  }
  return message;
}

/** Go tells the line alone of what cannot be parsed. */
function withColumn(error: unknown): string {
  const said = describeError(error);
  if (!(error instanceof TemplateError)) return said;
  const place = `template: ${error.templateName}:${error.line}:`;
  return said.startsWith(`${place} `) ? `${place}${error.column}:${said.slice(place.length)}` : said;
}

interface CompiledTemplate {
  readonly at: Path;
  readonly place: string;
  /** Of its own file. */
  readonly path?: string;
  /** The one that is meant where it names none. */
  readonly upstream: string | undefined;
  readonly compiled: Promise<ExecutableTemplate>;
}

function compiledTemplates(
  config: ResolvedConfig,
  compiler: TemplateCompiler,
  isElsewhere: boolean,
): CompiledTemplate[] {
  return [
    ...config.files.flatMap((file, index): CompiledTemplate[] => {
      const { source, upstream, place } = file;
      if (isElsewhere && source.kind === 'file' && !existsSync(source.path)) return [];
      const compiled = loadTemplate(file, compiler.compile);
      const common = { place: `${place}.template`, upstream, compiled };
      return source.kind === 'file'
        ? [{ ...common, at: ['files', index, 'template'], path: source.path }]
        : [{ ...common, at: ['files', index, 'contents'] }];
    }),
    ...config.processes.flatMap(({ name, env, upstream }) =>
      Object.entries(env).map(([variable, wish]) => {
        const place = `processes.${name}.env.${variable}`;
        const compiled = compiler.compileText({ name: place, ...variableText(wish) });
        return { at: ['processes', name, 'env', variable], place, upstream, compiled };
      }),
    ),
  ];
}

/**
 * Executed with nothing there yet, and with secrets that have no fields, for what stands within `with`: what it asks for then
 * is known to the config, or never will be.
 */
function mustBeKnown(
  template: ExecutableTemplate,
  { at, place }: Pick<CompiledTemplate, 'at' | 'place'>,
  resolve: (dependency: Dependency) => ReturnType<ResolveDependency>,
  onWanted: (wanted: Wanted) => void,
): void {
  const problems = new Set<string>();
  for (const answer of [pending, hollow]) {
    try {
      template.execute((dependency) => {
        const resolved = resolve(dependency);
        // Put together of a value that is not there: that is not what it will ask for.
        if (isMadeUp(dependency)) return pending;
        if ('problem' in resolved) problems.add(`${place}: ${resolved.problem}`);
        else onWanted({ at, place, reference: resolved.reference });
        return dependency.kind === 'list' ? pending : answer;
      });
    } catch (error) {
      // It cannot make anything of nothing: that is no fault of the template, but for what no value mends.
      const said = describeError(error);
      if (neverWorks.test(said)) problems.add(said);
    }
  }
  if (problems.size > 0) throw new LatchkeyError('template_invalid', [...problems].join('\n'));
}

const neverWorks = /: wrong number of args for /;

const pending: LookupAnswer = { status: 'pending' };
const hollow: LookupAnswer = {
  status: 'ready',
  secret: {
    requestId: '',
    leaseId: '',
    leaseDurationSeconds: 0,
    isRenewable: false,
    data: { data: {}, metadata: {} },
    warnings: null,
    auth: null,
    wrapInfo: null,
    fields: {},
  },
};

function isMadeUp({ path, parameters }: Dependency): boolean {
  return [path, ...Object.values(parameters)].some(
    (text) => text === '' || /<no value>|<nil>|%!|map\[/.test(text),
  );
}

type HostProblem = readonly [at: Path, problem: string | undefined];

function hostProblems(config: ResolvedConfig, locate: Locate | undefined): string[] {
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
    : `${file}.${formatPath(rest)}`;
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
  const found = statOf(folder);
  if (found === undefined) return `the folder ${folder} does not exist; make it, or correct the path`;
  return found.isDirectory() ? undefined : `${folder} is no folder; correct the path`;
}

/** What the agent writes itself (a certificate of its own listener) need not be there yet. */
function readProblem(path: string | undefined, written: ReadonlySet<string>): string | undefined {
  if (path === undefined || written.has(path)) return undefined;
  const found = statOf(path);
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
  const found = statOf(path);
  if (found === undefined) return undefined;
  if (found.isDirectory()) return `${path} is a folder; name a file in it`;
  const fault = specialFileFault(path, found, isPipeWanted);
  return fault && `${fault.message}; ${fault.remedy}`;
}

/** Undefined: not there, or not to be seen by who asks. */
function statOf(path: string): Stats | undefined {
  try {
    return statSync(path);
  } catch {
    return undefined;
  }
}
