// The whole agent in one answer: what it holds, waits for and plans; and whether it is ready. Never a value of a secret.

import type { NameTable } from '../../content/name-table.ts';
import type { Entry } from '../../store/entry.ts';
import type { Store } from '../../store/store.ts';
import type { ProcessStatus } from '../../supervise/process-status.ts';
import type { UpstreamStatus } from '../../upstream/upstream.ts';
import { version } from '../../version.ts';
import { isoTime, type SecretStatus, secretStatus } from './secret-status.ts';

interface FileState {
  readonly destination: string;
  readonly state: string;
  readonly isReady: boolean;
  readonly missing: readonly {
    readonly key: string;
    readonly name: string;
    readonly reason: string;
    readonly message: string | undefined;
  }[];
  readonly failure: { readonly step: string; readonly message: string } | undefined;
  /** Wall time in milliseconds. */
  readonly retryAt?: number | undefined;
}

interface ListenerState {
  readonly address: string;
  readonly serve: readonly string[];
}

type ShownUpstream = ReturnType<typeof showUpstream>;
type ShownFile = ReturnType<typeof showFile> & { retry_at?: string };
type ShownProcess = ReturnType<typeof showProcess>;

/** What `GET /status` answers: keys in snake_case, times as ISO 8601. */
export interface AgentStatus {
  version: string;
  pid: number;
  started_at: string;
  config: { sources: readonly string[]; loaded_at: string; reload_error: string | null };
  ready: boolean;
  waiting_for: readonly string[];
  upstreams: readonly ShownUpstream[];
  secrets: readonly SecretStatus[];
  files: readonly ShownFile[];
  processes: readonly ShownProcess[];
  listeners: readonly ListenerState[];
  leases: readonly { key: string; state: string; expires_at: string }[];
  audit: object;
}

export interface StatusSources {
  startedAt: number;
  config(): { sources: readonly string[]; loadedAt: number; reloadError: string | undefined };
  wallNow(): number;
  store: Store;
  names: NameTable;
  upstreams(): Iterable<{ status(): UpstreamStatus }>;
  files(): readonly FileState[];
  processes(): readonly ProcessStatus[];
  listeners(): readonly ListenerState[];
  leases(): Iterable<{ key: string; state: string; expiresAt: number }>;
  audit(): object;
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
    if (login.state === 'logged_in') continue;
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
    version,
    pid: process.pid,
    started_at: isoTime(sources.startedAt),
    config: {
      sources: config.sources,
      loaded_at: isoTime(config.loadedAt),
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
      expires_at: isoTime(expiresAt),
    })),
    audit: sources.audit(),
  };
}

function showUpstream({ since, login, budget, isFatal: _, ...rest }: UpstreamStatus) {
  const { expiresAt, ...shown } = login;
  return {
    ...rest,
    since: isoTime(since),
    login: { ...shown, ...(expiresAt === undefined ? {} : { expires_at: isoTime(expiresAt) }) },
    budget: { in_flight: budget.inFlight, queued: budget.queued },
  };
}

function showFile({ destination, state, isReady, missing, failure, retryAt }: FileState) {
  const retry = retryAt === undefined ? {} : { retry_at: isoTime(retryAt) };
  return { destination, state, ready: isReady, missing, failure, ...retry };
}

function showProcess({ since, lastExit, isInPlace, ...rest }: ProcessStatus) {
  const exit = lastExit === undefined ? {} : { last_exit: lastExit };
  return { ...rest, since: isoTime(since), ready: isInPlace, ...exit };
}

function why(entry: Entry): string {
  return entry.error === undefined ? entry.state : `${entry.state}: ${entry.error.message}`;
}

/** One clause: the failure, else the first secret that it waits for (and why, unless that was `told`), else its state. */
export function whyFile(
  file: Pick<FileState, 'state' | 'missing' | 'failure'>,
  told: ReadonlySet<string> = new Set(),
): string {
  if (file.failure !== undefined) return `${file.failure.step} failed: ${file.failure.message}`;
  const [first] = file.missing;
  if (first === undefined) return file.state;
  return `waits for ${first.name}${told.has(first.key) ? '' : `: ${first.message ?? first.reason}`}`;
}
