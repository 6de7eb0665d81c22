// Hot reload: decode strictly → build → start → swap → stop the old. What could fail comes first, so that a bad config
// changes nothing; a section that is the same is not touched.
import { isDeepStrictEqual } from 'node:util';
import { LatchkeyError } from '../base/errors.ts';
import type { LogSink } from '../base/logger.ts';
import type { ResolvedConfig } from '../config/resolved.ts';
import { validateParts } from './validate.ts';
import { type Core, measured, type Serving } from './wire.ts';

export interface ReloadSummary {
  /** The sections that differ; empty: nothing was done. */
  readonly changed: readonly string[];
}

interface ReloadOptions {
  before: ResolvedConfig;
  next: ResolvedConfig;
  core: Core;
  serving: Serving | undefined;
  log: LogSink;
}

const sections = [
  'upstreams',
  'secrets',
  'files',
  'processes',
  'listeners',
  'access',
  'audit',
  'log',
  'templates',
  'stateDir',
] as const;
/** What is wired once, at the start. */
const fixedParts: Readonly<Record<string, (config: ResolvedConfig) => unknown>> = {
  audit: ({ audit }) => audit,
  'log.file': ({ log }) => log.file,
  'log.format': ({ log }) => log.format,
  state_dir: ({ stateDir }) => stateDir,
  template: ({ templates }) => templates,
};

export async function reloadParts(options: ReloadOptions): Promise<ReloadSummary> {
  const { before, next, core, serving, log } = options;
  const changed = sections.filter(
    (section) => JSON.stringify(before[section]) !== JSON.stringify(next[section]),
  );
  if (changed.length === 0) {
    // Users and groups that rules name may be others by now.
    serving?.access.replace(next.access);
    return { changed };
  }
  const has = (section: (typeof sections)[number]) => changed.includes(section);
  for (const [part, of] of Object.entries(fixedParts)) {
    if (!isDeepStrictEqual(of(before), of(next)))
      log.logger.warn({ part }, `${part} changes only with a restart of the agent`);
  }
  const problems = await validateParts(next);
  if (problems.length > 0) throw new LatchkeyError('config_invalid', problems.join('\n'));
  // May throw, and then nothing has changed: sockets that cannot be had, templates that cannot be parsed.
  if (has('listeners')) await serving?.server.reconcile(next.listeners);
  core.setResolver(next);
  try {
    if (has('files') || has('secrets')) await core.files.reconcile(next.files, { force: has('secrets') });
  } catch (error) {
    core.setResolver(before);
    if (has('listeners')) await serving?.server.reconcile(before.listeners);
    throw error;
  }
  if (has('upstreams')) {
    core.upstreams.reconcile(next.upstreams, () =>
      core.engine.setUpstreams(measured(core.upstreams, core.metrics)),
    );
  }
  if (has('secrets')) core.names.reconcile(next.secrets);
  if (has('processes') || has('secrets')) {
    await core.supervisor.reconcile(next.processes, { force: has('secrets') });
  }
  serving?.access.replace(next.access);
  if (has('log')) log.setLevel(next.log.level);
  return { changed };
}
