// One template bound to the store: answers its lookups, opens what it asks for, knows what is missing and why, and holds
// the versions that its output carries. Knows nothing of files; environments of processes are made by it too.
import { LatchkeyError } from '../base/errors.ts';
import type { SecretValue } from '../base/secret-value.ts';
import type { Entry, EntryPolicy } from '../store/entry.ts';
import type { SecretVersion } from '../store/secret-version.ts';
import type { EntryHandle, Store } from '../store/store.ts';
import type { WriteFileRequest } from '../template/exec/function-table.ts';
import type { Dependency, Lookup, LookupAnswer, LookupSecret } from '../template/exec/lookup.ts';
import { type ConsumerIndex, type IndexedConsumer, isAbsent } from './consumer-index.ts';
import { secretValues, toLookupSecret } from './lookup-secret.ts';
import type { ResolveDependency } from './resolve-dependency.ts';

/** A parsed template, as far as it matters here. */
export interface ExecutableTemplate {
  execute(lookup: Lookup): {
    readonly output: Buffer;
    readonly missing: readonly Dependency[];
    /** What `writeToFile` asked for, in order. */
    readonly writes: readonly WriteFileRequest[];
  };
}

export interface MissingDependency {
  /** The entry's key; for what the config does not know, what the template said. */
  readonly key: string;
  /** What the template calls it: a name of the config or a path. */
  readonly name: string;
  readonly reason: 'pending' | 'absent' | 'denied' | 'failed' | 'unknown';
  readonly message: string | undefined;
  /** Wall time of the first failure in a row. */
  readonly since: number | undefined;
}

export interface Execution {
  readonly output: Buffer;
  readonly writes: readonly WriteFileRequest[];
  /** Not empty: the output is not to be used. */
  readonly missing: readonly MissingDependency[];
  /** The versions that the output may carry, by entry key. */
  readonly versions: ReadonlyMap<string, SecretVersion>;
  /** Every key that was asked for. */
  readonly keys: ReadonlySet<string>;
}

/** How sure it is that an output is in use: each stage holds its versions apart from the others. */
type HoldStage = 'staged' | 'committed' | 'settled';

/** Replaces a secret in a rehearsal; undefined leaves it as it is. */
export type SecretOverride = (key: string, secret: LookupSecret) => LookupSecret | undefined;

export interface TemplateConsumer {
  readonly id: string;
  /** Executes on what the store has now and opens what is asked for the first time. Throws `template_failed`. */
  execute(): Execution;
  /** Executes without opening, holding or noting anything. */
  rehearse(override: SecretOverride): Execution;
  /** What the last execution lacked, with the reasons of this moment. */
  missing(): readonly MissingDependency[];
  /** Whether something of `missing` is so. Of thousands no more are looked at than it takes. */
  isMissing(test: (one: MissingDependency) => boolean): boolean;
  /** The keys that the template depends on, as far as it is known. */
  keys(): readonly string[];
  /** Keeps the versions of the execution alive. `settled` gives up every other hold and what is no longer used. */
  hold(execution: Execution, stage: HoldStage): void;
  /** Gives the holds of a stage up. */
  release(stage: HoldStage): void;
  /** Goes on with another template, and another meaning of raw paths, without letting go of anything. */
  rebind(template: ExecutableTemplate, upstream: string | undefined): void;
  /** Closes every reference and gives up every hold. */
  close(): void;
}

export interface TemplateConsumerOptions {
  /** Who holds versions in the store: `file:/etc/app.conf`. */
  readonly id: string;
  readonly template: ExecutableTemplate;
  readonly store: Store;
  readonly index: ConsumerIndex;
  readonly resolve: ResolveDependency;
  /** What raw paths mean; undefined: the default upstream. */
  readonly upstream: string | undefined;
  /** The output may differ now. Called synchronously from the store: note it, work later. */
  readonly onChange: () => void;
}

export function createTemplateConsumer(options: TemplateConsumerOptions): TemplateConsumer {
  const { id, store, index } = options;
  let { template, upstream } = options;
  let isClosed = false;
  const handles = new Map<string, EntryHandle>();
  const policies = new Map<string, EntryPolicy>();
  /** What each key looked like to the last execution, so that only what a template can see wakes it. */
  const seen = new Map<string, string>();
  const holds = new Map<HoldStage, Set<string>>();
  let lacked: readonly Dependency[] = [];
  /** What they mean does not change before the next execution. */
  let lackedKeys = new WeakMap<Dependency, string>();
  const arrivals = createArrivals();

  const indexed: IndexedConsumer = {
    id,
    noteChange(entry) {
      const before = seen.get(entry.key);
      if (before === undefined || before === appearance(entry)) return;
      if (before !== 'pending' || arrivals.isWorthTrying(entry.key)) options.onChange();
    },
    keys: () => [...handles.keys()],
  };

  function open(dependency: Dependency): Entry | { problem: string } {
    const resolved = options.resolve(dependency, upstream);
    if ('problem' in resolved) return resolved;
    const known = handles.get(resolved.key);
    if (known !== undefined && policies.get(resolved.key) === resolved.policy) return known.entry;
    const handle = store.open(resolved.reference, resolved.policy);
    // A policy that was changed by a reload: the new wish is there before the old one goes.
    known?.close();
    handles.set(resolved.key, handle);
    policies.set(resolved.key, resolved.policy);
    index.add(resolved.key, indexed);
    return handle.entry;
  }

  function find(dependency: Dependency): Entry | { problem: string } {
    const known = lackedKeys.get(dependency);
    if (known !== undefined) return store.find(known) ?? { problem: 'not asked for yet' };
    const resolved = options.resolve(dependency, upstream);
    if ('problem' in resolved) return resolved;
    lackedKeys.set(dependency, resolved.key);
    return store.find(resolved.key) ?? { problem: 'not asked for yet' };
  }

  function explainMissing(dependency: Dependency): MissingDependency {
    const entry = find(dependency);
    if ('problem' in entry) {
      return {
        key: dependency.path,
        name: dependency.path,
        reason: 'unknown',
        message: entry.problem,
        since: undefined,
      };
    }
    return {
      key: entry.key,
      name: shownName(dependency),
      reason: missingReason(entry),
      message: entry.error?.message,
      since: entry.error?.since,
    };
  }

  function run(
    locate: (dependency: Dependency) => Entry | { problem: string },
    answer: (entry: Entry) => LookupAnswer,
  ): Execution & { lacked: readonly Dependency[] } {
    const versions = new Map<string, SecretVersion>();
    const keys = new Set<string>();
    const { output, missing, writes } = template.execute((dependency) => {
      const entry = locate(dependency);
      if ('problem' in entry) return { status: 'absent', reason: entry.problem };
      keys.add(entry.key);
      if (entry.current !== undefined) versions.set(entry.key, entry.current);
      return answer(entry);
    });
    return { output, writes, versions, keys, lacked: missing, missing: missing.map(explainMissing) };
  }

  function giveUp(stage: HoldStage, except: ReadonlyMap<string, unknown> = new Map()): void {
    for (const key of holds.get(stage) ?? []) if (!except.has(key)) store.release(holder(id, stage), key);
    holds.delete(stage);
  }

  function closeUnused(used: ReadonlySet<string>, { pendingOnly = false } = {}): void {
    for (const [key, handle] of handles) {
      if (used.has(key) || (pendingOnly && handle.entry.state !== 'pending')) continue;
      handles.delete(key);
      policies.delete(key);
      seen.delete(key);
      index.remove(key, indexed);
      handle.close();
    }
  }

  return {
    id,
    execute() {
      if (isClosed) throw new LatchkeyError('internal', `${id}: executed after it was closed`);
      seen.clear();
      try {
        const execution = run(open, (entry) => {
          seen.set(entry.key, appearance(entry));
          return index.answer(entry);
        });
        lacked = execution.lacked;
        // What never had a value has none to keep until the program is told: after a mended path nobody asks for the wrong one.
        closeUnused(execution.keys, { pendingOnly: true });
        arrivals.expect([...seen].filter(([, look]) => look === 'pending').map(([key]) => key));
        return execution;
      } catch (error) {
        lacked = [];
        arrivals.expect([]);
        // A key that this execution did not reach may be what mends it.
        for (const handle of handles.values()) seen.set(handle.key, appearance(handle.entry));
        throw error;
      }
    },
    rehearse: (override) =>
      run(find, (entry) => {
        const version = entry.current;
        if (version === undefined || entry.reference.operation === 'list') return index.answer(entry);
        const secret = index.parsed(entry, version);
        return { status: 'ready', secret: override(entry.key, secret) ?? secret };
      }),
    missing: () => lacked.map(explainMissing),
    isMissing: (test) => lacked.some((dependency) => test(explainMissing(dependency))),
    keys: () => [...handles.keys()],
    hold(execution, stage) {
      if (isClosed) return;
      giveUp(stage, execution.versions);
      for (const [key, version] of execution.versions) store.hold(holder(id, stage), key, version.number);
      holds.set(stage, new Set(execution.versions.keys()));
      if (stage === 'committed') giveUp('staged');
      if (stage !== 'settled') return;
      giveUp('staged');
      giveUp('committed');
      closeUnused(execution.keys);
    },
    release: (stage) => giveUp(stage),
    rebind(next, nextUpstream) {
      template = next;
      upstream = nextUpstream;
      lackedKeys = new WeakMap();
    },
    close() {
      isClosed = true;
      for (const stage of [...holds.keys()]) giveUp(stage);
      closeUnused(new Set());
    },
  };
}

/** Up to this many that are still to come, each that comes is worth a try. */
const fewPending = 32;

/**
 * A template of thousands of secrets is not executed again for each that comes while thousands are still missing: a quarter
 * of them must have come, until they are few. (One that comes may still make others needless, so it cannot wait for all.)
 */
function createArrivals() {
  let pending = new Set<string>();
  let limit = 0;
  return {
    expect(keys: readonly string[]): void {
      pending = new Set(keys);
      limit = Math.max(fewPending, Math.floor(pending.size * 0.75));
    },
    isWorthTrying(key: string): boolean {
      pending.delete(key);
      return pending.size <= limit;
    },
  };
}

/** As the template has it, so that versions and lists of one path are told apart. The fields of a write stay out of sight. */
function shownName({ kind, path, parameters }: Dependency): string {
  if (kind === 'list') return `${path}/`;
  const query = kind === 'read' ? new URLSearchParams(parameters).toString() : '';
  return query === '' ? path : `${path}?${query}`;
}

/** The values that output made from these versions may show. */
export function valuesOf(versions: Iterable<SecretVersion>): SecretValue[] {
  const values: SecretValue[] = [];
  for (const version of versions) values.push(...secretValues(toLookupSecret(version)));
  return values.sort((a, b) => b.byteLength - a.byteLength);
}

function holder(id: string, stage: HoldStage): string {
  return stage === 'settled' ? id : `${id} (${stage})`;
}

function appearance(entry: Entry): string {
  if (entry.current !== undefined) return `${entry.current.number}${entry.isRemoved ? ' removed' : ''}`;
  return isAbsent(entry) ? 'absent' : 'pending';
}

function missingReason(entry: Entry): MissingDependency['reason'] {
  if (isAbsent(entry)) return 'absent';
  if (entry.error === undefined) return 'pending';
  return entry.error.code === 'denied' ? 'denied' : 'failed';
}
