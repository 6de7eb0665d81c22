// `latchkey completion bash|zsh|fish`: the commands, their words and options for a shell, from their declarations.
import yargs, { type Argv } from 'yargs';
import type { Define } from '../option-groups.ts';
import { printText } from '../output.ts';

export type Shell = 'bash' | 'zsh' | 'fish';

interface Described {
  readonly name: string;
  readonly describe: string;
  /** What may follow it: fixed words, and the choices of its arguments. */
  readonly words: readonly string[];
  readonly options: readonly {
    readonly name: string;
    readonly takesValue: boolean;
    readonly choices: readonly string[];
  }[];
}

export async function runCompletion(shell: Shell, declare: (define: Define) => void): Promise<number> {
  const writers = { bash: bashText, zsh: zshText, fish: fishText };
  printText(writers[shell](describeAll(declare)));
  return 0;
}

function describeAll(declare: (define: Define) => void): Described[] {
  const found: Described[] = [];
  declare((signature, describe, builder) => {
    const [name = '', ...parts] = signature.split(' ');
    const places = parts.map((part) => part.replaceAll(/[<>[\].]/g, ''));
    const { key, boolean, choices } = optionsOf(builder(yargs().help(false).version(false)));
    const choicesOf = (one: string): readonly string[] => choices[one] ?? [];
    found.push({
      name,
      describe,
      words: places.flatMap(choicesOf),
      options: Object.keys(key)
        .filter((one) => !places.includes(one))
        .map((one) => ({ name: one, takesValue: !boolean.includes(one), choices: choicesOf(one) })),
    });
  });
  return found;
}

interface YargsOptions {
  readonly key: Readonly<Record<string, unknown>>;
  readonly boolean: readonly string[];
  readonly choices: Readonly<Record<string, readonly string[]>>;
}

function optionsOf(argv: object): YargsOptions {
  return (argv as Argv & { getOptions(): YargsOptions }).getOptions();
}

function afterCommand({ words, options }: Described): string {
  return [...words, ...options.map(({ name }) => `--${name}`), '--help'].join(' ');
}

/** Where there is nothing of ours to offer, a shell offers files. */
function bashText(commands: readonly Described[]): string {
  const cases = commands.map((one) => `    ${one.name}) words='${afterCommand(one)}' ;;\n`);
  const values = commands.flatMap(({ name, options }) =>
    options
      .filter(({ takesValue }) => takesValue)
      .map((one) => `    '${name} --${one.name}') words='${one.choices.join(' ')}' ;;\n`),
  );
  return `# latchkey for bash: source <(latchkey completion bash)
_latchkey() {
  local cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD-1]} words=
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W '${commands.map(({ name }) => name).join(' ')}' -- "$cur"))
    return
  fi
  case "\${COMP_WORDS[1]}" in
${cases.join('')}  esac
  case "\${COMP_WORDS[1]} $prev" in
${values.join('')}  esac
  COMPREPLY=($(compgen -W "$words" -- "$cur"))
}
complete -o default -F _latchkey latchkey
`;
}

function zshText(commands: readonly Described[]): string {
  const cases = commands.map((one) => `    ${one.name}) compadd -- ${afterCommand(one)} ;;\n`);
  return `#compdef latchkey
# latchkey for zsh: source <(latchkey completion zsh)
_latchkey() {
  if (( CURRENT == 2 )); then
    compadd -- ${commands.map(({ name }) => name).join(' ')}
    return
  fi
  case "\${words[2]}" in
${cases.join('')}  esac
  _files
}
compdef _latchkey latchkey
`;
}

function fishText(commands: readonly Described[]): string {
  const lines = commands.flatMap(({ name, describe, words, options }) => {
    const after = `complete -c latchkey -n '__fish_seen_subcommand_from ${name}'`;
    return [
      `complete -c latchkey -f -n __fish_use_subcommand -a ${name} -d ${quoted(describe)}`,
      ...(words.length === 0 ? [] : [`${after} -a '${words.join(' ')}'`]),
      ...options.map((one) => {
        const choices = one.choices.length === 0 ? '' : ` -a '${one.choices.join(' ')}'`;
        return `${after} -l ${one.name}${one.takesValue ? ' -r' : ''}${choices}`;
      }),
    ];
  });
  return `# latchkey for fish: latchkey completion fish | source\n${lines.join('\n')}\n`;
}

function quoted(text: string): string {
  return `'${text.replaceAll(/[\\']/g, '\\$&')}'`;
}
