// A Vault or an OpenBao as a kind of upstream; its keys are in config/.
import { resolveVault } from './config/vault-resolve.ts';
import { vaultSchema } from './config/vault-schema.ts';

export const vault = {
  schema: vaultSchema,
  resolve: resolveVault,
  refreshMs: 30_000,
  takesWrites: true,
  load: async () => (await import('./vault-upstream.ts')).createVaultUpstream,
};
