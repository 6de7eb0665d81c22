// The agent's own paths beside the Vault API, `/agent/v1/` and `/proxy/v1/` as Vault Agent and Vault Proxy have them:
// cache-clear, quit, metrics.

import { LatchkeyError } from '../../base/errors.ts';
import type { Exchange } from '../http/exchange.ts';
import { methodNotAllowed, readBody } from '../http/http-request.ts';
import { answerMetrics } from '../http/metrics-answer.ts';
import type { ServerContext } from '../http/server-context.ts';
import type { VaultCache } from './vault-cache.ts';
import { jsonFields } from './vault-forward.ts';
import type { VaultHeld } from './vault-held.ts';

const maxBodyBytes = 64 * 1024;
const clearLimitMs = 30_000;

export interface VaultLocalApi {
  handle(exchange: Exchange): void | Promise<void>;
}

export function createVaultLocalApi(
  context: ServerContext,
  cache: VaultCache,
  held: VaultHeld,
): VaultLocalApi {
  async function clear(exchange: Exchange): Promise<void> {
    const fields = jsonFields(await readBody(exchange, maxBodyBytes));
    const { type, value } = fields;
    const wanted = typeof value === 'string' ? value : '';
    const isMeant = meantBy(typeof type === 'string' ? type : '', wanted);
    held.clear(String(type), wanted);
    await cache.clear(isMeant, AbortSignal.timeout(clearLimitMs));
    exchange.answer(200, ['Content-Length', '0', 'Cache-Control', 'no-store'], '');
  }

  return {
    handle(exchange) {
      const action = /^\/(?:agent|proxy)\/v1\/(cache-clear|quit|metrics)$/.exec(exchange.path)?.[1];
      const { scope } = exchange.connection;
      const isServed = action !== undefined && (action !== 'quit' || scope.config.enableQuit);
      if (!exchange.permits({ kind: action === 'metrics' ? 'metrics' : 'admin' })) {
        exchange.deny();
        return undefined;
      }
      if (!isServed) {
        exchange.fail('not_found', 'no such path');
        return undefined;
      }
      const { method } = exchange;
      if (action === 'metrics') {
        // No request of the Vault API: who scrapes must not count as one.
        exchange.enter({ name: 'metrics' });
        return method === 'GET' ? answerMetrics(exchange, context) : methodNotAllowed(exchange, 'GET');
      }
      if (method !== 'POST' && (method !== 'PUT' || action === 'quit')) {
        return methodNotAllowed(exchange, action === 'quit' ? 'POST' : 'POST, PUT');
      }
      if (action === 'cache-clear') return clear(exchange);
      exchange.answer(200, ['Content-Length', '0', 'Cache-Control', 'no-store'], '');
      context.view.quit();
      return undefined;
    },
  };
}

/** Throws `usage` for a type that there is not. What callers got by tokens of their own is no entry. */
function meantBy(type: string, value: string): (path: string, leaseId: string | undefined) => boolean {
  switch (type) {
    case 'all':
      return () => true;
    case 'request_path': {
      const prefix = needed(type, value).replace(/^\/?(?:v1\/)?/, '');
      return (path) => path.startsWith(prefix);
    }
    case 'lease':
      needed(type, value);
      return (_path, leaseId) => leaseId === value;
    case 'token':
    case 'token_accessor':
      needed(type, value);
      return () => false;
    default:
      throw new LatchkeyError('usage', 'type: expected request_path, token, token_accessor, lease or all');
  }
}

function needed(type: string, value: string): string {
  if (value === '')
    throw new LatchkeyError('usage', `value: expected the ${type.replace('_', ' ')} to clear`);
  return value;
}
