// Takes another list of files over: every template is read and parsed first, so that a bad one changes nothing; then adds,
// changes and removes, and leaves the rest alone.
import { isDeepStrictEqual } from 'node:util';
import { describeError, LatchkeyError } from '../base/errors.ts';
import type { Prepared } from '../base/prepared.ts';
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
  /** Waits until nothing works on these groups; the answer lets them go on. */
  readonly lock: (groups: Iterable<FileSet>) => Promise<() => void>;
  readonly queue: (group: FileSet) => void;
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
  const templates = await loadAll(files, tools.compile);
  return { commit: () => commitFiles(files, templates, tools), abandon() {} };
}

type Templates = ReadonlyMap<FileConfig, LoadedTemplate>;

async function loadAll(files: readonly FileConfig[], compile: CompileTemplate): Promise<Templates> {
  const templates = new Map<FileConfig, LoadedTemplate>();
  const problems: string[] = [];
  for (const config of files) {
    try {
      templates.set(config, await loadTemplate(config, compile));
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
  for (const { unit, config } of [...plan.changed, ...plan.removed, ...plan.added]) {
    if (unit !== undefined) touched.add(register.groupOf(unit));
    const joined = config === undefined ? undefined : register.findGroup(config);
    if (joined !== undefined) touched.add(joined);
  }
  const unlock = await tools.lock(touched);
  try {
    for (const { unit } of plan.removed) await register.remove(unit);
    for (const { unit, config, order } of plan.changed) {
      const template = templates.get(config);
      if (template !== undefined) await register.change(unit, config, order, template);
    }
    for (const { config, order } of plan.added) {
      const template = templates.get(config);
      if (template !== undefined) register.add(config, order, template);
    }
  } finally {
    unlock();
  }
  for (const { unit, config, order } of plan.kept) {
    Object.assign(unit, { config, order });
    if (tools.isForced) unit.isDirty = true;
  }
  for (const group of register.groups()) if (group.units.some((unit) => unit.isDirty)) tools.queue(group);
  return {
    added: plan.added.map(({ config }) => config.destination),
    changed: plan.changed.map(({ config }) => config.destination),
    removed: plan.removed.map(({ unit }) => unit.config.destination),
    kept: plan.kept.map(({ config }) => config.destination),
  };
}

interface Plan {
  readonly added: { readonly config: FileConfig; readonly order: number; readonly unit?: undefined }[];
  readonly changed: { readonly unit: ManagedFile; readonly config: FileConfig; readonly order: number }[];
  readonly removed: { readonly unit: ManagedFile; readonly config?: undefined }[];
  readonly kept: { readonly unit: ManagedFile; readonly config: FileConfig; readonly order: number }[];
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
    const unit = register.find(config.destination);
    if (unit === undefined) plan.added.push({ config, order });
    else if (!isRecompiled && isSame(unit.config, config) && hasText(unit, templates.get(config)))
      plan.kept.push({ unit, config, order });
    else plan.changed.push({ unit, config, order });
  }
  for (const unit of register.units()) {
    if (!wanted.has(unit.config.destination)) plan.removed.push({ unit });
  }
  return plan;
}

/** A unit that was never loaded has no text yet: it reads its template when it begins. */
function hasText(unit: ManagedFile, template: LoadedTemplate | undefined): boolean {
  const isProblem = unit.templateProblem !== undefined;
  return !isProblem && (unit.templateText === undefined || template?.text.equals(unit.templateText) === true);
}

/** The place moves when a file before it goes, and means nothing to the file itself. */
function isSame(a: FileConfig, b: FileConfig): boolean {
  return isDeepStrictEqual({ ...a, place: '' }, { ...b, place: '' });
}
