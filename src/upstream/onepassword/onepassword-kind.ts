// 1Password Connect as an upstream: the keys of `kind: onepassword`, and what they mean resolved.
import * as z from 'zod/mini';
import type { Named } from '../../config/item.ts';
import { doc, section, text } from '../../config/schema/fields.ts';
import type { KindContext } from '../../config/upstreams/kind-context.ts';
import type { ServerConfig } from '../../config/upstreams/server-config.ts';
import { resolveServer } from '../../config/upstreams/server-resolve.ts';
import { serverSchema } from '../../config/upstreams/server-schema.ts';

const onepasswordSchema = section({
  kind: doc(z.literal('onepassword'), '1Password by a Connect server.'),
  address: doc(z.optional(text()), 'The URL of the Connect server; default `$OP_CONNECT_HOST`.'),
  token_file: doc(z.optional(text()), 'The file with its token; default `$OP_CONNECT_TOKEN`.'),
  ...serverSchema,
});

export interface OnepasswordUpstreamConfig extends ServerConfig {
  readonly name: string;
  readonly kind: 'onepassword';
  readonly address: string;
  readonly tokenFile: string | undefined;
}

function resolveOnepassword(
  { name, place, value }: Named<z.output<typeof onepasswordSchema>>,
  context: KindContext,
): OnepasswordUpstreamConfig {
  const address = value.address ?? context.env['OP_CONNECT_HOST'] ?? '';
  const url = URL.parse(address);
  if (url === null || !/^https?:$/.test(url.protocol)) {
    context.problems.add(
      place.at('address'),
      'expected the URL of a Connect server; set it here or in $OP_CONNECT_HOST',
    );
  }
  return {
    name,
    kind: 'onepassword',
    address: address.replace(/\/+$/, ''),
    tokenFile: context.optionalPathAt(place, value.token_file),
    ...resolveServer(value, place, context),
  };
}

export const onepassword = {
  schema: onepasswordSchema,
  resolve: resolveOnepassword,
  refreshMs: 30_000,
  load: async () => (await import('./onepassword-source.ts')).createOnepasswordSource,
};
