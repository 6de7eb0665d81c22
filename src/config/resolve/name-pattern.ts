// Names of secrets as rules and hooks give them: one of `secrets`, or the start of some with `*` at its end.
import { nearest } from '../../base/text/nearest.ts';
import type { Place } from '../problems.ts';
import { checkKnown, type ResolveContext } from './resolve-context.ts';

/** A problem where it fits no secret. */
export function checkNamePattern(name: string, place: Place, context: ResolveContext): void {
  const { secrets } = context.names;
  if (!name.endsWith('*')) {
    checkKnown(context.problems, place, 'secret', name, secrets);
    return;
  }
  const start = name.slice(0, -1);
  if (start === '' || [...secrets].some((secret) => secret.startsWith(start))) return;
  const guess = nearest(
    start,
    [...secrets].map((secret) => secret.slice(0, start.length)),
  );
  context.problems.add(
    place,
    `${JSON.stringify(name)} fits no secret${guess === undefined ? '' : `; did you mean ${guess}*?`}`,
  );
}
