// What of an error may be shown. A value in an error may be a secret's, or made from one: it is shown only when the
// execution has read no secret, or when the template's own text holds it and no secret has it as a value.
import { JsonNumber, type JsonValue } from '../../base/text/json.ts';
import { encodeText } from '../text/bytes.ts';
import type { ErrorPart } from './function-table.ts';
import type { LookupSecret } from './lookup.ts';

const redacted = '[redacted]';
/** Shorter values (`1`, `true`, `svc`) are parts of too many words to be cut out of plain text. */
const leastScrubbed = 6;

/** The text of an error, values redacted that are not for showing. `templateText` is a byte string, as the result. */
export function redact(
  parts: readonly ErrorPart[],
  templateText: string,
  secrets: readonly LookupSecret[],
): string {
  const held = heldValues(secrets);
  const scrubbed = [...held].filter(
    (value) => value.length >= leastScrubbed && !templateText.includes(value),
  );
  return parts
    .map((part) => {
      if ('plain' in part)
        return scrubbed.reduce((text, value) => text.replaceAll(value, redacted), part.plain);
      const { raw, shown } = part;
      return raw === '' || isOpen(raw, templateText, held) ? shown : redacted;
    })
    .join('');
}

/** The parameters of a write whose values come from no secret. What is `name=value` in the template's text is literal. */
export function openParameters(
  parameters: Readonly<Record<string, string>>,
  templateText: string,
  secrets: readonly LookupSecret[],
): string[] {
  const held = heldValues(secrets);
  return Object.entries(parameters).flatMap(([name, value]) => {
    const raw = encodeText(value);
    const isShown = isLiteralPair(templateText, name, value) || isOpen(raw, templateText, held);
    return isShown ? [name] : [];
  });
}

/** Whether `"name=value"` is a literal of the template, to its closing quote. */
export function isLiteralPair(templateText: string, name: string, value: string): boolean {
  const pair = encodeText(`${name}=${value}`);
  return ['"', '`'].some((quote) => templateText.includes(pair + quote));
}

function isOpen(raw: string, templateText: string, held: ReadonlySet<string>): boolean {
  return held.size === 0 || (templateText.includes(raw) && !held.has(raw));
}

function heldValues(secrets: readonly LookupSecret[]): Set<string> {
  return new Set(secrets.flatMap((secret) => [...valuesOf(secret)]));
}

/** Strings and numbers anywhere in the secret; with a list of its own, for values nested deeper than the stack takes. */
function* valuesOf(secret: LookupSecret): Generator<string> {
  const rest: JsonValue[] = [secret.data, secret.fields, secret.auth, secret.wrapInfo];
  for (let item = rest.pop(); item !== undefined; item = rest.pop()) {
    if (typeof item === 'string') yield encodeText(item);
    else if (item instanceof JsonNumber) yield item.text;
    else if (typeof item === 'object' && item !== null)
      for (const inner of Object.values(item)) rest.push(inner);
  }
}
