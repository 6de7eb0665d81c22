// The identity of a machine that Azure Arc connects: the agent of Arc gives a token to whoever can read a file of its own.
import { dirname, normalize } from 'node:path';
import { LatchkeyError } from '../../base/errors.ts';
import type { FaultOf } from '../../base/surroundings.ts';
import { readLoginFile } from './login-file.ts';
import { type MetadataRequest, metadataChallenge } from './metadata-request.ts';

/** Where Arc's agent writes such files; one that is elsewhere is somebody's who wants to see another file. */
const arcKeyFolder = '/var/opt/azcmagent/tokens';
const largestKey = 4096;
const remedy = 'run as root, or as a member of the group himds, on a machine that Azure Arc connects';

interface ArcSource {
  readonly signal: AbortSignal;
  readonly faultOf?: FaultOf | undefined;
  /** Where its agent keeps keys; default: where it does. */
  readonly arcFolder?: string | undefined;
}

/** The request with the proof that Arc wants. Throws `login_failed`. */
export async function arcRequest(
  endpoint: string,
  resource: string,
  { signal, faultOf, arcFolder = arcKeyFolder }: ArcSource,
): Promise<MetadataRequest> {
  const query = new URLSearchParams({ 'api-version': '2020-06-01', resource });
  const plain: MetadataRequest = {
    service: 'the identity endpoint of Azure Arc',
    url: `${endpoint}?${query}`,
    headers: { metadata: 'true' },
    remedy,
    signal,
  };
  const path = arcKeyPath((await metadataChallenge(plain)) ?? '', arcFolder);
  // Of Arc's own user.
  const key = (
    await readLoginFile(path, { remedy, maxBytes: largestKey, faultOf, isOfAnother: true })
  ).trim();
  return { ...plain, headers: { ...plain.headers, authorization: `Basic ${key}` } };
}

/** Of `Basic realm=PATH`: a `.key` right in that folder and nothing else. */
export function arcKeyPath(challenge: string, folder: string): string {
  const [, path = ''] = /^Basic realm="?([^"]+)"?$/i.exec(challenge.trim()) ?? [];
  if (path.endsWith('.key') && normalize(path) === path && dirname(path) === folder) return path;
  throw new LatchkeyError(
    'login_failed',
    `the identity endpoint of Azure Arc wants to be shown no key in ${folder}`,
    { remedy: 'check IDENTITY_ENDPOINT: this may not be the agent of Azure Arc' },
  );
}
