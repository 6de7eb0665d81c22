// A Vault or an OpenBao as a kind of upstream; its keys are in config/.
import { LatchkeyError } from '../../base/errors.ts';
import { resolveVault } from './config/vault-resolve.ts';
import { vaultSchema } from './config/vault-schema.ts';

export const vault = {
  schema: vaultSchema,
  resolve: resolveVault,
  refreshMs: 30_000,
  checkPath: (path: string) => {
    const odd = path.split('/').find((part) => part === '.' || part === '..');
    if (odd !== undefined || path === '')
      throw new LatchkeyError(
        'request_invalid',
        `${path || '/'}: expected MOUNT/PATH${odd === undefined ? '' : `, without ${odd}`}`,
      );
  },
  takesWrites: true,
  load: async () => (await import('./vault-upstream.ts')).createVaultUpstream,
};
