// The entry of the store that a word of the operator's means: a secret's name or alias, or, of one that only a template
// names, its key or its path as `status` shows it.
import { shownPath } from '../../api/shown-path.ts';
import { LatchkeyError } from '../../base/errors.ts';
import { nearest } from '../../base/text/nearest.ts';
import type { Entry } from '../../store/entry.ts';
import type { Core } from '../wire.ts';

type Known = Pick<Core, 'names' | 'store'>;

/** Throws `not_found` with what is nearest, or `usage` where several have this path. */
export function findEntry({ names, store }: Known, word: string): Entry {
  const named = names.find(names.nameOf(word))?.entry;
  if (named !== undefined) return named;
  const all = [...store.entries()];
  const exact = all.find((entry) => entry.key === word || pathOf(entry) === word);
  if (exact !== undefined) return exact;
  const [found, ...more] = all.filter(({ reference }) => reference.path === word);
  if (found === undefined) throw unknown(word, names, all);
  if (more.length === 0) return found;
  const keys = [found, ...more].map(({ key }) => `"${key}"`).join(', ');
  throw new LatchkeyError('usage', `several secrets have the path "${word}"`, {
    remedy: `name one of ${keys}`,
  });
}

/** As `status` shows it where several secrets have the path. */
export function pathOf({ key, reference }: Entry): string {
  return shownPath({ ...reference, key });
}

function unknown(word: string, names: Known['names'], all: readonly Entry[]): LatchkeyError {
  const near = nearest(word, [
    ...names.all().map(({ config }) => config.name),
    ...all.map(({ reference }) => reference.path),
  ]);
  return new LatchkeyError('not_found', `no secret is named ${JSON.stringify(word)}`, {
    remedy: near && `did you mean ${near}?`,
  });
}
