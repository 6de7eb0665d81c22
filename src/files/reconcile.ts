// Takes another list of files over: every template is read and parsed first, so that a bad one changes nothing; then adds,
// changes and removes, and leaves the rest alone.
import { isDeepStrictEqual } from 'node:util';
import { describeError, LatchkeyError } from '../base/errors.ts';
import type { Prepared } from '../base/prepared.ts';
import type { FaultOf } from '../base/surroundings.ts';
import type { FileConfig } from '../config/resolved.ts';
import { type CompileTemplate, type LoadedTemplate, loadTemplate } from '../content/template-loader.ts';
import type { FileRegister } from './file-register.ts';
import type { FileSet, ManagedFile } from './file-set.ts';

/** Destinations. */
export interface ReconcileResult {
  readonly added: readonly string[];
  readonly changed: readonly string[];
  readonly removed: readonly string[];
  readonly kept: readonly string[];
}

interface ReconcileTools {
  readonly register: FileRegister;
  readonly compile: CompileTemplate;
  readonly faultOf?: FaultOf | undefined;
  /** Waits until nothing works on these sets; the answer lets them go on. */
  readonly lock: (sets: Iterable<FileSet>) => Promise<() => void>;
  readonly queue: (set: FileSet) => void;
  /** Every template is to be executed again: names mean something else. */
  readonly isForced: boolean;
  /** Every template is to be parsed again: the rules of `template` are others. */
  readonly isRecompiled: boolean;
}

/** Throws `template_invalid` with all that is wrong with the templates. */
export async function prepareFiles(
  files: readonly FileConfig[],
  tools: ReconcileTools,
): Promise<Prepared<ReconcileResult>> {
  const templates = await loadAll(files, tools);
  return { commit: () => commitFiles(files, templates, tools), abandon() {} };
}

type Templates = ReadonlyMap<FileConfig, LoadedTemplate>;

async function loadAll(
  files: readonly FileConfig[],
  { compile, faultOf }: ReconcileTools,
): Promise<Templates> {
  const templates = new Map<FileConfig, LoadedTemplate>();
  const problems: string[] = [];
  for (const config of files) {
    try {
      templates.set(config, await loadTemplate(config, compile, faultOf));
    } catch (error) {
      problems.push(describeError(error));
    }
  }
  if (problems.length > 0) throw new LatchkeyError('template_invalid', problems.join('\n'));
  return templates;
}

async function commitFiles(
  files: readonly FileConfig[],
  templates: Templates,
  tools: ReconcileTools,
): Promise<ReconcileResult> {
  const { register } = tools;
  const plan = compare(files, tools, templates);
  const touched = new Set<FileSet>();
  for (const { file, config } of [...plan.changed, ...plan.removed, ...plan.added]) {
    if (file !== undefined) touched.add(register.setOf(file));
    const joined = config === undefined ? undefined : register.findSet(config);
    if (joined !== undefined) touched.add(joined);
  }
  const unlock = await tools.lock(touched);
  try {
    for (const { file } of plan.removed) await register.remove(file);
    for (const { file, config, order } of plan.changed) {
      const template = templates.get(config);
      if (template !== undefined) await register.change(file, config, order, template);
    }
    for (const { config, order } of plan.added) {
      const template = templates.get(config);
      if (template !== undefined) register.add(config, order, template);
    }
  } finally {
    unlock();
  }
  for (const { file, config, order } of plan.kept) {
    Object.assign(file, { config, order });
    if (tools.isForced) file.isDirty = true;
  }
  for (const set of register.sets()) if (set.files.some((file) => file.isDirty)) tools.queue(set);
  return {
    added: plan.added.map(({ config }) => config.destination),
    changed: plan.changed.map(({ config }) => config.destination),
    removed: plan.removed.map(({ file }) => file.config.destination),
    kept: plan.kept.map(({ config }) => config.destination),
  };
}

interface Plan {
  readonly added: { readonly config: FileConfig; readonly order: number; readonly file?: undefined }[];
  readonly changed: { readonly file: ManagedFile; readonly config: FileConfig; readonly order: number }[];
  readonly removed: { readonly file: ManagedFile; readonly config?: undefined }[];
  readonly kept: { readonly file: ManagedFile; readonly config: FileConfig; readonly order: number }[];
}

function compare(
  files: readonly FileConfig[],
  { register, isRecompiled }: ReconcileTools,
  templates: Templates,
): Plan {
  const plan: Plan = { added: [], changed: [], removed: [], kept: [] };
  const wanted = new Set<string>();
  for (const [order, config] of files.entries()) {
    wanted.add(config.destination);
    const file = register.find(config.destination);
    if (file === undefined) plan.added.push({ config, order });
    else if (!isRecompiled && isSame(file.config, config) && hasText(file, templates.get(config)))
      plan.kept.push({ file, config, order });
    else plan.changed.push({ file, config, order });
  }
  for (const file of register.files()) {
    if (!wanted.has(file.config.destination)) plan.removed.push({ file });
  }
  return plan;
}

/** A file that was never loaded has no text yet: it reads its template when it begins. */
function hasText(file: ManagedFile, template: LoadedTemplate | undefined): boolean {
  const isProblem = file.templateProblem !== undefined;
  return !isProblem && (file.templateText === undefined || template?.text.equals(file.templateText) === true);
}

/** The place moves when a file before it goes, and means nothing to the file itself. */
function isSame(a: FileConfig, b: FileConfig): boolean {
  return isDeepStrictEqual({ ...a, place: '' }, { ...b, place: '' });
}
