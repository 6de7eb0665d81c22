// Prometheus text for whoever a rule matches at all: no values, but names of secrets are in it.

import type { DialectHandler } from '../http/dialect.ts';
import { methodNotAllowed } from '../http/http-request.ts';
import { answerMetrics } from '../http/metrics-answer.ts';
import type { ServerContext } from '../http/server-context.ts';
import { isAdminServedBy } from './dialect-admin.ts';

export function createMetricsDialect(context: ServerContext): DialectHandler {
  return metricsAt(context, {
    roots: ['metrics'],
    paths: ['/metrics'],
    isServedBy: (listener) => listener.serve.includes('metrics') || isAdminServedBy(listener),
  });
}

/** Where Vault Agent and its proxy have them, on a listener for metrics alone; beside `vault` they are of that dialect. */
export function createAgentMetricsDialect(context: ServerContext): DialectHandler {
  return metricsAt(context, {
    roots: ['agent', 'proxy'],
    paths: ['/agent/v1/metrics', '/proxy/v1/metrics'],
    isServedBy: ({ serve }) => serve.includes('metrics') && !serve.includes('vault'),
  });
}

function metricsAt(
  context: ServerContext,
  where: Pick<DialectHandler, 'roots' | 'isServedBy'> & { readonly paths: readonly string[] },
): DialectHandler {
  return {
    name: 'metrics',
    roots: where.roots,
    isServedBy: where.isServedBy,
    handle(exchange) {
      exchange.skipAudit();
      if (exchange.method !== 'GET' && exchange.method !== 'HEAD')
        return methodNotAllowed(exchange, 'GET, HEAD');
      if (!where.paths.includes(exchange.path)) {
        exchange.fail('not_found', 'no such path');
        return;
      }
      const isServed = exchange.connection.scope.config.serve.includes('metrics');
      if (!exchange.permits({ kind: isServed ? 'metrics' : 'admin' })) {
        exchange.deny();
        return;
      }
      answerMetrics(exchange, context);
    },
  };
}
