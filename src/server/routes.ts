// All dialects, and how a request finds its own. To add one: a file dialect-NAME.ts and a line in `createDialects`.
import type { ListenerConfig } from '../config/resolved.ts';
import { createAdminDialect } from './admin/dialect-admin.ts';
import { createChangesDialect } from './admin/dialect-changes.ts';
import { createHealthDialect } from './admin/dialect-health.ts';
import { createAgentMetricsDialect, createMetricsDialect } from './admin/dialect-metrics.ts';
import { createAwsDialect } from './aws/dialect-aws.ts';
import { createHooksDialect } from './hooks/dialect-hooks.ts';
import { anyRoot, type DialectHandler, type DialectsByRoot } from './http/dialect.ts';
import type { Exchange } from './http/exchange.ts';
import { anyHost, refusalOf } from './http/refusal-policy.ts';
import type { ServerContext } from './http/server-context.ts';
import { createEventsDialect } from './secrets/dialect-events.ts';
import { createSecretsDialect } from './secrets/dialect-secrets.ts';
import { createVaultDialect } from './vault/dialect-vault.ts';

/** Where two dialects of a listener want the same first segment, the one that `serve` names first has it. */
export function createDialects(context: ServerContext): readonly DialectHandler[] {
  return [
    createHealthDialect(context),
    createSecretsDialect(context),
    createEventsDialect(context),
    createAdminDialect(context),
    createChangesDialect(context),
    createMetricsDialect(context),
    createAgentMetricsDialect(context),
    createVaultDialect(context),
    createAwsDialect(context),
    createHooksDialect(context),
  ];
}

/** The dialects of one listener by the first segment of the path. */
export function dialectsOf(dialects: readonly DialectHandler[], listener: ListenerConfig): DialectsByRoot {
  const byRoot = new Map<string, DialectHandler>();
  const served = dialects.filter((dialect) => dialect.isServedBy(listener));
  const place = ({ name }: DialectHandler): number => (listener.serve as readonly string[]).indexOf(name);
  for (const dialect of served.toSorted((a, b) => place(a) - place(b))) {
    const roots = [...dialect.roots, ...(dialect.rootsOf?.(listener) ?? [])];
    for (const root of roots) if (!byRoot.has(root)) byRoot.set(root, dialect);
  }
  return byRoot;
}

/** Refuse, find the dialect, let it answer. Who asks is known since the connection began (connection.ts). */
export function handleRequest(exchange: Exchange, dialects: DialectsByRoot): void {
  const dialect = dialects.get(firstSegment(exchange.path)) ?? dialects.get(anyRoot);
  exchange.enter(dialect);
  if (hasManyHosts(exchange.request.rawHeaders)) {
    exchange.fail('request_invalid', 'expected one Host header, got several');
    return;
  }
  const rules = dialect?.comesFromOutside === true ? anyHost : exchange.connection.scope.hostRules;
  const refusal = refusalOf(exchange.headers, rules);
  if (refusal !== undefined) {
    exchange.refuse(refusal);
    return;
  }
  if (dialect === undefined) {
    handleStray(exchange);
    return;
  }
  if (exchange.connection.waiting >= mostWaiting) {
    exchange.turnAway(`requests that wait: ${mostWaiting} on a connection`);
    return;
  }
  const share = exchange.usedUp();
  if (share !== undefined) {
    exchange.turnAway(share);
    return;
  }
  try {
    const pending = dialect.handle(exchange);
    if (!exchange.isAnswered) countWaiting(exchange);
    if (pending !== undefined) pending.catch((error: unknown) => exchange.failFrom(error));
  } catch (error) {
    exchange.failFrom(error);
  }
}

/** Clients that send one request after another without an answer pay with their own connection. */
const mostWaiting = 64;

function countWaiting(exchange: Exchange): void {
  const { connection } = exchange;
  connection.waiting += 1;
  exchange.lasts();
  exchange.whenOver(() => {
    connection.waiting -= 1;
  });
}

/** RFC 9112, 3.2. Node keeps the first alone, and a proxy in between might have gone by another. */
function hasManyHosts(rawHeaders: readonly string[]): boolean {
  let count = 0;
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index];
    if (name?.length === 4 && name.toLowerCase() === 'host') count += 1;
  }
  return count > 1;
}

/** A path that no dialect of this listener has: to callers without a rule it is refused like any other. */
function handleStray(exchange: Exchange): void {
  if (!exchange.permits({ kind: 'list' })) {
    exchange.deny();
    return;
  }
  const { serve } = exchange.connection.scope.config;
  exchange.fail('not_found', `no such path on this listener (serve: ${serve.join(', ')})`);
}

function firstSegment(path: string): string {
  const end = path.indexOf('/', 1);
  return end < 0 ? path.slice(1) : path.slice(1, end);
}
