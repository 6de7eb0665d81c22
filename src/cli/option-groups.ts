// How a command is declared, and the options that many commands share.
import type { ArgumentsCamelCase, Argv } from 'yargs';

/** `command` is `NAME <needed> [optional]`; `run` gives the exit code. */
export type Define = <T>(
  command: string,
  describe: string,
  builder: (argv: Argv) => Argv<T>,
  /** `rest`: the words after `--`, as they came. */
  run: (values: ArgumentsCamelCase<T>, rest: readonly string[]) => Promise<number>,
) => void;

export function withConfig<T>(argv: Argv<T>) {
  return argv.option('config', {
    type: 'string',
    array: true,
    nargs: 1,
    describe: 'config file or folder; may be repeated',
  });
}

export function withSocket<T>(argv: Argv<T>) {
  return withConfig(argv).option('socket', {
    type: 'string',
    requiresArg: true,
    describe: "the agent's socket; default $LATCHKEY_SOCKET",
  });
}

export function withJson<T>(argv: Argv<T>) {
  return argv.option('json', { type: 'boolean', default: false, describe: 'print JSON' });
}
