// `latchkey refresh`, `POST /refresh` and SIGUSR1: upstream is asked now, and what came of it is told for each secret.
import type { RefreshOutcome } from '../../api/admin.ts';
import { codeAndMessage } from '../../base/errors.ts';
import { shellWord } from '../../base/text/quote-shell.ts';
import type { RefreshResult } from '../../lease/track/asking-tracks.ts';
import type { Entry } from '../../store/entry.ts';
import type { Core } from '../wire.ts';
import { findEntry, pathOf } from './find-entry.ts';

interface RefreshWish {
  /** Absent: every secret. */
  readonly names: readonly string[] | undefined;
  readonly signal: AbortSignal | undefined;
  /** Looks whether files that use these are as they were written; undefined: all files. */
  verify(keys: readonly string[] | undefined): Promise<void>;
}

interface Meant {
  readonly name: string;
  /** What was wrong with the name, in place of its entry. */
  readonly entry: Entry | undefined;
  readonly error?: unknown;
}

/** Resolves when the files have what came. */
export async function refreshNow(
  core: Core,
  { names, signal, verify }: RefreshWish,
): Promise<readonly RefreshOutcome[]> {
  const wanted = names === undefined ? allOf(core) : names.map((name) => meantBy(core, name));
  const keys = names === undefined ? undefined : wanted.flatMap(({ entry }) => entry?.key ?? []);
  tryLogins(core, wanted);
  const [results] = await Promise.all([
    core.engine.refresh(keys, signal === undefined ? {} : { signal }),
    verify(keys),
  ]);
  const byKey = new Map(results.map((result) => [result.key, result]));
  await core.files.idle();
  return wanted.map((one) => outcomeOf(one, byKey));
}

/** Whoever has mended a login asks for a secret of it, and not for the next try in minutes. */
function tryLogins({ upstreams }: Core, wanted: readonly Meant[]): void {
  const asked = new Set(wanted.map(({ entry }) => entry?.reference.upstream));
  for (const [name, source] of upstreams.byName()) if (asked.has(name)) source.tryAgain?.();
}

/** By name, and those that only templates name by path; what callers alone ask for is theirs. */
function allOf({ names, store, index }: Core): Meant[] {
  const named = names.all().map(({ config: { name }, entry }) => ({ name, entry }));
  const own = new Set(named.map(({ entry }) => entry.key));
  const others = Array.from(store.entries()).filter(
    ({ key }) => !own.has(key) && index.usersOf(key).length > 0,
  );
  return [...named, ...others.map((entry) => ({ name: pathOf(entry), entry }))];
}

function meantBy(core: Core, name: string): Meant {
  try {
    return { name, entry: findEntry(core, name) };
  } catch (error) {
    return { name, entry: undefined, error };
  }
}

function outcomeOf(
  { name, entry, error }: Meant,
  results: ReadonlyMap<string, RefreshResult>,
): RefreshOutcome {
  const result = entry && results.get(entry.key);
  if (entry === undefined || result === undefined) return failed(name, error);
  if (result.error !== undefined) return failed(name, result.error);
  return { name, outcome: result.outcome, ...noteOf(entry, name, result.outcome) };
}

function failed(name: string, error: unknown): RefreshOutcome {
  return { name, outcome: 'failed', error: codeAndMessage(error) };
}

/** What is left alone is said: of what upstream issues a look makes nothing new. */
function noteOf(
  { current }: Entry,
  name: string,
  outcome: RefreshOutcome['outcome'],
): Pick<RefreshOutcome, 'note'> {
  const kind = current?.kind;
  if (outcome !== 'same' || kind === undefined || kind === 'static' || kind === 'rotating') return {};
  const what = kind === 'leased' ? 'its lease was renewed or kept' : 'it is good until its end';
  return { note: `${what}; \`latchkey rotate ${shellWord(name)}\` makes another` };
}
