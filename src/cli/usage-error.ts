// What was wrong with the words of a command line: which command, what came, what was expected, the nearest known word.
import { LatchkeyError } from '../base/errors.ts';
import { nearest } from '../base/text/nearest.ts';

/** What was understood before it went wrong. */
export interface UnderstoodWords {
  readonly args: readonly string[];
  /** As declared: `get <name> [field]`; undefined when no command was recognized. */
  readonly signature: string | undefined;
  readonly commands: readonly string[];
  /** Of that command, without dashes. */
  readonly options: readonly string[];
}

type Fail = (what: string, remedy?: string) => LatchkeyError;

/** `message` is that of yargs, in English. */
export function usageError(message: string, words: UnderstoodWords): LatchkeyError {
  const [command, ...expected] = words.signature?.split(' ') ?? [];
  const help = `latchkey ${command === undefined ? '' : `${command} `}--help tells more`;
  const fail: Fail = (what, remedy = help) =>
    new LatchkeyError('usage', command === undefined ? what : `${command}: ${what}`, { remedy });

  const unknown = /^Unknown (?:argument|command)s?: ([^,]+)/.exec(message)?.[1];
  if (unknown !== undefined) return unknownWord(unknown, command, words, fail);
  const lacking = /^Not enough arguments following: (\S+)/.exec(message)?.[1];
  if (lacking !== undefined) return fail(`expected a value after ${dashed(lacking)}`);
  if (message.startsWith('Not enough non-option')) {
    return fail(`too few arguments, expected ${expected.map(shown).join(' ')}`);
  }
  const choice = /Argument: (\S+), Given: (.*), Choices: (.*)/.exec(message);
  if (choice !== null) {
    const [, name = '', given, choices] = choice;
    const said = isOption(name, words.args) ? dashed(name) : name;
    return fail(`${said}: expected one of ${choices}, got ${given}`);
  }
  return fail(message.split('\n')[0]?.replace(/^./, (first) => first.toLowerCase()) ?? 'bad usage');
}

function unknownWord(
  word: string,
  command: string | undefined,
  { args, options, commands }: UnderstoodWords,
  fail: Fail,
): LatchkeyError {
  if (isOption(word, args)) {
    const near = nearest(word, options);
    return fail(`unknown option ${dashed(word)}`, near && `did you mean ${dashed(near)}?`);
  }
  if (command !== undefined) return fail(`unexpected argument ${JSON.stringify(word)}`);
  const near = nearest(word, commands);
  return fail(`unknown command ${JSON.stringify(word)}`, near && `did you mean ${near}?`);
}

function isOption(word: string, args: readonly string[]): boolean {
  return args.some((arg) => arg === dashed(word) || arg.startsWith(`${dashed(word)}=`));
}

/** A fixed word as it is typed, `<name>` as NAME. */
function shown(word: string): string {
  return /^[<[]/.test(word) ? word.replaceAll(/[<>]/g, '').toUpperCase() : word;
}

function dashed(name: string): string {
  return name.length === 1 ? `-${name}` : `--${name}`;
}
