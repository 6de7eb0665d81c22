// The one way from the engine to an upstream: so many requests at a time, each with an end, and every outcome noted in
// the upstream's outage state. Rate and sharing with the proxy are the upstream's own budget.
import type { Clock } from '../base/clock.ts';
import { errorCode, LatchkeyError } from '../base/errors.ts';
import { linkSignals } from '../base/linked-signal.ts';
import type { Priority, ReadableSource, RequestOptions } from '../store/secret-reading.ts';
import { createOutage, isRefusal, type Outage } from './outage.ts';
import type { ScheduleLimits } from './schedule-policy.ts';

export interface UpstreamCalls {
  /**
   * To the upstream of this name, or to `via` whatever has its name by now. Rejects with `config_invalid` when there is
   * none, `timeout` when it takes too long.
   */
  call<T>(
    name: string,
    options: RequestOptions,
    send: (upstream: ReadableSource, options: RequestOptions) => Promise<T>,
    via?: ReadableSource,
  ): Promise<T>;
  outage(name: string, via?: ReadableSource): Outage;
  upstream(name: string): ReadableSource | undefined;
  /** Whether a request to it is under way. */
  isBusy(upstream: ReadableSource): boolean;
  replace(upstreams: ReadonlyMap<string, ReadableSource>): void;
}

interface CallsOptions {
  clock: Clock;
  random: () => number;
  upstreams: ReadonlyMap<string, ReadableSource>;
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
  /** Of upstreams whose name another has now: what ails them says nothing of that one. */
  const linesOfReplaced = new WeakMap<ReadableSource, Line>();
  const busy = new Map<ReadableSource, number>();
  let { upstreams } = options;

  function isReplaced(name: string, via: ReadableSource | undefined): via is ReadableSource {
    return via !== undefined && via !== upstreams.get(name);
  }

  function count(upstream: ReadableSource, change: 1 | -1): void {
    const requests = (busy.get(upstream) ?? 0) + change;
    if (requests === 0) busy.delete(upstream);
    else busy.set(upstream, requests);
  }

  function lineOf(name: string, via?: ReadableSource): Line {
    const isOld = isReplaced(name, via);
    let line = isOld ? linesOfReplaced.get(via) : lines.get(name);
    if (line === undefined) {
      const outage = createOutage({ limits: { ...schedule.retry, maxMs: schedule.retry.maxMs / 2 }, random });
      line = { inFlight: 0, waiting: { interactive: new Set(), background: new Set() }, outage };
      if (isOld) linesOfReplaced.set(via, line);
      else lines.set(name, line);
    }
    return line;
  }

  return {
    outage: (name, via) => lineOf(name, via).outage,
    upstream: (name) => upstreams.get(name),
    isBusy: (upstream) => busy.has(upstream),
    replace: (next) => {
      upstreams = next;
    },
    async call(name, request, send, via) {
      const { signal } = request;
      const line = lineOf(name, via);
      await enter(line, request, options.concurrency);
      const startedAt = clock.now();
      const recovered = (): void => {
        if (line.outage.answered() && line === lines.get(name)) options.onRecovered(name);
      };
      try {
        signal.throwIfAborted();
        const upstream = via ?? upstreams.get(name);
        if (upstream === undefined) throw noSuchUpstream(name);
        count(upstream, 1);
        const answer = await withTimeout(clock, options.requestTimeoutMs, signal, name, (limited) =>
          send(upstream, { ...request, signal: limited }),
        ).finally(() => count(upstream, -1));
        recovered();
        return answer;
      } catch (error) {
        if (!signal.aborted) line.outage.failed(error, startedAt, clock.now());
        if (isRefusal(error)) recovered();
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
