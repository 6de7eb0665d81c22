// The intent of a commit, on disk before the first destination changes: what the next start needs to finish it when the
// agent is killed in the middle, and whom it then still has to notify. Holds paths, never content; lies where nobody else
// can write, because it is obeyed.
import fs from 'node:fs';
import { lstat, readdir, unlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { readEntry } from '../../base/paths/controlled-file.ts';
import type { HeldFolder } from '../../base/paths/held-folder.ts';
import { leftoverName, leftoversAmong } from '../../base/paths/leftover-name.ts';
import { isMaster, trusting } from '../../base/paths/path-trust.ts';
import { replaceFile } from '../../base/paths/replace-file.ts';
import { splitPath } from '../../base/paths/walk-path.ts';
import { errnoOf } from '../../base/system/errno.ts';
import { copyInto } from './copy-file.ts';
import { type FolderIdentity, inFolder } from './destination.ts';
import type { SyncFolder } from './folder-sync.ts';
import { removeIfThere } from './remove-if-there.ts';

/** One change of one destination. Doing it twice is the same as once, so that it can be redone after a crash. */
export type CommitStep = StepPaths & {
  /** Who else may have a hand in the paths. */
  readonly owner?: number | undefined;
  /** Which folder `to` is in: not in the record, because a restart of the host may number it otherwise. */
  readonly identity?: FolderIdentity;
};

type StepPaths =
  | { readonly action: 'rename'; readonly from: string; readonly to: string }
  /** In place: bytes, owner and mode of `from`, which is removed afterwards. */
  | { readonly action: 'write'; readonly from: string; readonly to: string }
  | { readonly action: 'remove'; readonly to: string };

export interface JournalRecord {
  readonly steps: readonly CommitStep[];
  /** Destinations whose notifications are owed once the steps are done. */
  readonly notify: readonly string[];
}

export interface Journal {
  readonly path: string;
  /** Replaces the record in one step. */
  rewrite(record: JournalRecord): Promise<void>;
  remove(): Promise<void>;
}

export interface RecoveredJournal {
  readonly path: string;
  readonly notify: readonly string[];
  /** How many steps were still to do. */
  readonly redone: number;
  /** A step that could not be done. */
  readonly failure: unknown;
}

// A promise of Node's own carries the room for what a stat would answer.
const rename = promisify(fs.rename);

/** Lasting when it resolves. */
export async function writeJournal(
  folder: string,
  record: JournalRecord,
  syncFolder: SyncFolder,
): Promise<Journal> {
  const path = join(folder, leftoverName('journal', 'intent.json'));
  await put(path, record, syncFolder);
  return {
    path,
    rewrite: (next) => put(path, next, syncFolder),
    remove: () => removeJournal(path),
  };
}

/**
 * Does what a step says; a step whose source is gone has been done, unless it `mustBeThere`. Tells whether there was
 * anything to do.
 */
export async function applyStep(step: CommitStep, mustBeThere = false): Promise<boolean> {
  const trust = trusting(step.owner);
  const { folder: place, name: toName } = splitPath(step.to);
  return await inFolder({ folder: place, trust, identity: step.identity }, async (folder) => {
    const to = { folder, name: toName };
    if (step.action === 'remove') return await removeIfThere(folder.entry(to.name));
    const { action } = step;
    const { folder: home, name } = splitPath(step.from);
    const apply = async (source: HeldFolder): Promise<boolean> => {
      const from = source.entry(name);
      if (!mustBeThere && !(await isThere(from))) return false;
      if (action === 'rename') await rename(from, folder.entry(to.name));
      else {
        await copyInto({ folder: source, name }, to);
        await unlink(from);
      }
      return true;
    };
    return await (home === place ? apply(folder) : inFolder({ folder: home, trust }, apply));
  });
}

/**
 * Finishes what dead processes had begun to commit, by the journals in the state folder. They stay where notifications
 * are owed; whoever sends them removes the path then.
 */
export async function recoverJournals(
  stateFolder: string,
  syncFolder: SyncFolder,
): Promise<RecoveredJournal[]> {
  const recovered: RecoveredJournal[] = [];
  await inFolder({ folder: stateFolder, trust: trusting() }, async (folder) => {
    const names = await readdir(folder.entry('.'));
    for (const name of leftoversAmong(names, 'journal').filter((one) => !one.endsWith(unfinished))) {
      const record = await readRecord(folder, name);
      // A torn journal was never synced, so no destination had changed yet.
      if (record !== undefined) recovered.push(await redo(join(stateFolder, name), record, syncFolder));
    }
  });
  return recovered;
}

async function redo(path: string, record: JournalRecord, syncFolder: SyncFolder): Promise<RecoveredJournal> {
  let redone = 0;
  let failure: unknown;
  for (const step of record.steps) {
    try {
      if (await applyStep(step)) redone += 1;
    } catch (error) {
      // The folder is gone, and what was in it.
      if (errnoOf(error) !== 'ENOENT') failure ??= error;
    }
  }
  if (redone > 0)
    await Promise.all(
      Array.from(new Set(record.steps.map((step) => dirname(step.to))), (folder) => syncFolder(folder)),
    );
  return { path, notify: record.notify, redone, failure };
}

async function put(path: string, record: JournalRecord, syncFolder: SyncFolder): Promise<void> {
  const steps = record.steps.map(({ identity: _, ...step }) => step);
  const text = JSON.stringify({ format: 1, steps, notify: record.notify });
  await replaceFile(path, text, {
    mode: 0o600,
    createMode: 0o700,
    sync: (folder) => syncFolder(folder.path, folder.stats.dev),
  });
}

/** Only what nobody but root and the agent can have written. */
async function readRecord(folder: HeldFolder, name: string): Promise<JournalRecord | undefined> {
  try {
    const entry = { folder, name, existing: undefined };
    const { bytes, stats } = await readEntry(entry, longestJournal);
    if (!isMaster(stats.uid) || (stats.mode & 0o022) !== 0 || stats.nlink !== 1) return undefined;
    const record = JSON.parse(bytes.toString('utf8')) as Partial<JournalRecord>;
    const { steps, notify } = record;
    return Array.isArray(steps) && Array.isArray(notify) ? { steps, notify } : undefined;
  } catch {
    // Torn, unreadable, or none of ours: see recoverJournals.
    return undefined;
  }
}

async function isThere(path: string): Promise<boolean> {
  try {
    await lstat(path);
    return true;
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error;
    return false;
  }
}

/** Of the agent's own state folder, by the path that `recoverJournals` or `writeJournal` gave. */
export async function removeJournal(path: string): Promise<void> {
  await inFolder({ folder: dirname(path), trust: trusting() }, (folder) =>
    removeIfThere(folder.entry(basename(path))),
  );
}

/** Of 0.1.0: one that was not renamed yet says what had not begun. */
const unfinished = '.new';
const longestJournal = 16 * 1024 * 1024;
