// Takes another list of files over: parses every template that is new first, so that a bad one changes nothing; then adds,
// changes and removes, and leaves the rest alone.
import { isDeepStrictEqual } from 'node:util';
import type { FileConfig } from '../config/resolved.ts';
import { type CompileTemplate, type LoadedTemplate, loadTemplate } from '../content/template-loader.ts';
import type { FileGroup, FileUnit } from './file-group.ts';
import type { FileRegister } from './file-register.ts';

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
  readonly lock: (groups: Iterable<FileGroup>) => Promise<() => void>;
  readonly queue: (group: FileGroup) => void;
  readonly isForced: boolean;
}

export async function reconcileFiles(
  files: readonly FileConfig[],
  tools: ReconcileTools,
): Promise<ReconcileResult> {
  const { register } = tools;
  const plan = compare(files, register);
  const templates = new Map<FileConfig, LoadedTemplate>();
  for (const { config } of [...plan.added, ...plan.changed]) {
    templates.set(config, await loadTemplate(config, tools.compile));
  }
  const touched = new Set<FileGroup>();
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
  readonly changed: { readonly unit: FileUnit; readonly config: FileConfig; readonly order: number }[];
  readonly removed: { readonly unit: FileUnit; readonly config?: undefined }[];
  readonly kept: { readonly unit: FileUnit; readonly config: FileConfig; readonly order: number }[];
}

function compare(files: readonly FileConfig[], register: FileRegister): Plan {
  const plan: Plan = { added: [], changed: [], removed: [], kept: [] };
  const wanted = new Set<string>();
  for (const [order, config] of files.entries()) {
    wanted.add(config.destination);
    const unit = register.find(config.destination);
    if (unit === undefined) plan.added.push({ config, order });
    else if (isSame(unit.config, config)) plan.kept.push({ unit, config, order });
    else plan.changed.push({ unit, config, order });
  }
  for (const unit of register.units()) {
    if (!wanted.has(unit.config.destination)) plan.removed.push({ unit });
  }
  return plan;
}

/** The place moves when a file before it goes, and means nothing to the file itself. */
function isSame(a: FileConfig, b: FileConfig): boolean {
  return isDeepStrictEqual({ ...a, place: '' }, { ...b, place: '' });
}
