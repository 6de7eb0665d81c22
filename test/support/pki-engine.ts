// A vault's certificate engine, with an authority of its own.
import type { ServedVault } from './served-vault.ts';

/** Mounts `pki/` with the role `web` for any name: `pki/issue/web`. Gives the certificate of the authority. */
export async function mountPki(vault: Pick<ServedVault, 'ask'>, role: object = {}): Promise<string> {
  await vault.ask('PUT', 'sys/mounts/pki', { type: 'pki', config: { max_lease_ttl: '87600h' } });
  const { data } = await vault.ask('PUT', 'pki/root/generate/internal', {
    common_name: 'Test root',
    ttl: '87600h',
  });
  await vault.ask('PUT', 'pki/roles/web', { allow_any_name: true, max_ttl: '72h', ...role });
  return data.certificate;
}
