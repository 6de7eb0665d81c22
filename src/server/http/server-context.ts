// What every dialect is given: the agent, the rules, the audit trail, the counters.
import type { Access } from '../../access/access.ts';
import type { AuditLog } from '../../audit/audit-log.ts';
import type { Ledger } from '../../audit/ledger.ts';
import type { Clock } from '../../base/clock.ts';
import type { ErrorCode } from '../../base/errors.ts';
import type { Logger } from '../../base/logger.ts';
import type { Dialect, ListenerConfig } from '../../config/resolved.ts';
import type { AgentMetrics } from '../../metrics/agent-metrics.ts';
import type { MetricsRegistry } from '../../metrics/registry.ts';
import type { AgentView } from '../agent-view.ts';
import type { ListenerScope } from '../listen/connection.ts';
import type { SecretReader } from '../secrets/secret-reader.ts';
import type { Exchange } from './exchange.ts';
import type { Waits } from './waits.ts';

export interface ServerContext {
  readonly view: AgentView;
  readonly access: Access;
  readonly audit: AuditLog;
  readonly ledger: Ledger;
  readonly registry: MetricsRegistry;
  readonly metrics: AgentMetrics;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly secrets: SecretReader;
  readonly waits: Waits;
}

/** One way of asking. `routes.ts` lists them all; adding one means a file of its own and a line there. */
export interface DialectHandler {
  /** For audit lines and metrics. */
  readonly name: Dialect | 'health';
  /** First segments of the paths that are its own: `['secrets', 'events']`. The first dialect of the list wins. */
  readonly roots: readonly string[];
  isServedBy(listener: ListenerConfig): boolean;
  /** Answers through the exchange, now or later; what it throws becomes an error answer. */
  handle(exchange: Exchange): void | Promise<void>;
  /** The body of an error in this dialect; absent: `{"error":{"code","message"}}`. */
  errorBody?(code: ErrorCode, message: string): string;
  /** Answers a request that is refused whoever makes it; absent: 403 with `errorBody`. */
  refuse?(exchange: Exchange, refusal: { why: string; message: string }): void;
  /** The path for the audit line, where it may hold what is not for it; absent: as it came. */
  auditedPath?(path: string): string;
  /** Ends what it keeps open on this listener, so that its connections can drain. */
  drain?(scope: ListenerScope): void;
  /** After the last connection is gone. */
  close?(): void;
}
