// One pass over the files without an agent that stays: log in, fetch, render, notify, end. Credentials that were minted
// for the files stay alive: the files are used after we are gone.
import { createSystemClock } from '../base/clock.ts';
import type { LogSink } from '../base/logger.ts';
import type { ResolvedConfig } from '../config/resolved.ts';
import type { FileDiff } from '../render/diff.ts';
import type { RenderResult } from '../render/render-once.ts';
import { type Core, wireCore } from './wire.ts';

export interface OneShotOptions {
  config: ResolvedConfig;
  log: LogSink;
  env: NodeJS.ProcessEnv;
  /** Ends the waiting for secrets; what is there by then is reported. */
  signal: AbortSignal;
}

export interface RenderOutcome {
  /** 0, or by the first failure: 3 denied, 4 no such secret, 5 upstream away, 1 anything else. */
  exitCode: number;
  /** One line for each file. */
  messages: readonly string[];
}

const closeDeadlineMs = 10_000;

export function renderOnce(options: OneShotOptions): Promise<RenderOutcome> {
  return withCore(options, async (core) => {
    const results = await core.files.renderOnce(options.signal);
    const failed = results.find(({ outcome }) => outcome === 'failed' || outcome === 'missing');
    return { exitCode: failed === undefined ? 0 : exitCodeOf(failed), messages: results.map(describeResult) };
  });
}

/** Writes nothing; the diffs mask every secret. */
export function diffOnce(options: OneShotOptions): Promise<FileDiff[]> {
  return withCore(options, (core) => core.files.diff(options.signal));
}

async function withCore<T>(options: OneShotOptions, work: (core: Core) => Promise<T>): Promise<T> {
  const { config, log, env } = options;
  const secrets = config.secrets.map((secret) => ({ ...secret, onExit: 'keep' as const }));
  const surroundings = { clock: createSystemClock(), random: Math.random, logger: log.logger, env };
  // Secrets that no file uses are not asked for.
  const core = wireCore({ ...config, secrets, processes: [] }, surroundings, { opensNames: false });
  core.engine.start();
  core.upstreams.start();
  try {
    return await work(core);
  } finally {
    const deadline = AbortSignal.timeout(closeDeadlineMs);
    await core.files.close({ signal: deadline });
    await core.engine.close({ signal: deadline });
    await core.upstreams.close({ revokeTokens: [...core.engine.leases()].length === 0, signal: deadline });
    core.index.close();
  }
}

function describeResult({ destination, outcome, message, missing }: RenderResult): string {
  const reasons = missing.map((one) => `${one.key}: ${one.message ?? one.reason}`);
  const why = [...(message === undefined ? [] : [message]), ...reasons].join('; ');
  return why === '' ? `${destination}: ${outcome}` : `${destination}: ${outcome}: ${why}`;
}

function exitCodeOf({ missing }: RenderResult): number {
  const reason = missing[0]?.reason;
  if (reason === 'denied') return 3;
  if (reason === 'absent') return 4;
  return reason === 'failed' || reason === 'pending' ? 5 : 1;
}
