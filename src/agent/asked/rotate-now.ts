// `latchkey rotate`: another credential because somebody wants one, carried through files and programs, and what became of it.
import type { RotateAnswer } from '../../api/admin.ts';
import { codeAndMessage } from '../../base/errors.ts';
import type { RotateResult } from '../../lease/track/rotate-track.ts';
import { shownVersion } from '../../store/secret-version.ts';
import type { Core } from '../wire.ts';
import { findEntry } from './find-entry.ts';

const noResult: Omit<RotateResult, 'key'> = { outcome: 'failed', isChanged: false, old: 'none' };

/** Resolves when files and programs have it, or what stands in their way is known. Rejects `not_found`. */
export async function rotateNow(
  core: Core,
  name: string,
  { revokeNow, signal }: { revokeNow: boolean; signal: AbortSignal },
): Promise<RotateAnswer> {
  const entry = findEntry(core, name);
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
    ...(error === undefined ? {} : { error: codeAndMessage(error) }),
  };
}
