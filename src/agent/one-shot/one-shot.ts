// One pass over the files without an agent that stays: log in, fetch, render, notify, end. Credentials that were minted
// for the files stay alive, for the files are used after we are gone; those that were only looked at are revoked.

import type { ErrorCode } from '../../base/errors.ts';
import type { LogSink } from '../../base/logger.ts';
import { systemSurroundings } from '../../base/surroundings.ts';
import { trustFault } from '../../config/resolve/check-modes.ts';
import type { ResolvedConfig } from '../../config/resolved.ts';
import type { FileDiff } from '../../files/view/diff.ts';
import type { RenderResult } from '../../files/view/render-once.ts';
import { loadKinds } from '../../upstream/kinds.ts';
import { createDestinationLocks } from '../host/destination-locks.ts';
import { claimStateFolder, noStateFolder, type StateFolder } from '../host/state-folder.ts';
import { refusalOf, refusalsOf } from '../readiness.ts';
import { type Core, wireCore } from '../wire.ts';

export interface OneShotOptions {
  config: ResolvedConfig;
  log: LogSink;
  env: NodeJS.ProcessEnv;
  /** Ends the waiting for secrets, as a refused login does; what is there by then is reported. */
  signal: AbortSignal;
}

export interface RenderOutcome {
  /** Of the first file that is not in place; undefined: all are. */
  failure: ErrorCode | undefined;
  /** One line for each file, and one for each likely mistake in a template. */
  messages: readonly string[];
}

export interface DiffOutcome {
  files: readonly FileDiff[];
  warnings: readonly string[];
}

const closeDeadlineMs = 10_000;

export async function renderOnce(options: OneShotOptions): Promise<RenderOutcome> {
  const { config, log, env } = options;
  const state = await claimStateFolder({ config, logger: log.logger, remedy: askTheAgent });
  const locks = createDestinationLocks(env);
  const release = (): void => {
    locks.close();
    state.release();
  };
  try {
    // With a state folder of its own it would still write what an agent keeps current.
    await locks.prepare(config.files.map(({ destination }) => destination)).commit();
  } catch (error) {
    release();
    throw error;
  }
  const rendered = withCore(options, { state, onExit: 'keep' }, async (core, signal, warnings) => {
    const results = await core.files.renderOnce(signal, refusalsOf(core));
    const failed = results.find(({ outcome }) => outcome === 'failed' || outcome === 'missing');
    return {
      failure: failed === undefined ? undefined : codeOf(failed, core),
      messages: [...warnings, ...results.map((result) => describeResult(result, core))],
    };
  });
  return rendered.finally(release);
}

const askTheAgent =
  'it keeps these files current: `latchkey refresh` asks it to look again, `render --diff` writes nothing';

/** Writes nothing; the diffs mask every secret. */
export function diffOnce(options: OneShotOptions): Promise<DiffOutcome> {
  const mode = { state: noStateFolder, onExit: 'revoke' } as const;
  return withCore(options, mode, async (core, signal, warnings) => ({
    files: await core.files.diff(signal, refusalsOf(core)),
    warnings,
  }));
}

interface Mode {
  readonly state: StateFolder;
  readonly onExit: 'keep' | 'revoke';
}

async function withCore<T>(
  options: OneShotOptions,
  { state, onExit }: Mode,
  work: (core: Core, signal: AbortSignal, warnings: readonly string[]) => Promise<T>,
): Promise<T> {
  const { config, log, env } = options;
  const warnings: string[] = [];
  await loadKinds(config.upstreams);
  const surroundings = {
    ...systemSurroundings(log.logger, env),
    faultOf: config.areModesStrict ? trustFault : undefined,
  };
  const core = wireCore({ ...config, processes: [] }, surroundings, {
    stateFolder: state.path,
    role: 'once',
    obtainsUsedOnly: true,
    onTemplateWarning: (message) => warnings.push(`warning: ${message}`),
  });
  core.engine.start();
  core.startUpstreams();
  try {
    return await work(core, options.signal, warnings);
  } finally {
    const deadline = AbortSignal.timeout(closeDeadlineMs);
    // Before the files let go of their secrets: their leases would be revoked.
    await core.engine.close({ signal: deadline, onExit, revokesAll: onExit === 'revoke' });
    await core.files.close({ signal: deadline });
    await core.upstreams.close({ leases: core.engine.leases(), signal: deadline });
    core.index.close();
  }
}

function describeResult({ destination, outcome, message, missing }: RenderResult, core: Core): string {
  const reasons = missing.map(
    (one) => `${one.key}: ${one.message ?? refusalOf(core, one.key)?.message ?? one.reason}`,
  );
  // Of a set, the file that waits may be another one: then there is a message alone.
  const why = outcome === 'missing' && reasons.length > 0 ? reasons.join('; ') : message;
  return why === undefined ? `${destination}: ${outcome}` : `${destination}: ${outcome}: ${why}`;
}

/** What upstream said of the secret tells more than that it is missing. */
export function codeOf({ missing, code }: RenderResult, core: Core): ErrorCode {
  const first = missing[0]?.key ?? '';
  const said = core.store.find(first)?.error?.code ?? refusalOf(core, first)?.code;
  return said ?? (code === undefined || code === 'timeout' ? 'upstream_unavailable' : code);
}
