// The config that is in force: taken over from disk by a reload, one at a time, as a whole or not at all, and watched. What was
// refused is told to systemd and kept for the status until the next good one.
import { basename, dirname } from 'node:path';
import { describeError } from '../base/errors.ts';
import type { LogSink } from '../base/logger.ts';
import { createFileWatch } from '../base/paths/file-watch.ts';
import type { FaultOf } from '../base/surroundings.ts';
import type { Clock } from '../base/time/clock.ts';
import { configFoldersOf, isConfigFileName, type LoadOptions, loadConfig } from '../config/load.ts';
import { trustFault } from '../config/resolve/check-modes.ts';
import type { ResolvedConfig } from '../config/resolved.ts';
import { createLimit } from '../files/transaction/limit.ts';
import type { DestinationLocks } from './host/destination-locks.ts';
import { type ReloadSummary, reloadParts } from './reload.ts';
import type { StatusSources } from './view/status-sources.ts';
import type { Core, Serving } from './wire.ts';

export interface LiveConfig {
  now(): ResolvedConfig;
  /** Why others can change what is about to be read again, where the config does not put up with that. */
  readonly faultOf: FaultOf;
  status: StatusSources['config'];
  /** Rejects and keeps the old one when anything in the new one is wrong. */
  reload(settings?: { reopenLogs?: boolean }): Promise<ReloadSummary>;
  /** From now on what changes on disk is taken over: the config's files, and those of templates. */
  watch(): void;
  close(): void;
}

interface LiveConfigOptions {
  readonly config: ResolvedConfig;
  readonly configPaths: readonly string[];
  readonly load?: LoadOptions;
  readonly env: NodeJS.ProcessEnv;
  readonly log: LogSink;
  /** Default true. */
  readonly canReload?: boolean;
  readonly core: Core;
  readonly locks: DestinationLocks;
  readonly clock: Clock;
  serving(): Serving | undefined;
  tellService(message: string): void;
  onReloaded(config: ResolvedConfig): Promise<void>;
  /** After each reload, however it ended. */
  onEnd(): void;
}

/** Editors and config managers write in several steps. */
const quietOnDiskMs = 200;
/** EINVAL, for systemd. */
const invalidArgument = 22;

export function createLiveConfig(options: LiveConfigOptions): LiveConfig {
  const { env, log, canReload = true, core, locks, clock, tellService } = options;
  const { logger } = log;
  let config = options.config;
  let loaded = { loadedAt: clock.wall(), reloadError: undefined as string | undefined };
  const configFolders = configFoldersOf(options.configPaths, options.load);
  const reloads = createLimit(1);
  let nextReload: Promise<ReloadSummary> | undefined;
  const files = createFileWatch({
    ...{ logger, tellsGone: true, quietMs: quietOnDiskMs, readAt: performance.timeOrigin },
    onChange: (paths) => void changedOnDisk(paths),
  });

  async function takeOver(): Promise<ReloadSummary> {
    tellService(`RELOADING=1\nMONOTONIC_USEC=${process.hrtime.bigint() / 1000n}`);
    try {
      const next = loadConfig(options.configPaths, { env, ...options.load });
      for (const warning of next.warnings) logger.warn({}, `the config is used as it is: ${warning}`);
      const serving = options.serving();
      const summary = await reloadParts({ before: config, next, core, serving, log, locks });
      config = next;
      const wasRefused = loaded.reloadError !== undefined;
      loaded = { loadedAt: clock.wall(), reloadError: undefined };
      core.metrics.reloads.with('done').inc();
      const { changed } = summary;
      logger.info({ changed }, changed.length === 0 ? 'config is the same' : 'config was reloaded');
      watch();
      await options.onReloaded(next);
      tellService(wasRefused ? 'READY=1\nERRNO=0' : 'READY=1');
      return summary;
    } catch (error) {
      loaded = { ...loaded, reloadError: describeError(error) };
      core.metrics.reloads.with('failed').inc();
      logger.error({ error: describeError(error) }, 'config was not reloaded: the old one stays');
      // The reload is over for systemd too; what it is told stays in `systemctl status` until the next good one.
      tellService(`READY=1\nERRNO=${invalidArgument}`);
      throw error;
    } finally {
      options.onEnd();
    }
  }

  function reload({ reopenLogs = false } = {}): Promise<ReloadSummary> {
    if (reopenLogs) {
      log.reopen();
      options.serving()?.audit.reopen();
    }
    if (!canReload) return Promise.resolve({ changed: [] });
    // One that has not begun yet reads what all who came meanwhile mean.
    nextReload ??= reloads(async () => {
      // Those of the same moment share it too.
      await Promise.resolve();
      nextReload = undefined;
      return await takeOver();
    });
    return nextReload;
  }

  async function changedOnDisk(paths: readonly string[]): Promise<void> {
    const isConfig = paths.some((path) => config.sources.includes(path) || isInConfigFolder(path));
    if (isConfig)
      await reload().catch(() => undefined); // logged by reload
    else for (const path of paths) await rereadTemplates(path);
  }

  async function rereadTemplates(path: string): Promise<void> {
    const destinations = await core.files.reloadTemplates(path);
    if (destinations.length > 0) logger.info({ destinations }, 'a template changed');
  }

  const faultOf: FaultOf = (...asked) => (config.areModesStrict ? trustFault(...asked) : undefined);

  /** A file that comes into a folder of config files belongs to the config. */
  function isInConfigFolder(path: string): boolean {
    return configFolders.includes(dirname(path)) && isConfigFileName(basename(path));
  }

  function watch(): void {
    if (canReload) void files.set([...config.sources, ...core.files.templatePaths()], configFolders);
  }

  return {
    now: () => config,
    faultOf,
    status: () => ({ sources: config.sources, ...loaded }),
    reload,
    watch,
    close: files.close,
  };
}
