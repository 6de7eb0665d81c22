// Hints for what cannot be parsed: the mistakes of people who come from other languages. They quote the template alone.
import { nearest } from '../../base/text/nearest.ts';

const plainName = /^[\w-]+/;

/** What was meant by a text that the lexer refused with this message; `at` is where the refused item begins. */
export function lexicalHint(message: string, text: string, at: number): string | undefined {
  const rest = text.slice(at);
  if (message.startsWith('bad character U+005B')) {
    const [, name, index] = /^[.$]?(\w*)\[\s*(-?\d+|"[^"\n]*"|\$?\w+)\s*\]/.exec(rest) ?? [];
    return index === undefined
      ? 'elements are read with index'
      : indexHint(chainBefore(text, at, name), index);
  }
  if (message.startsWith('bad character U+002D') && rest.startsWith('.')) {
    const name = plainName.exec(rest.slice(1))?.[0] ?? '';
    return indexHint(chainBefore(text, at), `"${name}"`);
  }
  if (message.startsWith('bad character U+002F')) return `did you mean "${/^[\w/.-]+/.exec(rest)?.[0]}"?`;
  if (message.startsWith('malformed character constant'))
    return 'strings stand in double quotes or back quotes';
  return undefined;
}

function indexHint(container: string, index: string): string {
  return `did you mean (index ${container} ${index})?`;
}

/** The chain of fields that ends at a place, and one more of them; the dot for none. */
function chainBefore(text: string, at: number, last?: string): string {
  const before = /(?:\$\w*)?(?:\.\w+)*$/.exec(text.slice(Math.max(0, at - 200), at))?.[0] ?? '';
  const name = last === undefined || last === '' ? '' : text.slice(at, at + 1 + last.length);
  return before + name || '.';
}

/** The function that an unknown name most likely means: many know those of sprig without their prefix. */
export function functionHint(name: string, isFunction: (name: string) => boolean, names: Iterable<string>) {
  const near = isFunction(`sprig_${name}`) ? `sprig_${name}` : nearest(name, names);
  return near === undefined ? undefined : `did you mean ${near}?`;
}
