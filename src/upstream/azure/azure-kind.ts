// Azure Key Vault as an upstream: the keys of `kind: azure`, and what they mean resolved.
import * as z from 'zod/mini';
import type { Named } from '../../config/item.ts';
import { doc, section, text } from '../../config/schema/fields.ts';
import type { KindContext } from '../../config/upstreams/kind-context.ts';
import type { LimitsConfig } from '../../config/upstreams/limits.ts';
import { resolveServer } from '../../config/upstreams/server-resolve.ts';
import { serverSchema } from '../../config/upstreams/server-schema.ts';
import { parseAzurePath } from './azure-path.ts';

const azureSchema = section({
  kind: doc(z.literal('azure'), 'Azure Key Vault: secrets and certificates.'),
  vault: doc(text(), 'Its URL: `https://NAME.vault.azure.net`.'),
  tenant_id: doc(z.optional(text()), 'For a login as an application; default `$AZURE_TENANT_ID`.'),
  client_id: doc(
    z.optional(text()),
    'The application, or which of several managed identities; default `$AZURE_CLIENT_ID`.',
  ),
  client_secret_file: doc(z.optional(text()), "The application's secret; default `$AZURE_CLIENT_SECRET`."),
  client_certificate_file: doc(
    z.optional(text()),
    "The application's certificate with its key, PEM; default `$AZURE_CLIENT_CERTIFICATE_PATH`.",
  ),
  ...serverSchema,
});

/** Of a vault in a region. */
const known: LimitsConfig = {
  limits: [{ meter: 'reads', most: 4000, perMs: 10_000, from: 'service' }],
  priceOfTenThousand: 0.03,
};

export type AzureUpstreamConfig = ReturnType<typeof resolveAzure>;

function resolveAzure({ name, place, value }: Named<z.output<typeof azureSchema>>, context: KindContext) {
  const url = URL.parse(value.vault);
  if (url === null || !/^https?:$/.test(url.protocol)) {
    context.problems.add(place.at('vault'), 'expected a URL such as https://NAME.vault.azure.net');
  }
  const { env } = context;
  return {
    name,
    kind: 'azure' as const,
    vault: value.vault.replace(/\/+$/, ''),
    tenantId: value.tenant_id ?? (env['AZURE_TENANT_ID'] || undefined),
    clientId: value.client_id ?? (env['AZURE_CLIENT_ID'] || undefined),
    clientSecretFile: context.optionalPathAt(place, value.client_secret_file),
    clientCertificateFile:
      context.optionalPathAt(place, value.client_certificate_file) ??
      (env['AZURE_CLIENT_CERTIFICATE_PATH'] || undefined),
    ...resolveServer(value, place, context, known),
  };
}

export const azure = {
  schema: azureSchema,
  resolve: resolveAzure,
  refreshMs: 30_000,
  checkPath: (path: string) => parseAzurePath(path),
  load: async () => (await import('./azure-source.ts')).createAzureSource,
};
