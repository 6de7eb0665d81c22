// The one way from the engine to an upstream: so many requests at a time, each with an end, and every outcome noted in
// the upstream's outage state. Rate and sharing with the proxy are the upstream's own budget.
import type { Clock } from '../base/clock.ts';
import { errorCode, LatchkeyError } from '../base/errors.ts';
import { linkSignals } from '../base/linked-signal.ts';
import type { LeaseUpstream, Priority, RequestOptions } from './lease-upstream.ts';
import { createOutage, isRefusal, type Outage } from './outage.ts';
import type { ScheduleLimits } from './schedule-policy.ts';

export interface UpstreamCalls {
  /** Rejects with `config_invalid` when there is no such upstream, `timeout` when it takes too long. */
  call<T>(
    name: string,
    options: RequestOptions,
    send: (upstream: LeaseUpstream, options: RequestOptions) => Promise<T>,
  ): Promise<T>;
  outage(name: string): Outage;
  upstream(name: string): LeaseUpstream | undefined;
  replace(upstreams: ReadonlyMap<string, LeaseUpstream>): void;
}

interface CallsOptions {
  clock: Clock;
  random: () => number;
  upstreams: ReadonlyMap<string, LeaseUpstream>;
  schedule: ScheduleLimits;
  /** Requests in flight for each upstream. */
  concurrency: number;
  requestTimeoutMs: number;
  onRecovered: (name: string) => void;
}

interface Waiting {
  go(): void;
}

interface Line {
  inFlight: number;
  readonly waiting: Readonly<Record<Priority, Set<Waiting>>>;
  readonly outage: Outage;
}

export function createUpstreamCalls(options: CallsOptions): UpstreamCalls {
  const { clock, random, schedule } = options;
  const lines = new Map<string, Line>();
  let { upstreams } = options;

  function lineOf(name: string): Line {
    let line = lines.get(name);
    if (line === undefined) {
      const outage = createOutage({ limits: { ...schedule.retry, maxMs: schedule.retry.maxMs / 2 }, random });
      line = { inFlight: 0, waiting: { interactive: new Set(), background: new Set() }, outage };
      lines.set(name, line);
    }
    return line;
  }

  return {
    outage: (name) => lineOf(name).outage,
    upstream: (name) => upstreams.get(name),
    replace: (next) => {
      upstreams = next;
    },
    async call(name, request, send) {
      const { signal } = request;
      const line = lineOf(name);
      await enter(line, request, options.concurrency);
      const startedAt = clock.now();
      try {
        signal.throwIfAborted();
        const upstream = upstreams.get(name);
        if (upstream === undefined) throw noSuchUpstream(name);
        const answer = await withTimeout(clock, options.requestTimeoutMs, signal, name, (limited) =>
          send(upstream, { ...request, signal: limited }),
        );
        if (line.outage.answered()) options.onRecovered(name);
        return answer;
      } catch (error) {
        if (!signal.aborted) line.outage.failed(error, startedAt, clock.now());
        if (isRefusal(error) && line.outage.answered()) options.onRecovered(name);
        throw error;
      } finally {
        leave(line);
      }
    },
  };
}

function enter(line: Line, request: RequestOptions, limit: number): Promise<void> {
  const { signal, promoted } = request;
  if (line.inFlight < limit) {
    line.inFlight += 1;
    return Promise.resolve();
  }
  return new Promise((resolve, reject) => {
    let queue = line.waiting[promoted?.aborted === true ? 'interactive' : request.priority];
    const stop = () => {
      queue.delete(waiting);
      signal.removeEventListener('abort', giveUp);
      promoted?.removeEventListener('abort', promote);
    };
    const waiting: Waiting = {
      go() {
        stop();
        resolve();
      },
    };
    const giveUp = () => {
      stop();
      reject(new LatchkeyError('aborted', 'the request was given up before it was sent'));
    };
    const promote = () => {
      queue.delete(waiting);
      queue = line.waiting.interactive;
      queue.add(waiting);
    };
    if (signal.aborted) return giveUp();
    signal.addEventListener('abort', giveUp, { once: true });
    promoted?.addEventListener('abort', promote, { once: true });
    queue.add(waiting);
  });
}

/** Hands the place on: the count stays when somebody waits. */
function leave(line: Line): void {
  const { interactive, background } = line.waiting;
  const [next] = interactive.size > 0 ? interactive : background;
  if (next === undefined) line.inFlight -= 1;
  else next.go();
}

async function withTimeout<T>(
  clock: Clock,
  timeoutMs: number,
  signal: AbortSignal,
  name: string,
  send: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const limited = linkSignals(signal);
  const timer = clock.setTimer(timeoutMs, () => limited.abort());
  try {
    return await send(limited.signal);
  } catch (error) {
    const isLate = limited.signal.aborted && !signal.aborted;
    const isAbort = errorCode(error) === 'aborted' || (error instanceof Error && error.name === 'AbortError');
    if (!isLate || !isAbort) throw error;
    throw new LatchkeyError('timeout', `upstream ${name}: no answer within ${timeoutMs / 1000} s`, {
      cause: error,
    });
  } finally {
    timer.cancel();
    limited.release();
  }
}

function noSuchUpstream(name: string): LatchkeyError {
  return new LatchkeyError('config_invalid', `no upstream is named ${JSON.stringify(name)}`, {
    remedy: 'add it under upstreams, or name another one',
  });
}
