// Headers that have one value, as Node's own client has them: of a second one (a proxy's, a hostile server's) nothing is known.
import type { IncomingHttpHeaders } from 'node:http';

const single = [
  'age',
  'content-length',
  'content-type',
  'date',
  'etag',
  'expires',
  'last-modified',
  'location',
  'retry-after',
  'server',
] as const;

/** The first of each. Changes what it is given. */
export function withSingleHeaders(
  headers: Record<string, string | string[] | undefined>,
): IncomingHttpHeaders {
  for (const name of single) {
    const value = headers[name];
    if (Array.isArray(value)) headers[name] = value[0];
  }
  return headers as IncomingHttpHeaders;
}
