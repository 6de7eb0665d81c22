// The story of the demo on a terminal: the shared key is rotated once; shown is who picked it up, when, at what cost.

import { setTimeout as delay } from 'node:timers/promises';
import { counted } from '../../base/text/counted.ts';
import { formatTable } from '../text/table.ts';
import { databaseTtlSeconds } from './demo-files.ts';
import { type DemoStage, orderService, services } from './demo-stage.ts';
import type { PaymentsApi } from './payments-api.ts';

export interface DemoStory {
  /** Rotates the shared key and shows the outcome; false when a call failed or a service did not move. */
  rotate(): Promise<boolean>;
}

interface StoryOptions {
  readonly stage: DemoStage;
  say(line: string): void;
  readonly signal: AbortSignal;
}

const pickUpDeadlineMs = 30_000;

export function createDemoStory({ stage, say, signal }: StoryOptions): DemoStory {
  const { payments, hasDatabase, programs, until } = stage;
  const names = Object.keys(services);

  async function rotate(): Promise<boolean> {
    const usersBefore = new Set(payments.calls(orderService).databaseUsers);
    const old = stage.key();
    say('\nrotating the shared Stripe key: new key at the provider, then in the vault; nothing is deployed');
    const key = stage.newKey();
    const begin = performance.now();
    await stage.putKey(key);
    const allMoved = await until(
      'all services use the new key',
      async () => names.every((name) => payments.calls(name).firstUse.has(key)),
      pickUpDeadlineMs,
    )
      .then(() => true)
      .catch(() => false);
    signal.throwIfAborted();
    programs.throwIfEnded();
    if (allMoved) payments.revoke(old);
    // The old key is gone now: whoever still used it would fail in this second.
    await delay(1000, undefined, { signal });
    if (hasDatabase) {
      say(`waiting for the database credential (it lives ${databaseTtlSeconds} s) to be replaced under load`);
      await until(
        'the database credential is replaced',
        async () => [...payments.calls(orderService).databaseUsers].some((user) => !usersBefore.has(user)),
        databaseTtlSeconds * 2000,
      );
    }
    return report(payments, begin, key);
  }

  function report(api: PaymentsApi, begin: number, key: string): boolean {
    const rows = names.map((name) => {
      const { calls, failed, firstUse, queries, failedQueries, databaseUsers } = api.calls(name);
      const moved = firstUse.get(key);
      const database =
        queries + failedQueries > 0
          ? `${counted(queries, 'login')} as ${counted(databaseUsers.size, 'user')}`
          : '-';
      return [
        name,
        moved === undefined ? 'NOT YET' : `${((moved - begin) / 1000).toFixed(2)} s`,
        String(calls),
        database,
        String(failed + failedQueries),
        '0',
      ];
    });
    const head = ['SERVICE', 'NEW KEY AFTER', 'CALLS', 'DATABASE', 'FAILED CALLS', 'DEPLOYMENTS'];
    say(`\n${formatTable(head, rows).trimEnd()}`);
    for (const name of names) {
      const { lastFailure } = api.calls(name);
      if (lastFailure !== undefined) say(`${name}: last failure: ${lastFailure}`);
    }
    return rows.every((row) => row[1] !== 'NOT YET' && row[4] === '0');
  }

  return { rotate };
}
