// What may be asked of a running agent: by its listeners, by signals and by the command that started it.
import type { DrillAnswer, DrillKind, RefreshOutcome } from '../../api/admin.ts';
import type { Logger } from '../../base/logger.ts';
import type { FaultOf } from '../../base/surroundings.ts';
import type { AgentView } from '../../server/agent-view.ts';
import type { LogLevelSwitch } from '../host/log-level.ts';
import type { LiveConfig } from '../live-config.ts';
import { drillConsumers } from '../view/drill-consumers.ts';
import { explainSubject, nearestSubject } from '../view/explain-subject.ts';
import { readinessOf } from '../view/readiness-of.ts';
import { statusOf } from '../view/status.ts';
import type { StatusSources } from '../view/status-sources.ts';
import { stepEventOf, timelineOf } from '../view/timeline-view.ts';
import type { Core, Serving } from '../wire.ts';
import { findEntry } from './find-entry.ts';
import { refreshNow } from './refresh-now.ts';
import { rotateNow } from './rotate-now.ts';
import { createUpstreamAccess } from './upstream-access.ts';

interface ServedParts {
  readonly core: Core;
  readonly sources: StatusSources;
  readonly live: Pick<LiveConfig, 'now' | 'reload'>;
  readonly logLevel: Pick<LogLevelSwitch, 'set'>;
  readonly logger: Logger;
  readonly faultOf: FaultOf;
  serving(): Serving | undefined;
  /** Looks whether what the agent has put on this host is as it was put there; `keys`: of files, those that use these. */
  verify(keys?: readonly string[]): Promise<void>;
  readonly quit: (wish: { revoke: boolean }) => void;
}

export interface ServedAgent extends AgentView {
  /** Without names of every secret. */
  refresh(names?: readonly string[], signal?: AbortSignal): Promise<readonly RefreshOutcome[]>;
}

export function createServedAgent(parts: ServedParts): ServedAgent {
  const { core, sources, live, logger, verify } = parts;
  const { store, names, engine } = core;

  async function refresh(
    asked?: readonly string[],
    signal?: AbortSignal,
  ): Promise<readonly RefreshOutcome[]> {
    logger.info({ names: asked ?? 'all' }, 'refresh was asked for');
    return await refreshNow(core, { names: asked, signal, verify });
  }

  async function drill(name: string, request: { kind: DrillKind; notify: boolean }): Promise<DrillAnswer> {
    const { key } = findEntry(core, name);
    const consumers = await drillConsumers(core, parts.serving()?.ledger, { key, ...request });
    return { name, kind: request.kind, consumers };
  }

  function livesOn(): { name: string; why: string }[] {
    return engine.lasting().flatMap(({ key, why }) => {
      const own = names.namesOf(key);
      return (own.length === 0 ? [key] : own).map((name) => ({ name, why }));
    });
  }

  return {
    store,
    names,
    status: () => statusOf(sources),
    readiness: () => readinessOf(sources),
    refresh,
    faultOf: parts.faultOf,
    hooks: () => live.now().hooks,
    mayHaveChanged(changed) {
      const keys = changed.flatMap((name) => names.find(name)?.entry.key ?? []);
      engine.lookAgain(keys, { isTold: true });
    },
    reload: live.reload,
    rotate: (name, request) => rotateNow(core, name, request),
    setLogLevel: parts.logLevel.set,
    livesOn,
    quit: (wish) => parts.quit(wish ?? { revoke: false }),
    explain: (subject) => explainSubject(subject, core, sources, live.now()),
    nearestSubject: (subject) => nearestSubject(subject, live.now(), statusOf(sources)),
    drill,
    keyOf: (word) => findEntry(core, word).key,
    timeline: (name, last) => timelineOf(name, last, { ...core, startedAt: sources.startedAt }),
    onStep: (listener) =>
      core.timeline.listen((rotation, step) => listener(stepEventOf(rotation, step, names))),
    onChange: core.changes,
    ...createUpstreamAccess(core),
  };
}
