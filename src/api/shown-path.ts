// What a secret without a name is called wherever people read of it.
import type { SecretStatus } from './status.ts';

/** Versions, lists and writes of one path are told apart, as the key does it. */
export function shownPath({ upstream, key, path }: SecretStatus, all: readonly SecretStatus[]): string {
  const [operation = ''] = key.slice(upstream.length + 1).split(' ', 1);
  const rest = key.slice(upstream.length + operation.length + 2);
  if (operation === 'list') return `${path}/`;
  if (operation !== 'write') return rest;
  return all.every((one) => one.path !== path || one.key === key) ? path : rest;
}
