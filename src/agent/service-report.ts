// What the service manager (systemd) is told: READY=1 once everything is in place for the first time, not before, and how the agent
// is from then on.
import { existsSync } from 'node:fs';
import { headlineOf } from '../api/headline.ts';
import type { Surroundings } from '../base/surroundings.ts';
import { printable } from '../base/text/printable.ts';
import { createServiceNotifier } from './host/sd-notify.ts';
import { watchReadiness } from './readiness.ts';
import { degradedOf, type Readiness, readinessOf } from './view/readiness-of.ts';
import type { StatusSources } from './view/status-sources.ts';
import type { Core } from './wire.ts';

export interface ServiceReport {
  /** From now on readiness is looked at and told, and the watchdog fed. */
  start(): void;
  /** For what no change tells. */
  look(): void;
  /** Of a reload, once the start is over: until then systemd waits for that. */
  tellReload(message: string): void;
  /** It is looked at no more, and told that the end may take so long. */
  stopping(mostMs: number): void;
  close(): void;
}

export function createServiceReport(
  core: Core,
  sources: StatusSources,
  { env, logger, clock }: Surroundings,
): ServiceReport {
  const notifier = createServiceNotifier({ env, logger });
  let hasBeenReady = false;
  let wasReady: boolean | undefined;
  let told: string | undefined;
  let readiness: ReturnType<typeof watchReadiness> | undefined;

  function look(): void {
    const now = readinessOf(sources);
    const { isReady, missing } = now;
    const status = printable(serviceStatus(now, sources));
    hasBeenReady ||= isReady || isHeldByNobody(core);
    if (status !== told) notifier.send(hasBeenReady ? `READY=1\nSTATUS=${status}` : `STATUS=${status}`);
    told = status;
    if (isReady === wasReady) return;
    if (wasReady === undefined || isReady) logger.info({ missing }, isReady ? 'ready' : 'not ready yet');
    else logger.warn({ missing }, 'not ready any more');
    wasReady = isReady;
  }

  return {
    start() {
      const { changes, files } = core;
      readiness = watchReadiness({ changes, clock, isBusy: () => files.isBusy(), look });
      notifier.startWatchdog();
    },
    look: () => readiness?.look(),
    tellReload(message) {
      if (hasBeenReady) notifier.send(message);
    },
    stopping(mostMs) {
      notifier.send(`STOPPING=1\nEXTEND_TIMEOUT_USEC=${mostMs * 1000}`);
      readiness?.close();
    },
    close: notifier.close,
  };
}

/**
 * An upstream that is away at boot must not hold back what is ordered after the agent, if all its files are there from
 * before: it starts with them, and is told when they change.
 */
function isHeldByNobody({ files, upstreams }: Core): boolean {
  const isAway = [...upstreams.byName().values()].some((one) => !beginning.has(one.status().state));
  if (!isAway) return false;
  const all = files.status();
  return all.length > 0 && all.every(({ destination }) => existsSync(destination));
}

const beginning: ReadonlySet<string> = new Set(['starting', 'logging_in', 'ready']);

/** One line for `systemctl status`. */
function serviceStatus({ isReady, missing }: Readiness, sources: StatusSources): string {
  const text = isReady
    ? headlineOf({ ready: true, degraded: degradedOf(sources) })
    : `waits for ${missing.length}: ${missing[0] ?? ''}`;
  const { reloadError } = sources.config();
  if (reloadError === undefined) return text;
  return `${text}; the config before the one on disk is in force: ${reloadError.split('\n')[0]}`;
}
