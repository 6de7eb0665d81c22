// Values written so that a program reads back exactly them: one function for each reader of configuration files. What a
// format cannot carry fails, because a password that is silently another one locks people out. Strings are bytes.
import { quoteShell } from '../../../base/text/quote-shell.ts';
import { callError, defineFunction, type FunctionTable, plain } from '../../exec/function-table.ts';
import { decodeText, encodeText } from '../../text/bytes.ts';
import { quoteDotenv } from './quote-dotenv.ts';

type Uncarried = 'NUL' | 'line break' | 'control' | 'blank at an end' | 'word of npm';

interface Limits {
  /** What the format has no spelling for. */
  readonly without?: readonly Uncarried[];
  /** The reader takes UTF-8 only. */
  readonly isText?: boolean;
  /** Bytes of what is written: the reader cuts longer lines into two. */
  readonly longest?: number;
}

/** Lines of 4096 bytes with the key at the beginning: mysys/my_default.c reads into 4096, curl's lib/netrc.c too. */
const longestOfMySql = 3968;
const longestOfCurl = 3584;

/** Of formats without quotes. */
const bareWord: Limits = { without: ['NUL', 'line break', 'blank at an end'] };

const found: Readonly<Record<Uncarried, { readonly pattern: RegExp; readonly name: string }>> = {
  NUL: { pattern: /\0/, name: 'a NUL byte' },
  'line break': { pattern: /[\r\n]/, name: 'a line break' },
  // Tab and the line breaks have spellings wherever the others have none.
  control: { pattern: /[\x01-\x08\x0b\x0c\x0e-\x1f\x7f]/, name: 'a control character' },
  // Those of any language's alphabet too: JavaScript's trim and Python's strip take them all off.
  'blank at an end': { pattern: /^[\s\x1c-\x1f\x85]|[\s\x1c-\x1f\x85]$/, name: 'a blank at its end' },
  'word of npm': {
    pattern: /^(?:null|true|false|undefined)$/,
    name: 'only the letters of a word that npm knows',
  },
};

export const quoting: FunctionTable = {
  quoteShell: quoter('quoteShell', quoteShell, { without: ['NUL'] }),
  quoteSystemd: quoter('quoteSystemd', quoteSystemd, { without: ['NUL', 'control'], isText: true }),
  quoteIni: quoter('quoteIni', quoteIni, { without: ['NUL'] }),
  quoteConfigParser: quoter('quoteConfigParser', (text) => text.replaceAll('%', '%%'), bareWord),
  quoteMyCnf: quoter('quoteMyCnf', quoteMyCnf, { without: ['NUL'], longest: longestOfMySql }),
  quotePHP: quoter('quotePHP', (text) => `'${text.replace(/[\\']/g, '\\$&')}'`, {}),
  quoteProperties: quoter('quoteProperties', quoteProperties, { isText: true }),
  quoteXML: quoter('quoteXML', quoteXml, { without: ['NUL', 'control'], isText: true }),
  quoteNetrc: quoter('quoteNetrc', quoteNetrc, {
    without: ['NUL', 'line break', 'control'],
    longest: longestOfCurl,
  }),
  quoteNpmrc: quoter('quoteNpmrc', quoteNpmrc, {
    without: ['NUL', 'blank at an end', 'word of npm'],
    isText: true,
  }),
  quotePgpass: quoter('quotePgpass', (text) => text.replace(/[\\:]/g, '\\$&'), {
    without: ['NUL', 'line break'],
  }),
  quotePgService: quoter('quotePgService', (text) => text, bareWord),
  quoteConnString: quoter('quoteConnString', (text) => `'${text.replace(/[\\']/g, '\\$&')}'`, {
    without: ['NUL'],
  }),
  quoteURL: quoter('quoteURL', quoteUrl, {}),
  quoteDotenv: defineFunction(['string', '...string'], 'string', (_context, first, ...rest) =>
    quoteDotenv(first, rest),
  ),
};

function quoter(
  name: string,
  quote: (text: string) => string,
  { without = [], isText = false, longest = Number.POSITIVE_INFINITY }: Limits,
) {
  return defineFunction(['string'], 'string', (_context, text) => {
    const characters = decodeText(text);
    for (const kind of without) {
      if (found[kind].pattern.test(characters)) {
        throw callError`${plain(name)}: the value has ${plain(found[kind].name)}, which this format cannot carry`;
      }
    }
    if (isText && encodeText(characters) !== text) {
      throw callError`${plain(name)}: the value is not UTF-8, which this format cannot carry; use base64Encode`;
    }
    const quoted = quote(text);
    if (quoted.length <= longest) return quoted;
    throw callError`${plain(name)}: the value takes ${plain(String(quoted.length))} bytes, and readers of this format stop at ${plain(String(longest))}`;
  });
}

/** systemd's EnvironmentFile= (systemd.exec(5)): in double quotes a backslash escapes these four, and nothing is expanded. */
function quoteSystemd(text: string): string {
  return `"${text.replace(/["\\`$]/g, '\\$&')}"`;
}

/**
 * PHP's ini files (parse_ini_file): in double quotes, where `${NAME}` would be expanded. A `"` stands in single quotes
 * beside them, because `\"` at the end of a line ends the string there.
 */
function quoteIni(text: string): string {
  return `"${text.replace(/\\|\$(?=\{)/g, '\\$&').replaceAll('"', `"'"'"`)}"`;
}

/** Option files of MySQL and MariaDB ("Using Option Files"): these escapes, and nothing of JSON's `\u`. */
function quoteMyCnf(text: string): string {
  const names: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t', '\b': '\\b' };
  return `"${text.replace(/["\\\n\r\t\b]/g, (sign) => names[sign] ?? `\\${sign}`)}"`;
}

/** java.util.Properties.load: what is not ASCII is escaped, so that readers by Latin-1 and by UTF-8 agree. */
function quoteProperties(text: string): string {
  const names: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t', '\f': '\\f' };
  return decodeText(text)
    .replace(/[\\=:#!]/g, '\\$&')
    .replace(/^ /, '\\ ')
    .replace(/[\n\r\t\f]/g, (sign) => names[sign] ?? sign)
    .replace(/[^\x20-\x7e]/g, (sign) => `\\u${sign.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** XML 1.0, for text and for attributes: line ends and tabs by number, because parsers turn them into blanks (3.3.3). */
function quoteXml(text: string): string {
  if (/[\ufffe\uffff]/.test(decodeText(text))) {
    throw callError`quoteXML: the value has a character that XML cannot carry`;
  }
  return text.replace(/[&<>"'\t\n\r]/g, (sign) => `&#${sign.charCodeAt(0)};`);
}

/**
 * netrc as curl and Python read it, quoted; git hands the file to curl. Python takes the sign behind a backslash as it
 * stands, so that there is no spelling of a line break for both, and a tab is written as it is.
 */
function quoteNetrc(text: string): string {
  return `"${text.replace(/["\\]/g, '\\$&')}"`;
}

/** npm's ini: a JSON string, in which npm then expands `${NAME}` unless a backslash stands before it. */
function quoteNpmrc(text: string): string {
  const literal = decodeText(text).replace(/(\\*)\$\{(?=[^${}]+\})/g, '$1$1\\${');
  // Its lines end at more than line feeds.
  return JSON.stringify(literal).replace(
    /[\x7f-\uffff]/g,
    (sign) => `\\u${sign.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** Percent-encoding of everything but RFC 3986's unreserved characters: for any part of a URL. */
function quoteUrl(text: string): string {
  return text.replace(
    /[^A-Za-z0-9\-._~]/g,
    (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`,
  );
}
