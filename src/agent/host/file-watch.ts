// Tells when the config or a template changes on disk. Editors and config managers write in several steps, and mounted
// config maps swap a link, so the folder is watched and a change counts when it has been quiet for a moment.
import { stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Logger } from '../../base/logger.ts';

export interface FileWatch {
  /** What to watch from now on: these files, and all that come into these folders. */
  watch(paths: readonly string[], wholeFolders: readonly string[]): void;
  close(): Promise<void>;
}

interface FileWatchOptions {
  logger: Logger;
  /** The paths that were written, created or removed. */
  onChange(paths: readonly string[]): void;
}

const quietMs = 200;

/** Loads chokidar once there is something to watch. A watch that fails is logged: HUP still works. */
export function createFileWatch(options: FileWatchOptions): FileWatch {
  const { logger } = options;
  let watcher:
    | Promise<{ add(paths: string[]): unknown; unwatch(paths: string[]): unknown; close(): Promise<void> }>
    | undefined;
  let wanted = new Set<string>();
  let whole = new Set<string>();
  let folders = new Set<string>();
  const changed = new Set<string>();
  let timer: NodeJS.Timeout | undefined;
  let isClosed = false;

  function note(path: string): void {
    // A swapped link (`..data` of a mounted config map) changes what is behind every file of its folder.
    const isLinkSwap = /(^|\/)\.\.data/.test(path);
    const hits = isLinkSwap
      ? [...wanted].filter((file) => path.startsWith(`${dirname(file)}/`))
      : wanted.has(path) || whole.has(dirname(path))
        ? [path]
        : [];
    noteChanged(hits);
  }

  function noteChanged(paths: readonly string[]): void {
    if (paths.length === 0) return;
    for (const path of paths) changed.add(path);
    clearTimeout(timer);
    timer = setTimeout(() => {
      const paths = [...changed];
      changed.clear();
      if (!isClosed) options.onChange(paths);
    }, quietMs);
  }

  /** What was written after it was read and before the watch was there. */
  async function noteMissed(): Promise<void> {
    const paths = [...wanted];
    const stats = await Promise.all(paths.map((path) => stat(path).catch(() => undefined))); // gone: an event tells
    noteChanged(paths.filter((_, index) => (stats[index]?.ctimeMs ?? 0) > performance.timeOrigin));
  }

  async function open() {
    const { watch } = await import('chokidar');
    const opened = watch([], { ignoreInitial: true, depth: 0, ignorePermissionErrors: true });
    opened.on('all', (_event, path) => note(path));
    opened.once('ready', () => void noteMissed());
    opened.on('error', (error) =>
      logger.warn({ error: String(error) }, 'cannot watch files; reload with HUP'),
    );
    return opened;
  }

  return {
    watch(paths, wholeFolders) {
      wanted = new Set(paths);
      whole = new Set(wholeFolders);
      const next = new Set([...paths.map((path) => dirname(path)), ...wholeFolders]);
      const added = [...next].filter((folder) => !folders.has(folder));
      const removed = [...folders].filter((folder) => !next.has(folder));
      folders = next;
      if (watcher === undefined && added.length === 0) return;
      watcher ??= open();
      watcher
        .then((opened) => {
          if (removed.length > 0) opened.unwatch(removed);
          if (added.length > 0 && !isClosed) opened.add(added);
        })
        .catch((error: unknown) =>
          logger.warn({ error: String(error) }, 'cannot watch files; reload with HUP'),
        );
    },
    async close() {
      isClosed = true;
      clearTimeout(timer);
      const opened = await watcher?.catch(() => undefined); // was logged when it failed
      await opened?.close();
    },
  };
}
