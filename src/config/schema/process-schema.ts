// The schema of `processes`: the programs that the agent starts, and what a rotation means to them.
import * as z from 'zod/mini';
import {
  choice,
  commandLine,
  count,
  doc,
  duration,
  durationRange,
  flag,
  name,
  parseSignal,
  section,
  signalExpected,
  signalName,
  text,
} from './fields.ts';
import { probe } from './file-schema.ts';

const rotationExpected = 'restart, none, or signal with a name such as signal HUP';
const signalForm = /^signal +((?:SIG)?[A-Z][A-Z0-9]*)$/;

type OnRotation = { kind: 'restart' } | { kind: 'none' } | { kind: 'signal'; signal: NodeJS.Signals };

function parseOnRotation(value: string): OnRotation | undefined {
  if (value === 'restart' || value === 'none') return { kind: value };
  const signal = parseSignal(signalForm.exec(value)?.[1] ?? '');
  return signal === undefined ? undefined : { kind: 'signal', signal };
}

const onRotation = z.pipe(
  z.string(rotationExpected).check(
    z.regex(/^(?:restart|none|signal +(?:SIG)?[A-Z][A-Z0-9]*)$/, rotationExpected),
    z.refine(
      (value) => !signalForm.test(value) || parseOnRotation(value) !== undefined,
      `signal and ${signalExpected}`,
    ),
  ),
  z.transform((value): OnRotation => parseOnRotation(value) ?? { kind: 'restart' }),
);

const variableValue = z.union(
  [
    z.string('a string (a template)'),
    section({
      template: doc(z.string('a string (a template)'), 'The template.'),
      left_delimiter: doc(z.prefault(text(), '{{'), 'What opens an action of the template.'),
      right_delimiter: doc(z.prefault(text(), '}}'), 'What closes it.'),
      error_on_missing_key: doc(z.prefault(flag(), false), 'A missing key fails the template.'),
    }),
  ],
  'a string (a template), or a map with `template`',
);

const envFrom = section({
  secret: doc(z.optional(name()), 'A name from `secrets`.'),
  path: doc(z.optional(text()), 'Or a path of the upstream.'),
  prefix: doc(z.prefault(z.string('a string'), ''), 'What each name begins with.'),
  upper_case: doc(z.prefault(flag(), false), 'Names in capital letters.'),
  sanitize: doc(
    z.prefault(flag(), false),
    'Each character that is no letter, digit or underscore becomes an underscore.',
  ),
  format: doc(
    z.optional(text()),
    'The text of each name, in which `{{ key }}` is the name so far, and `{{ key | replaceKey "-" "_" }}` changes it.',
  ),
  only: doc(
    z.optional(z.record(text(), z.array(text(), 'a list of names'), 'a map of fields')),
    'These fields alone, each under the names that are listed for it; an empty list: under its own.',
  ),
});

const variableExpected = 'the name of a variable, without =';
const variable = z.string(variableExpected).check(z.regex(/^[^=\0]+$/, variableExpected));
const passed = z
  .string(variableExpected)
  .check(
    z.regex(
      /^!?[^=\0]+$/,
      'the name of a variable, or a pattern of names such as AWS_*, with ! before what is kept back',
    ),
  );

const stop = section({
  signal: doc(z.prefault(signalName(), 'TERM'), 'What asks it to end.'),
  timeout: doc(z.prefault(duration(), '30s'), 'Then its whole process group is killed.'),
  group: doc(
    z.prefault(flag(), false),
    'The signal goes to its whole process group, and the rest of the group has until `timeout` too, as with KillMode of systemd.',
  ),
});

const restart = section({
  on_exit: doc(
    z.prefault(choice(['always', 'on-failure', 'never']), 'on-failure'),
    'When it is started again.',
  ),
  backoff: doc(z.prefault(durationRange(), '1s..30s'), 'The first wait and the longest.'),
  max_attempts: doc(
    z.prefault(count(0), 10),
    'Given up after so many exits in a row, none of which came after running the longest wait; 0: never.',
  ),
});

export const processSchema = section({
  name: doc(name(), 'What it is called in status, logs and `notify`.'),
  command: doc(commandLine(), 'The program and its arguments, without a shell.'),
  env: doc(
    z.prefault(z.record(variable, variableValue, 'a map of variables'), {}),
    'Variables; each value is a template. It starts when all have a value.',
  ),
  env_from: doc(
    z.prefault(z.array(envFrom, 'a list of maps'), []),
    'Secrets whose fields become variables, all of them or those in `only`.',
  ),
  pass_env: doc(
    z.prefault(z.array(passed, 'a list of names'), []),
    'Variables taken over from the agent, beside PATH, HOME, LANG, LC_*, TZ and TERM; `AWS_*` takes all that start so, `!VAULT_*` leaves out what would be taken.',
  ),
  working_dir: doc(z.optional(text()), "Where it starts; default: the agent's folder."),
  user: doc(
    z.optional(text()),
    'Whom it runs as, with the supplementary groups; default: the user of the agent.',
  ),
  group: doc(z.optional(text()), "Its group; default: the user's."),
  on_rotation: doc(
    z.optional(onRotation),
    'restart, signal NAME or none: what happens when a value changes; default: restart, under `latchkey run` none.',
  ),
  splay: doc(z.prefault(duration(), '0s'), 'A restart after a rotation waits a random part of this.'),
  stop: doc(z.prefault(stop, {}), 'How it is ended.'),
  restart: doc(z.prefault(restart, {}), 'What happens when it ends by itself.'),
  overlap_start: doc(
    z.prefault(flag(), false),
    'On a rotation start the new one, wait for its `health`, then stop the old one.',
  ),
  health: doc(z.optional(probe), 'How to find out that it works.'),
  output: doc(
    z.prefault(choice(['inherit', 'log']), 'inherit'),
    "Where its output goes: where the agent's goes, or to the log line by line, secrets masked.",
  ),
  upstream: doc(z.optional(name()), 'The upstream that paths in `env` mean; with one upstream it is that.'),
  required: doc(z.prefault(flag(), true), 'The agent is ready only when it runs.'),
});

export type EnvFromInput = z.output<typeof envFrom>;
export type ProcessInput = z.output<typeof processSchema>;
