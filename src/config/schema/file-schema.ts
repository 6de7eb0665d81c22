// The schema of `files`: what is rendered where, and what happens around it.
import * as z from 'zod/mini';
import {
  choice,
  commandLine,
  doc,
  duration,
  fileModeOrKeep,
  flag,
  name,
  quietTime,
  section,
  signalName,
  text,
  timedCommand,
} from './fields.ts';

const notification = section({
  command: doc(z.optional(commandLine()), 'A program and its arguments, without a shell.'),
  signal: doc(
    z.optional(signalName()),
    'A signal, with `pid_file` or `process`; with `unit` and `action: kill` too.',
  ),
  pid_file: doc(z.optional(text()), 'Whose pid gets the signal; read again each time.'),
  process: doc(z.optional(name()), 'The name from `processes` that gets the signal.'),
  unit: doc(z.optional(text()), 'A unit of systemd.'),
  action: doc(
    z.optional(
      choice(['reload', 'restart', 'reload-or-restart', 'try-restart', 'try-reload-or-restart', 'kill']),
    ),
    'What systemd does to the unit; default reload. With `process`: `restart`.',
  ),
  timeout: doc(z.prefault(duration(), '30s'), 'For a command or a unit.'),
});

/** How to find out that a program works. */
export const probe = section({
  http: doc(z.optional(text()), 'A URL that answers 2xx when the program works.'),
  command: doc(z.optional(commandLine()), 'Or a command that ends with 0.'),
  timeout: doc(z.prefault(duration(), '20s'), 'It is tried until then.'),
});

export const fileSchema = section({
  template: doc(
    z.optional(text()),
    'The file with the template. Relative paths start at the folder of this file.',
  ),
  contents: doc(z.optional(z.string('a string')), 'Or the template itself.'),
  destination: doc(text(), 'What is written.'),
  mode: doc(
    z.prefault(fileModeOrKeep(), '0600'),
    'Its mode from the first byte: a quoted octal number; `keep`: that of the file that is there, its owner too, for a new one 0644.',
  ),
  owner: doc(z.optional(text()), 'Its owner, by name or uid; default: the user of the agent.'),
  group: doc(z.optional(text()), 'Its group, by name or gid.'),
  set: doc(z.optional(name()), 'Files of one set are committed all or none.'),
  check: doc(z.optional(timedCommand('10s')), 'Runs on the staged file; when it fails, the old file stays.'),
  notify: doc(
    z.optional(z.union([notification, z.array(notification)], 'a map or a list of maps')),
    'Who is told after the commit: one, or a list in order. Each is `command`, `signal` or `unit`.',
  ),
  settle: doc(z.optional(probe), 'How to find out that the program works with the new file.'),
  on_failure: doc(
    z.prefault(choice(['keep', 'rollback']), 'keep'),
    'When notify or settle fails: keep the new file, or put the old one back and notify again.',
  ),
  wait: doc(
    z.prefault(quietTime(), '100ms..1s'),
    'Secrets that change together give one commit: it waits until nothing has changed for the first time, at most for the second; `0s..0s`: no wait.',
  ),
  on_drift: doc(
    z.prefault(choice(['repair', 'report']), 'repair'),
    'When somebody else deletes or changes the file, its mode or owner: put it right and tell its programs, or only say so.',
  ),
  staging: doc(
    z.optional(text()),
    'Folder in which the file lies before it is renamed, on the same file system; for programs that read all of the folder of the destination. Default: beside the destination. Made with mode 0700 where it is missing.',
  ),
  create_parents: doc(z.prefault(flag(), false), 'Make missing folders, with mode 0755.'),
  backup: doc(z.prefault(flag(), false), 'Keep the previous file beside it, with `.bak` at the end.'),
  in_place: doc(
    z.prefault(flag(), false),
    'Write into the existing file, where it cannot be renamed over (a bind mount): a reader may see half of it.',
  ),
  fifo: doc(z.prefault(flag(), false), 'A named pipe: the content is made for each reader, one at a time.'),
  remove_on_exit: doc(z.prefault(flag(), false), 'Remove the file when the agent ends.'),
  error_on_missing_key: doc(
    z.prefault(flag(), false),
    'A missing key fails the template instead of giving `<no value>`.',
  ),
  left_delimiter: doc(z.prefault(text(), '{{'), 'What opens an action of the template.'),
  right_delimiter: doc(z.prefault(text(), '}}'), 'What closes it.'),
  upstream: doc(
    z.optional(name()),
    'The upstream that paths in the template mean; with one upstream it is that.',
  ),
});

export type NotificationInput = z.output<typeof notification>;
export type ProbeInput = z.output<typeof probe>;
export type FileInput = z.output<typeof fileSchema>;
