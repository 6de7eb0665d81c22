// All supervised processes by name: starts them, stops them, and brings them in line with a new config.
import { isDeepStrictEqual } from 'node:util';
import { describeError, LatchkeyError } from '../base/errors.ts';
import type { Prepared } from '../base/prepared.ts';
import type { SecretValue } from '../base/secret-value.ts';
import type { Surroundings } from '../base/surroundings.ts';
import { probeSetpriv } from '../base/system/setpriv.ts';
import type { ProcessConfig } from '../config/resolved.ts';
import type { EnvironmentSource, Variables } from '../content/environment-source.ts';
import { createCommandRunner } from './launch/command-runner.ts';
import { planStart } from './launch/start-process.ts';
import type { ProcessObserver, ProcessStatus } from './process-status.ts';
import { createSupervisedProcess, type SupervisedProcess } from './supervised-process.ts';

export interface SupervisorOptions extends Surroundings {
  readonly processes: readonly ProcessConfig[];
  /** May reject: a template that cannot be parsed. What it gives begins to ask for the values when it is called. */
  readonly environmentOf: (config: ProcessConfig) => Promise<() => EnvironmentSource>;
  /** Values, beside the variables of a process, that must not be seen in output that goes to the log. */
  readonly valuesInUse: () => readonly SecretValue[];
  readonly observer?: ProcessObserver;
}

export interface Supervisor {
  /** Begins; what cannot begin shows in `status`. */
  start(): void;
  status(): ProcessStatus[];
  /**
   * To the program of that name; nothing is to be done for one that is started later. Rejects with `process_failed` when
   * it has ended for good or is not known.
   */
  signal(name: string, signal: NodeJS.Signals | 'restart'): Promise<void>;
  /** A program that somebody else runs, or nobody here, takes the signals for this name. */
  attach(name: string, send: (signal: NodeJS.Signals | 'restart') => void): void;
  /** Looks whether the program could be started with these variables, without doing it; rejects when it could not. */
  rehearse(config: ProcessConfig, variables: Variables): Promise<void>;
  /**
   * Builds what is new, and rejects when that fails. The commit stops what is gone, starts what is new and restarts what
   * differs. Children whose config is the same go on; with `force` their variables are made again (the names in them
   * mean something else), and they are restarted only if the values differ.
   */
  prepare(
    processes: readonly ProcessConfig[],
    options?: { force?: boolean; environmentOf?: SupervisorOptions['environmentOf'] | undefined },
  ): Promise<Prepared>;
  /** Stops all at once; when `signal` is aborted, kills them. */
  close(options: { signal: AbortSignal }): Promise<void>;
}

interface Slot {
  config: ProcessConfig;
  process: SupervisedProcess | undefined;
  /** Why there is no process. */
  error: LatchkeyError | undefined;
}

export function createSupervisor(options: SupervisorOptions): Supervisor {
  const { clock, logger, env, valuesInUse, faultOf } = options;
  const slots = new Map<string, Slot>(
    options.processes.map((config) => [config.name, { config, process: undefined, error: undefined }]),
  );
  const attached = new Map<string, (signal: NodeJS.Signals | 'restart') => void>();
  const since = clock.wall();
  let starting: Promise<void> | undefined;
  let isClosed = false;

  function create(config: ProcessConfig, source: EnvironmentSource): SupervisedProcess {
    const own = logger.child({ process: config.name });
    const runCommand = createCommandRunner({ logger: own, clock, env, valuesInUse, faultOf });
    return createSupervisedProcess({ ...options, config, source, logger: own, runCommand });
  }

  async function startAll(): Promise<void> {
    if (slots.size > 0 && (await probeSetpriv()) === undefined) {
      logger.warn(
        {},
        'setpriv (util-linux) is missing: children outlive an agent that is killed, and may gain privileges',
      );
    }
    for (const slot of slots.values()) {
      const { config } = slot;
      try {
        const bind = await options.environmentOf(config);
        if (isClosed) return;
        slot.process = create(config, bind());
        slot.process.start();
      } catch (error) {
        slot.error = asProcessError(config.name, error);
        logger.error({ process: config.name, error: describeError(error) }, 'process cannot be started');
      }
    }
  }

  /** What the config no longer has, while it ends. */
  const leaving = new Set<SupervisedProcess>();

  /** By name, when the last of it has ended: its successor must neither meet it nor lose its holds to it. */
  const gone = new Map<string, Promise<void>>();

  function leave(name: string, process: SupervisedProcess): void {
    leaving.add(process);
    const closed = process.close({ signal: new AbortController().signal });
    const end = Promise.all([gone.get(name), closed]).then(() => {
      leaving.delete(process);
      if (gone.get(name) === end) gone.delete(name);
    });
    gone.set(name, end);
  }

  function startAfterItsNamesake(name: string, process: SupervisedProcess): void {
    const before = gone.get(name);
    if (before === undefined) process.start();
    else void before.then(process.start);
  }

  function statusOf({ config, process, error }: Slot): ProcessStatus {
    if (process !== undefined) return process.status();
    const isInPlace = !config.isRequired;
    if (error === undefined) return { name: config.name, state: 'stopped', since, restarts: 0, isInPlace };
    return {
      name: config.name,
      state: 'failed',
      since,
      restarts: 0,
      isInPlace,
      message: describeError(error),
    };
  }

  function replaceAll(processes: readonly ProcessConfig[], binders: Binders): void {
    const wanted = new Set(processes.map((config) => config.name));
    for (const [name, slot] of slots) {
      if (wanted.has(name)) continue;
      slots.delete(name);
      if (slot.process !== undefined) leave(name, slot.process);
    }
    for (const config of processes) {
      const source = binders.get(config.name)?.();
      const slot = slots.get(config.name);
      if (slot?.process !== undefined) {
        slot.config = config;
        slot.process.reconfigure(config, source);
      } else if (source !== undefined) {
        const process = create(config, source);
        slots.set(config.name, { config, process, error: undefined });
        startAfterItsNamesake(config.name, process);
      }
    }
  }

  return {
    start() {
      starting ??= startAll();
    },
    status: () => [...slots.values()].map(statusOf),
    async signal(name, signal) {
      const send = attached.get(name);
      if (send !== undefined) return send(signal);
      const slot = slots.get(name);
      if (slot === undefined) throw new LatchkeyError('process_failed', `there is no process ${name}`);
      if (slot.error !== undefined)
        throw new LatchkeyError('process_failed', `process ${name} does not run`, { cause: slot.error });
      slot.process?.signal(signal);
    },
    rehearse: async (config, variables) => void (await planStart(config, variables, env)),
    attach(name, send) {
      attached.set(name, send);
    },
    async prepare(processes, { force = false, environmentOf = options.environmentOf } = {}) {
      await starting;
      const binders = await prepareSources(
        processes.filter((config) => wantsSource(slots.get(config.name), config, force)),
        environmentOf,
      );
      return { commit: () => replaceAll(processes, binders), abandon() {} };
    },
    async close({ signal }) {
      isClosed = true;
      await starting;
      const all = [...[...slots.values()].map((slot) => slot.process), ...leaving];
      await Promise.all(all.map((process) => process?.close({ signal })));
    },
  };
}

function wantsSource(slot: Slot | undefined, config: ProcessConfig, force: boolean): boolean {
  if (slot?.process === undefined || force) return true;
  const { env, upstream } = slot.config;
  return !isDeepStrictEqual([env, upstream], [config.env, config.upstream]);
}

type Binders = ReadonlyMap<string, () => EnvironmentSource>;

/** Throws `template_invalid` with all that is wrong with the variables. */
async function prepareSources(
  processes: readonly ProcessConfig[],
  environmentOf: SupervisorOptions['environmentOf'],
): Promise<Binders> {
  const binders = new Map<string, () => EnvironmentSource>();
  const problems: string[] = [];
  for (const config of processes) {
    try {
      binders.set(config.name, await environmentOf(config));
    } catch (error) {
      problems.push(describeError(error));
    }
  }
  if (problems.length > 0) throw new LatchkeyError('template_invalid', problems.join('\n'));
  return binders;
}

function asProcessError(name: string, error: unknown): LatchkeyError {
  if (error instanceof LatchkeyError) return error;
  return new LatchkeyError('process_failed', `process ${name} cannot be prepared`, { cause: error });
}
