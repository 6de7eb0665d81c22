// What a secret without a name is called wherever people read of it.
import type { SecretStatus } from './status.ts';

type Placed = Pick<SecretStatus, 'upstream' | 'key' | 'path'>;

/** Versions, lists and writes of one path are told apart, as the key does it; a write that is alone among `all` has its path. */
export function shownPath({ upstream, key, path }: Placed, all?: readonly Placed[]): string {
  const [operation = ''] = key.slice(upstream.length + 1).split(' ', 1);
  const rest = key.slice(upstream.length + operation.length + 2);
  if (operation === 'list') return `${path}/`;
  if (operation !== 'write') return rest;
  return all?.every((one) => one.path !== path || one.key === key) === true ? path : rest;
}
