// Method `approle`: role id and secret id, from files; the secret id may come response-wrapped. The file is removed only
// when the login has succeeded, so that nothing is lost before; later logins use the secret id kept in memory.

import { describeError, LatchkeyError } from '../../../base/errors.ts';
import { removeFile } from '../../../base/paths/remove-file.ts';
import type { SecretValue } from '../../../base/secret-value.ts';
import { errnoOf } from '../../../base/system/errno.ts';
import type { AuthConfig } from '../config/vault-config.ts';
import type { AuthContext, AuthMethod } from './auth-method.ts';
import { readCredential, readCredentialIfThere } from './read-credential.ts';
import { unwrapField } from './unwrap-field.ts';
import { answerLost, leftThere } from './wrapping-fault.ts';

type AppRoleConfig = Extract<AuthConfig, { method: 'approle' }>;

export function createAppRoleMethod(config: AppRoleConfig, context: AuthContext): AuthMethod {
  const { memory } = context;
  let hasRemoveFailed = false;
  /** The wrapping token that was opened last, or was to be. */
  let opening: SecretValue | undefined;

  async function roleId(): Promise<string> {
    if (config.roleId !== undefined) return config.roleId;
    if (config.roleIdFile !== undefined)
      return (await readCredential('auth.role_id_file', config.roleIdFile, context)).text();
    throw new LatchkeyError('login_failed', 'auth.method is approle, and there is no role id', {
      remedy: 'set auth.role_id or auth.role_id_file',
    });
  }

  /** A file that is there is newer than what is kept. */
  async function secretId(signal: AbortSignal): Promise<SecretValue | undefined> {
    const path = config.secretIdFile;
    if (path === undefined) return undefined;
    const wanted = config.secretIdWrapped ? 'wrapping token of a secret id' : 'secret id';
    const found = await readCredentialIfThere('auth.secret_id_file', path, context, `a new ${wanted}`);
    if (found === undefined) {
      if (memory.secret !== undefined) return memory.secret;
      throw new LatchkeyError('login_failed', `auth.secret_id_file: ${path} does not exist`, {
        remedy: `put a new ${wanted} there; the agent goes on by itself`,
      });
    }
    if (!config.secretIdWrapped) {
      memory.secret = found;
      return found;
    }
    memory.secret = await unwrapField(found, {
      context,
      field: 'secret_id',
      isExpectedPath: (created) =>
        created.startsWith(`auth/${context.mount}/role/`) && /\/(?:custom-)?secret-id$/.test(created),
      source: {
        place: `auth.secret_id_file: ${path}`,
        content: 'secret id',
        mount: context.mount,
        ownDoing: ownDoing(found),
      },
      onOpening() {
        opening = found;
      },
      signal,
    });
    // The wrapping token is used up: left there, it would look like a theft at the next start.
    await remove(path);
    return memory.secret;
  }

  function ownDoing(wrapping: SecretValue): string | undefined {
    if (opening?.equals(wrapping) === true) return answerLost;
    return config.removeSecretIdFile ? undefined : leftThere;
  }

  async function remove(path: string): Promise<void> {
    if (!config.removeSecretIdFile) return;
    try {
      await removeFile(path);
    } catch (error) {
      if (errnoOf(error) === 'ENOENT' || hasRemoveFailed) return;
      hasRemoveFailed = true;
      context.logger.warn({ path, error: describeError(error) }, 'the secret id file cannot be removed');
    }
  }

  return {
    files: [config.roleIdFile, config.secretIdFile].filter((path) => path !== undefined),
    async credentials(signal) {
      const role = await roleId();
      const secret = await secretId(signal);
      const body = { role_id: role, ...(secret ? { secret_id: secret.text() } : {}) };
      return { kind: 'login', path: 'login', body };
    },
    async accepted() {
      if (config.secretIdFile !== undefined) await remove(config.secretIdFile);
    },
  };
}
