// What loading a config cannot tell: whether every template can be parsed and asks for what there is, and whether programs
// and folders are there. Asks nobody.
import { existsSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { describeError, LatchkeyError } from '../base/errors.ts';
import { specialFileFault, standardStreamOf } from '../base/paths/special-file.ts';
import { createSystemClock } from '../base/time/clock.ts';
import type { ResolvedConfig } from '../config/resolved.ts';
import { variableText } from '../content/process-environment.ts';
import {
  createDependencyResolver,
  type ResolveDependency,
  resolveSecret,
} from '../content/resolve-dependency.ts';
import { createTemplateCompiler } from '../content/template-compiler.ts';
import type { ExecutableTemplate } from '../content/template-consumer.ts';
import { loadTemplate } from '../content/template-loader.ts';
import { findProgram } from '../supervise/launch/launcher.ts';
import type { Dependency, LookupAnswer } from '../template/exec/lookup.ts';
import { loadKinds } from '../upstream/kinds.ts';
import type { Wanted } from './validate-online.ts';

interface ValidateOptions {
  /** Of a config for another host, templates may be missing here. */
  readonly isElsewhere?: boolean;
  /** Told of all that secrets and templates ask for, as far as it does not hang on values. */
  readonly onWanted?: (wanted: Wanted) => void;
}

/** One line for each problem; empty when there is none. */
export async function validateParts(
  config: ResolvedConfig,
  { isElsewhere = false, onWanted = () => undefined }: ValidateOptions = {},
): Promise<string[]> {
  const compiler = createTemplateCompiler({
    templates: config.templates,
    // A look runs nobody's program.
    runsPlugins: false,
    env: process.env,
    clock: createSystemClock(),
    isStrict: true,
  });
  const [only, ...others] = config.upstreams;
  const resolve = createDependencyResolver({
    secrets: config.secrets,
    defaultUpstream: others.length === 0 ? only?.name : undefined,
  });
  for (const secret of config.secrets) {
    onWanted({ place: `secrets.${secret.name}`, reference: resolveSecret(secret).reference });
  }
  const checks: Promise<unknown>[] = [
    loadKinds(config.upstreams),
    ...config.files
      .filter(({ source }) => !isElsewhere || source.kind !== 'file' || existsSync(source.path))
      .map(async (file) => {
        const template = await loadTemplate(file, compiler.compile);
        const place = `${file.place}.template`;
        mustBeKnown(template, place, (dependency) => resolve(dependency, file.upstream), onWanted);
      }),
    ...config.processes.flatMap((process) =>
      Object.entries(process.env).map(async ([variable, wish]) => {
        const place = `processes.${process.name}.env.${variable}`;
        const template = await compiler.compileText({ name: place, place, ...variableText(wish) });
        mustBeKnown(template, place, (dependency) => resolve(dependency, process.upstream), onWanted);
      }),
    ),
  ];
  const outcomes = await Promise.allSettled(checks);
  return [
    ...outcomes.flatMap((outcome) =>
      outcome.status === 'rejected' ? describeError(outcome.reason).split('\n') : [],
    ),
    ...(isElsewhere ? [] : hostProblems(config)),
  ];
}

/**
 * Executed with nothing there yet, and with secrets that have no fields, for what stands within `with`: what it asks for then
 * is known to the config, or never will be.
 */
function mustBeKnown(
  template: ExecutableTemplate,
  place: string,
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
        else onWanted({ place, reference: resolved.reference });
        return dependency.kind === 'list' ? pending : answer;
      });
    } catch {
      // It cannot make anything of nothing: that is no fault of the template.
    }
  }
  if (problems.size > 0) throw new LatchkeyError('template_invalid', [...problems].join('\n'));
}

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

function hostProblems(config: ResolvedConfig): string[] {
  const problems: string[] = [];
  const note = (place: string, what: () => string | undefined): void => {
    const problem = what();
    if (problem !== undefined) problems.push(`${place}: ${problem}`);
  };
  for (const file of config.files) {
    const { place, destination, createParents, fifo, check, notify, settle, staging, inPlace } = file;
    if (!createParents) note(`${place}.destination`, () => folderProblem(destination));
    note(`${place}.destination`, () => specialProblem(destination, fifo));
    if (staging !== undefined && !inPlace)
      note(`${place}.staging`, () => stagingProblem(staging, destination));
    if (check !== undefined) note(`${place}.check`, () => programProblem(check.command));
    for (const [index, one] of notify.entries()) {
      if (one.kind === 'command') note(`${place}.notify[${index}]`, () => programProblem(one.command));
    }
    if (settle?.kind === 'command') note(`${place}.settle`, () => programProblem(settle.command));
  }
  for (const { name, command, workingDir, env, health } of config.processes) {
    if (env['PATH'] === undefined) {
      note(`processes.${name}.command`, () => programProblem(command, workingDir));
    }
    if (health?.kind === 'command') note(`processes.${name}.health`, () => programProblem(health.command));
  }
  if (config.life.pidFile !== undefined) {
    const { pidFile } = config.life;
    note('pid_file', () => specialProblem(pidFile));
  }
  for (const [index, listener] of config.listeners.entries()) {
    if (listener.kind !== 'tcp' || listener.tokenFile === undefined) continue;
    const { tokenFile } = listener;
    note(`listeners[${index}].token_file`, () => specialProblem(tokenFile));
  }
  if (config.audit !== undefined) {
    const { file } = config.audit;
    note('audit.file', () => folderProblem(file));
  }
  const { file } = config.log;
  if (file !== undefined) note('log.file', () => folderProblem(file));
  return problems;
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

function folderProblem(path: string): string | undefined {
  const folder = dirname(path);
  return existsSync(folder) ? undefined : `the folder ${folder} does not exist; make it, or correct the path`;
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

/** Links are followed, as its writer does. */
function specialProblem(path: string, isPipeWanted = false): string | undefined {
  if (standardStreamOf(path) !== undefined) return undefined;
  try {
    const fault = specialFileFault(path, statSync(path), isPipeWanted);
    return fault && `${fault.message}; ${fault.remedy}`;
  } catch {
    // Not there, or not to be seen by who asks.
    return undefined;
  }
}
