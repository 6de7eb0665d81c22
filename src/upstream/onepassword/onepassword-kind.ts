// 1Password as an upstream: the keys of `kind: onepassword`, and what they mean resolved.
import * as z from 'zod/mini';
import type { Named } from '../../config/item.ts';
import { doc, section, text } from '../../config/schema/fields.ts';
import type { KindContext } from '../../config/upstreams/kind-context.ts';
import type { LimitsConfig } from '../../config/upstreams/limits.ts';
import { resolveServer } from '../../config/upstreams/server-resolve.ts';
import { serverSchema } from '../../config/upstreams/server-schema.ts';
import { parseItemPath } from './onepassword-path.ts';

const onepasswordSchema = section({
  kind: doc(
    z.literal('onepassword'),
    '1Password by a Connect server, or by a service account and the library of the vendor.',
  ),
  address: doc(z.optional(text()), 'The URL of the Connect server; default `$OP_CONNECT_HOST`.'),
  token_file: doc(z.optional(text()), 'The file with its token; default `$OP_CONNECT_TOKEN`.'),
  service_account_token_file: doc(
    z.optional(text()),
    'Instead of a Connect server: the file with the token of a service account; default `$OP_SERVICE_ACCOUNT_TOKEN`. It needs the package `@1password/sdk`.',
  ),
  sdk_path: doc(
    z.optional(text()),
    'The folder where that package was installed (`npm install --prefix FOLDER @1password/sdk`); default: beside this program.',
  ),
  ...serverSchema,
});

export type OnepasswordUpstreamConfig = ReturnType<typeof resolveOnepassword>;

/** Of a service account: outside 1Password Business, which allows ten times as much. Each reference counts. */
const known: LimitsConfig = {
  limits: [{ meter: 'reads', most: 1000, perMs: 3_600_000, from: 'service' }],
  priceOfTenThousand: undefined,
};

function resolveOnepassword(
  { name, place, value }: Named<z.output<typeof onepasswordSchema>>,
  context: KindContext,
) {
  const address = value.address ?? context.env['OP_CONNECT_HOST'] ?? '';
  const tokenFile = context.optionalPathAt(place, value.service_account_token_file);
  const isAccount =
    tokenFile !== undefined || (address === '' && Boolean(context.env['OP_SERVICE_ACCOUNT_TOKEN']));
  const url = URL.parse(address);
  if (!isAccount && (url === null || !/^https?:$/.test(url.protocol))) {
    context.problems.add(
      place.at('address'),
      'expected the URL of a Connect server; set it here or in $OP_CONNECT_HOST, or a service_account_token_file',
    );
  }
  if (isAccount && value.proxy !== undefined) {
    context.problems.add(
      place.at('proxy'),
      'is for a Connect server: for a service account the library of 1Password asks by itself',
    );
  }
  if (tokenFile !== undefined && value.address !== undefined) {
    context.problems.add(
      place.at('service_account_token_file'),
      'expected only one of address and service_account_token_file',
      'key',
    );
  }
  return {
    name,
    kind: 'onepassword' as const,
    /** Of the Connect server. */
    address: address.replace(/\/+$/, ''),
    tokenFile: context.optionalPathAt(place, value.token_file),
    /** Undefined: a Connect server is asked. Without a `tokenFile`: by `$OP_SERVICE_ACCOUNT_TOKEN`. */
    account: isAccount ? { tokenFile, sdkPath: context.optionalPathAt(place, value.sdk_path) } : undefined,
    ...resolveServer(value, place, context, isAccount ? known : {}),
  };
}

export const onepassword = {
  schema: onepasswordSchema,
  resolve: resolveOnepassword,
  refreshMs: 30_000,
  checkPath: parseItemPath,
  /** A hundred secrets use 400 of the 1,000 reads an hour. */
  refreshOf: ({ account }: OnepasswordUpstreamConfig) => (account === undefined ? undefined : 900_000),
  isForOthers: ({ account }: OnepasswordUpstreamConfig, path: string) => account?.sdkPath === path,
  load: async () => (await import('./onepassword-source.ts')).createOnepasswordSource,
};
