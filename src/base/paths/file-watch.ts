// Tells when files become others: written, replaced by a rename, or by a link that is turned, as Kubernetes does it for a
// whole volume. Editors and config managers write in several steps: a change counts when it has been quiet for a moment.
import { dirname } from 'node:path';
import type { Logger } from '../logger.ts';
import { differenceOf, type FilePrint, printAt } from './file-print.ts';
import { createFolderWatch, withTarget } from './folder-watch.ts';

export interface FileWatch {
  /** From now on these files, and all that comes into these folders. Resolves once they are watched. */
  set(paths: Iterable<string>, folders?: Iterable<string>): Promise<void>;
  close(): void;
}

interface Options {
  readonly logger: Logger;
  /** These are others than they were. */
  readonly onChange: (paths: readonly string[]) => void;
  /** Whether those that have gone are told of too; else they are when they have come again. */
  readonly tellsGone?: boolean;
  readonly quietMs?: number;
  /** Wall time: what was changed later than that is told of when it is watched first, for it may have been read before. */
  readonly readAt?: number;
}

const defaultQuietMs = 20;
/** What is written without a pause is looked at meanwhile. */
const longestQuietMs = 1000;

export function createFileWatch(options: Options): FileWatch {
  const { logger, onChange, quietMs = defaultQuietMs, readAt = Number.POSITIVE_INFINITY } = options;
  const seen = new Map<string, FilePrint | undefined>();
  /** By what is watched, the path that was named: a link's target is watched as well as the link. */
  let names = new Map<string, string>();
  let folders = new Set<string>();
  const suspects = new Set<string>();
  let timer: NodeJS.Timeout | undefined;
  let suspectSince = 0;
  let isClosed = false;
  const watch = createFolderWatch({ logger, onEvent: (path) => suspect(names.get(path) ?? path) });

  function suspect(path: string): void {
    if (isClosed) return;
    const now = performance.now();
    if (suspects.size === 0) suspectSince = now;
    suspects.add(path);
    if (now - suspectSince > longestQuietMs) return;
    clearTimeout(timer);
    timer = setTimeout(() => void check(), quietMs);
  }

  async function check(): Promise<void> {
    const paths = [...suspects];
    suspects.clear();
    const prints = await Promise.all(paths.map((path) => printAt(path)));
    const changed = paths.filter((path, index) => isNews(path, prints[index]));
    if (isClosed || changed.length === 0) return;
    // A link may have been turned.
    follow();
    onChange(changed);
  }

  /** Takes note of it. */
  function isNews(path: string, now: FilePrint | undefined): boolean {
    const isWanted = names.get(path) === path;
    if (!isWanted && !folders.has(dirname(path))) return false;
    const before = seen.get(path);
    if (now === undefined && !isWanted) seen.delete(path);
    else seen.set(path, now);
    if (now === undefined) return before !== undefined && options.tellsGone === true;
    return differenceOf(before, now) !== undefined;
  }

  function follow(): void {
    const paths = [...new Set(names.values())];
    names = new Map(paths.flatMap((path) => withTarget(path).map((one) => [one, path] as const)));
    watch.set(names.keys(), folders);
  }

  return {
    async set(paths, wholeFolders = []) {
      const wanted = new Set(paths);
      folders = new Set(wholeFolders);
      for (const path of seen.keys()) if (!wanted.has(path) && !folders.has(dirname(path))) seen.delete(path);
      const added = [...wanted].filter((path) => !seen.has(path));
      names = new Map([...wanted].map((path) => [path, path]));
      const prints = await Promise.all(added.map((path) => printAt(path)));
      if (isClosed) return;
      for (const [index, path] of added.entries()) {
        const print = prints[index];
        const isLate = print !== undefined && print.ctimeNs / 1_000_000n > readAt;
        seen.set(path, isLate ? undefined : print);
      }
      follow();
    },
    close() {
      isClosed = true;
      clearTimeout(timer);
      watch.close();
    },
  };
}
