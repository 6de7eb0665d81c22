// `latchkey status`: what the agent holds, waits for and plans, for people or as JSON.
import { setTimeout as delay } from 'node:timers/promises';
import { whyFile } from '../../agent/view/status.ts';
import type { AgentStatus } from '../../api/status.ts';
import { errorCode } from '../../base/errors.ts';
import { createTypedClient } from '../../client/typed-client.ts';
import { type SocketOptions, socketPathOf } from '../config-socket.ts';
import { reportFailure } from '../exit-code.ts';
import { printJson, printText } from '../output.ts';
import { stopSignal } from '../stop-signal.ts';
import { formatSpan, formatTable } from '../table.ts';

interface StatusOptions extends SocketOptions {
  json: boolean;
  watch: boolean;
}

const watchEveryMs = 1000;

/** 0: ready; 1: something is missing. */
export async function runStatus(options: StatusOptions): Promise<number> {
  const client = createTypedClient(await socketPathOf(options));
  const clear = options.watch && !options.json && process.stdout.isTTY ? '\u001b[H\u001b[2J' : '';
  const show = async (): Promise<AgentStatus> => {
    const status = await client.status();
    if (options.json) printJson(status);
    else {
      process.stdout.write(clear);
      printText(formatStatus(status, Date.now()));
    }
    return status;
  };
  if (!options.watch) return (await show()).ready ? 0 : 1;
  const stop = stopSignal({ output: process.stdout });
  while (!stop.signal.aborted) {
    await show().catch((error: unknown) => {
      if (errorCode(error) === 'denied') throw error;
      // An agent that is away now may be one that starts again: that is what one watches for.
      process.stdout.write(clear);
      reportFailure(error);
    });
    await delay(watchEveryMs, undefined, { signal: stop.signal }).catch(() => undefined); // ended by Ctrl-C
  }
  stop.dispose();
  return 0;
}

export function formatStatus(status: AgentStatus, now: number): string {
  const parts = [
    `latchkey ${status.version}, pid ${status.pid}, up ${formatSpan(now - Date.parse(status.started_at))}, ${status.ready ? 'ready' : 'not ready'}\n`,
    ...status.waiting_for.map((what) => `  waits for ${what}\n`),
    section('UPSTREAM', ['STATE', 'SINCE', 'ADDRESS', 'LOGIN', 'SAYS'], status.upstreams, (one) => [
      one.name,
      one.state,
      formatSpan(now - Date.parse(one.since)),
      one.address,
      one.login?.state ?? '-',
      one.message ?? '',
    ]),
    section('SECRET', ['STATE', 'VERSION', 'AGE', 'ENDS', 'NEXT', 'SAYS'], status.secrets, (one) => [
      one.names.join(',') || one.path,
      one.state,
      one.version === null ? '-' : String(one.version),
      one.age_seconds === null ? '-' : formatSpan(one.age_seconds * 1000),
      until(one.expires_at, now),
      one.next === null || one.next.at === 'never' ? '-' : `${one.next.action} in ${until(one.next.at, now)}`,
      one.error?.message ?? '',
    ]),
    section('FILE', ['STATE', 'SAYS'], status.files, (one) => [
      one.destination,
      one.state,
      sayOfFile(one, now),
    ]),
    section('PROCESS', ['STATE', 'PID', 'RESTARTS', 'SAYS'], status.processes, (one) => [
      one.name,
      one.state,
      one.pid === undefined ? '-' : String(one.pid),
      String(one.restarts),
      one.message ?? '',
    ]),
    section('LISTENER', ['SERVES'], status.listeners, (one) => [one.address, one.serve.join(',')]),
  ];
  return parts.filter((part) => part !== '').join('');
}

function section<T>(
  title: string,
  columns: readonly string[],
  items: readonly T[],
  row: (item: T) => string[],
): string {
  return items.length === 0 ? '' : `\n${formatTable([title, ...columns], items.map(row))}`;
}

/** Nothing where the state tells it all. */
function sayOfFile(file: AgentStatus['files'][number], now: number): string {
  const drift = file.drift && { what: file.drift.what, isOpen: file.drift.open };
  const why = whyFile({ ...file, drift });
  if (why === file.state || (file.state === 'current' && drift?.isOpen !== true)) return '';
  if (file.retry_at === null || file.retry_at === undefined) return why;
  return `${why}; tried again in ${formatSpan(Math.max(0, Date.parse(file.retry_at) - now))}`;
}

function until(time: string | null, now: number): string {
  if (time === null) return '-';
  const ms = Date.parse(time) - now;
  return ms < 0 ? `${formatSpan(ms)} ago` : formatSpan(ms);
}
