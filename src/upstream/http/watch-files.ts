// Tells when files change: written, replaced by a rename, or by the symlink that Kubernetes turns for a whole volume.
// Loads chokidar only when there is something to watch.
import { stat } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { describeError } from '../../base/errors.ts';
import type { Logger } from '../../base/logger.ts';

export interface FileWatch {
  close(): Promise<void>;
}

export interface WatchFilesOptions {
  readonly paths: readonly string[];
  /** Called after a file has become another one or has come; not when it has gone. */
  readonly onChange: () => void;
  readonly logger: Logger;
}

/** The folders are watched, not the files: a file that is replaced is another inode. */
export async function watchFiles(options: WatchFilesOptions): Promise<FileWatch> {
  const { paths, onChange, logger } = options;
  const seen = new Map(await Promise.all(paths.map(async (path) => [path, await identity(path)] as const)));
  const { watch } = await import('chokidar');
  const folders = new Set(paths.map(dirname));
  const names = new Set(paths.map((path) => basename(path)));
  const watcher = watch([...folders], {
    ignoreInitial: true,
    depth: 0,
    followSymlinks: false,
    // Kubernetes renames `..data`; whatever else lies in the folder is nobody's business.
    ignored: (path) => !folders.has(path) && !names.has(basename(path)) && !basename(path).startsWith('..'),
  });
  let checking = Promise.resolve();

  async function check(): Promise<void> {
    let isChanged = false;
    for (const path of paths) {
      const now = await identity(path);
      if (now === seen.get(path)) continue;
      seen.set(path, now);
      if (now !== undefined) isChanged = true;
    }
    if (isChanged) onChange();
  }

  watcher.on('all', () => {
    checking = checking.then(check);
  });
  watcher.on('error', (error) => {
    logger.warn({ paths, error: describeError(error) }, 'files cannot be watched: changes are found late');
  });
  await new Promise<void>((resolve) => watcher.once('ready', resolve));
  // What happened before the watch was there.
  await check();
  return {
    async close() {
      await watcher.close();
      await checking;
    },
  };
}

async function identity(path: string): Promise<string | undefined> {
  try {
    const { dev, ino, size, mtimeMs } = await stat(path);
    return `${dev}:${ino}:${size}:${mtimeMs}`;
  } catch {
    // Not there, or not to be seen: the login that reads it says so.
    return undefined;
  }
}
