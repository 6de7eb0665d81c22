// Requests that wait for a change: asked again when their entry changes, when the rules do, and for the last time when
// their time is over. What an answer is, the dialect says.
import type { Access } from '../../access/access.ts';
import type { Clock } from '../../base/time/clock.ts';
import type { AgentMetrics } from '../../metrics/agent-metrics.ts';
import type { Store } from '../../store/store.ts';
import type { ListenerScope } from '../listen/connection.ts';

/**
 * Tries to answer. Returns the key of the entry that it goes on waiting for, or undefined once it has answered;
 * with `isLast` it must answer.
 */
export type TryAnswer = (isLast: boolean) => string | undefined;

/** The request that waits, as far as waiting goes. */
interface Waiting {
  readonly connection: { readonly scope: ListenerScope };
  beginWait(): void;
  whenOver(work: () => void): void;
}

export interface Waits {
  /** Waits at most `waitMs` for a change of the entry. */
  add(exchange: Waiting, key: string, waitMs: number, tryAnswer: TryAnswer): void;
  /** Answers those of one listener as if their time was over. */
  finish(scope: ListenerScope): void;
  close(): void;
}

interface Wait {
  readonly exchange: Waiting;
  key: string;
  again(isLast: boolean): void;
}

export function createWaits(options: {
  store: Store;
  access: Access;
  clock: Clock;
  metrics: AgentMetrics;
}): Waits {
  const { store, access, clock, metrics } = options;
  const waits = new Map<string, Set<Wait>>();
  const openWaits = metrics.openWaits.with();

  function keep(wait: Wait): void {
    const those = waits.get(wait.key) ?? new Set();
    those.add(wait);
    waits.set(wait.key, those);
  }

  function forget(wait: Wait): void {
    const those = waits.get(wait.key);
    those?.delete(wait);
    if (those?.size === 0) waits.delete(wait.key);
  }

  const all = (): Wait[] => [...waits.values()].flatMap((those) => [...those]);
  const wake = (entry: { key: string }): void => {
    for (const wait of [...(waits.get(entry.key) ?? [])]) wait.again(false);
  };
  const stopStore = store.listen({ changed: wake, updated: wake, closed: wake });
  const stopAccess = access.onChange(() => {
    for (const wait of all()) wait.again(false);
  });

  return {
    add(exchange, key, waitMs, tryAnswer) {
      exchange.beginWait();
      openWaits.inc();
      let isOver = false;
      const end = (): void => {
        if (isOver) return;
        isOver = true;
        forget(wait);
        timer.cancel();
        openWaits.inc(-1);
      };
      const wait: Wait = {
        exchange,
        key,
        again(isLast) {
          const next = tryAnswer(isLast);
          if (next === undefined) end();
          else if (next !== wait.key) {
            forget(wait);
            wait.key = next;
            keep(wait);
          }
        },
      };
      const timer = clock.setTimer(waitMs, () => wait.again(true));
      exchange.whenOver(end);
      keep(wait);
    },
    finish(scope) {
      for (const wait of all()) if (wait.exchange.connection.scope === scope) wait.again(true);
    },
    close() {
      stopStore();
      stopAccess();
    },
  };
}
