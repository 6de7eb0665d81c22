// What status, readiness and metrics are made from: the parts of the agent, as far as they tell of themselves.
import type { AuditStatus, ListenerStatus, LogStatus, TroubleStatus } from '../../api/status.ts';
import type { NameTable } from '../../content/name-table.ts';
import type { Store } from '../../store/store.ts';
import type { ProcessStatus } from '../../supervise/process-status.ts';
import type { SourceStatus } from '../../upstream/secret-source.ts';

export interface FileState {
  readonly destination: string;
  readonly set?: string | undefined;
  readonly state: string;
  /** Wall time in milliseconds. */
  readonly committedAt?: number | undefined;
  readonly isReady: boolean;
  readonly missing: readonly {
    readonly key: string;
    readonly name: string;
    readonly reason: string;
    readonly message?: string | undefined;
  }[];
  readonly failure?: { readonly step: string; readonly message: string } | undefined;
  /** Wall time in milliseconds. */
  readonly retryAt?: number | undefined;
  readonly templateProblem?: string | undefined;
  readonly drift?:
    | { readonly what: string; readonly at: number; readonly count: number; readonly isOpen: boolean }
    | undefined;
}

export interface StatusSources {
  startedAt: number;
  config(): { sources: readonly string[]; loadedAt: number; reloadError: string | undefined };
  wallNow(): number;
  store: Store;
  names: NameTable;
  upstreams(): Iterable<{ status(): SourceStatus }>;
  files(): readonly FileState[];
  /** Of those that are not in place, or have something to be said about them. */
  unwellFiles(): readonly FileState[];
  processes(): readonly ProcessStatus[];
  listeners(): readonly ListenerStatus[];
  leases(): Iterable<{ key: string; state: string; expiresAt: number }>;
  /** Upstreams whose login the next run cannot have. */
  lostLogins(): readonly string[];
  audit(): AuditStatus;
  troubles(): readonly TroubleStatus[];
  log(): LogStatus;
}
