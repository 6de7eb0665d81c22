// Liveness and readiness, open to all who can connect: probes have no identity. What is missing is told only to those
// whom a rule matches.

import type { DialectHandler } from '../http/dialect.ts';
import { methodNotAllowed } from '../http/http-request.ts';
import type { ServerContext } from '../http/server-context.ts';

export function createHealthDialect(context: ServerContext): DialectHandler {
  return {
    name: 'health',
    roots: ['healthz', 'readyz'],
    isServedBy: () => true,
    handle(exchange) {
      exchange.skipAudit();
      if (exchange.method !== 'GET' && exchange.method !== 'HEAD')
        return methodNotAllowed(exchange, 'GET, HEAD');
      if (exchange.path === '/healthz') {
        exchange.answerJson(200, { status: 'alive' });
        return;
      }
      if (exchange.path !== '/readyz') {
        exchange.fail('not_found', 'no such path');
        return;
      }
      const { isReady, missing } = context.view.readiness();
      if (isReady) {
        exchange.answerJson(200, { status: 'ready' });
        return;
      }
      const isKnown = exchange.permits({ kind: 'list' });
      exchange.answerJson(503, {
        status: 'not ready',
        error: { code: 'not_ready', message: isKnown ? `not ready: ${missing.join('; ')}` : 'not ready' },
        ...(isKnown ? { missing } : {}),
      });
    },
  };
}
