// What a login used up at its source, handed on to the upstream that takes this one's place: a login that works must not give
// way to one that cannot.
import { existsSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';
import { LatchkeyError } from '../../../base/errors.ts';
import type { AuthConfig, VaultUpstreamConfig } from '../config/vault-config.ts';
import type { CredentialMemory } from './auth-method.ts';

/** By upstream. */
const memories = new WeakMap<object, { auth: AuthConfig; memory: CredentialMemory }>();

/** A successor with the same auth goes on with what was used up for the login. Throws where it could not log in. */
export function takeMemory(
  predecessor: object | undefined,
  { name, auth }: Pick<VaultUpstreamConfig, 'name' | 'auth'>,
): CredentialMemory {
  if (predecessor === undefined) return {};
  const known = memories.get(predecessor);
  const memory = known !== undefined && isDeepStrictEqual(known.auth, auth) ? known.memory : {};
  refuseLostLogin(name, auth, memory);
  return memory;
}

export function keepMemory(upstream: object, auth: AuthConfig, memory: CredentialMemory): void {
  memories.set(upstream, { auth, memory });
}

/** A secret id that was used up and removed for the login of before is not there for another one. */
function refuseLostLogin(name: string, auth: AuthConfig, memory: CredentialMemory): void {
  const key = auth.method === 'approle' ? 'secret_id_file' : 'path';
  const path = auth.method === 'approle' ? auth.secretIdFile : 'path' in auth ? auth.path : undefined;
  if (path === undefined || memory.secret !== undefined || existsSync(path)) return;
  throw new LatchkeyError(
    'config_invalid',
    `upstreams.${name}.auth.${key}: ${path} is not there, and another login would need it; the one of before stays`,
    { remedy: 'put a credential there, then reload' },
  );
}
