// Google Secret Manager as an upstream: the keys of `kind: gcp`, and what they mean resolved.
import * as z from 'zod/mini';
import type { Named } from '../../config/item.ts';
import { doc, section, text } from '../../config/schema/fields.ts';
import type { KindContext } from '../../config/upstreams/kind-context.ts';
import type { LimitsConfig } from '../../config/upstreams/limits.ts';
import { resolveServer } from '../../config/upstreams/server-resolve.ts';
import { serverSchema } from '../../config/upstreams/server-schema.ts';
import { parseGcpPath } from './gcp-path.ts';

const gcpSchema = section({
  kind: doc(z.literal('gcp'), 'Google Cloud Secret Manager.'),
  project: doc(z.optional(text()), 'Of paths without one; default `$GOOGLE_CLOUD_PROJECT`.'),
  location: doc(z.optional(text()), 'For regional secrets: `europe-west3`.'),
  credentials_file: doc(
    z.optional(text()),
    "A key of a service account or a file of workload identity federation; default `$GOOGLE_APPLICATION_CREDENTIALS`, else the host's identity.",
  ),
  endpoint: doc(z.optional(text()), "Another address of the service; default Google's."),
  ...serverSchema,
});

/** Reads of values, of a project. */
const known: LimitsConfig = {
  limits: [{ meter: 'reads', most: 90_000, perMs: 60_000, from: 'service' }],
  priceOfTenThousand: 0.03,
};

export type GcpUpstreamConfig = ReturnType<typeof resolveGcp>;

function resolveGcp({ name, place, value }: Named<z.output<typeof gcpSchema>>, context: KindContext) {
  const { location } = value;
  const host =
    location === undefined ? 'secretmanager.googleapis.com' : `secretmanager.${location}.rep.googleapis.com`;
  return {
    name,
    kind: 'gcp' as const,
    project: value.project ?? (context.env['GOOGLE_CLOUD_PROJECT'] || undefined),
    location,
    credentialsFile:
      context.optionalPathAt(place, value.credentials_file) ??
      (context.env['GOOGLE_APPLICATION_CREDENTIALS'] || undefined),
    endpoint: (value.endpoint ?? `https://${host}`).replace(/\/+$/, ''),
    ...resolveServer(value, place, context, known),
  };
}

export const gcp = {
  schema: gcpSchema,
  resolve: resolveGcp,
  refreshMs: 30_000,
  checkPath: parseGcpPath,
  load: async () => (await import('./gcp-source.ts')).createGcpSource,
};
