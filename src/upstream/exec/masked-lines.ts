// What a program said on its standard error, for the log: without any text that its answer holds, however that is spelled.

import { createOutputMask } from '../../base/mask/output-mask.ts';
import { SecretValue } from '../../base/secret-value.ts';
import { counted } from '../../base/text/counted.ts';
import { isJsonObject, JsonNumber, type JsonValue, parseJson } from '../../base/text/json.ts';
import type { ProgramEnd } from './run-program.ts';

const mostLines = 20;
const longestLine = 500;
/** More are the words of a whole text: to look for each in all its spellings would cost more than the lines are worth. */
const mostValues = 2000;

export function maskedLines({ stdout, stderr }: ProgramEnd): string[] {
  const lines = stderr
    .toString('utf8')
    .split('\n')
    .filter((line) => line.trim() !== '')
    .slice(0, mostLines);
  if (lines.length === 0) return [];
  const values = new Set(valuesIn(stdout));
  if (values.size > mostValues)
    return [
      `${counted(lines.length, 'line is', 'lines are')} not shown: the answer has too many words to take out of them`,
    ];
  const mask = createOutputMask(Array.from(values, (value) => SecretValue.fromText(value)));
  return mask
    .text(lines.join('\n'))
    .split('\n')
    .map((line) => line.slice(0, longestLine));
}

function valuesIn(stdout: Buffer): string[] {
  const text = stdout.toString('utf8');
  let answer: JsonValue;
  try {
    answer = parseJson(text);
  } catch {
    // No JSON: any word of it may be the secret.
    return text.split(/\s+/);
  }
  // A line of a value counts as a value of its own: a mask does not look for the shortest lines of one that has several.
  return leaves(answer).flatMap((value) => [value, ...value.split('\n')]);
}

function leaves(value: JsonValue): string[] {
  if (typeof value === 'string') return [value];
  if (value instanceof JsonNumber) return [value.text];
  if (Array.isArray(value)) return value.flatMap(leaves);
  return isJsonObject(value) ? Object.values(value).flatMap(leaves) : [];
}
