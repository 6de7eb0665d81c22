// The program of a real vault: LATCHKEY_TEST_VAULT, or `bao` or `vault` on the PATH; undefined where there is none.
import { delimiter, join } from 'node:path';
import { isExecutable } from '../../src/base/system/executable.ts';

export const noRealVault = 'neither bao nor vault on the PATH, and LATCHKEY_TEST_VAULT is not set';

export function findRealVault(): string | undefined {
  const named = process.env['LATCHKEY_TEST_VAULT'];
  if (named) return named;
  const folders = (process.env['PATH'] ?? '').split(delimiter);
  return folders.flatMap((folder) => [join(folder, 'bao'), join(folder, 'vault')]).find(isExecutable);
}
