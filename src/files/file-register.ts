// Which files there are, in which groups, and the consumer of each one's template. Knows nothing of time.

import { describeError } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import type { Clock } from '../base/time/clock.ts';
import type { FileConfig } from '../config/resolved.ts';
import type { ConsumerIndex } from '../content/consumer-index.ts';
import type { ResolveDependency } from '../content/resolve-dependency.ts';
import { createTemplateConsumer, type TemplateConsumer } from '../content/template-consumer.ts';
import { type CompileTemplate, type LoadedTemplate, loadTemplate } from '../content/template-loader.ts';
import type { Store } from '../store/store.ts';
import {
  createGroup,
  createUnit,
  type FileSet,
  groupKey,
  groupNotifications,
  type ManagedFile,
} from './file-set.ts';

export interface FileRegister {
  /** In the order of the config. */
  units(): readonly ManagedFile[];
  /** Those that use one of these keys, so far as it is known: one whose template could not be read yet may use any. */
  unitsUsing(keys: readonly string[]): ManagedFile[];
  groups(): FileSet[];
  find(destination: string): ManagedFile | undefined;
  groupOf(unit: ManagedFile): FileSet;
  /** The group that a file with this config would join, if there is one. */
  findGroup(config: FileConfig): FileSet | undefined;
  /** Reads and parses the template and binds it to the store. Throws `template_invalid`. */
  load(unit: ManagedFile): Promise<TemplateConsumer>;
  /** After a crash: the programs of this destination were not told; `journals` are removed when they are. */
  owe(destination: string, journals: readonly string[]): void;
  /** Reads the templates again, or the one at `path`; tells the destinations of those that have another text. */
  reloadTemplates(path?: string): Promise<string[]>;
  templatePaths(): string[];
  add(config: FileConfig, order: number, template: LoadedTemplate): ManagedFile;
  /** Takes another config over, without letting go of what the file uses. */
  change(unit: ManagedFile, config: FileConfig, order: number, template: LoadedTemplate): Promise<void>;
  remove(unit: ManagedFile): Promise<void>;
}

interface RegisterOptions {
  readonly files: readonly FileConfig[];
  readonly store: Store;
  readonly index: ConsumerIndex;
  readonly resolve: ResolveDependency;
  readonly compile: CompileTemplate;
  readonly clock: Clock;
  readonly logger: Logger;
  /** The output of a file of this group may differ now. */
  readonly onChange: (group: FileSet) => void;
}

/** Of a file as a consumer of secrets. */
const idPrefix = 'file:';

export function createFileRegister(options: RegisterOptions): FileRegister {
  const { clock, compile, logger } = options;
  const units = new Map<string, ManagedFile>();
  const groups = new Map<string, FileSet>();
  /** Those without a consumer. */
  const unread = new Set<ManagedFile>();
  /** Made when somebody asks; undefined: units or their order are others. */
  let inOrder: readonly ManagedFile[] | undefined;

  function groupFor(config: FileConfig): FileSet {
    const key = groupKey(config);
    const known = groups.get(key);
    if (known !== undefined) return known;
    const group = createGroup(config.set ?? config.destination, config.set, clock);
    groups.set(key, group);
    return group;
  }

  function create(config: FileConfig, order: number): ManagedFile {
    const unit = createUnit(config, order);
    units.set(config.destination, unit);
    unread.add(unit);
    inOrder = undefined;
    join(unit);
    return unit;
  }

  function groupOf(unit: ManagedFile): FileSet {
    return groupFor(unit.config);
  }

  function bind(unit: ManagedFile, template: LoadedTemplate): TemplateConsumer {
    const { consumer } = unit;
    unit.templateText = template.text;
    if (consumer !== undefined) {
      consumer.rebind(template, unit.config.upstream);
      return consumer;
    }
    unread.delete(unit);
    return createTemplateConsumer({
      id: `${idPrefix}${unit.config.destination}`,
      template,
      store: options.store,
      index: options.index,
      resolve: options.resolve,
      upstream: unit.config.upstream,
      onChange: () => touch(unit),
    });
  }

  function touch(unit: ManagedFile): void {
    unit.isDirty = true;
    options.onChange(groupOf(unit));
  }

  function join(unit: ManagedFile): void {
    groupOf(unit).units.push(unit);
  }

  function leave(unit: ManagedFile): void {
    const group = groupOf(unit);
    group.units.splice(group.units.indexOf(unit), 1);
    dropForeignDebts(group);
    if (group.units.length > 0) return;
    group.retry?.cancel();
    groups.delete(groupKey(unit.config));
  }

  /** Whether it has another text than before. */
  async function reload(unit: ManagedFile): Promise<boolean> {
    try {
      const template = await loadTemplate(unit.config, compile);
      unit.templateProblem = undefined;
      if (unit.consumer !== undefined && unit.templateText?.equals(template.text) === true) return false;
      unit.consumer = bind(unit, template);
      touch(unit);
      return true;
    } catch (error) {
      unit.templateProblem = describeError(error);
      logger.warn(
        { destination: unit.config.destination },
        `${unit.templateProblem}; the one before goes on`,
      );
      return false;
    }
  }

  for (const [order, config] of options.files.entries()) create(config, order);

  return {
    units() {
      inOrder ??= [...units.values()].sort((a, b) => a.order - b.order);
      return inOrder;
    },
    unitsUsing(keys) {
      const found = new Set(unread);
      for (const id of keys.flatMap(options.index.usersOf)) {
        const unit = id.startsWith(idPrefix) ? units.get(id.slice(idPrefix.length)) : undefined;
        if (unit !== undefined) found.add(unit);
      }
      return [...found].sort((a, b) => a.order - b.order);
    },
    groups: () => [...groups.values()],
    find: (destination) => units.get(destination),
    groupOf,
    findGroup: (config) => groups.get(groupKey(config)),
    load: async (unit) => bind(unit, await loadTemplate(unit.config, compile)),
    owe(destination, journals) {
      const unit = units.get(destination);
      if (unit === undefined) return;
      const group = groupOf(unit);
      for (const [key, notification] of groupNotifications(group)) group.owed.set(key, notification);
      group.owesSettle = group.units.some((one) => one.config.settle !== undefined);
      group.notifiesFirst = true;
      for (const path of journals) group.journals.add(path);
    },
    async reloadTemplates(path) {
      const changed: string[] = [];
      for (const unit of units.values()) {
        const { source, destination } = unit.config;
        const isMeant = source.kind === 'file' && (path === undefined || source.path === path);
        if (isMeant && (await reload(unit))) changed.push(destination);
      }
      return changed;
    },
    templatePaths: () => [
      ...new Set(
        [...units.values()].flatMap(({ config }) =>
          config.source.kind === 'file' ? [config.source.path] : [],
        ),
      ),
    ],
    add(config, order, template) {
      const unit = create(config, order);
      unit.consumer = bind(unit, template);
      return unit;
    },
    async change(unit, config, order, template) {
      const staysInGroup = groupKey(unit.config) === groupKey(config);
      if (!staysInGroup) leave(unit);
      if (unit.config.fifo && !config.fifo) {
        await unit.fifo?.close();
        unit.fifo = undefined;
      }
      Object.assign(unit, { config, order, isDirty: true, templateProblem: undefined });
      inOrder = undefined;
      unit.consumer = bind(unit, template);
      if (!staysInGroup) join(unit);
      dropForeignDebts(groupOf(unit));
    },
    async remove(unit) {
      leave(unit);
      units.delete(unit.config.destination);
      unread.delete(unit);
      inOrder = undefined;
      unit.consumer?.close();
      await unit.fifo?.close();
    },
  };
}

/** What no file of the group asks for any more is not owed. */
function dropForeignDebts(group: FileSet): void {
  const wanted = groupNotifications(group);
  for (const key of group.owed.keys()) if (!wanted.has(key)) group.owed.delete(key);
  if (!group.units.some((unit) => unit.config.settle !== undefined)) group.owesSettle = false;
}
