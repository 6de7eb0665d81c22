// Where the key of a sealed file is: a key file, a passphrase in a file, or either as a credential of systemd.
import { join } from 'node:path';
import { errorCode, LatchkeyError } from '../../base/errors.ts';
import type { Environment } from '../../base/surroundings.ts';
import type { FileKeyConfig } from './file-kind.ts';
import { type ReadSecretFileOptions, readSecretFile } from './read-secret-file.ts';
import { keyFromPassphrase, keyFromText, type SealKey } from './seal-key.ts';

const largestKey = 64 * 1024;

/** Throws `login_failed` that names the place; what is there is read again each time. */
export async function loadSealKey(
  config: FileKeyConfig,
  env: Environment,
  options: Pick<ReadSecretFileOptions, 'owner' | 'faultOf'>,
): Promise<SealKey> {
  const path = keyPath(config, env);
  let text: string;
  try {
    const { bytes } = await readSecretFile(path, { ...options, holds: 'key', maxBytes: largestKey });
    text = bytes.toString('utf8');
  } catch (error) {
    if (errorCode(error) !== 'not_found' && errorCode(error) !== 'file_failed') throw error;
    const { message, remedy } = error as LatchkeyError;
    throw new LatchkeyError('login_failed', `the key of the sealed file: ${message}`, {
      cause: error,
      remedy,
    });
  }
  if (!config.isPassphrase) return await keyFromText(text, path);
  const passphrase = text.replace(/\r?\n$/, '');
  if (passphrase !== '') return keyFromPassphrase(passphrase, path);
  throw new LatchkeyError('login_failed', `${path}: the passphrase is empty`);
}

/** The file to watch, too. Throws `login_failed` where systemd gave no credentials. */
export function keyPath(config: FileKeyConfig, env: Environment): string {
  if (config.kind === 'file') return config.path;
  const folder = env['CREDENTIALS_DIRECTORY'];
  if (folder) return join(folder, config.name);
  throw new LatchkeyError(
    'login_failed',
    `the credential ${config.name}: $CREDENTIALS_DIRECTORY is not set`,
    {
      remedy: `add LoadCredential=${config.name}:… or LoadCredentialEncrypted=${config.name} to the unit of the agent`,
    },
  );
}
