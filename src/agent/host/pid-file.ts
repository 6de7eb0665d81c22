// A file with the pid of the agent, there while it runs.
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { errnoOf } from '../../base/errno.ts';
import { LatchkeyError } from '../../base/errors.ts';

/** Returns what removes it, if it is still ours. Throws `file_failed`. */
export function writePidFile(path: string | undefined): () => void {
  if (path === undefined) return () => undefined;
  const text = String(process.pid);
  const staged = `${path}.${text}.new`;
  try {
    rmSync(staged, { force: true });
    writeFileSync(staged, text, { mode: 0o600, flag: 'wx' });
    renameSync(staged, path);
  } catch (error) {
    rmSync(staged, { force: true });
    throw new LatchkeyError('file_failed', `agent.pid_file: cannot write ${path} (${errnoOf(error)})`, {
      cause: error,
      remedy: 'name a file in a folder that the agent may write to',
    });
  }
  return () => {
    try {
      if (readFileSync(path, 'utf8') === text) rmSync(path);
    } catch {
      // Removed by somebody else already.
    }
  };
}
