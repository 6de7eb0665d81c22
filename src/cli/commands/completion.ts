// `latchkey completion bash|zsh|fish`: the commands, their words and options for a shell, from their declarations.
import { type DescribedCommand, describeCommands } from '../describe-commands.ts';
import type { Define } from '../option-groups.ts';
import { printText } from '../output.ts';

export type Shell = 'bash' | 'zsh' | 'fish';

export async function runCompletion(shell: Shell, declare: (define: Define) => void): Promise<number> {
  const writers = { bash: bashText, zsh: zshText, fish: fishText };
  printText(writers[shell](describeCommands(declare)));
  return 0;
}

function afterCommand({ words, options }: DescribedCommand): string {
  return [...words, ...options.map(({ name }) => `--${name}`), '--help'].join(' ');
}

/** Where there is nothing of ours to offer, a shell offers files. */
function bashText(commands: readonly DescribedCommand[]): string {
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

function zshText(commands: readonly DescribedCommand[]): string {
  const cases = commands.map((one) => `    ${one.name}) compadd -- ${afterCommand(one)} ;;\n`);
  const values = commands.flatMap(({ name, options }) =>
    options
      .filter(({ takesValue }) => takesValue)
      .map((one) => {
        const offered = one.choices.length === 0 ? '_files' : `compadd -- ${one.choices.join(' ')}`;
        return `    '${name} --${one.name}') ${offered}; return ;;\n`;
      }),
  );
  return `#compdef latchkey
# latchkey for zsh: source <(latchkey completion zsh)
_latchkey() {
  if (( CURRENT == 2 )); then
    compadd -- ${commands.map(({ name }) => name).join(' ')}
    return
  fi
  case "\${words[2]} \${words[CURRENT-1]}" in
${values.join('')}  esac
  case "\${words[2]}" in
${cases.join('')}  esac
  _files
}
compdef _latchkey latchkey
`;
}

function fishText(commands: readonly DescribedCommand[]): string {
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
