// A folder with a file for each secret, as Docker and Kubernetes mount them: a name is the secret, a subfolder its fields.
import { isUtf8 } from 'node:buffer';
import { readdir, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { LatchkeyError } from '../../base/errors.ts';
import { folderPath } from './file-path.ts';
import { type ReadSecretFileOptions, readSecretFile, secretFileIdentity } from './read-secret-file.ts';

/** One value, or values by name; binary ones as `Buffer`s. */
export interface FolderSecret {
  readonly content: Buffer | ReadonlyMap<string, Buffer>;
  readonly identity: string;
}

const triesDuringSwap = 5;
const mostFiles = 1000;

/** Throws `not_found` where neither a file nor a folder has this name, `denied` for a name that leads out of it. */
export async function readFolderSecret(
  root: string,
  path: string,
  limits: Pick<ReadSecretFileOptions, 'maxBytes' | 'faultOf'>,
): Promise<FolderSecret> {
  const options = { ...limits, holds: 'secrets' } as const;
  return await inOneGeneration(root, async (base) => {
    const target = join(base, folderPath(path));
    const names = await fileNames(target);
    if (names === undefined) {
      const { bytes, identity } = await readSecretFile(target, options);
      return { content: bytes, identity };
    }
    const files = await Promise.all(
      names.map(async (name) => ({
        name,
        ...(await readSecretFile(join(target, name), options)),
      })),
    );
    return {
      content: new Map(files.map(({ name, bytes }) => [name, bytes])),
      identity: files.map(({ name, identity }) => `${name}=${identity}`).join(' '),
    };
  });
}

/** The identity that a read would give now. */
export async function folderIdentity(root: string, path: string, maxBytes: number): Promise<string> {
  return await inOneGeneration(root, async (base) => {
    const target = join(base, folderPath(path));
    const names = await fileNames(target);
    const options = { holds: 'secrets', maxBytes } as const;
    if (names === undefined) return await secretFileIdentity(target, options);
    const all = names.map(async (name) => `${name}=${await secretFileIdentity(join(target, name), options)}`);
    return (await Promise.all(all)).join(' ');
  });
}

/** What a JSON object holds of a file: text, or base64 where it is none. */
export function fieldText(bytes: Buffer): string {
  return isUtf8(bytes) ? bytes.toString('utf8') : bytes.toString('base64');
}

/**
 * Kubernetes writes a new folder and turns the link `..data` to it: all files are read of the folder that the link named
 * when it began, and all again when that was taken away meanwhile.
 */
async function inOneGeneration<T>(root: string, read: (base: string) => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    const generation = await readlink(join(root, '..data')).catch(() => undefined); // an ordinary folder has none
    try {
      return await read(generation === undefined ? root : join(root, generation));
    } catch (error) {
      const now = await readlink(join(root, '..data')).catch(() => undefined); // as above
      if (now === generation || attempt >= triesDuringSwap) throw error;
    }
  }
}

/** Undefined: it is no folder. Hidden files and what lies deeper are nobody's fields. */
async function fileNames(path: string): Promise<string[] | undefined> {
  try {
    const entries = await readdir(path, { withFileTypes: true });
    const names = entries
      .filter((entry) => !entry.isDirectory() && !entry.name.startsWith('.'))
      .map(({ name }) => name);
    if (names.length > mostFiles) {
      throw new LatchkeyError(
        'file_failed',
        `${path}: expected at most ${mostFiles} files, got ${names.length}`,
      );
    }
    return names.sort();
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'ENOTDIR') return undefined;
    if (code === 'ENOENT') throw new LatchkeyError('not_found', `${path}: there is no such file`);
    if (error instanceof LatchkeyError) throw error;
    throw new LatchkeyError('file_failed', `${path}: cannot be read (${code})`, {
      cause: error,
      remedy: 'make it readable for the user of the agent',
    });
  }
}
