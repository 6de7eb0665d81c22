// The payment provider of the demo: knows which keys are good, and who called with which. As real providers do, it
// accepts the old key beside the new one until the old one is revoked.
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface ServiceCalls {
  calls: number;
  failed: number;
  /** The first call with each key, in milliseconds of `performance.now`. */
  readonly firstUse: Map<string, number>;
  readonly databaseUsers: Set<string>;
  queries: number;
  failedQueries: number;
  lastFailure: string | undefined;
}

export interface PaymentsApi {
  readonly url: string;
  accept(key: string): void;
  revoke(key: string): void;
  calls(service: string): ServiceCalls;
  close(): Promise<void>;
}

export async function startPaymentsApi(): Promise<PaymentsApi> {
  const keys = new Set<string>();
  const services = new Map<string, ServiceCalls>();
  const calls = (service: string): ServiceCalls => {
    const known = services.get(service) ?? {
      calls: 0,
      failed: 0,
      firstUse: new Map(),
      databaseUsers: new Set(),
      queries: 0,
      failedQueries: 0,
      lastFailure: undefined,
    };
    services.set(service, known);
    return known;
  };
  const server = createServer((incoming, answer) => {
    const service = calls(headerOf(incoming, 'service'));
    answer.statusCode = record(service, incoming, keys) ? 200 : 401;
    answer.end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    accept: (key) => void keys.add(key),
    revoke: (key) => void keys.delete(key),
    calls,
    close: () => {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}

function record(service: ServiceCalls, incoming: IncomingMessage, keys: ReadonlySet<string>): boolean {
  const detail = headerOf(incoming, 'detail');
  switch (incoming.url) {
    case '/queries':
      service.queries += 1;
      service.databaseUsers.add(detail);
      return true;
    case '/failed-queries':
      service.failedQueries += 1;
      service.lastFailure = detail;
      return true;
    case '/failures':
      service.failed += 1;
      service.lastFailure = detail;
      return true;
  }
  const key = headerOf(incoming, 'authorization').replace(/^Bearer /, '');
  const isGood = keys.has(key);
  service.calls += 1;
  if (!isGood) {
    service.failed += 1;
    service.lastFailure = 'the provider refused the key';
  } else if (!service.firstUse.has(key)) service.firstUse.set(key, performance.now());
  return isGood;
}

function headerOf(incoming: IncomingMessage, name: string): string {
  const value = incoming.headers[name];
  return typeof value === 'string' ? value : '';
}
