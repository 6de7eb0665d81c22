// Hints for the mistakes that users of secrets make most: the two shapes of KV, and mistyped fields. They name fields
// of the template and of the secret's shape, never a value.
import { nearest } from '../../base/text/nearest.ts';
import type { Type } from '../value/type.ts';
import { MapValue, stringOf, type Value } from '../value/value.ts';

/** A chain of fields, `.Data.password`, as its text up to the one that is missing, the rest, and where it was sought. */
export interface MissingField {
  /** The text before the missing field, such as `.Data`. */
  readonly before: string;
  /** The missing field and those after it. */
  readonly idents: readonly string[];
  /** The map that has no such entry. */
  readonly map: MapValue;
}

/** What the template most likely meant, or null. */
export function fieldHint({ before, idents, map }: MissingField): string | null {
  const [wanted = '', ...rest] = idents;
  const inner = map.get('data');
  if (inner instanceof MapValue && map.has('metadata') && inner.has(wanted)) {
    return `did you mean ${[before, 'data', ...idents].join('.')}? (the secret is of KV version 2)`;
  }
  const [next] = rest;
  if (wanted === 'data' && next !== undefined && map.has(next)) {
    return `did you mean ${[before, ...rest].join('.')}? (the secret is not of KV version 2)`;
  }
  return null;
}

/** The entry of the map whose name is nearest to the missing one. */
export function nearestFieldHint({ before, idents, map }: MissingField): string | null {
  const [wanted = '', ...rest] = idents;
  const near = nearest(wanted, map.keys().map(keyText));
  return near === undefined ? null : `did you mean ${[before, near, ...rest].join('.')}?`;
}

function keyText(key: Value): string {
  return stringOf(key) ?? '';
}

/** The field or method of the type whose name is nearest. */
export function nearestMemberHint(type: Type, wanted: string): string | null {
  const members = [...type.methods.keys(), ...type.fields.map((field) => field.name)];
  const near = nearest(wanted, members);
  return near === undefined ? null : `did you mean .${near}?`;
}

/** How a value of one type becomes an argument of another. */
export function typeHint(wanted: string, got: string): string | undefined {
  if (got === 'json.Number' && wanted === 'string') return '.String makes a string of a number of a secret';
  if (got === 'json.Number' && /^u?int/.test(wanted)) return 'sprig_int makes an int of a number of a secret';
  return wanted === '[]string' && got === '[]interface {}' ? 'sprig_join takes any list' : undefined;
}
