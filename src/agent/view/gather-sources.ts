// Where each part of what status tells comes from.
import type { TroubleStatus } from '../../api/status.ts';
import { createSilentAudit } from '../../audit/audit-log.ts';
import type { LogSink } from '../../base/logger.ts';
import type { KeptStateFolder } from '../host/keep-state-folder.ts';
import type { LogLevelSwitch } from '../host/log-level.ts';
import type { LiveConfig } from '../live-config.ts';
import type { Core, Serving } from '../wire.ts';
import type { StatusSources } from './status-sources.ts';

interface Parts {
  readonly startedAt: number;
  readonly core: Core;
  readonly live: Pick<LiveConfig, 'now' | 'status'>;
  /** Undefined: nobody is served yet. */
  serving(): Serving | undefined;
  readonly kept: Pick<KeptStateFolder, 'trouble'>;
  readonly log: Pick<LogSink, 'trouble'>;
  readonly logLevel: Pick<LogLevelSwitch, 'status'>;
}

export function gatherSources({ startedAt, core, live, serving, kept, log, logLevel }: Parts): StatusSources {
  const { store, names, engine, upstreams, files, supervisor } = core;
  const noAudit = createSilentAudit();
  return {
    startedAt,
    config: live.status,
    wallNow: engine.wall,
    store,
    names,
    upstreams: () => upstreams.byName().values(),
    files: files.status,
    unwellFiles: files.unwell,
    processes: supervisor.status,
    listeners: () => serving()?.server.status() ?? [],
    listenerPaths: () => serving()?.server.paths() ?? [],
    hooks: () => live.now().hooks.map(({ name }) => name),
    leases: engine.leases,
    lastValueEnd: engine.lastValueEnd,
    lostLogins: engine.lostLogins,
    audit: () => (serving()?.audit ?? noAudit).status(),
    troubles: () => troublesOf(kept.trouble(), core.stateFailure(), log.trouble()),
    log: logLevel.status,
  };
}

/** What is wrong with the agent's own places on this host, in a clause each, with what it leads to. */
function troublesOf(
  folder: string | undefined,
  stateFailure: string | undefined,
  log: string | undefined,
): TroubleStatus[] {
  const file =
    stateFailure &&
    `the state file cannot be written (${stateFailure}); leases would be left to their end after a crash`;
  return Object.entries({ 'state folder': folder ?? file, log }).flatMap(([subject, message]) =>
    message === undefined ? [] : [{ subject, message }],
  );
}
