// The answer to a method that a path does not have (RFC 9110, 15.5.6).
import { apiError } from './api-error.ts';
import type { Exchange } from './exchange.ts';

/** `allowed` as in the Allow header: `GET, HEAD`. */
export function methodNotAllowed(exchange: Exchange, allowed: string): void {
  const message = `expected ${allowed.replaceAll(', ', ' or ')}, got ${exchange.method}`;
  exchange.failWith(apiError('method_not_allowed', message), ['Allow', allowed]);
}
