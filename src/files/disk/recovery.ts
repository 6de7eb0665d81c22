// The first thing at every start: finishes what a killed agent had begun to commit, removes what it left behind, and tells
// which programs it did not get to notify. Obeys what lies in the state folder only.
import { dirname, join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { describeError } from '../../base/errors.ts';
import type { Logger } from '../../base/logger.ts';
import { readControlledFile } from '../../base/paths/controlled-file.ts';
import { trusting } from '../../base/paths/path-trust.ts';
import { replaceFile } from '../../base/paths/replace-file.ts';
import { errnoOf } from '../../base/system/errno.ts';
import { findDestination } from './destination.ts';
import type { SyncFolder } from './folder-sync.ts';
import { recoverJournals } from './journal.ts';
import { type LeftoverFolder, sweepLeftovers } from './leftover.ts';

export interface Recovery {
  /** Destinations whose notifications are owed, with the journals that say so and are to be removed then. */
  readonly owed: ReadonlyMap<string, readonly string[]>;
  readonly redone: number;
}

/** A destination and whose it is. */
export interface OwnedDestination {
  readonly destination: string;
  readonly uid: number | undefined;
  /** Where it is staged, if not beside it. */
  readonly staging?: string | undefined;
}

interface RecoveryOptions {
  readonly destinations: readonly OwnedDestination[];
  /** Undefined: there is none, and nothing is known of the last run. */
  readonly stateFolder: string | undefined;
  /** Notifications of other destinations are left to the next agent, and so is its list of folders. */
  readonly isGuest?: boolean;
  readonly syncFolder: SyncFolder;
  readonly logger: Logger;
}

/** The folders of the last run, so that a destination that left the config is swept too. */
const folderList = 'folders.json';

export async function recover(options: RecoveryOptions): Promise<Recovery> {
  const { destinations, stateFolder, isGuest = false, logger } = options;
  const current = await foldersOf(destinations);
  const before = await readFolderList(stateFolder);
  const folders = new Map([...current, ...before].map((folder) => [`${folder.path} ${folder.uid}`, folder]));
  if (stateFolder !== undefined) folders.set(stateFolder, { path: stateFolder, uid: undefined });
  const known = new Set(destinations.map(({ destination }) => destination));
  const owed = new Map<string, string[]>();
  const kept = new Set<string>();
  let redone = 0;
  for (const journal of await findJournals(options)) {
    redone += journal.redone;
    if (journal.failure !== undefined) {
      logger.error({ journal: journal.path }, `cannot finish a commit: ${describeError(journal.failure)}`);
    }
    if (isGuest && !journal.notify.every((destination) => known.has(destination))) {
      kept.add(journal.path);
      continue;
    }
    for (const destination of journal.notify) {
      if (!known.has(destination)) continue;
      owed.set(destination, [...(owed.get(destination) ?? []), journal.path]);
      kept.add(journal.path);
    }
  }
  const swept = await sweepLeftovers(folders.values(), kept);
  if (swept > 0 || redone > 0) logger.info({ swept, redone }, 'finished what a killed agent had begun');
  if (!isGuest && !isDeepStrictEqual(before, current)) await writeFolderList(stateFolder, current, logger);
  return { owed, redone };
}

async function findJournals({ stateFolder, syncFolder, logger }: RecoveryOptions) {
  if (stateFolder === undefined) return [];
  try {
    return await recoverJournals(stateFolder, syncFolder);
  } catch (error) {
    // A first start: nothing was begun.
    if (errnoOf(error) === 'ENOENT') return [];
    logger.error(
      { state_dir: stateFolder },
      `cannot look for commits of the last run: ${describeError(error)}`,
    );
    return [];
  }
}

async function foldersOf(destinations: readonly OwnedDestination[]): Promise<LeftoverFolder[]> {
  const folders = new Map<string, LeftoverFolder>();
  await Promise.all(
    destinations.map(async ({ destination, uid, staging }) => {
      if (staging !== undefined) folders.set(`${staging} ${uid}`, { path: staging, uid });
      // A link's target has its leftovers in its own folder; where nothing can be written nothing was.
      const wish = { place: '', destination, uid, createParents: false };
      const path = await findDestination(wish).then(
        ({ folder }) => folder,
        () => dirname(destination),
      );
      folders.set(`${path} ${uid}`, { path, uid });
    }),
  );
  return [...folders.values()].sort((a, b) => (a.path < b.path ? -1 : 1));
}

async function readFolderList(stateFolder: string | undefined): Promise<LeftoverFolder[]> {
  if (stateFolder === undefined) return [];
  try {
    const { bytes } = await readControlledFile(join(stateFolder, folderList), {
      trust: trusting(),
      maxBytes: 16 * 1024 * 1024,
    });
    const list: unknown = JSON.parse(bytes.toString('utf8'));
    return Array.isArray(list) ? list.flatMap(toLeftoverFolder) : [];
  } catch {
    // The first start, or a list that was torn: the folders of this config are swept in any case.
    return [];
  }
}

/** Earlier versions wrote the path alone. */
function toLeftoverFolder(item: unknown): LeftoverFolder[] {
  if (typeof item === 'string') return [{ path: item, uid: undefined }];
  const { path, uid } = (item ?? {}) as Partial<Record<keyof LeftoverFolder, unknown>>;
  return typeof path === 'string' ? [{ path, uid: typeof uid === 'number' ? uid : undefined }] : [];
}

async function writeFolderList(
  stateFolder: string | undefined,
  folders: readonly LeftoverFolder[],
  logger: Logger,
): Promise<void> {
  if (stateFolder === undefined) return;
  const path = join(stateFolder, folderList);
  try {
    await replaceFile(path, JSON.stringify(folders), { mode: 0o600, createMode: 0o700 });
  } catch (error) {
    logger.debug({ path }, `cannot note the folders of the files: ${describeError(error)}`);
  }
}
