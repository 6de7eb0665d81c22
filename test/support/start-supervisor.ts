// A supervisor over environments that tests drive.
import type { Test } from 'tap';
import { createSystemClock } from '../../src/base/time/clock.ts';
import type { ProcessConfig } from '../../src/config/resolved.ts';
import { createSupervisor, type Supervisor, type SupervisorOptions } from '../../src/supervise/supervisor.ts';
import { recordLogs } from './record-logs.ts';
import { createTestEnvironment, type TestEnvironment } from './test-environment.ts';
import { waitFor } from './wait-for.ts';

export interface StartedSupervisor {
  supervisor: Supervisor;
  /** Lines as `message {fields}`. */
  log(): string[];
  sources: TestEnvironment[];
}

/** Started, and closed with the test. */
export function startSupervisor(
  t: Test,
  processes: readonly ProcessConfig[],
  environmentOf: (config: ProcessConfig) => TestEnvironment = () => createTestEnvironment({}),
  changes: Partial<SupervisorOptions> = {},
): StartedSupervisor {
  const { logger, lines } = recordLogs();
  const sources: TestEnvironment[] = [];
  const supervisor = createSupervisor({
    processes,
    environmentOf: async (config) => {
      const source = environmentOf(config);
      return () => {
        sources.push(source);
        return source;
      };
    },
    clock: createSystemClock(),
    random: () => 0,
    logger,
    env: { PATH: process.env['PATH'], HOME: '/nowhere', VAULT_TOKEN: 'never' },
    valuesInUse: () => [],
    ...changes,
  });
  t.teardown(() => supervisor.close({ signal: AbortSignal.abort() }));
  supervisor.start();
  const log = () => lines.map(({ message, fields }) => `${message} ${JSON.stringify(fields)}`);
  return { supervisor, log, sources };
}

export const stateOf = (supervisor: Supervisor, index = 0) => supervisor.status()[index]?.state;
export const waitForState = (supervisor: Supervisor, state: string) =>
  waitFor(`state ${state}`, () => stateOf(supervisor) === state);
