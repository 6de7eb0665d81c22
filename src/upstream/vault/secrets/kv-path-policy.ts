// Where a path lies in Vault's API: a KV version 2 mount wants `data/` or `metadata/` after the mount. Pure.
import type { Operation } from '../../../store/reference.ts';

export interface Mount {
  /** With a slash at the end, as the paths of references begin: `secret/`, with a namespace in the path `team/secret/`. */
  readonly prefix: string;
  /** 2: KV version 2. 1: KV version 1. 0: no KV. */
  readonly kvVersion: 0 | 1 | 2;
  /** Of the engine, as the server tells it; absent: it did not. */
  readonly type?: string;
}

/** As consul-template does it: a path that already has `data/` or `metadata/` stays as it is. */
export function apiPath(path: string, mount: Mount | undefined, operation: Operation): string {
  if (mount?.kvVersion !== 2) return path;
  const rest = `${path}/`.startsWith(mount.prefix) ? path.slice(mount.prefix.length) : path;
  const wanted = operation === 'list' ? 'metadata' : 'data';
  if (rest === '') return `${mount.prefix}${wanted}`;
  // A list's path has lost its slash; alone, both words are names of secrets otherwise.
  const start = operation === 'list' ? `${rest}/` : rest;
  if (start.startsWith('metadata/')) return path;
  if (!start.startsWith('data/')) return `${mount.prefix}${wanted}/${rest}`;
  return operation === 'list' ? `${mount.prefix}metadata${rest.slice('data'.length)}` : path;
}

/** The metadata path of a secret's data path; undefined where there is none. */
export function metadataPath(path: string, mount: Mount | undefined): string | undefined {
  if (mount?.kvVersion !== 2) return undefined;
  const data = apiPath(path, mount, 'read');
  const start = `${mount.prefix}data/`;
  return data.startsWith(start) ? `${mount.prefix}metadata/${data.slice(start.length)}` : undefined;
}

/**
 * The mount of a path as `sys/internal/ui/mounts/<path>` tells it. Where the path begins with a child namespace OpenBao
 * tells the mount from the root on (`team/sub/secret/` for `sub/secret/app` in `team`), and others tell it without any.
 */
export function mountOf(path: string, told: { path: string; type: string; version: string }): Mount {
  const prefix = fromRoot(path, told.path) ?? fromWithin(path, told.path) ?? told.path;
  const { type } = told;
  if (type !== 'kv' && type !== 'generic') return { prefix, kvVersion: 0, type };
  return { prefix, kvVersion: told.version === '2' ? 2 : 1, type };
}

/** The longest end of the told path that the asked one begins with. */
function fromRoot(path: string, told: string): string | undefined {
  const segments = told.split('/');
  for (let start = 0; start < segments.length - 1; start += 1) {
    const end = segments.slice(start).join('/');
    if (`${path}/`.startsWith(end)) return end;
  }
  return undefined;
}

function fromWithin(path: string, told: string): string | undefined {
  const at = `/${path}/`.indexOf(`/${told}`);
  return at < 0 ? undefined : `${path}/`.slice(0, at + told.length);
}
