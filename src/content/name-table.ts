// The names of the config's `secrets` and the store's entries behind them. A name keeps its entry open for as long as
// the config has it; where only what is used is obtained, a name is there while something else keeps its entry open.
import { isDeepStrictEqual } from 'node:util';
import type { SecretConfig } from '../config/resolved.ts';
import type { Entry } from '../store/entry.ts';
import type { EntryHandle, Store } from '../store/store.ts';
import { resolveSecret } from './resolve-dependency.ts';

export interface NamedSecret {
  readonly config: SecretConfig;
  readonly entry: Entry;
}

export interface NameTable {
  find(name: string): NamedSecret | undefined;
  all(): readonly NamedSecret[];
  /** The name that an alias stands for; any other text is given back. */
  nameOf(alias: string): string;
  /** The names that stand for this entry. */
  namesOf(key: string): readonly string[];
  /** Another number after each `reconcile`: what a text stood for before may be another secret now. */
  readonly revision: number;
  /** Opens what is new, closes what is gone; a secret whose settings are the same is not touched. */
  reconcile(secrets: readonly SecretConfig[]): void;
  close(): void;
}

interface OpenName extends NamedSecret {
  readonly handle: EntryHandle;
}

export function createNameTable(options: { store: Store; secrets: readonly SecretConfig[] }): NameTable {
  const { store } = options;
  const open = new Map<string, OpenName>();
  let aliases = new Map<string, string>();
  let revision = 0;
  /** A change among thousands looks up its own names, and makes no list of all. */
  let all: readonly NamedSecret[] = [];
  let byKey = new Map<string, string[]>();

  function reconcile(secrets: readonly SecretConfig[]): void {
    const wanted = new Set(secrets.map(({ name }) => name));
    const replaced: EntryHandle[] = [];
    for (const [name, { handle }] of open) {
      if (wanted.has(name)) continue;
      open.delete(name);
      replaced.push(handle);
    }
    for (const config of secrets) {
      const known = open.get(config.name);
      if (known !== undefined && isDeepStrictEqual(known.config, config)) continue;
      if (known !== undefined) replaced.push(known.handle);
      const { reference, policy } = resolveSecret(config);
      const handle = store.open(reference, policy);
      open.set(config.name, { config, entry: handle.entry, handle });
    }
    all = [...open.values()];
    byKey = new Map();
    for (const [name, { entry }] of open) {
      const names = byKey.get(entry.key);
      if (names === undefined) byKey.set(entry.key, [name]);
      else names.push(name);
    }
    aliases = aliasesOf(secrets);
    revision += 1;
    // Closed last: an entry that only changed its name or policy keeps its lease.
    for (const handle of replaced) handle.close();
  }

  reconcile(options.secrets);
  return {
    find: (name) => open.get(name),
    nameOf: (alias) => aliases.get(alias) ?? alias,
    all: () => all,
    namesOf: (key) => byKey.get(key) ?? [],
    get revision() {
      return revision;
    },
    reconcile,
    close() {
      for (const { handle } of open.values()) handle.close();
      open.clear();
      all = [];
      byKey.clear();
    },
  };
}

/** Opens nothing itself. Its config stays, so that it is not to be reconciled. */
export function followUsedNames({
  store,
  secrets,
}: {
  store: Store;
  secrets: readonly SecretConfig[];
}): NameTable {
  const byKey = Map.groupBy(secrets, (config) => resolveSecret(config).key);
  const open = new Map<string, NamedSecret>();
  const aliases = aliasesOf(secrets);
  const stop = store.listen({
    opened(entry) {
      for (const config of byKey.get(entry.key) ?? []) open.set(config.name, { config, entry });
    },
    closed(entry) {
      for (const { name } of byKey.get(entry.key) ?? []) open.delete(name);
    },
  });
  return {
    find: (name) => open.get(name),
    nameOf: (alias) => aliases.get(alias) ?? alias,
    all: () => [...open.values()],
    namesOf: (key) => (byKey.get(key) ?? []).map(({ name }) => name),
    revision: 0,
    reconcile() {
      throw new Error('names that follow their use stay as they are');
    },
    close: stop,
  };
}

/**
 * AWS takes the ARN of a secret without its suffix too. An alias that is written down goes before, and six small letters
 * are the end of a name (`my-secret`), not a suffix.
 */
function aliasesOf(secrets: readonly SecretConfig[]): Map<string, string> {
  const written = secrets.flatMap(({ name, aliases }) => aliases.map((alias) => [alias, name] as const));
  const partial = written.flatMap(([alias, name]) => {
    const [, start, suffix = ''] = /^(arn:[^:]*:secretsmanager:.+)-([A-Za-z0-9]{6})$/.exec(alias) ?? [];
    return start === undefined || !/[A-Z0-9]/.test(suffix) ? [] : [[start, name] as const];
  });
  return new Map([...partial, ...written]);
}
