// A command as an upstream: the keys of `kind: exec`, and what they mean resolved.
import { isAbsolute } from 'node:path';
import * as z from 'zod/mini';
import type { Named } from '../../config/item.ts';
import {
  byteSize,
  commandLine,
  count,
  doc,
  duration,
  section,
  text,
  textList,
} from '../../config/schema/fields.ts';
import type { KindContext } from '../../config/upstreams/kind-context.ts';
import { limitsSchema, resolveLimits } from '../../config/upstreams/limits.ts';

const execSchema = section({
  kind: doc(
    z.literal('exec'),
    'A command that is asked: JSON on its standard input, JSON on its standard output.',
  ),
  command: doc(commandLine(), 'The program by its whole path, and its arguments; never a line for a shell.'),
  user: doc(
    z.optional(text()),
    'Who it runs as, without further groups and without a way to more privileges; default: the user of the agent.',
  ),
  group: doc(z.optional(text()), "Its group; default: that user's."),
  env: doc(z.prefault(z.record(text(), z.string('a string'), 'a map'), {}), 'Variables for it; no secrets.'),
  pass_env: doc(
    z.prefault(textList(), []),
    "Names of variables that it gets from the agent's environment, beside PATH and LANG.",
  ),
  working_dir: doc(z.prefault(text(), '/'), 'Where it runs.'),
  timeout: doc(z.prefault(duration(), '30s'), 'Then its whole process group is killed.'),
  concurrency: doc(z.prefault(count(1), 1), 'How many of it run at a time.'),
  ...limitsSchema,
  max_output: doc(z.prefault(byteSize(), '1MiB'), 'The most that it may answer.'),
});

export type ExecUpstreamConfig = ReturnType<typeof resolveExec>;

function resolveExec({ name, place, value }: Named<z.output<typeof execSchema>>, { problems }: KindContext) {
  const [program = ''] = value.command;
  if (!isAbsolute(program)) {
    problems.add(
      place.at('command', 0),
      `expected the whole path of a program, got ${JSON.stringify(program)}`,
    );
  }
  return {
    name,
    kind: 'exec' as const,
    command: value.command,
    user: value.user,
    group: value.group,
    env: value.env,
    passEnv: value.pass_env,
    workingDir: value.working_dir,
    timeoutMs: value.timeout,
    concurrency: value.concurrency,
    maxBytes: value.max_output,
    ...resolveLimits(value.limits),
  };
}

export const exec = {
  schema: execSchema,
  resolve: resolveExec,
  refreshMs: 60_000,
  commandOf: ({ command }: ExecUpstreamConfig) => command,
  mayMint: () => true,
  load: async () => (await import('./exec-source.ts')).createExecSource,
};
