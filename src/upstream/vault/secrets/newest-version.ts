// Whether a version of a KV 2 secret is still its newest, by the metadata alone: the value does not go over the wire again.

import { isJsonObject } from '../../../base/text/json.ts';
import type { Clock } from '../../../base/time/clock.ts';
import type { Reference } from '../../../store/reference.ts';
import type { ReadableSource } from '../../../store/secret-reading.ts';
import type { SecretVersion } from '../../../store/secret-version.ts';
import type { ServerClock } from '../../http/server-clock.ts';
import { answerJson, type VaultAnswer } from '../answer-policy.ts';
import type { Authorised } from '../session/authorised.ts';
import { seconds } from './issued-life.ts';
import { type Mount, metadataPath } from './kv-path-policy.ts';
import { judgedOnce, markOfAnswer } from './same-answer.ts';

interface NewestVersionParts {
  readonly authorised: Authorised;
  readonly clock: Clock;
  readonly serverClock: ServerClock;
  /** What is known already. */
  readonly mountOf: (path: string) => Mount | undefined;
}

/** How long a mount whose metadata may not be read is not asked for them again. */
const metadataDeniedMs = 600_000;

export function createNewestVersion(
  parts: NewestVersionParts,
): Required<Pick<ReadableSource, 'canTell' | 'isCurrent'>> {
  const { authorised, clock, serverClock, mountOf } = parts;
  const metadataDeniedUntil = new Map<string, number>();
  /** By which metadata a version was the newest. */
  const newestMarks = new WeakMap<Reference, string>();

  /** What may be asked whether a version is the newest; undefined: nothing that is cheaper than the secret itself. */
  function metadataOf(reference: Reference, { versionId }: SecretVersion) {
    if (reference.operation !== 'read' || versionId === undefined) return undefined;
    const mount = mountOf(reference.path);
    const path = metadataPath(reference.path, mount);
    if (mount === undefined || path === undefined) return undefined;
    return (metadataDeniedUntil.get(mount.prefix) ?? 0) > clock.now()
      ? undefined
      : { mount, path, versionId };
  }

  return {
    canTell: (reference, version) => metadataOf(reference, version) !== undefined,
    async isCurrent(reference, version, request) {
      const found = metadataOf(reference, version);
      if (found === undefined) return undefined;
      const { mount, path, versionId } = found;
      const mark = newestMarks.get(reference);
      const isKnown = judgedOnce((body) => mark === `${versionId} ${markOfAnswer(body)}`);
      const answer = await authorised({
        ...{ method: 'GET', path, isOptional: true, isHarmless: true, ...request },
        ...(mark !== undefined && { isKnown }),
      });
      if (answer.status === 200 && mark !== undefined && isKnown(answer.body)) return true;
      newestMarks.delete(reference);
      if (answer.status === 403) metadataDeniedUntil.set(mount.prefix, clock.now() + metadataDeniedMs);
      if (answer.status === 404) return false;
      if (answer.status !== 200) return undefined;
      const wallMs = serverClock.wall();
      const told = isNewest(answer, versionId, reference.parameters['version'], wallMs);
      // Not where it will be deleted: the same answer says something else then.
      if (told === 'for good') newestMarks.set(reference, `${versionId} ${markOfAnswer(answer.body)}`);
      return told === undefined ? undefined : told !== 'no';
    },
  };
}

/** Metadata tell of each version whether it is deleted; a date in the future is only a plan. */
function isNewest(
  answer: VaultAnswer,
  version: string,
  pinned: string | undefined,
  wallMs: number,
): 'for good' | 'as yet' | 'no' | undefined {
  const data = answerJson(answer)?.['data'];
  if (!isJsonObject(data)) return undefined;
  const isPinned = pinned !== undefined && pinned !== '0' && pinned !== '';
  if (!isPinned && String(seconds(data['current_version'])) !== version) return 'no';
  const versions = data['versions'];
  const entry = isJsonObject(versions) ? versions[version] : undefined;
  if (!isJsonObject(entry)) return 'no';
  const deletion = entry['deletion_time'];
  const isPlanned = typeof deletion === 'string' && deletion !== '';
  if (entry['destroyed'] === true || (isPlanned && Date.parse(deletion) <= wallMs)) return 'no';
  return isPlanned ? 'as yet' : 'for good';
}
