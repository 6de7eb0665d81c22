// Tells which of the secrets that were read may be others now, as soon as a file or folder that they come from changes.
import { describeError } from '../../base/errors.ts';
import type { Logger } from '../../base/logger.ts';
import { type FileWatch, watchFiles } from '../http/watch-files.ts';
import type { KindHooks } from '../kind/kind-source.ts';

export interface SourceWatch {
  /** A secret was read at this path. */
  note(path: string): void;
  /** These files, links of a mounted volume followed. */
  watchFiles(paths: readonly string[]): void;
  /** All files in it, and in the folders in it. */
  watchFolder(path: string): void;
  close(): Promise<void>;
}

interface SourceWatchOptions {
  readonly logger: Logger;
  readonly hooks: KindHooks;
  /** Before the secrets are told of. */
  readonly onChange?: () => void;
}

/** A watch that fails is logged: changes are found at the next poll then. */
export function createSourceWatch(options: SourceWatchOptions): SourceWatch {
  const { logger, hooks } = options;
  const paths = new Set<string>();
  let watching: Promise<FileWatch | undefined> | undefined;

  function tell(): void {
    options.onChange?.();
    for (const path of paths) hooks.changed(path);
  }

  function hold(opening: Promise<FileWatch>): void {
    watching = opening.catch((error: unknown) => {
      logger.warn(
        { error: describeError(error) },
        'files of secrets cannot be watched: changes are found late',
      );
      return undefined;
    });
  }

  return {
    note: (path) => void paths.add(path),
    watchFiles: (files) => hold(watchFiles({ paths: files, onChange: tell, logger })),
    watchFolder: (folder) => hold(openFolderWatch(folder, tell, logger)),
    async close() {
      await (await watching)?.close();
    },
  };
}

async function openFolderWatch(folder: string, onChange: () => void, logger: Logger): Promise<FileWatch> {
  const { watch } = await import('chokidar');
  const watcher = watch(folder, { ignoreInitial: true, depth: 1, followSymlinks: false });
  let isTold = true;
  watcher.on('all', () => {
    if (!isTold) return;
    // One rename of a mounted volume is many events.
    isTold = false;
    setImmediate(() => {
      isTold = true;
      onChange();
    });
  });
  watcher.on('error', (error) => {
    logger.warn(
      { folder, error: describeError(error) },
      'a folder of secrets cannot be watched: changes are found late',
    );
  });
  await new Promise<void>((resolve) => watcher.once('ready', resolve));
  return watcher;
}
