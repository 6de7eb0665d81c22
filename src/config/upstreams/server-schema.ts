// The keys that all upstreams share which are reached over HTTP.
import * as z from 'zod/mini';
import { byteSize, count, doc, duration, flag, section, text } from '../schema/fields.ts';
import { limitsSchema } from './limits.ts';

const tls = section({
  ca_file: doc(
    z.optional(text()),
    'Certificates to trust; default `$VAULT_CACERT`, else those of the system.',
  ),
  ca_path: doc(z.optional(text()), 'A folder of such; default `$VAULT_CAPATH`.'),
  cert_file: doc(z.optional(text()), "The agent's certificate; default `$VAULT_CLIENT_CERT`."),
  key_file: doc(z.optional(text()), 'Its key; default `$VAULT_CLIENT_KEY`.'),
  server_name: doc(
    z.optional(text()),
    'The name to verify; default `$VAULT_TLS_SERVER_NAME`, else that of the address.',
  ),
  skip_verify: doc(
    z.optional(flag()),
    'Trust anyone: for trying out only; default `$VAULT_SKIP_VERIFY`, else false.',
  ),
});

/** A vault of one's own bears more than a service that many share and that counts requests. */
export const budgetSchema = (requestsPerSecond: number) =>
  doc(
    z.prefault(
      section({
        requests_per_second: doc(z.prefault(count(1), requestsPerSecond), 'Over all consumers together.'),
        concurrency: doc(z.prefault(count(1), 16), 'Requests under way at once.'),
      }),
      {},
    ),
    'What all requests together may cost the server.',
  );

export const serverSchema = {
  proxy: doc(
    z.optional(text()),
    'The proxy on the way to it, as `http://proxy.example:3128` or `socks5://…`; name and password in it are never told. Variables of the environment do not count. A login at a service of its own (STS, Entra, tokens of Google) does not go through it.',
  ),
  tls: doc(z.prefault(tls, {}), 'How the server is verified, and the client certificate.'),
  budget: budgetSchema(50),
  ...limitsSchema,
  timeout: doc(
    z.optional(duration()),
    'For one request, to the last byte; default 60s. What can be asked twice is asked again after a sixth of it (10s at least), by another connection.',
  ),
  max_body: doc(
    z.prefault(byteSize(), '16MiB'),
    'The largest answer that is taken. As JSON it may have 20,000 keys in one object, 100,000 values in all, 200 levels.',
  ),
};

export type ServerInput = z.output<z.ZodMiniObject<typeof serverSchema>>;
