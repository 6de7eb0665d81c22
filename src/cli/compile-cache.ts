// Where V8 keeps compiled code: what lies there runs with our rights, unchecked. So it is a folder of our own or none, never
// Node's default below /tmp, which belongs to whoever made it first.
import { lstatSync, mkdirSync } from 'node:fs';
import module from 'node:module';
import { dirname, isAbsolute, join } from 'node:path';
import { findPathFault } from '../base/paths/trusted-path.ts';

/**
 * From $CACHE_DIRECTORY (systemd's, of the unit's CacheDirectory=), $XDG_CACHE_HOME or $HOME: the folder `latchkey`
 * there, made where its parent is ours. Without any the program starts without a cache.
 */
export function useCompileCache(env: NodeJS.ProcessEnv): void {
  const folder = ownCacheFolder(env);
  if (folder !== undefined) module.enableCompileCache(folder);
}

/** The first of the places that nobody else can write in or replace; undefined when there is none. */
export function ownCacheFolder(env: NodeJS.ProcessEnv): string | undefined {
  const { CACHE_DIRECTORY, XDG_CACHE_HOME, HOME } = env;
  const bases = [
    CACHE_DIRECTORY?.split(':')[0],
    XDG_CACHE_HOME,
    HOME === undefined ? undefined : join(HOME, '.cache'),
  ];
  for (const base of bases) {
    if (base === undefined || !isAbsolute(base)) continue;
    const folder = base === bases[0] ? join(base, 'code') : join(base, 'latchkey');
    if (isOurs(folder)) return folder;
  }
  return undefined;
}

function isOurs(folder: string): boolean {
  try {
    if (findPathFault(dirname(folder)) !== undefined) return false;
    makeFolder(dirname(folder));
    makeFolder(folder);
    const { uid, mode } = lstatSync(folder);
    return (
      lstatSync(folder).isDirectory() &&
      uid === process.geteuid?.() &&
      (mode & 0o077) === 0 &&
      findPathFault(folder) === undefined
    );
  } catch {
    return false; // a read-only or missing home: it goes without
  }
}

function makeFolder(folder: string): void {
  if (lstatSync(folder, { throwIfNoEntry: false }) === undefined) mkdirSync(folder, { mode: 0o700 });
}
