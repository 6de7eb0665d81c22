// Keys that exclude each other: one of them is said, and only one.
import type { Place, Problems } from '../problems.ts';

/** Exactly one of the keys must be there; returns it. */
export function oneOfKeys<K extends string>(
  problems: Problems,
  place: Place,
  value: Readonly<Partial<Record<K, unknown>>>,
  keys: readonly K[],
): K | undefined {
  const present = keys.filter((key) => value[key] !== undefined);
  const [first, second] = present;
  if (first === undefined) problems.add(place, `missing, expected one of ${keys.join(', ')}`);
  else if (second !== undefined) {
    problems.add(
      place.at(second),
      `expected only one of ${keys.join(', ')}, got ${present.join(' and ')}`,
      'key',
    );
  }
  return first;
}
