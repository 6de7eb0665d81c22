// What status, readiness and metrics are made from: the parts of the agent, as far as they tell of themselves.
import type { AuditStatus, ListenerStatus, LogStatus, TroubleStatus } from '../../api/status.ts';
import type { NameTable } from '../../content/name-table.ts';
import type { FileStatus, FileTrouble } from '../../files/view/file-status.ts';
import type { LastValueEnd } from '../../lease/lease-engine.ts';
import type { Store } from '../../store/store.ts';
import type { ProcessStatus } from '../../supervise/process-status.ts';
import type { SourceStatus } from '../../upstream/secret-source.ts';

export interface StatusSources {
  startedAt: number;
  config(): { sources: readonly string[]; loadedAt: number; reloadError: string | undefined };
  wallNow(): number;
  store: Store;
  names: NameTable;
  upstreams(): Iterable<{ status(): SourceStatus }>;
  files(): readonly FileStatus[];
  /** Of those that are not in place, or have something to be said about them. */
  unwellFiles(): readonly FileTrouble[];
  processes(): readonly ProcessStatus[];
  listeners(): readonly ListenerStatus[];
  /** Files that listeners keep in place: sockets and tokens. */
  listenerPaths(): readonly string[];
  /** Names of the config. */
  hooks(): readonly string[];
  leases(): Iterable<{ key: string; state: string; expiresAt: number }>;
  lastValueEnd(entryKey: string): LastValueEnd | undefined;
  /** Upstreams whose login the next run cannot have. */
  lostLogins(): readonly string[];
  audit(): AuditStatus;
  troubles(): readonly TroubleStatus[];
  log(): LogStatus;
}
