// What the dialects ask of a request before they answer it: its method, a segment of its path, its body.

import { prefixOf, type Route } from '../../api/routes.ts';
import { LatchkeyError } from '../../base/errors.ts';
import { apiError } from './api-error.ts';
import type { Exchange } from './exchange.ts';

/** `allowed` as in the Allow header: `GET, HEAD`. */
export function methodNotAllowed(exchange: Exchange, allowed: string): void {
  const message = `expected ${allowed.replaceAll(', ', ' or ')}, got ${exchange.method}`;
  exchange.failWith(apiError('method_not_allowed', message), ['Allow', allowed]);
}

/** What stands at the end of a path of this route, percent-decoded. Throws as `decodeSegment`. */
export function segmentOf({ path }: Exchange, route: Route): string {
  return decodeSegment(path.slice(prefixOf(route).length));
}

/** Percent-decoded. Throws `usage` where a percent sign begins no escape. */
export function decodeSegment(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch (error) {
    throw new LatchkeyError('usage', 'the path is not well percent-encoded', { cause: error });
  }
}

/** Rejects with `request_invalid` when the body is longer than `maxBytes` or ends early. */
export async function readBody(exchange: Exchange, maxBytes: number): Promise<Buffer> {
  const { request } = exchange;
  const chunks: Buffer[] = [];
  let size = 0;
  const tooLong = (): LatchkeyError =>
    new LatchkeyError('request_invalid', `the body is longer than ${maxBytes} bytes`);
  if (Number(request.headers['content-length'] ?? 0) > maxBytes) throw tooLong();
  try {
    // `for await` would destroy the connection on leaving: the answer could not be sent.
    for await (const chunk of request.iterator({ destroyOnReturn: false })) {
      size += (chunk as Buffer).length;
      if (size > maxBytes) throw tooLong();
      keepOf(exchange, chunk as Buffer);
      chunks.push(chunk as Buffer);
    }
  } catch (error) {
    if (error instanceof LatchkeyError) throw error;
    throw new LatchkeyError('request_invalid', 'the body ended early', { cause: error });
  }
  return Buffer.concat(chunks, size);
}

/** Bodies cost the caller's share of memory until their request is over. Throws `too_many_connections` beyond it. */
export function keepOf(exchange: Exchange, chunk: Buffer): void {
  if (exchange.keeps(chunk.length)) return;
  throw new LatchkeyError('too_many_connections', 'you have your share of memory');
}
