// Makes staged files the files: all of a set or none, also when a rename fails half way or the agent is killed between
// two of them. Keeps what was there as long as a rollback may want it back.
import { rename } from 'node:fs/promises';
import { join } from 'node:path';
import type { LatchkeyError } from '../../base/errors.ts';
import { leftoverName } from '../../base/paths/leftover-name.ts';
import { isMaster } from '../../base/paths/path-trust.ts';
import { errnoOf } from '../../base/system/errno.ts';
import { keyAt } from '../../base/text/key-at.ts';
import { keepUnder } from './copy-file.ts';
import { type Destination, inFolder } from './destination.ts';
import { toFileError } from './file-error.ts';
import type { SyncFolder } from './folder-sync.ts';
import { applyStep, type CommitStep, type Journal, type JournalRecord, writeJournal } from './journal.ts';
import { discardStaged, type Home, otherFileSystem, type StagedFile } from './stage.ts';

export interface CommitPlan {
  readonly files: readonly StagedFile[];
  /** Keep what was there, for `restore`. */
  readonly canRestore: boolean;
  /** Destinations whose notifications are owed when the commit is done. */
  readonly notify: readonly string[];
}

export interface CommitTools {
  /** Where the journal goes; undefined: a kill between two renames leaves a set half new until the next start. */
  readonly stateFolder: string | undefined;
  readonly syncFolder: SyncFolder;
  /** A commit goes on without its journal, or undefined: has it. */
  readonly onJournal?: (failure: unknown) => void;
}

export interface Commit {
  /** Whether every destination had a file before. */
  readonly hasPrevious: boolean;
  /**
   * Brings back bytes, owner and mode of all of them; what was not there before is removed. When it throws, the journal
   * says that it is still to be done, until `finish` is called.
   */
  restore(): Promise<void>;
  /** Nobody wants the previous files any more; `isNotified`: nor is anything owed. */
  finish(isNotified: boolean): Promise<void>;
  /** The journal that stays as long as notifications are owed. */
  readonly journalPath: string | undefined;
}

interface Change {
  readonly file: StagedFile;
  readonly step: CommitStep;
  /** What was there, under another name. */
  readonly previous: Home | undefined;
}

/** Throws `file_failed` when nothing was changed, staged files and all; else every file is in place. */
export async function commitFiles(plan: CommitPlan, tools: CommitTools): Promise<Commit> {
  const { files } = plan;
  const keepsPrevious = plan.canRestore || files.length > 1 || files.some((file) => file.inPlace);
  const changes: Change[] = [];
  let journal: Journal | undefined;
  try {
    for (const file of files) changes.push(await prepare(file, keepsPrevious));
    const steps = changes.map((change) => change.step);
    if (files.length > 1 || plan.notify.length > 0 || steps.some((step) => step.action === 'write')) {
      journal = await openJournal({ steps, notify: plan.notify }, tools);
    }
  } catch (error) {
    await abandon(changes, files, journal);
    throw toFileError(error, contextOf(files[changes.length] ?? files[0], 'prepare'));
  }
  await applyAll(changes, journal, tools);
  if (!plan.canRestore) await dropPrevious(changes);
  return createCommit(plan, changes, journal, tools);
}

function createCommit(
  plan: CommitPlan,
  changes: readonly Change[],
  journal: Journal | undefined,
  tools: CommitTools,
): Commit {
  return {
    hasPrevious: changes.every((change) => change.previous !== undefined),
    journalPath: journal?.path,
    async restore() {
      const steps = backSteps(changes);
      const record = { steps, notify: plan.notify };
      if (journal !== undefined) await journal.rewrite(record);
      else if (steps.length > 1) journal = await openJournal(record, tools);
      try {
        for (const step of steps) await applyStep(step);
      } catch (error) {
        throw toFileError(error, contextOf(changes[0]?.file, 'put back'));
      }
      await syncAll(changes, tools.syncFolder);
    },
    async finish(isNotified) {
      await dropPrevious(changes);
      if (isNotified || plan.notify.length === 0) await journal?.remove();
    },
  };
}

/** A full or broken disk must not keep a new secret from its program: then only a kill would tell the difference. */
async function openJournal(record: JournalRecord, tools: CommitTools): Promise<Journal | undefined> {
  if (tools.stateFolder === undefined) return undefined;
  try {
    const journal = await writeJournal(tools.stateFolder, record, tools.syncFolder);
    tools.onJournal?.(undefined);
    return journal;
  } catch (error) {
    tools.onJournal?.(error);
    return undefined;
  }
}

async function prepare(file: StagedFile, keepsPrevious: boolean): Promise<Change> {
  const { home, target } = file;
  const { path: to, existing, identity } = target;
  const owner = ownerOf(target);
  const step: CommitStep =
    file.inPlace && existing !== undefined
      ? { action: 'write', from: file.path, to, owner, identity }
      : { action: 'rename', from: file.path, to, owner, identity };
  if (existing?.isFile() !== true) return { file, step, previous: undefined };
  if (file.backup) await writeBackup(file);
  if (!keepsPrevious) return { file, step, previous: undefined };
  // Where the folder is closed to us the staged file lies elsewhere, and so does what was there before.
  const name = leftoverName('previous', file.destination);
  await inFolder(target, (folder) =>
    inFolder(home, (aside) =>
      keepUnder({ folder, name: target.name }, { folder: aside, name }, step.action === 'write'),
    ),
  );
  return { file, step, previous: { ...home, name } };
}

function writeBackup(file: StagedFile): Promise<void> {
  const { target } = file;
  // Where nobody sees it half; what is written in place may be staged on another file system.
  const aside = file.inPlace ? target : file.home;
  return inFolder(target, (folder) =>
    inFolder(aside, async (other) => {
      const fresh = leftoverName('previous', file.destination);
      await keepUnder({ folder, name: target.name }, { folder: other, name: fresh }, file.inPlace);
      await rename(other.entry(fresh), folder.entry(`${target.name}.bak`));
    }),
  );
}

/** Of those who may have a hand in the path, the one who is neither root nor the agent. */
function ownerOf({ trust }: Destination): number | undefined {
  return [...trust.uids].find((uid) => !isMaster(uid));
}

/** On failure what was done is undone, under a journal that says so, and the failure is thrown. */
async function applyAll(
  changes: readonly Change[],
  journal: Journal | undefined,
  tools: CommitTools,
): Promise<void> {
  const done: Change[] = [];
  for (const change of changes) {
    try {
      // An in-place write may fail in its middle, so it counts as begun.
      if (change.step.action === 'write') done.push(change);
      await applyStep(change.step, true);
      if (change.step.action !== 'write') done.push(change);
    } catch (error) {
      await undo(done, changes, journal, tools);
      throw replaceError(error, change.file);
    }
  }
  await syncAll(changes, tools.syncFolder);
}

/** As far as it goes: what cannot be put back stays new, and the next try finds the set half new and completes it. */
async function undo(
  done: readonly Change[],
  all: readonly Change[],
  journal: Journal | undefined,
  tools: CommitTools,
): Promise<void> {
  const steps = backSteps(done);
  // On a full disk the record cannot be rewritten: then only a kill within the next lines would find the wrong one.
  await journal?.rewrite({ steps, notify: [] }).catch(() => undefined);
  for (const step of steps) await applyStep(step).catch(() => false);
  await syncAll(done, tools.syncFolder);
  await abandon(
    all,
    all.map((change) => change.file),
    journal,
  );
}

async function abandon(
  changes: readonly Change[],
  files: readonly StagedFile[],
  journal: Journal | undefined,
): Promise<void> {
  await dropPrevious(changes);
  await Promise.all(files.map(discardStaged));
  await journal?.remove();
}

function backSteps(changes: readonly Change[]): CommitStep[] {
  return changes.flatMap(({ file, previous, step }): CommitStep[] => {
    const common = { to: step.to, owner: step.owner, identity: file.target.identity };
    if (previous !== undefined) {
      const from = join(previous.folder, previous.name);
      return [{ ...common, action: step.action === 'write' ? 'write' : 'rename', from }];
    }
    // What was written in place without a copy is no regular file, and not ours to remove.
    return step.action === 'write' ? [] : [{ ...common, action: 'remove' }];
  });
}

async function dropPrevious(changes: readonly Change[]): Promise<void> {
  for (const { previous } of changes) {
    // What cannot be removed now is swept at the next start.
    if (previous !== undefined) await discardStaged({ home: previous });
  }
}

async function syncAll(changes: readonly Change[], syncFolder: SyncFolder): Promise<void> {
  const folders = new Map(changes.map(({ file: { target } }) => [target.folder, target.identity.dev]));
  await Promise.all(Array.from(folders, ([folder, dev]) => syncFolder(folder, dev)));
}

/** Two mounts of one file system look like one, until something is renamed from one to the other. */
function replaceError(error: unknown, file: StagedFile): LatchkeyError {
  const { home, target, place } = file;
  if (errnoOf(error) === 'EXDEV' && home.folder !== target.folder) {
    return otherFileSystem(keyAt(place, 'staging'), home.folder, target);
  }
  return toFileError(error, contextOf(file, 'replace'));
}

function contextOf(
  file: StagedFile | undefined,
  verb: string,
): { place: string; path: string; verb: string } {
  return { place: keyAt(file?.place ?? 'files', 'destination'), path: file?.destination ?? '', verb };
}
