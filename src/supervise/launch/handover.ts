// The last step before a program of another user: it runs as that user, with an empty environment, gets the program's words
// and environment over a pipe, and becomes the program. A shell could not set names such as `a.b`, and an argv is for all to see.
import { closeSync, openSync, statSync } from 'node:fs';
import { LatchkeyError } from '../../base/errors.ts';
import type { Environment } from './environment.ts';
import { sizeFault } from './size-fault.ts';

export interface Handover {
  /** For descriptor 3. */
  readonly text: string;
  /** For descriptor 4: our own Node, which the user may not reach by its path. Close it after the start. */
  openRuntime(): { readonly descriptor: number; close(): void };
}

const pipe = 3;
const runtime = 4;

/** What to start instead of `words`. Throws `process_failed` for what no kernel would start. */
export function handOver(
  words: readonly string[],
  env: Environment,
): { words: string[]; handover: Handover } {
  if ((statSync(process.execPath).mode & 0o001) === 0) {
    throw new LatchkeyError('process_failed', `other users may not execute ${process.execPath}`, {
      remedy: `chmod o+x ${process.execPath}: a program of another user starts through it`,
    });
  }
  refuseTooLong(words, env);
  const code = `(${becomeProgram.toString()})(${pipe}, ${runtime})`;
  return {
    words: [`/proc/self/fd/${runtime}`, '--no-warnings', '--input-type=commonjs', '--eval', code],
    handover: {
      text: JSON.stringify({ words, env }),
      openRuntime() {
        const descriptor = openSync(process.execPath, 'r');
        return { descriptor, close: () => closeSync(descriptor) };
      },
    },
  };
}

/** As source text, so it may use nothing of this file. */
function becomeProgram(pipe: number, runtime: number): void {
  const { closeSync, readFileSync } = process.getBuiltinModule('node:fs');
  // Node ignores the first two, and what is ignored stays so in the program; what is handled does not.
  for (const signal of ['SIGPIPE', 'SIGXFSZ', 'SIGUSR1'] as const) process.on(signal, () => undefined);
  const { words, env } = JSON.parse(readFileSync(pipe, 'utf8')) as { words: string[]; env: Environment };
  closeSync(pipe);
  closeSync(runtime);
  process.execve?.(words[0] ?? '', words, env);
}

/** Node would only abort, with a message of its own. */
function refuseTooLong(words: readonly string[], env: Environment): void {
  const fault = sizeFault(words, env);
  if (fault === undefined) return;
  throw new LatchkeyError('process_failed', `too long for the kernel: ${fault}`, {
    remedy: 'hand large values over in files',
  });
}
