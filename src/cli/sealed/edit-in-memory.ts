// Lets a person edit a secret text in their editor, on no disk: the file is in a memory file system, and so is all that the
// editor writes beside it (swap files, backups, histories), for its home is there too.

import { spawn } from 'node:child_process';
import { lstat, mkdtemp, readdir, readFile, rm, statfs, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { LatchkeyError } from '../../base/errors.ts';
import type { Environment } from '../../base/surroundings.ts';

interface EditOptions {
  readonly text: string;
  /** The editor sees it, for its colours. */
  readonly fileName: string;
  readonly env: Environment;
  /** Throws what is wrong with the text; the editor comes again where a person is there. */
  check(text: string): void;
  /** Whether to edit again after `problem`. */
  again(problem: string): Promise<boolean>;
}

/** Of statfs(2). */
const memoryFileSystems = new Set([0x01021994, 0x858458f6]);

/** Throws `usage` where no memory file system is found or the editor fails; nothing is left then. */
export async function editInMemory(options: EditOptions): Promise<string> {
  const folder = await makeFolder(options.env);
  const path = join(folder, options.fileName);
  // The editor has the terminal: what ends it comes to us too, and must not leave the folder behind.
  const stay = () => undefined;
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  for (const signal of signals) process.on(signal, stay);
  try {
    await writeFile(path, options.text, { mode: 0o600, flag: 'wx' });
    for (;;) {
      await runEditor(path, folder, options.env);
      const text = await readFile(path, 'utf8');
      try {
        options.check(text);
        return text;
      } catch (error) {
        if (!(error instanceof LatchkeyError) || !(await options.again(error.message))) throw error;
      }
    }
  } finally {
    await wipe(folder);
    for (const signal of signals) process.off(signal, stay);
  }
}

async function makeFolder(env: Environment): Promise<string> {
  for (const parent of [env['XDG_RUNTIME_DIR'], '/dev/shm', '/run']) {
    if (!parent) continue;
    try {
      if (memoryFileSystems.has((await statfs(parent)).type))
        return await mkdtemp(join(parent, 'latchkey-edit-'));
    } catch {
      // Not there, or not ours to write to: the next one.
    }
  }
  throw new LatchkeyError(
    'usage',
    'there is no memory file system to edit in: neither $XDG_RUNTIME_DIR nor /dev/shm is one',
    {
      remedy: 'change values one by one with latchkey file set',
    },
  );
}

async function runEditor(path: string, folder: string, env: Environment): Promise<void> {
  const editor = env['VISUAL'] || env['EDITOR'] || 'vi';
  const homes = ['HOME', 'TMPDIR', 'XDG_CONFIG_HOME', 'XDG_STATE_HOME', 'XDG_CACHE_HOME', 'XDG_DATA_HOME'];
  // By a shell as git does it, for an editor may be given with options; no core dump, for it would be a copy.
  const child = spawn('/bin/sh', ['-c', `ulimit -c 0; exec ${editor} "$1"`, 'sh', path], {
    stdio: 'inherit',
    cwd: folder,
    env: { ...env, ...Object.fromEntries(homes.map((name) => [name, folder])) },
  });
  const { promise, resolve, reject } = Promise.withResolvers<number | null>();
  child.once('error', reject);
  child.once('close', resolve);
  const code = await promise;
  if (code === 0) return;
  throw new LatchkeyError(
    'usage',
    `the editor ${JSON.stringify(editor)} ended with ${code ?? 'a signal'}; nothing was changed`,
    {
      remedy: 'set $EDITOR',
    },
  );
}

/** Memory that is given back is zeroed before others get it; overwriting is for what swaps. */
async function wipe(folder: string): Promise<void> {
  for (const name of await readdir(folder, { recursive: true })) {
    const path = join(folder, name);
    // Not what an editor's link leads to.
    const { size, isFile } = await lstat(path).then(
      (found) => ({ size: found.size, isFile: found.isFile() }),
      () => ({ size: 0, isFile: false }), // gone
    );
    if (isFile) await writeFile(path, Buffer.alloc(size)).catch(() => undefined); // removed below all the same
  }
  await rm(folder, { recursive: true, force: true });
}
