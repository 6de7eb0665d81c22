// Which files there are, in which sets, and the consumer of each one's template. Knows nothing of time.

import { describeError } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import type { FaultOf } from '../base/surroundings.ts';
import type { Clock } from '../base/time/clock.ts';
import type { FileConfig } from '../config/resolved.ts';
import type { ConsumerIndex } from '../content/consumer-index.ts';
import type { ResolveDependency } from '../content/resolve-dependency.ts';
import { createTemplateConsumer, type TemplateConsumer } from '../content/template-consumer.ts';
import { type CompileTemplate, type LoadedTemplate, loadTemplate } from '../content/template-loader.ts';
import type { Store } from '../store/store.ts';
import {
  createFileSet,
  createManagedFile,
  type FileSet,
  inOrder,
  type ManagedFile,
  setKey,
  setNotifications,
} from './file-set.ts';

export interface FileRegister {
  /** In the order of the config. */
  files(): readonly ManagedFile[];
  /** Those that use one of these keys, so far as it is known: one whose template could not be read yet may use any. */
  filesUsing(keys: readonly string[]): ManagedFile[];
  sets(): FileSet[];
  find(destination: string): ManagedFile | undefined;
  setOf(file: ManagedFile): FileSet;
  /** The set that a file with this config would join, if there is one. */
  findSet(config: FileConfig): FileSet | undefined;
  /** Reads and parses the template and binds it to the store. Throws `template_invalid`. */
  load(file: ManagedFile): Promise<TemplateConsumer>;
  /** After a crash: the programs of this destination were not told; `journals` are removed when they are. */
  owe(destination: string, journals: readonly string[]): void;
  /** Reads the template at `path` again; tells the destinations of those that have another text. */
  reloadTemplates(path: string): Promise<string[]>;
  templatePaths(): string[];
  add(config: FileConfig, order: number, template: LoadedTemplate): ManagedFile;
  /** Takes another config over, without letting go of what the file uses. */
  change(file: ManagedFile, config: FileConfig, order: number, template: LoadedTemplate): Promise<void>;
  remove(file: ManagedFile): Promise<void>;
}

export interface FileSources {
  readonly files: readonly FileConfig[];
  readonly store: Store;
  /** Shared with every other consumer of templates. */
  readonly index: ConsumerIndex;
  readonly resolve: ResolveDependency;
  readonly compile: CompileTemplate;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly faultOf?: FaultOf | undefined;
}

interface RegisterOptions extends FileSources {
  /** The output of a file of this set may differ now. */
  readonly onChange: (set: FileSet) => void;
}

/** Of a file as a consumer of secrets. */
const idPrefix = 'file:';

/** The consumer that it is, in the index and in the store. */
export function fileConsumerId(destination: string): string {
  return `${idPrefix}${destination}`;
}

export function createFileRegister(options: RegisterOptions): FileRegister {
  const { clock, compile, logger, faultOf } = options;
  const files = new Map<string, ManagedFile>();
  const sets = new Map<string, FileSet>();
  /** Those without a consumer. */
  const unread = new Set<ManagedFile>();
  /** Made when somebody asks; undefined: files or their order are others. */
  let ordered: readonly ManagedFile[] | undefined;

  function setFor(config: FileConfig): FileSet {
    const key = setKey(config);
    const known = sets.get(key);
    if (known !== undefined) return known;
    const set = createFileSet(config.set ?? config.destination, config.set, clock);
    sets.set(key, set);
    return set;
  }

  function create(config: FileConfig, order: number): ManagedFile {
    const file = createManagedFile(config, order, clock);
    files.set(config.destination, file);
    unread.add(file);
    ordered = undefined;
    join(file);
    return file;
  }

  function setOf(file: ManagedFile): FileSet {
    return setFor(file.config);
  }

  function bind(file: ManagedFile, template: LoadedTemplate): TemplateConsumer {
    const { consumer } = file;
    file.templateText = template.text;
    if (consumer !== undefined) {
      file.wantedSince = clock.wall();
      consumer.rebind(template, file.config.upstream);
      return consumer;
    }
    unread.delete(file);
    return createTemplateConsumer({
      id: fileConsumerId(file.config.destination),
      template,
      store: options.store,
      index: options.index,
      resolve: options.resolve,
      upstream: file.config.upstream,
      onChange: () => touch(file),
    });
  }

  function touch(file: ManagedFile): void {
    file.isDirty = true;
    options.onChange(setOf(file));
  }

  function join(file: ManagedFile): void {
    setOf(file).files.push(file);
  }

  function leave(file: ManagedFile): void {
    const set = setOf(file);
    set.files.splice(set.files.indexOf(file), 1);
    dropForeignDebts(set);
    if (set.files.length > 0) return;
    set.retry?.cancel();
    sets.delete(setKey(file.config));
  }

  /** Whether it has another text than before. */
  async function reload(file: ManagedFile): Promise<boolean> {
    try {
      const template = await loadTemplate(file.config, compile, faultOf);
      file.templateProblem = undefined;
      if (file.consumer !== undefined && file.templateText?.equals(template.text) === true) return false;
      file.consumer = bind(file, template);
      touch(file);
      return true;
    } catch (error) {
      file.templateProblem = describeError(error);
      logger.warn(
        { destination: file.config.destination },
        `${file.templateProblem}; the one before goes on`,
      );
      return false;
    }
  }

  for (const [order, config] of options.files.entries()) create(config, order);

  return {
    files() {
      ordered ??= inOrder(files.values());
      return ordered;
    },
    filesUsing(keys) {
      const found = new Set(unread);
      for (const id of keys.flatMap(options.index.usersOf)) {
        const file = id.startsWith(idPrefix) ? files.get(id.slice(idPrefix.length)) : undefined;
        if (file !== undefined) found.add(file);
      }
      return inOrder(found);
    },
    sets: () => [...sets.values()],
    find: (destination) => files.get(destination),
    setOf,
    findSet: (config) => sets.get(setKey(config)),
    load: async (file) => bind(file, await loadTemplate(file.config, compile, faultOf)),
    owe(destination, journals) {
      const file = files.get(destination);
      if (file === undefined) return;
      const set = setOf(file);
      for (const [key, notification] of setNotifications(set)) set.owed.set(key, notification);
      set.owesSettle = set.files.some((one) => one.config.settle !== undefined);
      set.notifiesFirst = true;
      for (const path of journals) set.journals.add(path);
    },
    async reloadTemplates(path) {
      const changed: string[] = [];
      for (const file of files.values()) {
        const { source, destination } = file.config;
        const isMeant = source.kind === 'file' && source.path === path;
        if (isMeant && (await reload(file))) changed.push(destination);
      }
      return changed;
    },
    templatePaths: () => [
      ...new Set(
        [...files.values()].flatMap(({ config }) =>
          config.source.kind === 'file' ? [config.source.path] : [],
        ),
      ),
    ],
    add(config, order, template) {
      const file = create(config, order);
      file.consumer = bind(file, template);
      return file;
    },
    async change(file, config, order, template) {
      const staysInSet = setKey(file.config) === setKey(config);
      if (!staysInSet) leave(file);
      if (file.config.fifo && !config.fifo) {
        await file.fifo?.close();
        file.fifo = undefined;
      }
      Object.assign(file, { config, order, isDirty: true, templateProblem: undefined });
      ordered = undefined;
      file.consumer = bind(file, template);
      if (!staysInSet) join(file);
      dropForeignDebts(setOf(file));
    },
    async remove(file) {
      leave(file);
      files.delete(file.config.destination);
      unread.delete(file);
      ordered = undefined;
      file.consumer?.close();
      await file.fifo?.close();
    },
  };
}

/** What no file of the set asks for any more is not owed. */
function dropForeignDebts(set: FileSet): void {
  const wanted = setNotifications(set);
  for (const key of set.owed.keys()) if (!wanted.has(key)) set.owed.delete(key);
  if (!set.files.some((file) => file.config.settle !== undefined)) set.owesSettle = false;
}
