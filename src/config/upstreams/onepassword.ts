// 1Password Connect as an upstream: the keys of `kind: onepassword`, and what they mean resolved.
import * as z from 'zod/mini';
import type { Named } from '../item.ts';
import { doc, section, text } from '../schema/fields.ts';
import type { KindContext } from './kind-context.ts';
import type { ServerConfig } from './server-config.ts';
import { resolveServer } from './server-resolve.ts';
import { serverSchema } from './server-schema.ts';

export const onepasswordSchema = section({
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

export function resolveOnepassword(
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
