// The first thing at every start: finishes what a killed agent had begun to commit, removes what it left behind, and tells
// which programs it did not get to notify.
import { lstat, mkdir, open, readFile, realpath, rename, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { describeError } from '../../base/errors.ts';
import type { Logger } from '../../base/logger.ts';
import { findDestination } from './destination.ts';
import type { SyncFolder } from './folder-sync.ts';
import { recoverJournals } from './journal.ts';
import { sweepLeftovers } from './leftover.ts';

export interface Recovery {
  /** Destinations whose notifications are owed, with the journals that say so and are to be removed then. */
  readonly owed: ReadonlyMap<string, readonly string[]>;
  readonly swept: number;
  readonly redone: number;
}

interface RecoveryOptions {
  readonly destinations: readonly string[];
  readonly stateFolder: string | undefined;
  readonly syncFolder: SyncFolder;
  readonly logger: Logger;
}

/** The folders of the last run, so that a destination that left the config is swept too. */
const folderList = 'folders.json';

export async function recover(options: RecoveryOptions): Promise<Recovery> {
  const { destinations, stateFolder, syncFolder, logger } = options;
  const current = await foldersOf(destinations);
  const folders = new Set([...current, ...(await readFolderList(stateFolder))]);
  if (stateFolder !== undefined) folders.add(stateFolder);
  const known = new Set(destinations);
  const owed = new Map<string, string[]>();
  const kept = new Set<string>();
  let redone = 0;
  for (const journal of await recoverJournals(folders, syncFolder)) {
    redone += journal.redone;
    if (journal.failure !== undefined) {
      logger.error({ journal: journal.path }, `cannot finish a commit: ${describeError(journal.failure)}`);
    }
    for (const destination of journal.notify) {
      if (!known.has(destination)) continue;
      owed.set(destination, [...(owed.get(destination) ?? []), journal.path]);
      kept.add(journal.path);
    }
  }
  const swept = await sweepLeftovers(folders, kept);
  if (swept > 0 || redone > 0) logger.info({ swept, redone }, 'finished what a killed agent had begun');
  await writeFolderList(stateFolder, current, logger);
  return { owed, swept, redone };
}

async function foldersOf(destinations: readonly string[]): Promise<string[]> {
  const plain = [...new Set(destinations.map((destination) => dirname(destination)))];
  const folders = await Promise.all(plain.map((folder) => realpath(folder).catch(() => folder)));
  const targets = await Promise.all(
    destinations.map(async (destination) => {
      // A link's target has its leftovers in its own folder; what is no file yet has none.
      const isLink = (await lstat(destination).catch(() => undefined))?.isSymbolicLink() === true;
      if (!isLink) return undefined;
      return findDestination({ place: '', destination, createParents: false }).catch(() => undefined);
    }),
  );
  for (const target of targets) if (target !== undefined) folders.push(target.folder);
  return [...new Set(folders)].sort();
}

async function readFolderList(stateFolder: string | undefined): Promise<string[]> {
  if (stateFolder === undefined) return [];
  try {
    const list: unknown = JSON.parse(await readFile(join(stateFolder, folderList), 'utf8'));
    return Array.isArray(list) ? list.filter((item) => typeof item === 'string') : [];
  } catch {
    // The first start, or a list that was torn: the folders of this config are swept in any case.
    return [];
  }
}

async function writeFolderList(
  stateFolder: string | undefined,
  folders: readonly string[],
  logger: Logger,
): Promise<void> {
  if (stateFolder === undefined) return;
  const path = join(stateFolder, folderList);
  const text = JSON.stringify(folders);
  if ((await readFile(path, 'utf8').catch(() => '')) === text) return;
  const fresh = `${path}.new`;
  try {
    await mkdir(stateFolder, { recursive: true, mode: 0o700 });
    const handle = await open(fresh, 'w', 0o600);
    await handle.writeFile(text).finally(() => handle.close());
    await rename(fresh, path);
  } catch (error) {
    await unlink(fresh).catch(() => undefined);
    logger.debug({ path }, `cannot note the folders of the files: ${describeError(error)}`);
  }
}
