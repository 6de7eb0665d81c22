// Any HTTP interface as an upstream: the keys of `kind: http`, and what they mean resolved.
import * as z from 'zod/mini';
import type { Named } from '../../config/item.ts';
import { choice, count, doc, section, text } from '../../config/schema/fields.ts';
import type { KindContext } from '../../config/upstreams/kind-context.ts';
import { resolveServer } from '../../config/upstreams/server-resolve.ts';
import { serverSchema } from '../../config/upstreams/server-schema.ts';
import { filledBody, filledUrl } from './endpoint-path.ts';

const pointer = () =>
  z
    .string('a JSON pointer such as /data/value')
    .check(z.regex(/^(?:\/.*)?$/s, 'a JSON pointer such as /data/value'));

const httpSchema = section({
  kind: doc(z.literal('http'), 'Anything that answers secrets over HTTP.'),
  url: doc(
    text(),
    'What is asked; `{path}` is the path of the secret, `{NAME}` one of its parameters, escaped for a URL.',
  ),
  method: doc(z.prefault(choice(['GET', 'POST']), 'GET'), 'How it is asked.'),
  headers: doc(z.prefault(z.record(text(), z.string('a string'), 'a map'), {}), 'Headers; no secrets.'),
  header_files: doc(
    z.prefault(z.record(text(), text(), 'a map of names and files'), {}),
    'Headers whose values are in files, read for each request: `Authorization: /run/latchkey/api-token`.',
  ),
  body: doc(z.optional(z.string('a string')), 'The body, with the same words in braces, escaped for JSON.'),
  value: doc(
    z.optional(pointer()),
    'A JSON pointer to the secret in the answer: a map is its fields. Default: the whole answer.',
  ),
  version: doc(z.optional(pointer()), 'A JSON pointer to its version; default: the ETag.'),
  expires: doc(
    z.optional(pointer()),
    'A JSON pointer to its end: seconds since 1970, or a date of ISO 8601.',
  ),
  ok_status: doc(z.prefault(z.array(count(200), 'a list of numbers'), [200]), 'What is an answer.'),
  ...serverSchema,
});

export type HttpUpstreamConfig = ReturnType<typeof resolveHttp>;

function resolveHttp({ name, place, value }: Named<z.output<typeof httpSchema>>, context: KindContext) {
  const url = URL.parse(value.url.replaceAll(/\{[^}]*\}/g, 'x'));
  if (url === null || !/^https?:$/.test(url.protocol)) {
    context.problems.add(place.at('url'), 'expected a URL that starts with https:// or http://');
  } else if (/^[a-z]+:\/\/[^/?#]*\{/.test(value.url)) {
    context.problems.add(
      place.at('url'),
      'words in braces may stand after the host only: a path must not choose it',
    );
  }
  const files = Object.entries(value.header_files).map(
    ([header, path]) =>
      [header.toLowerCase(), context.pathAt(place.at('header_files', header), path)] as const,
  );
  return {
    name,
    kind: 'http' as const,
    url: value.url,
    method: value.method,
    headers: value.headers,
    /** Paths by the name of the header. */
    headerFiles: Object.fromEntries(files),
    body: value.body,
    pointers: { value: value.value, version: value.version, expires: value.expires },
    okStatus: value.ok_status,
    ...resolveServer(value, place, context),
  };
}

export const http = {
  schema: httpSchema,
  resolve: resolveHttp,
  refreshMs: 60_000,
  checkPath: (
    path: string,
    { url, body }: HttpUpstreamConfig,
    parameters: Readonly<Record<string, string>>,
  ) => {
    filledUrl(url, { path, parameters });
    if (body !== undefined) filledBody(body, { path, parameters });
  },
  mayMint: ({ method }: HttpUpstreamConfig) => method === 'POST',
  load: async () => (await import('./endpoint-source.ts')).createEndpointSource,
};
