// The way back: while a less preferred address serves, those before it in the config are asked now and then.

import type { Logger } from '../../base/logger.ts';
import type { Clock } from '../../base/time/clock.ts';
import { createEarliestTimer } from '../../base/time/earliest-timer.ts';
import type { UpstreamFailure } from '../gate/failure.ts';
import type { AddressList } from './address-list.ts';

export interface Failback {
  /** Begins to ask, until the first address serves again. */
  watch(): void;
  close(): void;
}

export interface FailbackOptions {
  readonly addresses: AddressList;
  readonly clock: Clock;
  readonly random: () => number;
  readonly logger: Logger;
  readonly probe: (address: string, signal: AbortSignal) => Promise<UpstreamFailure | undefined>;
  readonly onReturn: () => void;
}

const intervalMs = 30_000;

export function createFailback(options: FailbackOptions): Failback {
  const { addresses, clock, random, logger } = options;
  const lifetime = new AbortController();
  const timer = createEarliestTimer(clock, () => {
    look().then(watch, () => {
      // Only closing ends a look early.
    });
  });

  async function look(): Promise<void> {
    for (const address of addresses.preferred()) {
      if ((await options.probe(address, lifetime.signal)) !== undefined) continue;
      if (!addresses.use(address)) break;
      logger.info({ address }, 'a preferred address of the upstream serves again');
      options.onReturn();
      break;
    }
  }

  function watch(): void {
    if (timer.isPlanned() || lifetime.signal.aborted || addresses.preferred().length === 0) return;
    timer.within(intervalMs * (0.8 + random() * 0.4));
  }

  return {
    watch,
    close() {
      lifetime.abort();
      timer.cancel();
    },
  };
}
