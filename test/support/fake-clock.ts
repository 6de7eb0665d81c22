// A clock that tests drive: nothing happens until `advance`, then every due timer runs in order of its time, and
// the promises it settles run before the next one. Only for code whose every wait goes through `Clock`.
import type { Clock } from '../../src/base/time/clock.ts';

export interface FakeClock extends Clock {
  /** Runs all that is due in the next `ms`, in order, each followed by its microtasks. */
  advance(ms: number): Promise<void>;
  /** Advances in steps of `stepMs` until `condition` holds; throws when it does not within `limitMs`. */
  until(condition: () => boolean, limitMs: number, stepMs?: number): Promise<void>;
  /** Lets promises settle without moving time. */
  settle(): Promise<void>;
  /** Moves wall time only: a clock that was set, or a host that slept. */
  jumpWall(ms: number): void;
  /** How many timers are set. */
  readonly pending: number;
}

interface FakeTimer {
  readonly at: number;
  readonly order: number;
  callback: (() => void) | undefined;
}

export function createFakeClock(options: { wall?: number } = {}): FakeClock {
  let monotonic = 0;
  let offset = options.wall ?? Date.UTC(2030, 0, 1);
  let order = 0;
  let live = 0;
  const heap: FakeTimer[] = [];

  const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

  function setTimer(delayMs: number, callback: () => void) {
    order += 1;
    live += 1;
    const timer: FakeTimer = { at: monotonic + Math.max(0, delayMs), order, callback };
    pushTimer(heap, timer);
    return {
      cancel: () => {
        if (timer.callback !== undefined) live -= 1;
        timer.callback = undefined;
      },
    };
  }

  async function advance(ms: number): Promise<void> {
    const target = monotonic + ms;
    await settle();
    for (let first = heap[0]; first !== undefined && first.at <= target; first = heap[0]) {
      popTimer(heap);
      const { callback } = first;
      if (callback === undefined) continue;
      first.callback = undefined;
      live -= 1;
      monotonic = Math.max(monotonic, first.at);
      callback();
      await settle();
    }
    monotonic = target;
  }

  return {
    now: () => monotonic,
    wall: () => offset + monotonic,
    setTimer,
    sleep: (delayMs, signal) =>
      new Promise((resolve, reject) => {
        signal?.throwIfAborted();
        const abort = () => {
          timer.cancel();
          reject(signal?.reason);
        };
        const timer = setTimer(delayMs, () => {
          signal?.removeEventListener('abort', abort);
          resolve();
        });
        signal?.addEventListener('abort', abort, { once: true });
      }),
    advance,
    async until(condition, limitMs, stepMs = 100) {
      const end = monotonic + limitMs;
      await settle();
      while (!condition()) {
        if (monotonic >= end) throw new Error(`the condition did not come true within ${limitMs} ms`);
        await advance(stepMs);
      }
    },
    settle,
    jumpWall: (ms) => {
      offset += ms;
    },
    get pending() {
      return live;
    },
  };
}

const isBefore = (a: FakeTimer, b: FakeTimer): boolean => a.at < b.at || (a.at === b.at && a.order < b.order);

function pushTimer(heap: FakeTimer[], timer: FakeTimer): void {
  let index = heap.length;
  heap.push(timer);
  while (index > 0) {
    const parentIndex = (index - 1) >> 1;
    const parent = heap[parentIndex];
    if (parent === undefined || !isBefore(timer, parent)) break;
    heap[index] = parent;
    index = parentIndex;
  }
  heap[index] = timer;
}

function popTimer(heap: FakeTimer[]): void {
  const last = heap.pop();
  if (last === undefined || heap.length === 0) return;
  let index = 0;
  for (;;) {
    let childIndex = index * 2 + 1;
    let child = heap[childIndex];
    if (child === undefined) break;
    const right = heap[childIndex + 1];
    if (right !== undefined && isBefore(right, child)) {
      child = right;
      childIndex += 1;
    }
    if (!isBefore(child, last)) break;
    heap[index] = child;
    index = childIndex;
  }
  heap[index] = last;
}
