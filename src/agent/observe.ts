// Turns what happens into metrics: listens to the store and the files, times requests to upstreams, and reads gauges
// when somebody asks for them.
import type { Logger } from '../base/logger.ts';
import type { NameTable } from '../content/name-table.ts';
import type { FileObserver } from '../files/transaction/ports.ts';
import type { FileStatus } from '../files/view/file-status.ts';
import type { AgentMetrics } from '../metrics/agent-metrics.ts';
import type { MetricsRegistry } from '../metrics/registry.ts';
import { unknownHook } from '../server/hooks/dialect-hooks.ts';
import { type Entry, entryStates } from '../store/entry.ts';
import { shownVersion } from '../store/secret-version.ts';
import type { Store } from '../store/store.ts';
import type { ProcessObserver, ProcessStatus } from '../supervise/process-status.ts';
import type { GateObserver } from '../upstream/gate/gate.ts';
import { version } from '../version.ts';
import { readinessOf } from './view/readiness-of.ts';
import { showUpstreams } from './view/status.ts';
import type { StatusSources } from './view/status-sources.ts';

/** Counts and tells rotations and failures of secrets, by name; a path without a name counts under its path. */
export function observeStore(
  store: Store,
  { names, metrics, logger }: { names: NameTable; metrics: AgentMetrics; logger: Logger },
): () => void {
  const failures = new WeakMap<Entry, number>();
  const labelsOf = (entry: Entry) => {
    const known = names.namesOf(entry.key);
    return known.length > 0 ? known : [entry.reference.path];
  };
  return store.listen({
    changed(entry, changed) {
      if (changed.number === 1) return;
      const secret = labelsOf(entry);
      for (const name of secret) metrics.secretRotations.with(name).inc();
      logger.info(
        { secret: secret.join(','), version: shownVersion(changed) },
        'the secret has a new version',
      );
    },
    updated(entry) {
      const count = entry.error?.count ?? 0;
      if (entry.error !== undefined && count !== failures.get(entry)) {
        for (const name of labelsOf(entry)) metrics.secretErrors.with(name, entry.error.code).inc();
      }
      failures.set(entry, count);
    },
  });
}

export function observeFiles(metrics: AgentMetrics): FileObserver {
  return {
    committed: (destination) => metrics.filesWritten.with(destination).inc(),
    rotated: (_destination, ms) => metrics.rotationSeconds.with().observe(ms / 1000),
    drifted: (destination, what) => metrics.fileDrifts.with(destination, what).inc(),
    concluded(destination, step, failure) {
      if (failure !== undefined) metrics.fileFailures.with(destination, step).inc();
    },
  };
}

export function observeProcesses(metrics: AgentMetrics): ProcessObserver {
  return { started: (name, reason) => metrics.processStarts.with(name, reason).inc() };
}

/** Counts what the gate of an upstream sends, each request and login of it. */
export function observeUpstream(name: string, metrics: AgentMetrics, onRequest: () => void): GateObserver {
  const seconds = metrics.upstreamSeconds.with(name);
  return {
    requested(outcome, took) {
      metrics.upstreamRequests.with(name, outcome).inc();
      seconds.observe(took);
      onRequest();
    },
    loggedIn: (outcome) => metrics.upstreamLogins.with(name, outcome).inc(),
  };
}

/** As in the lines of the log. */
const levelNumbers: Readonly<Record<string, number>> = { debug: 20, info: 30, warn: 40, error: 50 };

/** Sets the gauges from what is there, each time that metrics are asked for. */
export function collectGauges(
  registry: MetricsRegistry,
  metrics: AgentMetrics,
  sources: StatusSources,
): () => void {
  metrics.buildInfo.with(version).set(1);
  metrics.startTimeSeconds.with().set(sources.startedAt / 1000);
  return registry.onRender(() => {
    const files = sources.files();
    const processes = sources.processes();
    forgetGone(registry, namesNow(sources, files, processes));
    metrics.residentMemoryBytes.with().set(process.memoryUsage.rss());
    metrics.isReady.with().set(readinessOf(sources).isReady ? 1 : 0);
    metrics.logLevel.with().set(levelNumbers[sources.log().level] ?? 0);
    collectSecrets(metrics, sources);
    collectUpstreams(metrics, sources);
    metrics.leases.clear();
    for (const { state } of sources.leases()) metrics.leases.with(state).inc();
    metrics.fileUpToDate.clear();
    for (const { destination, state, drift } of files) {
      metrics.fileUpToDate.with(destination).set(state === 'current' && drift?.isOpen !== true ? 1 : 0);
    }
    metrics.processUp.clear();
    for (const { name, pid } of processes) metrics.processUp.with(name).set(pid === undefined ? 0 : 1);
  });
}

type Names = Readonly<
  Record<'name' | 'upstream' | 'destination' | 'process' | 'hook' | 'listener', ReadonlySet<string>>
>;

/** All that labels may speak of, by the label. */
function namesNow(
  { names, store, upstreams, hooks, listeners, listenerPaths }: StatusSources,
  files: readonly FileStatus[],
  processes: readonly ProcessStatus[],
): Names {
  const secrets = new Set<string>();
  for (const { config } of names.all())
    for (const name of [config.name, ...config.aliases]) secrets.add(name);
  for (const { key, reference } of store.entries())
    if (names.namesOf(key).length === 0) secrets.add(reference.path);
  return {
    name: secrets,
    upstream: new Set([...upstreams()].map((upstream) => upstream.status().name)),
    destination: new Set([...files.map(({ destination }) => destination), ...listenerPaths()]),
    process: new Set(processes.map(({ name }) => name)),
    hook: new Set([...hooks(), unknownHook]),
    listener: new Set(listeners().map(({ place }) => place)),
  };
}

/**
 * What left the config is in no metric: an upstream that was down when it was removed would be down for ever. Also what came
 * and left between two looks; whose name counts on until it is quite gone (an upstream with leases) is gone at each look.
 */
function forgetGone(registry: MetricsRegistry, now: Names): void {
  for (const [label, names] of Object.entries(now)) registry.forget(label, (name) => !names.has(name));
}

function collectUpstreams(metrics: AgentMetrics, sources: StatusSources): void {
  for (const family of [metrics.upstreamCalls, metrics.upstreamLimit]) family.clear();
  for (const { name, state, calls } of showUpstreams(sources)) {
    metrics.upstreamUp.with(name).set(state === 'ready' ? 1 : 0);
    if (calls === undefined) continue;
    metrics.upstreamCalls.with(name).set(calls.last_day);
    for (const { limit, share } of calls.limits) metrics.upstreamLimit.with(name, limit).set(share);
  }
}

function collectSecrets(metrics: AgentMetrics, sources: StatusSources): void {
  const now = sources.wallNow();
  for (const family of [metrics.secretState, metrics.secretAgeSeconds, metrics.secretExpirySeconds])
    family.clear();
  for (const { config, entry } of sources.names.all()) {
    for (const state of entryStates) {
      metrics.secretState.with(config.name, state).set(entry.state === state ? 1 : 0);
    }
    if (entry.current !== undefined) {
      metrics.secretAgeSeconds.with(config.name).set(Math.max(0, now - entry.current.obtainedAt) / 1000);
    }
    if (entry.expiresAt !== undefined && Number.isFinite(entry.expiresAt)) {
      metrics.secretExpirySeconds.with(config.name).set((entry.expiresAt - now) / 1000);
    }
  }
}
