// Anchors, tags and directives of YAML as libyaml scans them.
import type { Mark, YamlReader } from './yaml-reader.ts';

const wordChar = /[0-9A-Za-z_-]/;
const uriChar = /[0-9A-Za-z_\-;/?:@&=+$,.!~*'()[\]%]/;

function readWord(reader: YamlReader): string {
  let word = '';
  while (wordChar.test(reader.char())) word += reader.read();
  return word;
}

/** The name behind `&` or `*`. */
export function scanAnchor(reader: YamlReader): string {
  const start = reader.mark();
  reader.skip();
  const name = readWord(reader);
  if (name === '' || !(reader.isBlankOrEnd() || '?:,]}%@`'.includes(reader.char()))) {
    throw reader.fault('did not find expected alphabetic or numeric character', start);
  }
  return name;
}

export interface ScannedTag {
  /** `!`, `!!`, `!name!`, or empty when the suffix is the whole tag. */
  readonly handle: string;
  readonly suffix: string;
}

export function scanTag(reader: YamlReader): ScannedTag {
  const start = reader.mark();
  const tag = reader.char(1) === '<' ? scanVerbatimTag(reader, start) : scanShorthandTag(reader, start);
  if (!reader.isBlankOrEnd()) throw reader.fault('did not find expected whitespace or line break', start);
  return tag;
}

function scanVerbatimTag(reader: YamlReader, start: Mark): ScannedTag {
  reader.skip(2);
  const suffix = scanTagUri(reader, '', start);
  if (reader.char() !== '>') throw reader.fault("did not find the expected '>'", start);
  reader.skip();
  return { handle: '', suffix };
}

function scanShorthandTag(reader: YamlReader, start: Mark): ScannedTag {
  const handle = scanTagHandle(reader, false, start);
  if (handle.length > 1 && handle.endsWith('!')) return { handle, suffix: scanTagUri(reader, '', start) };
  const suffix = scanTagUri(reader, handle, start);
  return suffix === '' ? { handle: '', suffix: '!' } : { handle: '!', suffix };
}

function scanTagHandle(reader: YamlReader, isDirective: boolean, start: Mark): string {
  if (reader.char() !== '!') throw reader.fault("did not find expected '!'", start);
  let handle = reader.read() + readWord(reader);
  if (reader.char() === '!') handle += reader.read();
  else if (isDirective && handle !== '!') throw reader.fault("did not find expected '!'", start);
  return handle;
}

/** `head` is a handle that turned out to be the start of the URI. */
function scanTagUri(reader: YamlReader, head: string, start: Mark): string {
  let uri = head.slice(1);
  let hasTag = head !== '';
  while (uriChar.test(reader.char())) {
    uri += reader.char() === '%' ? scanEscapes(reader, start) : reader.read();
    hasTag = true;
  }
  if (!hasTag) throw reader.fault('did not find expected tag URI', start);
  return uri;
}

function scanEscapes(reader: YamlReader, start: Mark): string {
  const escapes = /^(?:%[0-9a-fA-F]{2})+/.exec(reader.text.slice(reader.index))?.[0];
  if (escapes === undefined) throw reader.fault('did not find URI escaped octet', start);
  reader.skip(escapes.length);
  try {
    return decodeURIComponent(escapes);
  } catch {
    throw reader.fault('found an incorrect trailing UTF-8 octet', start);
  }
}

export type ScannedDirective =
  | { readonly name: 'YAML'; readonly version: string }
  | { readonly name: 'TAG'; readonly handle: string; readonly prefix: string };

export function scanDirective(reader: YamlReader): ScannedDirective {
  const start = reader.mark();
  reader.skip();
  const name = readWord(reader);
  if (name === '') throw reader.fault('could not find expected directive name', start);
  if (!reader.isBlankOrEnd()) throw reader.fault('found unexpected non-alphabetical character', start);
  if (name !== 'YAML' && name !== 'TAG') throw reader.fault('found unknown directive name', start);
  reader.skipBlanks();
  const directive = name === 'YAML' ? scanVersion(reader, start) : scanTagDirective(reader, start);
  reader.skipBlanks();
  reader.skipComment();
  if (!reader.isBreakOrEnd()) throw reader.fault('did not find expected comment or line break', start);
  if (reader.isBreak()) reader.readLine();
  return directive;
}

function scanVersion(reader: YamlReader, start: Mark): ScannedDirective {
  const major = scanNumber(reader, start);
  if (reader.char() !== '.') throw reader.fault("did not find expected digit or '.' character", start);
  reader.skip();
  return { name: 'YAML', version: `${major}.${scanNumber(reader, start)}` };
}

function scanNumber(reader: YamlReader, start: Mark): number {
  let digits = '';
  while (/[0-9]/.test(reader.char())) digits += reader.read();
  if (digits.length > 2) throw reader.fault('found extremely long version number', start);
  if (digits === '') throw reader.fault('did not find expected version number', start);
  return Number(digits);
}

function scanTagDirective(reader: YamlReader, start: Mark): ScannedDirective {
  const handle = scanTagHandle(reader, true, start);
  if (!reader.isBlank()) throw reader.fault('did not find expected whitespace', start);
  reader.skipBlanks();
  const prefix = scanTagUri(reader, '', start);
  if (!reader.isBlankOrEnd()) throw reader.fault('did not find expected whitespace or line break', start);
  return { name: 'TAG', handle, prefix };
}
