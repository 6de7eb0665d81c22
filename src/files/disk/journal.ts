// The intent of a commit, on disk before the first destination changes: what the next start needs to finish it when the
// agent is killed in the middle, and whom it then still has to notify. Holds paths, never content.

import { mkdir, open, readFile, rename, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { errnoOf } from '../../base/errno.ts';
import { copyInto } from './copy-file.ts';
import type { SyncFolder } from './folder-sync.ts';
import { findLeftovers, leftoverName } from './leftover.ts';

/** One change of one destination. Doing it twice is the same as once, so that it can be redone after a crash. */
export type CommitStep =
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

const unfinished = '.new';

/** Lasting when it resolves. `folders` are tried in order. */
export async function writeJournal(
  folders: readonly string[],
  record: JournalRecord,
  syncFolder: SyncFolder,
): Promise<Journal> {
  let failure: unknown;
  for (const folder of folders) {
    const path = join(folder, leftoverName('journal', 'intent.json'));
    try {
      await put(path, record, syncFolder);
      return {
        path,
        rewrite: (next) => put(path, next, syncFolder),
        remove: () => removeIfThere(path),
      };
    } catch (error) {
      failure = error;
    }
  }
  throw failure;
}

/** Does what a step says; a step whose source is gone has been done. Tells whether there was anything to do. */
export async function applyStep(step: CommitStep): Promise<boolean> {
  try {
    if (step.action === 'remove') await unlink(step.to);
    else if (step.action === 'rename') await rename(step.from, step.to);
    else {
      await copyInto(step.from, step.to);
      await unlink(step.from);
    }
    return true;
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' && (await isDone(step))) return false;
    throw error;
  }
}

/**
 * Finishes what dead processes had begun to commit, in these folders. The journals stay where notifications are owed;
 * whoever sends them removes the path then.
 */
export async function recoverJournals(
  folders: Iterable<string>,
  syncFolder: SyncFolder,
): Promise<RecoveredJournal[]> {
  const recovered: RecoveredJournal[] = [];
  for (const folder of new Set(folders)) {
    for (const path of await findLeftovers(folder, 'journal')) {
      // One that was not renamed yet says what had not begun.
      const record = path.endsWith(unfinished) ? undefined : await readRecord(path);
      // A torn journal was never synced, so no destination had changed yet.
      if (record !== undefined) recovered.push(await redo(path, record, syncFolder));
    }
  }
  return recovered;
}

async function redo(path: string, record: JournalRecord, syncFolder: SyncFolder): Promise<RecoveredJournal> {
  let redone = 0;
  let failure: unknown;
  for (const step of record.steps) {
    try {
      if (await applyStep(step)) redone += 1;
    } catch (error) {
      failure ??= error;
    }
  }
  if (redone > 0)
    await Promise.all([...new Set(record.steps.map((step) => dirname(step.to)))].map(syncFolder));
  return { path, notify: record.notify, redone, failure };
}

async function put(path: string, record: JournalRecord, syncFolder: SyncFolder): Promise<void> {
  const fresh = path + unfinished;
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const handle = await open(fresh, 'w', 0o600);
  try {
    await handle.writeFile(JSON.stringify({ format: 1, ...record }));
    await handle.sync();
  } catch (error) {
    await unlink(fresh).catch(() => undefined);
    throw error;
  } finally {
    await handle.close();
  }
  await rename(fresh, path);
  await syncFolder(dirname(path));
}

async function readRecord(path: string): Promise<JournalRecord | undefined> {
  try {
    const record = JSON.parse(await readFile(path, 'utf8')) as Partial<JournalRecord>;
    const { steps, notify } = record;
    return Array.isArray(steps) && Array.isArray(notify) ? { steps, notify } : undefined;
  } catch {
    // Torn or unreadable: see recoverJournals.
    return undefined;
  }
}

async function isDone(step: CommitStep): Promise<boolean> {
  if (step.action === 'remove') return true;
  const source = await open(step.from, 'r').catch(() => undefined);
  await source?.close();
  return source === undefined;
}

async function removeIfThere(path: string): Promise<void> {
  await unlink(path).catch((error: unknown) => {
    if (errnoOf(error) !== 'ENOENT') throw error;
  });
}
