// The whole agent in one answer: what it holds, waits for and plans; and whether it is ready. Never a value of a secret.
import { apiMoment, apiTime } from '../../api/api-time.ts';
import {
  type AgentStatus,
  apiVersion,
  type FileStatus as FileAnswer,
  type ProcessStatus as ProcessAnswer,
  type UpstreamStatus as UpstreamAnswer,
} from '../../api/status.ts';
import type { FileStatus } from '../../files/view/file-status.ts';
import type { ProcessStatus } from '../../supervise/process-status.ts';
import type { LoginStatus, SinkStatus, SourceStatus } from '../../upstream/secret-source.ts';
import { version } from '../../version.ts';
import { callsOf, type Demand, demandsOf, slowness } from './calls.ts';
import { degradedOf, readinessOf, whyFile } from './readiness-of.ts';
import { secretStatus } from './secret-status.ts';
import type { StatusSources } from './status-sources.ts';

export function statusOf(sources: StatusSources): AgentStatus {
  const { store, names } = sources;
  const config = sources.config();
  const wallNow = sources.wallNow();
  const { isReady, missing, waits } = readinessOf(sources);
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
    waits,
    degraded: degradedOf(sources),
    troubles: sources.troubles(),
    upstreams: showUpstreams(sources),
    secrets: [...store.entries()].map((entry) =>
      secretStatus({
        ...{ entry, names: names.namesOf(entry.key), holders: store.holders(entry.key), wallNow },
        lastValueEnd: sources.lastValueEnd(entry.key),
      }),
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
    log: sources.log(),
  };
}

/** One by one, in the order of the config. */
export function showUpstreams({ upstreams, store, lostLogins }: StatusSources): UpstreamAnswer[] {
  const demandOf = demandsOf(store.entries());
  const lost = lostLogins();
  return [...upstreams()].map((upstream) => {
    const status = upstream.status();
    const shown = showUpstream(status, demandOf(status.name));
    const isLost = shown.login !== undefined && lost.includes(status.name);
    return isLost ? { ...shown, login: { ...shown.login, lost_at_stop: true } } : shown;
  });
}

function showUpstream(status: SourceStatus, demand: Demand): UpstreamAnswer {
  const {
    since,
    login,
    budget,
    isFatal: _,
    clockSkewMs,
    message = slowness(demand, status),
    sinks,
    ...rest
  } = status;
  const calls = callsOf(demand, status);
  return {
    ...rest,
    ...(message === undefined ? {} : { message }),
    ...(clockSkewMs === undefined ? {} : { clock_skew_seconds: Math.round(clockSkewMs / 1000) }),
    since: apiMoment(since),
    ...(login === undefined ? {} : { login: showLogin(login) }),
    ...(sinks === undefined ? {} : { sinks: sinks.map(showSink) }),
    ...(budget === undefined ? {} : { budget: { in_flight: budget.inFlight, queued: budget.queued } }),
    ...(calls === undefined ? {} : { calls }),
  };
}

function showLogin({ expiresAt, ...shown }: LoginStatus): UpstreamAnswer['login'] {
  return { ...shown, expires_at: apiTime(expiresAt) };
}

function showSink({ path, writtenAt, error }: SinkStatus) {
  return { path, written_at: apiTime(writtenAt), error: error ?? null };
}

function showFile(file: FileStatus): FileAnswer {
  const { destination, state, isReady, missing, failure, retryAt, templateProblem = null, drift } = file;
  return {
    destination,
    set: file.set ?? null,
    state,
    committed_at: apiTime(file.committedAt),
    ready: isReady,
    missing,
    failure,
    template_problem: templateProblem,
    says: whyFile(file),
    retry_at: apiTime(retryAt),
    drift: drift && { what: drift.what, at: apiTime(drift.at), count: drift.count, open: drift.isOpen },
  };
}

function showProcess({ since, lastExit, isInPlace, ...rest }: ProcessStatus): ProcessAnswer {
  const exit = lastExit === undefined ? {} : { last_exit: lastExit };
  return { ...rest, since: apiTime(since), ready: isInPlace, ...exit };
}
