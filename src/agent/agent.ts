// The agent's life: started in an order that loses nothing, reloaded as a whole or not at all, ended so that nothing is
// left behind. How the parts are connected is in wire.ts, what may be asked of them in asked.
import type { RefreshOutcome } from '../api/admin.ts';
import type { AgentStatus } from '../api/status.ts';
import type { LatchkeyError } from '../base/errors.ts';
import type { Logger, LogSink } from '../base/logger.ts';
import { type FaultOf, systemSurroundings } from '../base/surroundings.ts';
import { hardenProcess } from '../base/system/harden-process.ts';
import type { Clock } from '../base/time/clock.ts';
import type { LoadOptions } from '../config/load.ts';
import type { ResolvedConfig } from '../config/resolved.ts';
import { type Reaper, startReaper } from '../supervise/launch/reaper.ts';
import { loadKinds } from '../upstream/kinds.ts';
import { createServedAgent } from './asked/served-agent.ts';
import { createDestinationLocks } from './host/destination-locks.ts';
import { keepStateFolder } from './host/keep-state-folder.ts';
import { createLogLevel } from './host/log-level.ts';
import { createMetricsPush } from './host/push-metrics.ts';
import { claimStateFolder, noStateFolder } from './host/state-folder.ts';
import { startMemoryTrim } from './host/trim-memory.ts';
import { createLiveConfig } from './live-config.ts';
import { collectGauges } from './observe.ts';
import type { ReloadSummary } from './reload.ts';
import { createServiceReport } from './service-report.ts';
import { longestStopMs, stopDeadlines } from './stop-policy.ts';
import { gatherSources } from './view/gather-sources.ts';
import { type Core, type RunRole, type Serving, wireCore, wireServing } from './wire.ts';

export interface AgentOptions {
  config: ResolvedConfig;
  /** What `config` was loaded from, for reloads. */
  configPaths: readonly string[];
  /** How it was loaded from them. */
  load?: LoadOptions;
  env: NodeJS.ProcessEnv;
  log: LogSink;
  /** False: it is there for one program only, beside the host's agent; neither config nor templates are watched (default true). */
  canReload?: boolean;
  /** Secrets that nothing of this config uses are not obtained (default false). */
  obtainsUsedOnly?: boolean;
  /** False: another agent has the folder of the state, and this one writes no files (default true). */
  hasState?: boolean;
  role?: RunRole;
}

export interface Agent {
  /** Resolves when the listeners are up; secrets arrive later. Rejects when a listener cannot start. */
  start(): Promise<void>;
  /** Resolves to the error that the agent cannot live with: a login that failed under `exit_on_error`. */
  readonly failed: Promise<LatchkeyError>;
  /** Resolves when a caller asked the agent to quit. */
  readonly quitting: Promise<{ revoke: boolean }>;
  status(): AgentStatus;
  refresh(names?: readonly string[]): Promise<readonly RefreshOutcome[]>;
  /** Takes over the config as it is on disk now. Rejects and keeps the old one when anything in it is wrong. */
  reload(options?: { reopenLogs?: boolean }): Promise<ReloadSummary>;
  readonly core: Core;
  readonly clock: Clock;
  /**
   * Hasty: children that do not end are killed after a moment, and leases that cannot be revoked at once are left to
   * their end. Else each child has its `stop.timeout`. `revokes`: nothing comes after this agent, so every lease and token
   * of its logins is revoked, whatever `on_exit` says; with `all` the certificates and tokens that have no lease too.
   */
  close(options: { isHasty: boolean; revokes?: 'leases' | 'all' | undefined }): Promise<void>;
}

export async function createAgent(options: AgentOptions): Promise<Agent> {
  await loadKinds(options.config.upstreams);
  const { env, log, hasState = true, obtainsUsedOnly = false, role = 'agent' } = options;
  const logger: Logger = log.logger;
  const surroundings = {
    ...systemSurroundings(logger, env),
    faultOf: (...asked: Parameters<FaultOf>) => live.faultOf(...asked),
  };
  const { clock } = surroundings;
  const startedAt = clock.wall();
  const state = hasState ? await claimStateFolder({ config: options.config, logger }) : noStateFolder;
  const core = wireCore(options.config, surroundings, { stateFolder: state.path, role, obtainsUsedOnly });
  const kept = keepStateFolder({
    ...{ state, clock, config: options.config, logger },
    onRenewed: core.engine.remember,
  });
  const locks = createDestinationLocks(env);
  let serving: Serving | undefined;
  let reaper: Reaper | undefined;
  let stopTrimming: (() => void) | undefined;
  const metricsPush = createMetricsPush({ ...core, clock, logger, startedAt });
  const quit = Promise.withResolvers<{ revoke: boolean }>();
  const logLevel = createLogLevel({ log, clock, configured: () => live.now().log.level });
  const live = createLiveConfig({
    ...options,
    core,
    locks,
    clock,
    serving: () => serving,
    tellService: (message) => service.tellReload(message),
    async onReloaded(config) {
      logLevel.reloaded();
      metricsPush.set(config.telemetry.otlp);
      await verify();
    },
    onEnd: () => service.look(),
  });

  const parts = { core, live, kept, log, logLevel, serving: () => serving };
  const sources = gatherSources({ ...parts, startedAt });
  const service = createServiceReport(core, sources, surroundings);
  const served = createServedAgent({ ...parts, ...surroundings, sources, verify, quit: quit.resolve });

  async function verify(keys?: readonly string[]): Promise<void> {
    await kept.verify();
    serving?.server.verify();
    await core.files.verify(keys);
  }

  return {
    core,
    clock,
    failed: core.upstreams.failed,
    quitting: quit.promise,
    async start() {
      if (!hardenProcess()) logger.warn({}, 'core files and tracing cannot be switched off here');
      reaper = startReaper({ clock, logger });
      // Nor must one that would write what another writes; what comes for one program only may.
      if (hasState) await locks.prepare(live.now().files.map(({ destination }) => destination)).commit();
      serving = await wireServing(live.now(), core, served, surroundings);
      // The same for one that finds another at its sockets.
      const [problem] = await serving.server.start();
      if (problem !== undefined) throw problem;
      core.engine.start();
      core.startUpstreams();
      core.files.start();
      core.supervisor.start();
      collectGauges(core.registry, core.metrics, sources);
      metricsPush.set(live.now().telemetry.otlp);
      live.watch();
      service.start();
      stopTrimming = startMemoryTrim(clock, core.changes, core.requests, serving.server.onConnections);
    },
    status: served.status,
    refresh: served.refresh,
    reload: live.reload,
    async close({ isHasty, revokes }) {
      const deadlines = stopDeadlines(isHasty, live.now());
      if (revokes === undefined) tellLostLogins(core, logger);
      // Children have the time that the config gives them, whatever the unit gives the agent.
      service.stopping(longestStopMs(deadlines));
      stopTrimming?.();
      logLevel.close();
      metricsPush.close();
      core.engine.quiesce();
      // Listeners, children and commands side by side: none of them uses another on its way out.
      live.close();
      await Promise.all([
        serving?.server.close({ drainMs: deadlines.drainMs }),
        core.supervisor.close({ signal: AbortSignal.timeout(deadlines.childrenMs) }),
        core.files.close({ signal: AbortSignal.timeout(deadlines.commandsMs) }),
      ]);
      serving?.ledger.close();
      core.environments.close();
      const signal = AbortSignal.timeout(deadlines.upstreamMs);
      const { logins } = await core.engine.close({
        signal,
        onExit: revokes && 'revoke',
        revokesAll: revokes === 'all',
      });
      await core.upstreams.close({ leases: core.engine.leases(), logins, signal });
      core.index.close();
      serving?.audit.close();
      service.close();
      reaper?.close();
      locks.close();
      kept.release();
      logger.info({}, 'stopped');
    },
  };
}

function tellLostLogins({ engine }: Core, logger: Logger): void {
  for (const upstream of engine.lostLogins()) {
    logger.warn(
      { upstream },
      'the next start cannot log in with what was used up: give it a new credential before',
    );
  }
}
