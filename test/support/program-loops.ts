// Programs that use what the agent writes, again and again, each as it does in real life; every failure is kept with its
// time.
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';

export interface Failure {
  readonly at: number;
  readonly message: string;
}

export interface Loop {
  readonly name: string;
  successes(): number;
  failures(): readonly Failure[];
  end(): Promise<void>;
}

export function startLoop(name: string, once: () => Promise<unknown>, pauseMs = 60): Loop {
  let successes = 0;
  const failures: Failure[] = [];
  let isOver = false;
  const loop = (async () => {
    for (; !isOver; await delay(pauseMs)) {
      const at = Date.now();
      await once().then(
        () => {
          successes += 1;
        },
        (error: unknown) =>
          failures.push({ at, message: error instanceof Error ? error.message : String(error) }),
      );
    }
  })();
  return {
    name,
    successes: () => successes,
    failures: () => failures,
    async end() {
      isOver = true;
      await loop;
    },
  };
}

/** Of a program that runs on and prints a line for each try; `judge` rejects for a try that failed. */
export function startProgramLoop(
  name: string,
  child: ChildProcess,
  judge: (line: string) => Promise<unknown>,
): Loop {
  let successes = 0;
  const failures: Failure[] = [];
  let pending = Promise.resolve();
  if (child.stdout === null) throw new Error('expected its output in a pipe');
  createInterface({ input: child.stdout }).on('line', (line) => {
    const at = Date.now();
    pending = pending
      .then(() => judge(line))
      .then(
        () => {
          successes += 1;
        },
        (error: unknown) => void failures.push({ at, message: `${line}: ${String(error)}` }),
      );
  });
  return {
    name,
    successes: () => successes,
    failures: () => failures,
    async end() {
      await stopProgram(child);
      await pending;
    },
  };
}

export async function stopProgram(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGTERM');
  await once(child, 'exit');
}
