// The whole agent in one answer: what it holds, waits for and plans; and whether it is ready. Never a value of a secret.
import { apiMoment, apiTime } from '../../api/api-time.ts';
import {
  type AgentStatus,
  type AuditStatus,
  apiVersion,
  type FileStatus,
  type ListenerStatus,
  type ProcessStatus as ProcessAnswer,
  type UpstreamStatus as UpstreamAnswer,
} from '../../api/status.ts';
import type { NameTable } from '../../content/name-table.ts';
import type { Entry } from '../../store/entry.ts';
import type { Store } from '../../store/store.ts';
import type { ProcessStatus } from '../../supervise/process-status.ts';
import type { LoginStatus, SourceStatus } from '../../upstream/secret-source.ts';
import { version } from '../../version.ts';
import { secretStatus } from './secret-status.ts';

interface FileState {
  readonly destination: string;
  readonly state: string;
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
  processes(): readonly ProcessStatus[];
  listeners(): readonly ListenerStatus[];
  leases(): Iterable<{ key: string; state: string; expiresAt: number }>;
  audit(): AuditStatus;
}

export interface Readiness {
  readonly isReady: boolean;
  readonly missing: readonly string[];
}

/**
 * Ready: logged in everywhere, and every required secret, file and process is in place. Each reason is told once: what
 * waits for an upstream or a secret that is in the list names it and no more.
 */
export function readinessOf(sources: StatusSources): Readiness {
  const missing: string[] = [];
  const away = new Set<string>();
  const told = new Set<string>();
  for (const upstream of sources.upstreams()) {
    const { name, login, state, message } = upstream.status();
    if (login === undefined ? state === 'ready' : login.state === 'logged_in') continue;
    missing.push(`upstream ${name}: ${message ?? state}`);
    away.add(name);
  }
  for (const { config, entry } of sources.names.all()) {
    if (!config.isRequired || entry.current !== undefined) continue;
    const { upstream } = entry.reference;
    const reason = away.has(upstream) ? `${entry.state}: waits for upstream ${upstream}` : why(entry);
    missing.push(`secret ${config.name}: ${reason}`);
    told.add(entry.key);
  }
  for (const file of sources.files()) {
    if (!file.isReady) missing.push(`file ${file.destination}: ${whyFile(file, told)}`);
  }
  for (const process of sources.processes()) {
    if (!process.isInPlace) missing.push(`process ${process.name}: ${process.message ?? process.state}`);
  }
  return { isReady: missing.length === 0, missing };
}

export function statusOf(sources: StatusSources): AgentStatus {
  const { isReady, missing } = readinessOf(sources);
  const { store, names } = sources;
  const config = sources.config();
  const wallNow = sources.wallNow();
  return {
    api_version: apiVersion,
    version,
    pid: process.pid,
    started_at: apiMoment(sources.startedAt),
    config: {
      sources: config.sources,
      loaded_at: apiMoment(config.loadedAt),
      reload_error: config.reloadError ?? null,
    },
    ready: isReady,
    waiting_for: missing,
    upstreams: [...sources.upstreams()].map((upstream) => showUpstream(upstream.status())),
    secrets: [...store.entries()].map((entry) =>
      secretStatus({ entry, names: names.namesOf(entry.key), holders: store.holders(entry.key), wallNow }),
    ),
    files: sources.files().map(showFile),
    processes: sources.processes().map(showProcess),
    listeners: sources.listeners(),
    leases: [...sources.leases()].map(({ key, state, expiresAt }) => ({
      key,
      state,
      expires_at: apiTime(expiresAt),
    })),
    audit: sources.audit(),
  };
}

function showUpstream({ since, login, budget, isFatal: _, ...rest }: SourceStatus): UpstreamAnswer {
  return {
    ...rest,
    since: apiMoment(since),
    ...(login === undefined ? {} : { login: showLogin(login) }),
    ...(budget === undefined ? {} : { budget: { in_flight: budget.inFlight, queued: budget.queued } }),
  };
}

function showLogin({ expiresAt, ...shown }: LoginStatus): UpstreamAnswer['login'] {
  return { ...shown, expires_at: apiTime(expiresAt) };
}

function showFile({ destination, state, isReady, missing, failure, retryAt, drift }: FileState): FileStatus {
  const shown = drift && { what: drift.what, at: apiTime(drift.at), count: drift.count, open: drift.isOpen };
  return { destination, state, ready: isReady, missing, failure, retry_at: apiTime(retryAt), drift: shown };
}

function showProcess({ since, lastExit, isInPlace, ...rest }: ProcessStatus): ProcessAnswer {
  const exit = lastExit === undefined ? {} : { last_exit: lastExit };
  return { ...rest, since: apiTime(since), ready: isInPlace, ...exit };
}

function why(entry: Entry): string {
  return entry.error === undefined ? entry.state : `${entry.state}: ${entry.error.message}`;
}

/** One clause: the failure, else the first secret that it waits for (and why, unless that was `told`), else its state. */
export function whyFile(
  file: Pick<FileState, 'state' | 'missing' | 'failure'> & {
    readonly drift?: { readonly what: string; readonly isOpen: boolean } | undefined;
  },
  told: ReadonlySet<string> = new Set(),
): string {
  if (file.failure !== undefined) return `${file.failure.step} failed: ${file.failure.message}`;
  if (file.drift?.isOpen === true) return `somebody else changed it: ${file.drift.what}`;
  const [first] = file.missing;
  if (first === undefined) return file.state;
  return `waits for ${first.name}${told.has(first.key) ? '' : `: ${first.message ?? first.reason}`}`;
}
