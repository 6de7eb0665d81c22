// Reads files that hold secrets, or the keys to them: whole, regular, of a bounded size, and not anybody's to change.
import { resolve } from 'node:path';
import { LatchkeyError } from '../../base/errors.ts';
import { printControlledFile, readControlledFile, TrustFault } from '../../base/paths/controlled-file.ts';
import type { FilePrint } from '../../base/paths/file-print.ts';
import { PathFault } from '../../base/paths/path-trust.ts';
import type { FaultOf } from '../../base/surroundings.ts';

export interface SecretFile {
  readonly bytes: Buffer;
  /** Another after each change: says nothing of the content. */
  readonly identity: string;
}

export interface ReadSecretFileOptions {
  /** `key`: nobody else may read it either. */
  readonly holds: 'secrets' | 'key';
  readonly maxBytes: number;
  /** `any`: root works on the files of the agent's user. Default: root and the user that this process is. */
  readonly owner?: 'any';
  readonly faultOf?: FaultOf | undefined;
}

const triesWhileChanging = 5;

/** Throws `not_found` where there is none, and `file_failed` with the reason for all else. */
export async function readSecretFile(path: string, options: ReadSecretFileOptions): Promise<SecretFile> {
  const { maxBytes, faultOf, holds } = options;
  const role = holds === 'key' ? 'key' : 'credential';
  try {
    for (let attempt = 1; attempt <= triesWhileChanging; attempt += 1) {
      const { bytes, print, isTorn } = await readControlledFile(resolve(path), {
        ...{ maxBytes, faultOf, role },
      });
      const identity = identityOf(path, print, options);
      if (!isTorn) return { bytes, identity };
    }
  } catch (error) {
    throw error instanceof LatchkeyError ? error : unreadable(path, error);
  }
  throw new LatchkeyError('file_failed', `${path}: changed each time while it was read`);
}

/** The identity alone: whether what was read is still what is there. */
export async function secretFileIdentity(path: string, options: ReadSecretFileOptions): Promise<string> {
  try {
    const { maxBytes } = options;
    return identityOf(path, await printControlledFile(resolve(path), { maxBytes }), options);
  } catch (error) {
    throw error instanceof LatchkeyError ? error : unreadable(path, error);
  }
}

function identityOf(path: string, stat: FilePrint, options: ReadSecretFileOptions): string {
  const mode = Number(stat.mode) & 0o777;
  const shown = `mode is 0${mode.toString(8).padStart(3, '0')}`;
  if ((mode & 0o022) !== 0) {
    throw new LatchkeyError('file_failed', `${path}: others can change it: ${shown}`, {
      remedy: 'chmod go-w it',
    });
  }
  if (options.holds === 'key' && (mode & 0o007) !== 0) {
    throw new LatchkeyError('file_failed', `${path}: everybody can read this key: ${shown}`, {
      remedy: 'chmod 600 it, and make another key with latchkey file rotate-key',
    });
  }
  const owner = Number(stat.uid);
  if (options.owner !== 'any' && owner !== 0 && owner !== process.getuid?.()) {
    throw new LatchkeyError(
      'file_failed',
      `${path}: belongs to uid ${owner}, expected root or the agent's own user`,
      {
        remedy: 'chown it',
      },
    );
  }
  return `${stat.dev}.${stat.ino}.${stat.size}.${stat.mtimeNs}.${stat.ctimeNs}`;
}

function unreadable(path: string, error: unknown): LatchkeyError {
  if (error instanceof TrustFault) return new LatchkeyError('file_failed', error.message, { cause: error });
  if (error instanceof PathFault) {
    const { message, remedy } = error;
    const told = message.startsWith(path) ? message : `${path}: ${message}`;
    return new LatchkeyError('file_failed', told, { cause: error, remedy });
  }
  const code = (error as NodeJS.ErrnoException).code ?? 'unknown fault';
  if (code === 'ENOENT' || code === 'ENOTDIR') {
    return new LatchkeyError('not_found', `${path}: there is no such file`, { cause: error });
  }
  return new LatchkeyError('file_failed', `${path}: cannot be read (${code})`, {
    cause: error,
    remedy: 'make it readable for the user of the agent',
  });
}
