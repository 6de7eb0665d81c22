// A credential whose file is removed once a login with it has succeeded: from then on it is kept in memory, until it is refused or
// another file comes.
import { describeError } from '../../../base/errors.ts';
import { removeFile, removeLinkedFile } from '../../../base/paths/remove-file.ts';
import type { SecretValue } from '../../../base/secret-value.ts';
import { errnoOf } from '../../../base/system/errno.ts';
import type { AuthContext } from './auth-method.ts';
import { readCredential, readCredentialIfThere } from './read-credential.ts';

export interface CredentialFile {
  /** The key of the config that names it. */
  readonly option: string;
  readonly path: string;
  readonly isRemoved: boolean;
  /** Of a link: what it leads to is removed, and not the link. */
  readonly removesTarget: boolean;
}

interface UsedUpFile {
  read(): Promise<SecretValue>;
  accepted(): Promise<void>;
  rejected(): void;
}

export function createUsedUpFile(
  { option, path, isRemoved, removesTarget }: CredentialFile,
  context: Pick<AuthContext, 'memory' | 'logger' | 'faultOf'>,
): UsedUpFile {
  const { memory, logger } = context;
  return {
    async read() {
      if (!isRemoved) return await readCredential(option, path, context);
      // After its file is removed the last one serves until it ends, or until another comes.
      memory.secret = (await readCredentialIfThere(option, path, context)) ?? memory.secret;
      return memory.secret ?? (await readCredential(option, path, context));
    },
    async accepted() {
      if (!isRemoved) return;
      try {
        await (removesTarget ? removeLinkedFile(path) : removeFile(path));
      } catch (error) {
        if (errnoOf(error) === 'ENOENT') return;
        logger.warn({ path, error: describeError(error) }, `the file of ${option} cannot be removed`);
      }
    },
    rejected() {
      memory.secret = undefined;
    },
  };
}
