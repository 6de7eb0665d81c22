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

/** `--word`: off unless it is there. */
export function flag(describe: string) {
  return { type: 'boolean', default: false, describe } as const;
}

/** `--word TEXT`. */
export function text(describe: string) {
  return { type: 'string', requiresArg: true, describe } as const;
}

/** Any number of words, none too. */
export function words(describe: string) {
  return { type: 'string', array: true, default: [] as string[], describe } as const;
}

export function needed(describe: string) {
  return { type: 'string', demandOption: true, describe } as const;
}

export function withConfig<T>(argv: Argv<T>) {
  return argv.option('config', {
    type: 'string',
    array: true,
    nargs: 1,
    describe:
      'config file or folder; may be repeated (default /etc/latchkey/latchkey.yaml and those beside it)',
  });
}

export function withSocket<T>(argv: Argv<T>) {
  return withConfig(argv).option(
    'socket',
    text("the agent's socket; default $LATCHKEY_SOCKET, else /run/latchkey/latchkey.sock"),
  );
}

export function withJson<T>(argv: Argv<T>) {
  return argv.option('json', flag('print JSON'));
}

/** The words and options of `audit`. */
export function withAuditOptions<T>(argv: Argv<T>) {
  return argv
    .positional('query', {
      choices: ['query', 'verify'] as const,
      demandOption: true,
      describe: 'the question',
    })
    .positional('what', words('a secret, or files'))
    .option('since', { ...text('query: how far back'), default: '24h' })
    .option('uid', { type: 'number', requiresArg: true, describe: 'query: of this user alone' })
    .option('denied', flag('query: only who was refused'))
    .option('limit', { type: 'number', requiresArg: true, default: 1000, describe: 'query: the last ones' })
    .option('file', { type: 'string', array: true, nargs: 1, describe: 'query: these files' });
}
