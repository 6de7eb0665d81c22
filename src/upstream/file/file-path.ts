// What a path of a reference means in a folder with a file for each secret.
import { LatchkeyError } from '../../base/errors.ts';

/** The path as it is; throws `denied` for one that leads out of the folder, or to what is hidden in it. */
export function folderPath(path: string): string {
  if (path.split('/').every((part) => !part.startsWith('..') && part !== '.')) return path;
  throw new LatchkeyError('denied', `${path}: expected a path within the folder`);
}
