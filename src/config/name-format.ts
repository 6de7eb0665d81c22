// A text that makes the name of a variable: `{{ key }}` is the name so far, `replaceKey "FROM" "TO"` changes it.

const action = /\{\{-?\s*key\s*((?:\|\s*replaceKey\s+"[^"\\]*"\s+"[^"\\]*"\s*)*)-?\}\}/g;
const replacement = /replaceKey\s+"([^"\\]*)"\s+"([^"\\]*)"/g;

/** Undefined when it holds an action of another kind. */
export function compileNameFormat(format: string): ((name: string) => string) | undefined {
  if (format.replace(action, '').includes('{{')) return undefined;
  return (name) =>
    format.replace(action, (_whole, steps: string) =>
      [...steps.matchAll(replacement)].reduce(
        (text, [, from = '', to = '']) => text.replaceAll(from, to),
        name,
      ),
    );
}
