// What every dialect is given: the agent, the rules, the audit trail, the counters.
import type { Access } from '../../access/access.ts';
import type { AuditLog } from '../../audit/audit-log.ts';
import type { Ledger } from '../../audit/ledger.ts';
import type { Logger } from '../../base/logger.ts';
import type { Clock } from '../../base/time/clock.ts';
import type { AgentMetrics } from '../../metrics/agent-metrics.ts';
import type { MetricsRegistry } from '../../metrics/registry.ts';
import type { AgentView } from '../agent-view.ts';
import type { NodeInternals } from '../node-internals/self-test.ts';
import type { SecretReader } from '../secrets/secret-reader.ts';
import type { RequestShares } from './request-costs.ts';
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
  readonly shares: RequestShares;
  /** There is one more, or one less. */
  noteConnections(): void;
  /** Whether connections can do without a parser while they rest. */
  canRestParsers(): Promise<boolean>;
  /** As tried at the start. */
  readonly internals: NodeInternals;
}
