// Finds out whether a program works: asks a URL or runs a command until it says yes or the time is over.

import { request as httpRequest } from 'node:http';
import type { RunCommand } from '../base/run-command.ts';
import { nodeHttps } from '../base/system/node-tls.ts';
import type { Clock } from '../base/time/clock.ts';
import type { SettleConfig } from '../config/resolved.ts';

export type Health = { readonly isHealthy: true } | { readonly isHealthy: false; readonly reason: string };

interface ProbeOptions {
  readonly clock: Clock;
  readonly runCommand: RunCommand;
  /** Ends the probing; the answer is then that it is not healthy. */
  readonly signal: AbortSignal;
}

const firstPauseMs = 50;
const longestPauseMs = 1000;
const longestTryMs = 5000;

/** Never rejects. The reason is that of the last try. */
export async function probeHealth(probe: SettleConfig, options: ProbeOptions): Promise<Health> {
  const { clock, signal } = options;
  const end = clock.now() + probe.timeoutMs;
  let pauseMs = firstPauseMs;
  for (;;) {
    const leftMs = end - clock.now();
    const health = await tryOnce(probe, Math.max(1, Math.min(longestTryMs, leftMs)), options);
    if (health.isHealthy || signal.aborted || clock.now() + pauseMs >= end) return health;
    try {
      await clock.sleep(pauseMs, signal);
    } catch {
      return health; // aborted while it waited
    }
    pauseMs = Math.min(longestPauseMs, pauseMs * 2);
  }
}

async function tryOnce(probe: SettleConfig, timeoutMs: number, options: ProbeOptions): Promise<Health> {
  if (probe.kind === 'http') return askUrl(probe.url, timeoutMs, options);
  try {
    const result = await options.runCommand({ command: probe.command, timeoutMs, signal: options.signal });
    if (result.code === 0) return { isHealthy: true };
    const how = result.timedOut
      ? 'did not end in time'
      : `ended with ${result.signal ?? `exit code ${result.code}`}`;
    const said = result.lastLine === '' ? '' : `: ${result.lastLine}`;
    return { isHealthy: false, reason: `${probe.command[0]} ${how}${said}` };
  } catch (error) {
    return { isHealthy: false, reason: (error as Error).message };
  }
}

function askUrl(url: string, timeoutMs: number, { clock, signal }: ProbeOptions): Promise<Health> {
  const request = url.startsWith('https:') ? nodeHttps().request : httpRequest;
  return new Promise((resolve) => {
    const fail = (reason: string) => resolve({ isHealthy: false, reason: `${url} ${reason}` });
    const asked = request(
      url,
      { method: 'GET', agent: false, signal, headers: { connection: 'close' } },
      (response) => {
        const status = response.statusCode ?? 0;
        response.destroy();
        if (status >= 200 && status < 300) resolve({ isHealthy: true });
        else fail(`answered ${status}`);
      },
    );
    const timer = clock.setTimer(timeoutMs, () => {
      fail('did not answer in time');
      asked.destroy();
    });
    asked.on('error', (error: NodeJS.ErrnoException) =>
      fail(`cannot be asked (${error.code ?? error.name})`),
    );
    asked.once('close', () => timer.cancel());
    asked.end();
  });
}
