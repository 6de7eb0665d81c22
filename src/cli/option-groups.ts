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
    describe: 'config file or folder; may be repeated (default /etc/latchkey)',
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

/** The words and options of `audit`. */
export function withAuditOptions<T>(argv: Argv<T>) {
  return argv
    .positional('query', { choices: ['query', 'verify'] as const, demandOption: true })
    .positional('what', { type: 'string', array: true, default: [] as string[] })
    .option('since', { type: 'string', requiresArg: true, default: '24h', describe: 'query: how far back' })
    .option('uid', { type: 'number', requiresArg: true, describe: 'query: of this user alone' })
    .option('denied', { type: 'boolean', default: false, describe: 'query: only who was refused' })
    .option('limit', { type: 'number', requiresArg: true, default: 1000, describe: 'query: the last ones' })
    .option('file', { type: 'string', array: true, nargs: 1, describe: 'query: these files' });
}
