// Asks after a rotation whether the program is well: an http address that must answer with 2xx, or a command that must
// end with 0, tried again until the time is up, because a program that reloads may be away for a moment.

import { describeError, LatchkeyError } from '../../base/errors.ts';
import type { RunCommand } from '../../base/run-command.ts';
import type { SecretValue } from '../../base/secret-value.ts';
import type { Clock } from '../../base/time/clock.ts';
import { formatDuration } from '../../base/time/duration.ts';
import type { SettleConfig } from '../../config/resolved.ts';
import { runChecked } from './checked-command.ts';

export interface Probe {
  readonly config: SettleConfig;
  /** `files[2].settle` */
  readonly place: string;
  readonly placeholders: Readonly<Record<string, string>>;
  readonly masks: readonly SecretValue[];
}

interface SettleTools {
  readonly runCommand: RunCommand;
  readonly clock: Clock;
}

const firstPauseMs = 200;
const longestPauseMs = 2000;

/** Resolves with the first good answer; throws `settle_failed` with the last bad one when the time is up. */
export async function settle(probe: Probe, tools: SettleTools, signal: AbortSignal): Promise<void> {
  const { clock } = tools;
  const end = clock.now() + probe.config.timeoutMs;
  let pauseMs = firstPauseMs;
  for (;;) {
    const leftMs = end - clock.now();
    try {
      await probeOnce(probe, Math.max(1, leftMs), tools, signal);
      return;
    } catch (error) {
      signal.throwIfAborted();
      if (clock.now() + pauseMs >= end) throw notSettled(probe, error);
    }
    await clock.sleep(pauseMs, signal);
    pauseMs = Math.min(longestPauseMs, pauseMs * 2);
  }
}

/** What makes two probes one: the same question. */
export function probeKey(probe: Pick<Probe, 'config' | 'placeholders'>): string {
  return JSON.stringify(probe.config.kind === 'http' ? probe.config : [probe.config, probe.placeholders]);
}

function notSettled(probe: Probe, error: unknown): LatchkeyError {
  const what = probe.config.kind === 'http' ? probe.config.url : probe.config.command[0];
  return new LatchkeyError(
    'settle_failed',
    `${probe.place}: ${what} was not well within ${formatDuration(probe.config.timeoutMs)}: ${describeError(error)}`,
    { cause: error },
  );
}

async function probeOnce(
  probe: Probe,
  timeoutMs: number,
  tools: SettleTools,
  signal: AbortSignal,
): Promise<void> {
  const { config, place, placeholders, masks } = probe;
  if (config.kind === 'http') {
    const status = await askStatus(config.url, timeoutMs, signal);
    if (status < 200 || status > 299) throw new LatchkeyError('settle_failed', `answered with ${status}`);
    return;
  }
  const { command } = config;
  await runChecked(tools.runCommand, {
    command,
    timeoutMs,
    placeholders,
    place,
    code: 'settle_failed',
    signal,
    masks,
  });
}

async function askStatus(url: string, timeoutMs: number, signal: AbortSignal): Promise<number> {
  const { request: send } = await (url.startsWith('https:') ? import('node:https') : import('node:http'));
  return new Promise((resolve, reject) => {
    const limit = AbortSignal.timeout(Math.ceil(timeoutMs));
    const ask = send(url, { agent: false, signal: AbortSignal.any([signal, limit]) }, (response) => {
      resolve(response.statusCode ?? 0);
      response.destroy();
    });
    ask.on('error', (error) => {
      reject(limit.aborted ? new LatchkeyError('timeout', 'no answer') : error);
    });
    ask.end();
  });
}
