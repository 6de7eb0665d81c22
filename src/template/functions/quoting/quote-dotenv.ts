// `.env` is not one format: its readers differ in what quotes and backslashes mean. A value is written in the form that
// all of them read alike; where there is none, the template must name its reader.
import { callError, plain } from '../../exec/function-table.ts';

type Reader = 'node' | 'python' | 'shell';

const readers: Readonly<Record<Reader, (text: string) => string | undefined>> = {
  node: quoteForNode,
  python: quoteForPython,
  shell: (text) => `'${text.replaceAll("'", "'\\''")}'`,
};

/** `quoteDotenv VALUE` or `quoteDotenv READER VALUE`. */
export function quoteDotenv(first: string, rest: readonly string[]): string {
  const [value = first, ...more] = rest;
  if (more.length > 0) throw callError`quoteDotenv: expected a value, or a reader and a value`;
  if (/[\0]/.test(value)) {
    throw callError`quoteDotenv: the value has a NUL byte, which this format cannot carry`;
  }
  if (rest.length === 0) return quoteForAll(value);
  if (!Object.hasOwn(readers, first)) {
    throw callError`quoteDotenv: expected a reader of node, python, shell, got ${first}`;
  }
  const reader = first as Reader;
  const quoted = readers[reader](value);
  if (quoted === undefined) {
    throw callError`quoteDotenv: ${plain(reader)} has no spelling for this value; hand it over in a file of its own`;
  }
  return quoted;
}

function quoteForAll(value: string): string {
  // Literal for all three, but for the backslashes that python-dotenv drops and the ${…} that it expands.
  if (!/'|\\[\\']|\\$|\$\{|\r/.test(value)) return `'${value}'`;
  if (!/["\\$`\r]/.test(value)) return `"${value}"`;
  throw callError`quoteDotenv: no spelling of this value is read alike by Node, python-dotenv and shells; name the reader: quoteDotenv "python" VALUE, or "node", or "shell"`;
}

/** `node --env-file` and the npm package dotenv: no escapes but `\n` (and dotenv's `\r`) in double quotes. */
function quoteForNode(value: string): string | undefined {
  if (value.includes('\r')) return undefined;
  if (!value.includes("'")) return `'${value}'`;
  if (!/"|\\[nr]/.test(value)) return `"${value}"`;
  return value.includes('`') ? undefined : `\`${value}\``;
}

/**
 * python-dotenv: `\\` and `\'` are escapes in single quotes, but for one at the very end, and `${NAME}` is expanded even there.
 */
function quoteForPython(value: string): string | undefined {
  if (/\$\{[^}]*\}|\r|\\$/.test(value)) return undefined;
  return `'${value.replace(/[\\']/g, '\\$&')}'`;
}
