// Reads the ini dialect that SOPS writes: sections, `key = value`, comments by `;` or `#`. Values are taken as they stand.
import { LatchkeyError } from '../../base/errors.ts';
import type { DocumentMap, DocumentNode } from './document.ts';

/** Keys before the first section are at the top. Throws `config_invalid` with the line that is neither. */
export function parseIni(text: string, file: string): DocumentMap {
  const document: DocumentMap = new Map();
  let section = document;
  for (const [index, line] of text
    .replace(/^\uFEFF/, '')
    .split(/\r?\n/)
    .entries()) {
    if (/^\s*(?:[;#].*)?$/.test(line)) continue;
    const name = /^\s*\[([^\]]+)\]\s*(?:[;#].*)?$/.exec(line)?.[1]?.trim();
    if (name !== undefined) {
      const known = document.get(name);
      section = known instanceof Map ? known : new Map<string, DocumentNode>();
      document.set(name, section);
      continue;
    }
    const pair = /^\s*([^=:]+?)\s*[=:]\s*(.*?)\s*$/.exec(line);
    if (pair === null)
      throw new LatchkeyError('config_invalid', `${file}:${index + 1}: expected key = value or [section]`);
    section.set(pair[1] ?? '', unquoteIni(pair[2] ?? ''));
  }
  return document;
}

function unquoteIni(value: string): string {
  const quoted = /^(`|"""|"|')([\s\S]*)\1$/.exec(value);
  return quoted?.[2] ?? value;
}
