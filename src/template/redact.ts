// What of an error may be shown. A value in an error may be a secret's, or made from one: it is shown only when the
// execution has read no secret, or when the template's own text holds it and no secret has it as a value.
import { JsonNumber, type JsonValue } from '../base/json.ts';
import { encodeText } from './bytes.ts';
import type { ErrorPart } from './function-table.ts';
import type { LookupSecret } from './lookup.ts';

const redacted = '[redacted]';

/** The text of an error, values redacted that are not for showing. `templateText` is a byte string, as the result. */
export function redact(
  parts: readonly ErrorPart[],
  templateText: string,
  secrets: readonly LookupSecret[],
): string {
  return parts
    .map((part) => {
      if ('plain' in part) return part.plain;
      const { raw } = part;
      const isOpen =
        secrets.length === 0 || raw === '' || (templateText.includes(raw) && !isHeld(raw, secrets));
      return isOpen ? part.shown : redacted;
    })
    .join('');
}

function isHeld(raw: string, secrets: readonly LookupSecret[]): boolean {
  return secrets.some((secret) =>
    [secret.data, secret.fields, secret.auth, secret.wrapInfo].some((part) => holds(part, raw)),
  );
}

/** Walks with a list of its own: a value may be nested deeper than the host's stack takes. */
function holds(value: JsonValue, raw: string): boolean {
  const rest: JsonValue[] = [value];
  for (let item = rest.pop(); item !== undefined; item = rest.pop()) {
    if (typeof item === 'string' && encodeText(item) === raw) return true;
    if (item instanceof JsonNumber) {
      if (item.text === raw) return true;
    } else if (typeof item === 'object' && item !== null) {
      for (const inner of Object.values(item)) rest.push(inner);
    }
  }
  return false;
}
