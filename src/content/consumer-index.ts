// From entry key to the consumers that used it: the one listener on the store for all templates, so that a change costs
// as much as it has consumers. Answers lookups from memory; each version is parsed once while it is current.
import type { Entry } from '../store/entry.ts';
import type { SecretVersion } from '../store/secret-version.ts';
import type { Store } from '../store/store.ts';
import type { LookupAnswer, LookupSecret } from '../template/exec/lookup.ts';
import { toLookupSecret, toNames } from './lookup-secret.ts';

export interface IndexedConsumer {
  /** Who it is for: `file:/etc/app.conf`. */
  readonly id: string;
  /** The answer to a lookup of this key may differ now; called synchronously from the store. */
  noteChange(entry: Entry): void;
  /** What else it uses. */
  keys(): readonly string[];
}

export interface ConsumerIndex {
  add(key: string, consumer: IndexedConsumer): void;
  remove(key: string, consumer: IndexedConsumer): void;
  /** The ids of its consumers. */
  usersOf(key: string): string[];
  /** The other entries of the consumers of this one. */
  siblings(key: string): readonly string[];
  /** What a template gets that asks for this entry now. */
  answer(entry: Entry): LookupAnswer;
  /** The parsed form of a version, kept while it is current. */
  parsed(entry: Entry, version: SecretVersion): LookupSecret;
  close(): void;
}

export function createConsumerIndex(options: { store: Store }): ConsumerIndex {
  const consumers = new Map<string, Set<IndexedConsumer>>();
  // Keyed by the entry, so that the parsed text of a superseded version can be collected as soon as it is.
  const parsed = new WeakMap<Entry, { version: SecretVersion; secret: LookupSecret }>();

  function tell(entry: Entry): void {
    for (const consumer of [...(consumers.get(entry.key) ?? [])]) consumer.noteChange(entry);
  }
  const stop = options.store.listen({ changed: tell, updated: tell });

  function parse(entry: Entry, version: SecretVersion): LookupSecret {
    const known = parsed.get(entry);
    if (known?.version === version) return known.secret;
    const secret = toLookupSecret(version);
    if (entry.current === version) parsed.set(entry, { version, secret });
    return secret;
  }

  return {
    add(key, consumer) {
      const known = consumers.get(key);
      if (known === undefined) consumers.set(key, new Set([consumer]));
      else known.add(consumer);
    },
    remove(key, consumer) {
      const known = consumers.get(key);
      known?.delete(consumer);
      if (known?.size === 0) consumers.delete(key);
    },
    usersOf: (key) => Array.from(consumers.get(key) ?? [], ({ id }) => id),
    siblings(key) {
      const keys = new Set([...(consumers.get(key) ?? [])].flatMap((consumer) => consumer.keys()));
      keys.delete(key);
      return [...keys];
    },
    answer(entry) {
      const version = entry.current;
      if (version === undefined) return withoutValue(entry);
      if (entry.reference.operation === 'list') return { status: 'ready-list', names: toNames(version) };
      return { status: 'ready', secret: parse(entry, version), isRemoved: entry.isRemoved };
    },
    parsed: parse,
    close: stop,
  };
}

/** `absent` when upstream said that there is no such secret. */
export function isAbsent(entry: Entry): boolean {
  return entry.current === undefined && entry.isRemoved;
}

function withoutValue(entry: Entry): LookupAnswer {
  const reason = entry.error?.message;
  if (isAbsent(entry)) return { status: 'absent', reason: reason ?? 'upstream has no such secret' };
  return reason === undefined ? { status: 'pending' } : { status: 'pending', reason };
}
