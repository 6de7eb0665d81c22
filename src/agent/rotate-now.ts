// `latchkey rotate`: another credential because somebody wants one, carried through files and programs, and what became of it.
import type { RefreshOutcome, RotateAnswer } from '../api/admin.ts';
import { describeError, errorCode, LatchkeyError } from '../base/errors.ts';
import { nearest } from '../base/text/nearest.ts';
import type { RotateResult } from '../lease/track/rotate-track.ts';
import { shownVersion } from '../store/secret-version.ts';
import type { Core } from './wire.ts';

const noResult: Omit<RotateResult, 'key'> = { outcome: 'failed', isChanged: false, old: 'none' };

/** Resolves when files and programs have it, or what stands in their way is known. Rejects `not_found`. */
export async function rotateNow(
  core: Core,
  name: string,
  { revokeNow, signal }: { revokeNow: boolean; signal: AbortSignal },
): Promise<RotateAnswer> {
  const entry = core.names.find(name)?.entry;
  if (entry === undefined) throw unknownName(core, name);
  const begin = performance.now();
  const [result] = await core.engine.rotate([entry.key], { revokeNow, signal });
  await core.files.idle();
  const { outcome, isChanged, old, note, error } = result ?? noResult;
  const behind = core.files
    .status()
    .filter(({ state, versions }) => state !== 'current' && Object.hasOwn(versions, entry.key))
    .map(({ destination }) => destination);
  return {
    name,
    outcome,
    changed: isChanged,
    old,
    version: entry.current === undefined ? null : shownVersion(entry.current),
    milliseconds: Math.round(performance.now() - begin),
    behind,
    ...(note === undefined ? {} : { note }),
    ...(error === undefined ? {} : { error: { code: errorCode(error), message: describeError(error) } }),
  };
}

export function unknownName(core: Pick<Core, 'names'>, name: string): LatchkeyError {
  const near = nearest(
    name,
    core.names.all().map(({ config }) => config.name),
  );
  return new LatchkeyError(
    'not_found',
    `no secret is named ${JSON.stringify(name)}`,
    near === undefined ? {} : { remedy: `did you mean ${near}?` },
  );
}

/** What `refresh` leaves alone is said: of what upstream issues a look makes nothing new. */
export function noteOf(
  { names }: Core,
  name: string,
  outcome: RefreshOutcome['outcome'],
): Pick<RefreshOutcome, 'note'> {
  const kind = names.find(name)?.entry.current?.kind;
  if (outcome !== 'same' || kind === undefined || kind === 'static' || kind === 'rotating') return {};
  const what = kind === 'leased' ? 'its lease was renewed or kept' : 'it is good until its end';
  return { note: `${what}; \`latchkey rotate ${name}\` makes another` };
}
