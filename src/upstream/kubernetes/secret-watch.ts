// The watch of one Kubernetes secret: lines of events from the version that was read; begun again when it ends, is too old or
// falls silent.

import { isJsonObject, type JsonObject, parseJson } from '../../base/text/json.ts';
import { backoffDelayMs } from '../../base/time/backoff.ts';
import type { Clock } from '../../base/time/clock.ts';
import { linkSignals } from '../../base/time/linked-signal.ts';
import type { WireStream } from '../http/transport.ts';

export interface SecretWatch {
  close(): Promise<void>;
}

interface SecretWatchOptions {
  readonly clock: Clock;
  readonly random: () => number;
  /** Undefined: from now on. */
  readonly version: string | undefined;
  /** Rejects where the server refuses; the answer's lines are the events. */
  open(version: string | undefined, timeoutSeconds: number, signal: AbortSignal): Promise<WireStream>;
  onChange(): void;
  onTrouble(error: unknown): void;
}

const timeoutSeconds = 300;
/** Bookmarks come about each minute; nothing at all for longer than the whole watch is a dead connection. */
const silenceMs = (timeoutSeconds + 30) * 1000;
const retry = { minMs: 500, maxMs: 60_000 };
const longestLine = 4 * 2 ** 20;

export function startSecretWatch(options: SecretWatchOptions): SecretWatch {
  const { clock, random } = options;
  const lifetime = new AbortController();
  let version = options.version;
  let failures = 0;

  /** False: what it was begun from is too old. */
  function take(event: JsonObject): boolean {
    const object = isJsonObject(event['object']) ? event['object'] : {};
    if (event['type'] === 'ERROR') return false;
    const metadata = isJsonObject(object['metadata']) ? object['metadata'] : {};
    const next = metadata['resourceVersion'];
    const isNews = event['type'] !== 'BOOKMARK' && next !== version;
    if (typeof next === 'string') version = next;
    if (isNews) options.onChange();
    return true;
  }

  async function follow(): Promise<void> {
    const linked = linkSignals(lifetime.signal);
    let timer = clock.setTimer(silenceMs, linked.abort);
    try {
      const { body } = await options.open(version, timeoutSeconds, linked.signal);
      failures = 0;
      let rest = '';
      for await (const chunk of body as AsyncIterable<Buffer>) {
        timer.cancel();
        timer = clock.setTimer(silenceMs, linked.abort);
        const lines = `${rest}${chunk.toString('utf8')}`.split('\n');
        rest = lines.pop() ?? '';
        if (rest.length > longestLine) return;
        for (const line of lines) if (line !== '' && !take(eventIn(line))) return startAgain();
      }
    } finally {
      timer.cancel();
      linked.release();
    }
  }

  /** What happened meanwhile is not told: it is read. */
  function startAgain(): void {
    version = undefined;
    options.onChange();
  }

  async function run(): Promise<void> {
    while (!lifetime.signal.aborted) {
      try {
        await follow();
      } catch (error) {
        if (lifetime.signal.aborted) return;
        failures += 1;
        if (isTooOld(error)) startAgain();
        else if (failures === 1) options.onTrouble(error);
      }
      // A watch ends by itself every few minutes; those of a fleet must not come back in the same moment.
      const waitMs = failures === 0 ? 1000 * random() : backoffDelayMs(failures, retry, random);
      await clock.sleep(waitMs, lifetime.signal).catch(() => undefined); // closed: the loop ends
    }
  }

  const running = run();
  return {
    async close() {
      lifetime.abort();
      await running;
    },
  };
}

function isTooOld(error: unknown): boolean {
  return error instanceof Error && 'status' in error && error.status === 410;
}

function eventIn(line: string): JsonObject {
  try {
    const value = parseJson(line);
    if (isJsonObject(value)) return value;
  } catch {
    // The parser's error would quote a secret: it is an event that nobody understands.
  }
  return { type: 'ERROR' };
}
