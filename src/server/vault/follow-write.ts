// What upstream has done at a caller's wish is true of what is in memory before the caller hears of it.
import type { Readable } from 'node:stream';
import { SecretValue } from '../../base/secret-value.ts';
import type { VaultCache } from './vault-cache.ts';
import { jsonFields, type PassedRequest, textIn } from './vault-forward.ts';
import type { VaultHeld } from './vault-held.ts';
import { operationOf, pathsWritten } from './vault-path-policy.ts';

/** How long an answer waits for the cache to follow what it reports. */
const followMs = 5000;

export async function followWrite(
  { cache, held }: { readonly cache: VaultCache; readonly held: VaultHeld },
  { method, path }: { readonly method: string; readonly path: string },
  { token, body, signal }: PassedRequest,
): Promise<void> {
  const operation = operationOf(method, path);
  const until = AbortSignal.any([signal, AbortSignal.timeout(followMs)]);
  if (operation.kind === 'revoke-lease') {
    const leaseId = leaseIdOf(operation, body);
    held.revokedLeases((id) => id === leaseId);
    await cache.revoked((id) => id === leaseId, until);
  } else if (operation.kind === 'renew-lease') {
    held.renewedLease(leaseIdOf(operation, body) ?? '');
  } else if (operation.kind === 'revoke-prefix') {
    held.revokedLeases((id) => id.startsWith(operation.prefix));
    await cache.revoked((id) => id.startsWith(operation.prefix), until);
  } else if (operation.kind === 'revoke-token') {
    const { token: named } = jsonFields(body);
    const own = typeof named === 'string' ? SecretValue.fromText(named) : undefined;
    const gone = { token: operation.isSelf ? token : own, accessor: textIn(body, 'accessor') };
    held.revokedToken(gone, operation.areOrphaned);
    if (operation.isSelf && token === 'auto') await cache.revoked(() => true, until);
    else await cache.checkLeases(until);
  } else if (operation.kind === 'other') {
    await cache.written(pathsWritten(path), until);
  }
}

/** The path may tell it, else the body does. */
export function leaseIdOf(
  { leaseId }: { readonly leaseId: string | undefined },
  body: Buffer | Readable | undefined,
): string | undefined {
  return leaseId ?? textIn(body, 'lease_id');
}
