// What a program said on its standard error, for the log: without any text that its answer holds.
import { isJsonObject, JsonNumber, type JsonValue, parseJson } from '../../base/text/json.ts';
import type { ProgramEnd } from './run-program.ts';

const mostLines = 20;
const longestLine = 500;
/** Masking shorter ones would make the text unreadable and hide nothing. */
const shortestValue = 4;

export function maskedLines({ stdout, stderr }: ProgramEnd): string[] {
  if (stderr.length === 0) return [];
  const values = valuesIn(stdout).sort((a, b) => b.length - a.length);
  return stderr
    .toString('utf8')
    .split('\n')
    .filter((line) => line.trim() !== '')
    .slice(0, mostLines)
    .map((line) =>
      values.reduce((text, value) => text.replaceAll(value, '[redacted]'), line).slice(0, longestLine),
    );
}

function valuesIn(stdout: Buffer): string[] {
  const text = stdout.toString('utf8');
  let answer: JsonValue;
  try {
    answer = parseJson(text);
  } catch {
    // No JSON: any word of it may be the secret.
    return text.split(/\s+/).filter((word) => word.length >= shortestValue);
  }
  const found = leaves(answer).filter((value) => value.length >= shortestValue);
  // Lines are looked at one by one, and a value may have several.
  return [...new Set(found.flatMap((value) => [value, ...value.split('\n')]))].filter(
    (value) => value.length >= shortestValue,
  );
}

function leaves(value: JsonValue): string[] {
  if (typeof value === 'string') return [value];
  if (value instanceof JsonNumber) return [value.text];
  if (Array.isArray(value)) return value.flatMap(leaves);
  return isJsonObject(value) ? Object.values(value).flatMap(leaves) : [];
}
