// Node looks for connections that are too slow every so often, also when there are none, and an agent at rest would be
// woken by it. The look is taken from Node's own timer, for whoever knows when there is something to look at.
import type { Server } from 'node:http';

interface IntervalOfNode {
  _onTimeout?: unknown;
}

/** Of a server that listens. Undefined: it is not where it is expected, and Node goes on looking by itself. */
export function takeConnectionCheck(server: Server): (() => void) | undefined {
  const symbol = Object.getOwnPropertySymbols(server).find(
    ({ description }) => description === 'http.server.connectionsCheckingInterval',
  );
  const timer: unknown = symbol && Reflect.get(server, symbol);
  if (typeof timer !== 'object' || timer === null) return undefined;
  const { _onTimeout: look } = timer as IntervalOfNode;
  if (typeof look !== 'function') return undefined;
  clearInterval(timer as NodeJS.Timeout);
  return () => void look.call(timer);
}
