// The requests of AWS's own local agents: the Secrets Manager agent, the Lambda extension's parameters, and the
// container credentials that SDKs fetch. Which is which; errors are told as those agents tell them.

import { describeError, LatchkeyError } from '../../base/errors.ts';
import type { ListenerConfig } from '../../config/resolved.ts';
import { anyRoot, type DialectHandler } from '../http/dialect.ts';
import type { Exchange } from '../http/exchange.ts';
import { decodeSegment } from '../http/http-request.ts';
import type { ServerContext } from '../http/server-context.ts';
import { createAwsAnswers } from './aws-answers.ts';
import { type AwsFault, answerCode, answerFault, answerText } from './aws-fault.ts';
import { containerCredentials } from './aws-secret.ts';
import { getParameter } from './get-parameter.ts';
import { createGetSecretValue } from './get-secret-value.ts';

export function createAwsDialect(context: ServerContext): DialectHandler {
  const { view, clock } = context;
  const answers = createAwsAnswers(context);
  const getSecretValue = createGetSecretValue(context, answers);

  function getCredentials(exchange: Exchange, name: string): void {
    if (!exchange.permitsSecret(name)) {
      context.metrics.denials.with('access').inc();
      answerCode(exchange, 403, 'AccessDenied', 'not allowed');
      return;
    }
    const found = answers.versionsOf(name);
    if ('status' in found) {
      const isThere = found.status === 503;
      const message = 'message' in found ? found.message : 'not found';
      answerCode(exchange, isThere ? 503 : 404, isThere ? 'ServiceUnavailable' : 'NotFound', message);
      return;
    }
    const { entry, staged } = found;
    const [current] = staged;
    if (current === undefined) return;
    const { version } = current;
    const make = (): object => containerCredentials(name, entry, version, clock.wall());
    try {
      answers.deliver(exchange, { name, entry, version, make, isTimed: true });
    } catch (error) {
      if (!(error instanceof LatchkeyError)) throw error;
      answerCode(exchange, 404, 'NoCredentials', describeError(error));
    }
  }

  async function route(exchange: Exchange): Promise<void> {
    const fault = await get(exchange);
    if (fault !== undefined) answerFault(exchange, fault);
  }

  function get(exchange: Exchange): AwsFault | undefined | Promise<AwsFault | undefined> {
    const { path } = exchange;
    if (path === '/secretsmanager/get') return getSecretValue(exchange);
    const prefix = pathPrefixOf(exchange.connection.scope.config);
    if (path.startsWith(prefix)) return getSecretValue(exchange, decodeSegment(path.slice(prefix.length)));
    if (path === '/systemsmanager/parameters/get') return getParameter(exchange, view, answers);
    return { status: 404, text: 'Not found' };
  }

  return {
    name: 'aws',
    roots: ['ping', 'secretsmanager', 'systemsmanager', 'credentials'],
    rootsOf: (listener) => [rootOf(pathPrefixOf(listener))],
    isServedBy: (listener) => listener.serve.includes('aws'),
    handle(exchange) {
      const { path, method, identity } = exchange;
      if (path === '/ping') {
        exchange.skipAudit();
        if (method !== 'GET' && method !== 'HEAD') return answerText(exchange, 405, 'Not allowed');
        return answerText(exchange, 200, 'healthy');
      }
      const name = /^\/credentials\/aws\/([^/]+)$/.exec(path)?.[1];
      if (identity.caller.kind === 'unknown') {
        context.metrics.denials.with('access').inc();
        exchange.permits({ kind: 'list' });
        if (path.startsWith('/credentials/')) return answerCode(exchange, 403, 'AccessDenied', 'bad token');
        return answerText(exchange, 403, 'Bad Token');
      }
      if (method !== 'GET') return answerText(exchange, 405, 'Not allowed');
      if (answers.answerKept(exchange)) return undefined;
      if (name !== undefined) return getCredentials(exchange, view.names.nameOf(decodeSegment(name)));
      return route(exchange);
    },
    refuse(exchange, { why, message }) {
      if (exchange.path.startsWith('/credentials/')) answerCode(exchange, 403, 'AccessDenied', message);
      else if (why === 'forwarded') answerText(exchange, 400, 'Forwarded');
      else answerText(exchange, 403, message);
    },
    errorBody: (code, message) => `${JSON.stringify({ __type: code, message })}\n`,
  };
}

function pathPrefixOf({ anySecret }: ListenerConfig): string {
  return anySecret?.pathPrefix ?? '/v1/';
}

/** The first segment, or any where the prefix ends within it. */
function rootOf(prefix: string): string {
  return /^\/([^/]+)\//.exec(prefix)?.[1] ?? anyRoot;
}
