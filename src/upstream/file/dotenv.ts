// Reads and changes dotenv text: NAME=value lines, `export`, comments, three kinds of quoting over several lines. Nothing is
// expanded: a password with a dollar sign is that password.
import { LatchkeyError } from '../../base/errors.ts';

interface Assignment {
  readonly name: string;
  readonly value: string;
  /** Offsets of the whole assignment in the text, without its line end. */
  readonly start: number;
  readonly end: number;
}

const head = /[ \t]*(?:export[ \t]+)?([A-Za-z_][A-Za-z0-9_.-]*)[ \t]*=[ \t]*/y;
const blank = /[ \t]*(?:#[^\n]*)?(?:\r?\n|$)/y;
const escapes: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t', f: '\f', v: '\v', b: '\b' };

/** The last assignment of a name counts. Throws `config_invalid` with the line of what is no assignment. */
export function parseDotenv(text: string, file: string): Map<string, string> {
  return new Map(assignments(text, file).map(({ name, value }) => [name, value]));
}

/** The text with this value in place of the name's last one, or at the end; all else stays as it is. */
export function setInDotenv(text: string, name: string, value: string, file: string): string {
  const line = `${name}=${quoteDotenv(value)}`;
  const known = assignments(text, file).findLast((one) => one.name === name);
  if (known !== undefined) return `${text.slice(0, known.start)}${line}${text.slice(known.end)}`;
  const separator = text === '' || text.endsWith('\n') ? '' : '\n';
  return `${text}${separator}${line}\n`;
}

/** What one value is once its quotes are taken off: for text that comes without its line. */
export function unquoteDotenv(source: string): string {
  const quote = source[0] ?? '';
  if (!'\'"`'.includes(quote) || quote === '') return source;
  const closing = closingQuote(source, 0, quote);
  return closing === source.length - 1 ? unquoted(source.slice(1, closing), quote) : source;
}

function quoteDotenv(value: string): string {
  if (/^[A-Za-z0-9_./:@%+,=-]*$/.test(value)) return value;
  if (!/['\n\r]/.test(value)) return `'${value}'`;
  const escaped = value
    .replace(/[\\"$`]/g, '\\$&')
    .replace(/\n/g, '\\n')
    .replace(/\r/g, '\\r');
  return `"${escaped}"`;
}

function assignments(source: string, file: string): Assignment[] {
  const text = source.replace(/^\uFEFF/, ' ');
  const found: Assignment[] = [];
  let at = 0;
  while (at < text.length) {
    blank.lastIndex = at;
    if (blank.test(text)) {
      at = blank.lastIndex;
      continue;
    }
    const one = readAssignment(text, at, file);
    found.push(one);
    at = one.end;
    blank.lastIndex = at;
    if (!blank.test(text)) throw invalid(text, at, file, 'expected the end of the line after a quoted value');
    at = blank.lastIndex;
  }
  return found;
}

function readAssignment(text: string, at: number, file: string): Assignment {
  head.lastIndex = at;
  const name = head.exec(text)?.[1];
  if (name === undefined) throw invalid(text, at, file, 'expected NAME=value');
  const start = head.lastIndex;
  const quote = text[start] ?? '';
  if (quote !== '' && '\'"`'.includes(quote)) {
    const closing = closingQuote(text, start, quote);
    if (closing < 0) throw invalid(text, at, file, `expected a closing ${quote}`);
    return { name, value: unquoted(text.slice(start + 1, closing), quote), start: at, end: closing + 1 };
  }
  const rest = /[^\r\n]*/y;
  rest.lastIndex = start;
  const line = rest.exec(text)?.[0] ?? '';
  // A number sign is part of a value unless a space is before it.
  const bare = line.replace(/(?:^|[ \t]+)#.*$/, '').replace(/[ \t]+$/, '');
  return { name, value: bare, start: at, end: start + bare.length };
}

/** Only in double quotes has a backslash a meaning. */
function closingQuote(text: string, start: number, quote: string): number {
  for (let at = start + 1; at < text.length; at += 1) {
    if (text[at] === '\\' && quote === '"') at += 1;
    else if (text[at] === quote) return at;
  }
  return -1;
}

function unquoted(inner: string, quote: string): string {
  const text = inner.replace(/\r\n/g, '\n');
  if (quote !== '"') return text;
  return text.replace(/\\([\s\S])/g, (whole, next: string) => {
    if ('\\"$`'.includes(next)) return next;
    if (next === '\n') return '';
    return escapes[next] ?? whole;
  });
}

function invalid(text: string, at: number, file: string, what: string): LatchkeyError {
  const line = text.slice(0, at).split('\n').length;
  return new LatchkeyError('config_invalid', `${file}:${line}: ${what}`);
}
