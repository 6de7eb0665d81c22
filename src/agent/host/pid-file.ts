// A file with the pid of the agent, there while it runs.
import { unlinkSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { LatchkeyError } from '../../base/errors.ts';
import { readControlledFileSync } from '../../base/paths/controlled-file.ts';
import { holdFolderSync } from '../../base/paths/held-folder.ts';
import { PathFault, pathErrorText, trusting } from '../../base/paths/path-trust.ts';
import { replaceFileSync } from '../../base/paths/replace-file.ts';

/** Returns what removes it, if it is still ours. Throws `file_failed`. */
export function writePidFile(path: string | undefined): () => void {
  if (path === undefined) return () => undefined;
  const text = String(process.pid);
  try {
    replaceFileSync(path, text, { mode: 0o600, sweeps: true });
  } catch (error) {
    throw new LatchkeyError('file_failed', `agent.pid_file: cannot write ${path} (${pathErrorText(error)})`, {
      cause: error,
      remedy:
        error instanceof PathFault ? error.remedy : 'name a file in a folder that the agent may write to',
    });
  }
  return () => {
    try {
      if (readControlledFileSync(path, { trust: trusting() }).bytes.toString('utf8') === text) remove(path);
    } catch {
      // Removed by somebody else already.
    }
  };
}

function remove(path: string): void {
  const folder = holdFolderSync(dirname(path), { trust: trusting() });
  try {
    unlinkSync(folder.entry(basename(path)));
  } finally {
    folder.release();
  }
}
