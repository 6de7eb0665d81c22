// The payment provider of the demo: knows which keys are good, who called with which, and how long each went without an answer.
// As real providers do, it accepts the old key beside the new one until the old one is revoked.
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
  /** Of its last call. */
  key: string | undefined;
  /** How often the agent refused it the key; that is no call that failed. */
  denied: number;
  /** Since when it is refused, or its calls fail, in milliseconds of `performance.now`. */
  deniedSince: number | undefined;
  failingSince: number | undefined;
  /** How long its calls failed before, in milliseconds. */
  failedMs: number;
}

export interface PaymentsApi {
  readonly url: string;
  accept(key: string): void;
  revoke(key: string): void;
  calls(service: string): ServiceCalls;
  /** Its figures begin again. */
  forget(service: string): void;
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
      key: undefined,
      denied: 0,
      deniedSince: undefined,
      failingSince: undefined,
      failedMs: 0,
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
    forget: (service) => void services.delete(service),
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
    case '/denials':
      service.denied += 1;
      service.deniedSince ??= performance.now();
      return true;
    case '/failures':
      fail(service, detail);
      return true;
  }
  const key = headerOf(incoming, 'authorization').replace(/^Bearer /, '');
  service.calls += 1;
  service.key = key;
  if (!keys.has(key)) {
    fail(service, 'the provider refused the key');
    return false;
  }
  if (!service.firstUse.has(key)) service.firstUse.set(key, performance.now());
  service.failedMs = failedMsOf(service);
  service.failingSince = undefined;
  service.deniedSince = undefined;
  return true;
}

function fail(service: ServiceCalls, why: string): void {
  service.failed += 1;
  service.lastFailure = why;
  service.failingSince ??= performance.now();
}

/** Until now, what lasts included. */
export function failedMsOf({ failedMs, failingSince }: ServiceCalls): number {
  return failedMs + (failingSince === undefined ? 0 : performance.now() - failingSince);
}

function headerOf(incoming: IncomingMessage, name: string): string {
  const value = incoming.headers[name];
  return typeof value === 'string' ? value : '';
}
