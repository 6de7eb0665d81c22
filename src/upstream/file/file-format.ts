// Which format a file of secrets has, and its text as a tree and back: dotenv, JSON, YAML, ini, or one value as it is.
import { isUtf8 } from 'node:buffer';
import { LatchkeyError } from '../../base/errors.ts';
import { JsonNumber } from '../../base/text/json.ts';
import { jsonExcess } from '../../base/text/json-excess.ts';
import {
  type DocumentMap,
  findNode,
  leafPaths,
  parseDocument,
  setNode,
  writeJson,
  writeYaml,
} from './document.ts';
import { parseDotenv, setInDotenv } from './dotenv.ts';
import type { FileUpstreamConfig } from './file-kind.ts';
import { parseIni } from './ini.ts';

/** A folder is no document. */
export type FileFormat = Exclude<FileUpstreamConfig['format'], 'folder'>;
/** What could be gone through without holding others up; what is JSON may have as much as an answer. */
const mostLines = 100_000;
/** With values that have names. */
export type DocumentFormat = Exclude<FileFormat, 'raw'>;

/** Throws `config_invalid` with the place of what cannot be understood. */
export function parseFormat(format: DocumentFormat, bytes: Buffer, file: string): DocumentMap {
  if (!isUtf8(bytes)) throw new LatchkeyError('config_invalid', `${file}: not UTF-8 text`);
  const text = bytes.toString('utf8');
  const excess = jsonExcess(bytes) ?? linesExcess(bytes);
  if (excess !== undefined)
    throw new LatchkeyError('config_invalid', `${file}: ${excess}`, {
      remedy: 'divide it into several files',
    });
  if (format === 'dotenv') return new Map(parseDotenv(text, file));
  return format === 'ini' ? parseIni(text, file) : parseDocument(text, file);
}

function linesExcess(bytes: Buffer): string | undefined {
  let lines = 0;
  for (let at = bytes.indexOf(10); at >= 0; at = bytes.indexOf(10, at + 1)) lines++;
  return lines > mostLines ? `has more than ${mostLines} lines` : undefined;
}

/** The text with the value at `path` changed or added. Comments stay in dotenv text, not in YAML. */
export function setInFormat(
  format: DocumentFormat,
  text: string,
  path: string,
  value: string,
  file: string,
): string {
  if (format === 'dotenv') {
    if (!/^[A-Za-z_][A-Za-z0-9_.-]*$/.test(path)) {
      throw new LatchkeyError('usage', `expected the name of a variable, got ${JSON.stringify(path)}`);
    }
    return setInDotenv(text, path, value, file);
  }
  if (format === 'ini') {
    throw new LatchkeyError(
      'usage',
      `${file}: values of a file in the format ${format} cannot be set one by one`,
      {
        remedy: 'use latchkey file edit',
      },
    );
  }
  const document = parseDocument(text, file);
  setNode(document, path, value);
  return format === 'json' ? writeJson(document) : writeYaml(document);
}

/** All values with their paths, as text. Throws `usage` where one is a list: it has no text of its own. */
export function toPlainText(document: DocumentMap, file: string): [path: string, value: string][] {
  return leafPaths(document).map((path) => {
    const node = findNode(document, path);
    if (typeof node === 'string') return [path, node];
    if (node instanceof JsonNumber) return [path, node.text];
    if (typeof node === 'boolean') return [path, String(node)];
    if (node === null) return [path, ''];
    throw new LatchkeyError('usage', `${file}: ${path} is a list; take it over with latchkey file edit`);
  });
}
