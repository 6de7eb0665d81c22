// Google Secret Manager as an upstream: the keys of `kind: gcp`, and what they mean resolved.
import * as z from 'zod/mini';
import type { Named } from '../item.ts';
import { doc, section, text } from '../schema/fields.ts';
import type { KindContext } from './kind-context.ts';
import type { ServerConfig } from './server-config.ts';
import { resolveServer } from './server-resolve.ts';
import { serverSchema } from './server-schema.ts';

export const gcpSchema = section({
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

export interface GcpUpstreamConfig extends ServerConfig {
  readonly name: string;
  readonly kind: 'gcp';
  readonly project: string | undefined;
  readonly location: string | undefined;
  readonly credentialsFile: string | undefined;
  readonly endpoint: string;
}

export function resolveGcp(
  { name, place, value }: Named<z.output<typeof gcpSchema>>,
  context: KindContext,
): GcpUpstreamConfig {
  const { location } = value;
  const host =
    location === undefined ? 'secretmanager.googleapis.com' : `secretmanager.${location}.rep.googleapis.com`;
  return {
    name,
    kind: 'gcp',
    project: value.project ?? (context.env['GOOGLE_CLOUD_PROJECT'] || undefined),
    location,
    credentialsFile:
      context.optionalPathAt(place, value.credentials_file) ??
      (context.env['GOOGLE_APPLICATION_CREDENTIALS'] || undefined),
    endpoint: (value.endpoint ?? `https://${host}`).replace(/\/+$/, ''),
    ...resolveServer(value, place, context),
  };
}
