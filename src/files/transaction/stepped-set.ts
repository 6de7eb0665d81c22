// What observers are told of a step of a set of files.
import type { Execution } from '../../content/template-consumer.ts';
import type { FileSet, ManagedFile } from '../file-set.ts';
import type { SteppedSet } from './ports.ts';
import type { Step, StepResult } from './transaction-policy.ts';

/** What a run is of that has come to the end of a step. */
interface Steps {
  readonly set: FileSet;
  readonly step: Step;
  readonly executions: ReadonlyMap<ManagedFile, Execution>;
  readonly failure: { readonly step: Step; readonly error: unknown } | undefined;
}

/** Most of it is made when somebody asks: a start of a thousand files is no rotation, and nobody does. */
export class SetStep implements SteppedSet {
  readonly step: Step;
  readonly result: StepResult;
  readonly #run: Steps;

  /** To be made before the run moves on. */
  constructor(run: Steps, result: StepResult) {
    this.#run = run;
    this.step = run.step;
    this.result = result;
  }

  get name(): string | undefined {
    return this.#run.set.name;
  }

  get failure(): unknown {
    const { failure } = this.#run;
    return failure?.step === this.step ? failure.error : undefined;
  }

  get destinations(): string[] {
    return this.#run.set.files.map(({ config }) => config.destination);
  }

  get versions(): Map<string, number | undefined> {
    return versionsIn(this.#run, this.step);
  }

  get isWanted(): boolean {
    return this.#run.set.files.some(({ config }) => asksFor(config, this.step));
  }
}

function versionsIn({ set, executions }: Steps, step: Step): Map<string, number | undefined> {
  const versions = new Map<string, number | undefined>();
  for (const file of set.files) {
    const used = executions.get(file)?.versions;
    if (used !== undefined) for (const [key, { number }] of used) versions.set(key, number);
    else if (step === 'stage') for (const key of file.consumer?.keys() ?? []) versions.set(key, undefined);
    else for (const [key, number] of file.versions) versions.set(key, number);
  }
  return versions;
}

function asksFor({ check, notify, settle }: ManagedFile['config'], step: Step): boolean {
  if (step === 'check') return check !== undefined;
  if (step === 'notify') return notify.length > 0;
  return step !== 'settle' || settle !== undefined;
}
