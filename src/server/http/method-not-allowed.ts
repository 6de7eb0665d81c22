// The answer to a method that a path does not have (RFC 9110, 15.5.6).
import { apiStatuses } from './api-error.ts';
import type { Exchange } from './exchange.ts';

/** `allowed` as in the Allow header: `GET, HEAD`. */
export function methodNotAllowed(exchange: Exchange, allowed: string): void {
  const message = `expected ${allowed.replaceAll(', ', ' or ')}, got ${exchange.method}`;
  exchange.failWith({ code: 'method_not_allowed', message, status: apiStatuses.method_not_allowed }, [
    'Allow',
    allowed,
  ]);
}
