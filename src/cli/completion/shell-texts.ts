// The text that a shell sources to offer the commands, their words and options from their declarations, and the names of the
// running agent, which it asks for as somebody types.
import { commandsWithNames, isNamedOption } from './complete-names.ts';
import type { DescribedCommand } from './describe-commands.ts';

export const shellTexts = { bash: bashText, zsh: zshText, fish: fishText } as const;

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
  case "\${COMP_WORDS[1]} $cur" in
    *' -'*) return ;;
    ${commandsWithNames.map((name) => `${name}\\ *`).join('|')}) ;;
    *) return ;;
  esac
  # Not by compgen -W, which would execute what a name has in it.
  local name
  while IFS= read -r name; do
    [[ $name == "$cur"* ]] && COMPREPLY+=("$(printf %q "$name")")
  done < <("\${COMP_WORDS[0]}" completion names -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null </dev/null)
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
        const own = isNamedOption(name, one.name) ? '_latchkey_names' : '_files';
        const offered = one.choices.length === 0 ? own : `compadd -- ${one.choices.join(' ')}`;
        return `    '${name} --${one.name}') ${offered}; return ;;\n`;
      }),
  );
  return `#compdef latchkey
# latchkey for zsh: source <(latchkey completion zsh)
_latchkey_names() {
  local -a names=("\${(@f)$("\${words[1]}" completion names -- "\${(@)words[2,CURRENT]}" 2>/dev/null </dev/null)}")
  [[ -n "$names" ]] && compadd -- "\${(@)names}"
}
_latchkey() {
  if (( CURRENT == 2 )); then
    compadd -- ${commands.map(({ name }) => name).join(' ')}
    return
  fi
  case "\${words[2]} \${words[CURRENT-1]}" in
${values.join('')}  esac
  case "\${words[2]}" in
${cases.join('')}  esac
  case "\${words[2]}" in
    ${commandsWithNames.join('|')}) _latchkey_names ;;
  esac
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
      ...(commandsWithNames.includes(name) ? [`${after} -a ${quoted(fishNames)}`] : []),
      ...options.map((one) => {
        const own = isNamedOption(name, one.name) ? ` -a ${quoted(fishNames)}` : '';
        const choices = one.choices.length === 0 ? own : ` -a '${one.choices.join(' ')}'`;
        return `${after} -l ${one.name}${one.takesValue ? (choices === '' ? ' -r' : ' -x') : ''}${choices}`;
      }),
    ];
  });
  return `# latchkey for fish: latchkey completion fish | source\n${lines.join('\n')}\n`;
}

/** The word that is being typed is for fish to compare; an empty one would be none. */
const fishNames =
  "(command -q latchkey; and latchkey completion names -- (commandline -opc)[2..] '' 2>/dev/null </dev/null)";

function quoted(text: string): string {
  return `'${text.replaceAll(/[\\']/g, '\\$&')}'`;
}
