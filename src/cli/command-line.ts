// Reads the words of a command line with yargs, runs the command they name, and turns what went wrong into one message.
import yargs, { type Argv } from 'yargs';
import { tolerateBrokenOutput } from './broken-output.ts';
import { versionLine } from './commands/version.ts';
import { declareCommands } from './declarations.ts';
import { examples } from './examples.ts';
import { reportFailure } from './exit-code.ts';
import type { Define } from './option-groups.ts';
import { type UnderstoodWords, usageError } from './usage-error.ts';

const usage = `latchkey COMMAND

The per-host agent that keeps vault secrets current in files, processes and sockets.
Exit codes and variables: latchkey man | man -l -. The book: docs/README.md of the package.`;

/** Runs one command and gives its exit code; never throws, never calls process.exit. */
export async function runCommandLine(args: readonly string[]): Promise<number> {
  let exitCode = 0;
  const finish = (code: number) => {
    exitCode = code;
  };
  try {
    tolerateBrokenOutput();
    const { words, rest } = divide(plain(args));
    await createParser(words, rest, finish).parseAsync([...words]);
    return exitCode;
  } catch (error) {
    return reportFailure(error);
  }
}

/** Alone it asks what there is; `help CMD` and `-v` are what everybody tries. */
function plain(args: readonly string[]): readonly string[] {
  const [first, second, ...more] = args;
  if (first === undefined) return ['--help'];
  if (first === '-v') return ['--version', ...args.slice(1)];
  if (first !== 'help') return args;
  return second === undefined ? ['--help'] : [second, ...more, '--help'];
}

/** What follows `--` of `run` is another program's, and of `completion` not a command line yet: no parser may see it, and none can change it. */
function divide(args: readonly string[]): { words: readonly string[]; rest: readonly string[] } {
  const mark = args[0] === 'run' || args[0] === 'completion' ? args.indexOf('--') : -1;
  return mark < 0 ? { words: args, rest: [] } : { words: args.slice(0, mark), rest: args.slice(mark + 1) };
}

function createParser(
  args: readonly string[],
  rest: readonly string[],
  finish: (code: number) => void,
): Argv {
  const parser = yargs();
  const commands: string[] = [];
  let understood: UnderstoodWords = { args, signature: undefined, commands, options: [] };

  const define: Define = (command, describe, builder, run) => {
    commands.push(command.split(' ')[0] ?? '');
    const build = (argv: Argv) => {
      const built = builder(argv);
      for (const [words, does] of examples[command.split(' ')[0] ?? ''] ?? [])
        built.example(`$0 ${words}`, does);
      // It works there too, and is said once, with the commands.
      built.hide('version');
      understood = { ...understood, signature: command, options: optionsOf(built) };
      return built;
    };
    parser.command(command, describe, build, async (values) => finish(await run(values, rest)));
  };

  declareCommands(define);

  return parser
    .scriptName('latchkey')
    .usage(usage)
    .detectLocale(false)
    .parserConfiguration({ 'parse-numbers': false, 'parse-positional-numbers': false })
    .strict()
    .demandCommand(1, 'expected a command, got none')
    .version(versionLine())
    .help()
    .alias('help', 'h')
    .wrap(110)
    .exitProcess(false)
    .fail((message, error) => {
      // Of yargs itself is an error by that name, and a message alone; anything else was thrown by a command.
      throw error === undefined || error === null || error.name === 'YError'
        ? usageError(message, understood)
        : error;
    });
}

function optionsOf(argv: object): string[] {
  return Object.keys((argv as { getOptions(): { key: object } }).getOptions().key);
}
