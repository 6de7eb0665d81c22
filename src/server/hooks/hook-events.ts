// What a message of a hook brings about: the secrets that it names are asked for. At once while there are few of them; what
// comes faster is put together, and none is lost.
import type { Timer } from '../../base/time/clock.ts';
import type { HookConfig } from '../../config/resolved.ts';
import type { ServerContext } from '../http/server-context.ts';
import { createRequestRate } from './request-rate.ts';

export interface HookEvents {
  /** Returns the names that are asked for, now or soon. */
  happened(hook: HookConfig): string[];
  /** Once more in so long, unless something happens before. */
  willHappen(hook: HookConfig, inMs: number): void;
  close(): void;
}

export function createHookEvents({ view, clock }: Pick<ServerContext, 'view' | 'clock'>): HookEvents {
  const rate = createRequestRate(clock);
  const waiting = new Map<string, Timer>();

  const namesOf = ({ refresh }: HookConfig): string[] =>
    view.names
      .all()
      .map(({ config: { name } }) => name)
      .filter((name) => isAskedFor({ refresh }, name));

  function tell(hook: HookConfig): void {
    const waitMs = rate.take(hook.name, hook.eventsPerMinute);
    if (waitMs === 0) {
      waiting.delete(hook.name);
      view.mayHaveChanged(namesOf(hook));
      return;
    }
    tellIn(waitMs, hook);
  }

  function tellIn(ms: number, hook: HookConfig): void {
    const timer = clock.setTimer(ms, () => tell(hook));
    waiting.set(hook.name, timer);
  }

  return {
    happened(hook) {
      if (!waiting.has(hook.name)) tell(hook);
      return namesOf(hook);
    },
    willHappen(hook, inMs) {
      if (!waiting.has(hook.name)) tellIn(inMs, hook);
    },
    close() {
      for (const timer of waiting.values()) timer.cancel();
      waiting.clear();
    },
  };
}

/** Whether a message of the hook makes upstream be asked for this secret. */
export function isAskedFor({ refresh }: Pick<HookConfig, 'refresh'>, name: string): boolean {
  return refresh.some((pattern) =>
    pattern.endsWith('*') ? name.startsWith(pattern.slice(0, -1)) : pattern === name,
  );
}
