// Go's text escapes: html, js, urlquery. Byte strings in and out.
import { decodeRune } from './bytes.ts';
import { isPrint } from './unicode.ts';

const htmlEscapes: Readonly<Record<string, string>> = {
  '\0': '\xef\xbf\xbd',
  '"': '&#34;',
  "'": '&#39;',
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
};

export function escapeHtml(text: string): string {
  return text.replace(/[\0"'&<>]/g, (char) => htmlEscapes[char] ?? char);
}

const jsEscapes: Readonly<Record<string, string>> = {
  '\\': '\\\\',
  "'": "\\'",
  '"': '\\"',
  '<': '\\u003C',
  '>': '\\u003E',
  '&': '\\u0026',
  '=': '\\u003D',
};

export function escapeJs(text: string): string {
  return text.replace(/[\\'"<>&=\0-\x1f]|[\x80-\xff]+/g, (part) => {
    const short = jsEscapes[part];
    if (short !== undefined) return short;
    return part >= '\x80' ? escapeRunes(part) : `\\u00${hex(part.charCodeAt(0), 2)}`;
  });
}

function escapeRunes(text: string): string {
  let escaped = '';
  for (let i = 0; i < text.length; ) {
    const { rune, size } = decodeRune(text, i);
    escaped += isPrint(rune) ? text.slice(i, i + size) : `\\u${hex(rune, 4)}`;
    i += size;
  }
  return escaped;
}

export function escapeQuery(text: string): string {
  return text.replace(/[^A-Za-z0-9\-_.~]/g, (char) =>
    char === ' ' ? '+' : `%${hex(char.charCodeAt(0), 2)}`,
  );
}

function hex(value: number, width: number): string {
  return value.toString(16).toUpperCase().padStart(width, '0');
}
