// Random identifiers in Vault's shapes: tokens, accessors, lease ids, passwords, mount accessors.
import { randomBytes, randomInt, randomUUID } from 'node:crypto';

const base62 = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';

export function randomBase62(length: number): string {
  let text = '';
  for (let index = 0; index < length; index++) text += base62[randomInt(base62.length)];
  return text;
}

/** A service token of the root namespace is `hvs.` and 24 characters; another namespace's id is appended. */
export function newTokenId(type: 'service' | 'batch', namespaceId: string): string {
  const prefix = type === 'batch' ? 'hvb.' : 'hvs.';
  const length = type === 'batch' ? 96 : 24;
  return `${prefix}${randomBase62(length)}${namespaceSuffix(namespaceId)}`;
}

export function newAccessor(namespaceId: string): string {
  return `${randomBase62(24)}${namespaceSuffix(namespaceId)}`;
}

export function newLeaseId(path: string, namespaceId: string): string {
  return `${path}/${randomBase62(24)}${namespaceSuffix(namespaceId)}`;
}

/** As Vault's database engine: 20 characters with a digit, a lower and an upper case letter, and a dash. */
export function newPassword(): string {
  return `A1a-${randomBase62(16)}`;
}

export function newMountAccessor(kind: string, type: string): string {
  return `${kind === 'auth' ? 'auth_' : ''}${type}_${randomBytes(4).toString('hex')}`;
}

export function newUuid(): string {
  return randomUUID();
}

function namespaceSuffix(namespaceId: string): string {
  return namespaceId === 'root' ? '' : `.${namespaceId}`;
}
