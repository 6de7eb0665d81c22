// How an agent ends by itself where its config says so: with the token handed on and every file written, with its main
// process, or because a file cannot be made.
import { LatchkeyError } from '../base/errors.ts';
import { until } from '../base/time/until.ts';
import type { LifeConfig } from '../config/resolved.ts';
import type { FileStatus } from '../files/view/file-status.ts';
import { exitCodeOf } from '../supervise/restart-policy.ts';
import type { Agent } from './agent.ts';
import type { Core } from './wire.ts';

/** The exit code to end with, or why. Never resolves for an agent that is to run for ever. Rejects `aborted`. */
export function untilLifeEnds(
  agent: Agent,
  life: LifeConfig,
  signal: AbortSignal,
): Promise<number | LatchkeyError> {
  const { core } = agent;
  const ends: Promise<number | LatchkeyError>[] = [new Promise(() => undefined)];
  if (life.exitAfterAuth) ends.push(untilHandedOn(core, signal));
  if (life.mainProcess !== undefined) ends.push(untilEnded(core, life.mainProcess, signal));
  if (life.giveUpAfterMs !== undefined) ends.push(untilHopeless(agent, life.giveUpAfterMs, signal));
  return Promise.race(ends);
}

async function untilHandedOn(core: Core, signal: AbortSignal): Promise<number> {
  const isLoggedIn = () =>
    [...core.upstreams.byName().values()].every((upstream) => {
      const { login, state } = upstream.status();
      return login === undefined ? state === 'ready' : login.state === 'logged_in';
    });
  await until(
    core.changes,
    () => isLoggedIn() && core.files.unwell().every(({ isReady }) => isReady),
    signal,
  );
  // What is told of the files has been told too.
  await core.files.idle();
  await Promise.all([...core.upstreams.byName().values()].map((upstream) => upstream.vault?.handedOn()));
  return 0;
}

async function untilEnded(core: Core, name: string, signal: AbortSignal): Promise<number | LatchkeyError> {
  const statusOf = () => core.supervisor.status().find((process) => process.name === name);
  await until(core.changes, () => ['exited', 'failed'].includes(statusOf()?.state ?? ''), signal);
  const { lastExit, message = 'cannot be started' } = statusOf() ?? {};
  if (lastExit === undefined) return new LatchkeyError('process_failed', `process ${name}: ${message}`);
  return exitCodeOf(lastExit, 1);
}

/** A template that fails by itself is not made by waiting; what upstream has not given may come until the time is over. */
async function untilHopeless(agent: Agent, ms: number, signal: AbortSignal): Promise<LatchkeyError> {
  const { core, clock } = agent;
  const failingSince = new Map<string, number>();
  let hopeless: FileStatus | undefined;

  function look(): boolean {
    for (const file of core.files.status()) {
      if (file.isReady) {
        failingSince.delete(file.destination);
        continue;
      }
      const since = failingSince.get(file.destination) ?? clock.now();
      failingSince.set(file.destination, since);
      if (file.failure !== undefined && file.missing.length === 0) hopeless = file;
      else if (clock.now() - since >= ms) hopeless = file;
    }
    return hopeless !== undefined;
  }

  while (!look()) {
    const first = Math.min(...failingSince.values());
    const wake = new AbortController();
    const timer = Number.isFinite(first)
      ? clock.setTimer(first + ms - clock.now(), () => wake.abort())
      : undefined;
    try {
      await until(core.changes, look, AbortSignal.any([wake.signal, signal]));
    } catch (error) {
      if (signal.aborted) throw error;
    } finally {
      timer?.cancel(); // else it holds an agent that is through with everything else
    }
  }
  const why = hopeless?.failure?.message ?? hopeless?.missing[0]?.message ?? 'its secrets did not come';
  return new LatchkeyError('file_failed', `${hopeless?.destination}: ${why}`, {
    remedy: 'the config says to end then (agent.give_up_after)',
  });
}
