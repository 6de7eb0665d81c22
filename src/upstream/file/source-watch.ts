// Tells which of the secrets that were read may be others now, as soon as a file or folder that they come from changes.
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from '../../base/logger.ts';
import { createFileWatch } from '../../base/paths/file-watch.ts';
import type { KindHooks } from '../kind/kind-source.ts';

export interface SourceWatch {
  /** A secret was read at this path. */
  note(path: string): void;
  /** These files, links of a mounted volume followed. */
  watchFiles(paths: readonly string[]): void;
  /** All files in it, and in the folders in it. */
  watchFolder(path: string): void;
  close(): void;
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
  let root: string | undefined;
  let folders: readonly string[] = [];
  const watch = createFileWatch({ logger, tellsGone: true, onChange: () => void tell() });

  async function tell(): Promise<void> {
    // What came into a new folder before it was watched is told of by this very change.
    if (root !== undefined) await watchFolders(root);
    options.onChange?.();
    for (const path of paths) hooks.changed(path);
  }

  async function watchFolders(folder: string): Promise<void> {
    const now = [folder, ...(await foldersIn(folder))];
    if (now.join('\0') === folders.join('\0')) return;
    folders = now;
    await watch.set([], now);
  }

  return {
    note: (path) => void paths.add(path),
    watchFiles: (files) => void watch.set(files),
    watchFolder(folder) {
      root = folder;
      void watchFolders(folder);
    },
    close: watch.close,
  };
}

/** Not the hidden ones, which a mounted volume keeps its generations in: a link of its folder tells of them. */
async function foldersIn(folder: string): Promise<string[]> {
  // One that is not there yet is waited for.
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  return entries
    .filter((entry) => entry.isDirectory() && !entry.name.startsWith('.'))
    .map(({ name }) => join(folder, name));
}
