// Gathers questions that come at about the same time into one request; each asker gets its own answer or error.
import { LatchkeyError } from '../../base/errors.ts';
import type { Clock } from '../../base/time/clock.ts';
import { createEarliestTimer } from '../../base/time/earliest-timer.ts';
import type { RequestOptions } from '../../store/secret-reading.ts';

export interface Batcher<A> {
  ask(id: string, request: RequestOptions): Promise<A>;
}

export interface BatcherOptions<A> {
  readonly clock: Clock;
  /** The most ids of one request. */
  readonly most: number;
  /** Each id's answer or what is wrong with it; a rejection is everybody's. */
  run(ids: readonly string[], request: RequestOptions): Promise<ReadonlyMap<string, A | Error>>;
}

interface Asker<A> {
  readonly request: RequestOptions;
  resolve(answer: A): void;
  reject(error: unknown): void;
}

/** Somebody waits: only what comes in the same moment shares the request. The schedule does not mind a second, or more. */
const urgentMs = 5;
const backgroundMs = 1000;

export function createBatcher<A>({ clock, most, run }: BatcherOptions<A>): Batcher<A> {
  let waiting = new Map<string, Asker<A>[]>();
  const timer = createEarliestTimer(clock, flush);

  function flush(): void {
    timer.cancel();
    const all = [...waiting];
    waiting = new Map();
    for (let from = 0; from < all.length; from += most) void send(all.slice(from, from + most));
  }

  async function send(batch: readonly [string, readonly Asker<A>[]][]): Promise<void> {
    const askers = batch.flatMap(([, some]) => some);
    const isUrgent = askers.some(({ request }) => request.priority === 'interactive');
    const ending = new AbortController();
    // It ends when the last of those who ask has given up.
    const note = () => {
      if (askers.every(({ request }) => request.signal.aborted)) ending.abort();
    };
    for (const { request } of askers) request.signal.addEventListener('abort', note, { once: true });
    try {
      const answers = await run(
        batch.map(([id]) => id),
        { priority: isUrgent ? 'interactive' : 'background', signal: ending.signal },
      );
      for (const [id, some] of batch) {
        const answer = answers.get(id) ?? new Error(`the answer lacks ${id}`);
        for (const one of some) {
          if (answer instanceof Error) one.reject(answer);
          else one.resolve(answer);
        }
      }
    } catch (error) {
      for (const one of askers) one.reject(error);
    } finally {
      for (const { request } of askers) request.signal.removeEventListener('abort', note);
    }
  }

  /** Whoever gives up is answered at once, and asked for no more where nothing was sent yet. */
  function endWith(asker: Asker<A>, id: string, promise: Promise<A>): void {
    const { signal } = asker.request;
    const giveUp = (): void => {
      const others = (waiting.get(id) ?? []).filter((other) => other !== asker);
      if (others.length > 0) waiting.set(id, others);
      else waiting.delete(id);
      // A plan for nobody would keep a process that ends.
      if (waiting.size === 0) timer.cancel();
      asker.reject(givenUp());
    };
    const detach = (): void => signal.removeEventListener('abort', giveUp);
    promise.then(detach, detach);
    signal.addEventListener('abort', giveUp, { once: true });
  }

  return {
    ask(id, request) {
      if (request.signal.aborted) return Promise.reject(givenUp());
      const { promise, resolve, reject } = Promise.withResolvers<A>();
      const asker = { request, resolve, reject };
      waiting.set(id, [...(waiting.get(id) ?? []), asker]);
      endWith(asker, id, promise);
      request.promoted?.addEventListener('abort', flush, { once: true });
      const isUrgent = request.priority === 'interactive' || request.promoted?.aborted === true;
      timer.within(isUrgent ? urgentMs : (request.slackMs ?? backgroundMs));
      if (waiting.size >= most) flush();
      return promise;
    },
  };
}

function givenUp(): LatchkeyError {
  return new LatchkeyError('aborted', 'the request was given up while it waited for others');
}
