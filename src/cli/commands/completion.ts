// `latchkey completion bash|zsh|fish`, and what those ask as somebody types.
import { completeNames } from '../completion/complete-names.ts';
import { describeCommands } from '../completion/describe-commands.ts';
import { shellTexts } from '../completion/shell-texts.ts';
import type { Define } from '../option-groups.ts';
import { printText } from '../output.ts';

interface CompletionOptions {
  /** `names`: what the running agent has, a line each. */
  readonly shell: keyof typeof shellTexts | 'names';
  readonly words: readonly string[];
}

export async function runCompletion(
  { shell, words }: CompletionOptions,
  declare: (define: Define) => void,
): Promise<number> {
  const text =
    shell === 'names'
      ? (await completeNames(words)).map((name) => `${name}\n`).join('')
      : shellTexts[shell](describeCommands(declare));
  printText(text);
  return 0;
}
