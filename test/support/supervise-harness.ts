// A program of its own around supervision, for what must be seen from outside: `node supervise-harness.ts MODE COMMAND…`.
// `supervise` keeps the command running and prints its pid; `run` is `latchkey run`; `reap` does as pid 1 of a container.

import { silentLogger } from '../../src/base/logger.ts';
import { createSystemClock } from '../../src/base/time/clock.ts';
import { startReaper } from '../../src/supervise/launch/reaper.ts';
import { runChild } from '../../src/supervise/launch/run-child.ts';
import { createSupervisor } from '../../src/supervise/supervisor.ts';
import { createTestEnvironment, processConfig } from './test-environment.ts';
import { waitFor } from './wait-for.ts';

const [mode, ...command] = process.argv.slice(2);
const clock = createSystemClock();
const surroundings = {
  clock,
  random: () => 0,
  logger: silentLogger,
  env: process.env,
  valuesInUse: () => [],
};
const config = processConfig({
  command,
  output: 'inherit',
  restart: {
    onExit: mode === 'supervise' ? 'always' : 'never',
    minBackoffMs: 10,
    maxBackoffMs: 10,
    maxAttempts: 0,
  },
});

if (mode === 'supervise') {
  const supervisor = createSupervisor({
    ...surroundings,
    processes: [config],
    environmentOf: async () => () => createTestEnvironment({}),
  });
  supervisor.start();
  const pid = await waitFor('the child', () => supervisor.status()[0]?.pid);
  console.log(`pid ${pid}`);
} else {
  const reaper = await startReaper(surroundings);
  const source = createTestEnvironment({ MARK: 'set' });
  const running = runChild({ ...surroundings, config, source });
  const code = await running.exitCode;
  await running.process.close({ signal: AbortSignal.abort() });
  reaper.close();
  process.exitCode = code;
}
