// Every collaboration of the agent in one file: builds the parts and hands each what it needs of the others.
import { type Access, createAccess } from '../access/access.ts';
import { createPeerReader } from '../access/peer-reader.ts';
import { createAuditLog } from '../audit/audit-log.ts';
import { createLedger, type Ledger } from '../audit/ledger.ts';
import { createSwitchableAudit, type SwitchableAudit } from '../audit/switchable-audit.ts';
import type { SecretValue } from '../base/secret-value.ts';
import type { Environment, Surroundings } from '../base/surroundings.ts';
import { accountIds } from '../base/system/accounts.ts';
import { processStartTime } from '../base/system/process-identity.ts';
import { type Changes, createChangePoint } from '../base/time/until.ts';
import type { ResolvedConfig } from '../config/resolved.ts';
import { watchChangedTogether } from '../content/changed-together.ts';
import { type ConsumerIndex, createConsumerIndex } from '../content/consumer-index.ts';
import { createNameTable, followUsedNames, type NameTable } from '../content/name-table.ts';
import { createProcessEnvironments, type ProcessEnvironments } from '../content/process-environment.ts';
import type { TemplateCompiler } from '../content/template-compiler.ts';
import { createFilePipeline, type FilePipeline } from '../files/file-pipeline.ts';
import { createLeaseEngine, type LeaseEngine } from '../lease/lease-engine.ts';
import { type AgentMetrics, defineAgentMetrics } from '../metrics/agent-metrics.ts';
import { createMetricsRegistry, type MetricsRegistry } from '../metrics/registry.ts';
import type { AgentView } from '../server/agent-view.ts';
import { createServer, type LocalServer } from '../server/server.ts';
import { createStore, type Store } from '../store/store.ts';
import { createCommandRunner } from '../supervise/launch/command-runner.ts';
import { createSupervisor, type Supervisor, type SupervisorOptions } from '../supervise/supervisor.ts';
import type { SourceListener, SourceStatus } from '../upstream/secret-source.ts';
import { awaitFiles } from './await-files.ts';
import { observeFiles, observeProcesses, observeStore, observeUpstream } from './observe.ts';
import { memoryOfAgent, memoryOfRun } from './run-memories.ts';
import { createTemplateRules, type TemplateRules } from './template-rules.ts';
import { createTimeline, type Timeline } from './timeline/timeline.ts';
import { createUpstreamTable, type UpstreamTable } from './upstream-table.ts';
import { createValuesInUse } from './view/values-in-use.ts';

/**
 * What a run is to its state folder. An agent goes on with what the agent before it left. `run` is over with its program: it
 * revokes what it was issued, remembers that apart, and ends nothing that an agent left. `once` stays for nothing.
 */
export type RunRole = 'agent' | 'run' | 'once';

interface WireOptions {
  /** Undefined: there is none, and nothing is known or kept beyond this run. */
  readonly stateFolder: string | undefined;
  /** Default: an agent. */
  role?: RunRole;
  /** Secrets that no template asks for are not obtained, and upstreams that nothing is asked of see no login (default false). */
  obtainsUsedOnly?: boolean;
  /** Told what is logged of a template that most likely is mistaken. */
  onTemplateWarning?: (message: string) => void;
}

export interface Core {
  readonly store: Store;
  readonly names: NameTable;
  readonly upstreams: UpstreamTable;
  readonly engine: LeaseEngine;
  /** All, or each when something is asked of it; after the engine. */
  startUpstreams(): void;
  readonly index: ConsumerIndex;
  readonly rules: TemplateRules;
  /** Variables whose templates are parsed by this compiler, or by the one in force. */
  environmentsBy(compiler?: TemplateCompiler): SupervisorOptions['environmentOf'];
  readonly supervisor: Supervisor;
  readonly environments: ProcessEnvironments;
  readonly files: FilePipeline;
  /** What must not be seen in the output of any program. */
  readonly valuesInUse: () => readonly SecretValue[];
  /** What each rotation did. */
  readonly timeline: Timeline;
  readonly registry: MetricsRegistry;
  readonly metrics: AgentMetrics;
  /** Told of whatever readiness may hang on: secrets, files, processes, logins. */
  readonly changes: Changes;
  /** Told of each request to an upstream, also where nothing came of it. */
  readonly requests: Changes;
  /** Why the state file could not be written the last time. */
  stateFailure(): string | undefined;
}

/** Secrets, and what they are turned into: all but the serving. Nothing is started. */
export function wireCore(
  config: ResolvedConfig,
  surroundings: Surroundings,
  { stateFolder, role = 'agent', obtainsUsedOnly = false, onTemplateWarning }: WireOptions,
): Core {
  const { clock, logger, env } = surroundings;
  const registry = createMetricsRegistry();
  const metrics = defineAgentMetrics(registry);
  const store = createStore({ clock });
  const index = createConsumerIndex({ store });
  const rules = createTemplateRules(config, surroundings, onTemplateWarning);
  const { resolve } = rules;
  const news = createChangePoint();
  const requests = createChangePoint();
  const upstreams = createUpstreamTable({
    configs: config.upstreams,
    surroundings,
    listenerOf: listenersFor(() => engine, news.tell),
    observerOf: (name) => observeUpstream(name, metrics, requests.tell),
    isUsed: (upstream) => engine.isUsed(upstream),
    untilUnused: (upstream, signal) => engine.untilUnused(upstream, signal),
  });
  const memory =
    role === 'once' || stateFolder === undefined
      ? undefined
      : role === 'run'
        ? memoryOfRun(stateFolder, surroundings, { config, index, upstreams })
        : memoryOfAgent(stateFolder, surroundings, upstreams);
  const timeline = createTimeline({
    store,
    clock,
    observe: (step, seconds) => metrics.rotationStepSeconds.with(step).observe(seconds),
  });
  const engine = createLeaseEngine({
    ...{ ...surroundings, store, ...memory },
    observer: timeline.leases,
    upstreams: upstreams.byName(),
    namesOf: (key) => names.namesOf(key),
  });
  const valuesInUse = createValuesInUse(store);
  const environments = createProcessEnvironments({ store, index, resolve });
  const environmentsBy =
    (templates?: TemplateCompiler): SupervisorOptions['environmentOf'] =>
    async (config) => {
      const bind = await environments.prepare(config, templates ?? rules.compiler());
      return () => awaitFiles(bind(), config.name, { files, store });
    };
  const supervisor = createSupervisor({
    ...surroundings,
    processes: config.processes,
    environmentOf: environmentsBy(),
    valuesInUse,
    observer: { ...observeProcesses(metrics), changed: news.tell },
  });
  const files = createFilePipeline({
    ...{ ...surroundings, store, index, resolve, files: config.files },
    compile: (file, text) => rules.compiler().compile(file, text),
    runCommand: createCommandRunner({ ...surroundings, ...environmentOfCommands(config, env), valuesInUse }),
    signalProcess: supervisor.signal,
    observer: { ...observeFiles(metrics), stepped: timeline.stepped },
    ...(role === 'once' ? {} : { noteWritten: engine.noteWritten }),
    ...(stateFolder === undefined ? {} : { stateFolder }),
    isOneShot: role === 'once',
    isGuest: role !== 'agent',
  });
  const { secrets } = config;
  const names = (obtainsUsedOnly ? followUsedNames : createNameTable)({ store, secrets });
  observeStore(store, { names, metrics, logger });
  watchChangedTogether({ store, index, clock, lookAgain: (keys) => engine.lookAgain(keys) });
  store.listen({ opened: news.tell, closed: news.tell, changed: news.tell, updated: news.tell });
  files.listen(news.tell);
  return {
    ...{ store, names, upstreams, engine, index, rules, supervisor, environments, files, timeline },
    ...{ environmentsBy, valuesInUse, registry, metrics },
    startUpstreams() {
      if (!obtainsUsedOnly) upstreams.start();
      else startUsed({ config, store, upstreams, engine });
    },
    changes: news.changes,
    requests: requests.changes,
    stateFailure: () => memory?.stateFile.failure(),
  };
}

/** What check and notify commands see of the agent's own environment. */
function environmentOfCommands({ templates }: ResolvedConfig, env: Environment) {
  return templates.passesEnvironment ? { env: { ...env, ...templates.env }, passEnv: ['*'] } : { env };
}

/** Those with token sinks, those that the last run left something of, and each that an entry is opened of. */
function startUsed({
  config,
  store,
  upstreams,
  engine,
}: Pick<Core, 'store' | 'upstreams' | 'engine'> & { config: ResolvedConfig }): void {
  store.listen({ opened: ({ reference }) => upstreams.start([reference.upstream]) });
  upstreams.start([
    ...config.upstreams.flatMap((one) => ('sinks' in one && one.sinks.length > 0 ? [one.name] : [])),
    ...Array.from(engine.leases(), ({ upstream }) => upstream),
    ...[...upstreams.byName()].flatMap(([name, { login }]) => (login?.handOn() === undefined ? [] : [name])),
    ...Array.from(store.entries(), ({ reference }) => reference.upstream),
  ]);
}

/** What the engine makes of what an upstream of this name tells, whichever source stands for it now. */
function listenersFor(engine: () => LeaseEngine, tell: () => void): (name: string) => SourceListener {
  const told = new Map<string, SourceStatus>();
  return (name) => ({
    status(now) {
      const before = told.get(name);
      told.set(name, now);
      if (now.state === 'ready' && before?.state !== 'ready') engine().upstreamRecovered(name);
      if (before !== undefined && before.message !== now.message) engine().upstreamFailing(name);
      tell();
    },
    changedUpstream: (path) => engine().changedUpstream(name, path),
    leasesEnd: (leaseIds, at) => engine().leasesEnd(name, leaseIds, at),
  });
}

export interface Serving {
  readonly server: LocalServer;
  readonly access: Access;
  readonly audit: SwitchableAudit;
  readonly ledger: Ledger;
}

/** Listeners, who may ask, and the record of it. */
export async function wireServing(
  config: ResolvedConfig,
  core: Core,
  view: AgentView,
  surroundings: Surroundings,
): Promise<Serving> {
  const { clock, logger } = surroundings;
  const { registry, metrics, store, engine } = core;
  const ownUid = process.getuid?.() ?? 0;
  const access = createAccess({ rules: config.access, accounts: accountIds, ownUid });
  const audit = createSwitchableAudit(config.audit, (settings) =>
    createAuditLog({
      settings,
      clock,
      logger,
      counters: { lines: metrics.auditLines.with(), failures: metrics.auditFailures.with() },
    }),
  );
  const ledger = createLedger({
    holds: store,
    clock,
    isAlive: (pid, startTime) => processStartTime(pid) === startTime,
    onOverflow: () =>
      logger.warn({}, 'the ledger is full: the oldest callers are forgotten, and hold nothing any more'),
  });
  const peers = await createPeerReader();
  const { listeners } = config;
  const server = createServer({
    ...{ view, access, ownUid, peers, audit, ledger, registry, metrics, logger },
    clock: { ...clock, wall: engine.wall },
    listeners,
  });
  return { server, access, audit, ledger };
}
