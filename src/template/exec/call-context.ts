// What one execution keeps for its functions: the budget of work, the dependencies asked for, the map behind `scratch`.

import { anyMap, type Value } from '../value/value.ts';
import { type CallContext, callError, type Host, type Limits, plain } from './function-table.ts';
import type { Dependency, Lookup, LookupAnswer, LookupSecret } from './lookup.ts';
import { isLiteralPair, openParameters } from './redact.ts';

/** A dependency that has no value, and why. */
export interface MissingDependency extends Dependency {
  /** `pending`: not known yet; `absent`: upstream says that there is none. */
  readonly status: 'pending' | 'absent';
  readonly reason: string | undefined;
}

export interface ExecutionContext extends CallContext {
  /** In order of first use. */
  readonly used: readonly Dependency[];
  readonly missing: readonly MissingDependency[];
  /** The secrets that have been given to the template. */
  readonly secrets: readonly LookupSecret[];
  /** Whether a failure is kept already, and the execution goes on for the sake of what is missing. */
  hasFailed: boolean;
  /** Whether a limit has been hit: nothing may go on. */
  isExhausted(): boolean;
}

export interface CallContextOptions {
  /** The template's own, a byte string: what stands in it is no secret. */
  readonly text: string;
  readonly lookup: Lookup;
  readonly host: Host;
  readonly limits: Limits;
  executeTemplate(name: string, dot: Value): string;
}

/** Strings may be kept, so that this bounds the memory of an execution too: 128 MiB with the default of steps. */
const bytesAStep = 64;
/** To look through a text costs less than to make it. */
const bytesReadAStep = 256;
/** To copy an item, or to compare it with some others, costs less than to make it. */
const itemsAStep = 8;
/** How many steps may go by between two looks at the time. */
const stepsALook = 1000;

export function createCallContext({
  text,
  lookup,
  host,
  limits,
  executeTemplate,
}: CallContextOptions): ExecutionContext {
  const answers = new Map<string, LookupAnswer>();
  const missing = new Map<string, MissingDependency>();
  const used: Dependency[] = [];
  const secrets: LookupSecret[] = [];
  let stepsLeft = limits.steps;
  let nextLook = stepsLeft - stepsALook;
  const hasTimeLeft = stopwatch(limits.processorMs);
  const spend = (steps: number): void => {
    stepsLeft -= steps;
    if (stepsLeft < 0) throw callError`execution takes more than ${plain(limits.steps)} steps`;
    if (stepsLeft <= nextLook) lookAtTime();
  };
  const lookAtTime = (): void => {
    nextLook = stepsLeft - stepsALook;
    if (hasTimeLeft()) return;
    stepsLeft = -1;
    throw callError`execution takes more than ${plain(limits.processorMs)} ms`;
  };
  return {
    host,
    limits,
    scratch: anyMap([]),
    used,
    secrets,
    get missing() {
      return [...missing.values()];
    },
    lookup(dependency) {
      const key = identity(dependency);
      let answer = answers.get(key);
      if (answer === undefined) {
        if (used.length >= limits.dependencies) {
          throw callError`asks for more than ${plain(limits.dependencies)} secrets`;
        }
        // It may be made from what is missing, and would issue something for an empty name.
        if (missing.size > 0 && dependency.kind === 'write' && !isWritten(dependency, text)) return notAsked;
        const asked = dependency.kind === 'write' ? withShown(dependency, text, secrets) : dependency;
        answer = lookup(asked);
        answers.set(key, answer);
        used.push(asked);
        if (answer.status === 'ready') secrets.push(answer.secret);
      }
      return answer;
    },
    reportMissing(dependency, answer) {
      if (answer.status === 'ready' || answer.status === 'ready-list') return;
      const key = identity(dependency);
      if (!missing.has(key))
        missing.set(key, { ...dependency, status: answer.status, reason: answer.reason });
    },
    hasFailed: false,
    isIncomplete: () => missing.size > 0,
    isExhausted: () => stepsLeft < 0,
    executeTemplate,
    spend,
    lookAtTime,
    claim(bytes) {
      if (bytes > limits.stringBytes) {
        stepsLeft = -1;
        throw callError`text is longer than ${plain(limits.stringBytes)} bytes, the limit of one string`;
      }
      spend(Math.ceil(bytes / bytesAStep));
    },
    goThrough(items) {
      spend(Math.ceil(items / itemsAStep));
    },
    workOn(bytes) {
      spend(Math.ceil(bytes / bytesReadAStep));
    },
  };
}

/**
 * Tells whether there is time left, counted from the first look: most templates end before it. Others may have the processor
 * meanwhile: that is not the template's doing.
 */
function stopwatch(limitMs: number): () => boolean {
  let start: number | undefined;
  let used: NodeJS.CpuUsage | undefined;
  return () => {
    start ??= performance.now();
    used ??= process.threadCpuUsage();
    if (performance.now() - start < limitMs) return true;
    const { user, system } = process.threadCpuUsage(used);
    return (user + system) / 1000 < limitMs;
  };
}

const notAsked: LookupAnswer = {
  status: 'pending',
  reason: 'asked for when what comes before it is there',
};

/** Each field is a literal of the template. */
function isWritten({ parameters }: Dependency, text: string): boolean {
  return Object.entries(parameters).every(([name, value]) => isLiteralPair(text, name, value));
}

function withShown(dependency: Dependency, text: string, secrets: readonly LookupSecret[]): Dependency {
  return { ...dependency, shownParameters: openParameters(dependency.parameters, text, secrets) };
}

function identity({ kind, path, parameters }: Dependency): string {
  const sorted = Object.entries(parameters).sort(([a], [b]) => (a < b ? -1 : 1));
  return sorted.length === 0 ? `${kind} ${path}` : JSON.stringify([kind, path, sorted]);
}
