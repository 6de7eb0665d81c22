// What the resolvers share: the environment, the problems, paths made absolute, and who writes which path.
import { dirname, resolve } from 'node:path';
import type { Environment } from '../../base/surroundings.ts';
import { nearest } from '../../base/text/nearest.ts';
import type { Item } from '../item.ts';
import { type Place, type Problems, reportTwice } from '../problems.ts';
import type { KindContext } from '../upstreams/kind-context.ts';

/** Those of invalid items too, so that one mistake is told once. */
interface KnownNames {
  readonly secrets: ReadonlySet<string>;
  readonly processes: ReadonlySet<string>;
  readonly listenerCount: number;
}

export interface ResolveContext extends KindContext {
  readonly names: KnownNames;
  /** The names of all upstreams, the one that the environment gives too. */
  readonly upstreamNames: ReadonlySet<string>;
  /** `files[2]`; with several sources also the file: `files[2] of /etc/latchkey/web.yaml`. */
  nameOf(place: Place): string;
  /** Notes that the agent writes `path`; a second one who does is a problem. */
  claim(path: string, place: Place): void;
  /** The paths that were claimed, in order. */
  readonly claims: ReadonlyMap<string, Place>;
  /** The upstream that is meant: the named one, or the only one. */
  upstreamOf(name: string | undefined, place: Place): string | undefined;
}

export function createResolveContext(
  names: KnownNames,
  upstreamNames: ReadonlySet<string>,
  env: Environment,
  problems: Problems,
  sourceCount: number,
): ResolveContext {
  const claims = new Map<string, Place>();
  const pathAt = (place: Place, path: string) =>
    resolve(place.source.folder ?? dirname(place.source.file), path);
  return {
    env,
    problems,
    names,
    upstreamNames,
    claims,
    pathAt,
    optionalPathAt: (place, path) => (path === undefined ? undefined : pathAt(place, path)),
    nameOf: (place) => (sourceCount > 1 ? `${place.name} of ${place.source.file}` : place.name),
    claim(path, place) {
      const first = claims.get(path);
      if (first !== undefined) reportTwice(problems, place, first, path);
      else claims.set(path, place);
    },
    upstreamOf(name, place) {
      if (name !== undefined) {
        checkKnown(problems, place.at('upstream'), 'upstream', name, upstreamNames);
        return name;
      }
      return upstreamNames.size === 1 ? [...upstreamNames][0] : undefined;
    },
  };
}

/** A problem when `name` is not one of the known names. */
export function checkKnown(
  problems: Problems,
  place: Place,
  what: string,
  name: string,
  known: ReadonlySet<string>,
): void {
  if (known.has(name)) return;
  const guess = nearest(name, known);
  const list = known.size === 0 ? `there is no ${what}` : `known: ${[...known].slice(0, 20).join(', ')}`;
  problems.add(
    place,
    `unknown ${what} ${JSON.stringify(name)}; ${guess === undefined ? list : `did you mean ${guess}?`}`,
  );
}

/** A problem for each item whose `name` an earlier one has. */
export function checkUniqueNames(
  problems: Problems,
  items: readonly Item<{ readonly name: string }>[],
): void {
  const places = new Map<string, Place>();
  for (const { value, place } of items) {
    const first = places.get(value.name);
    if (first === undefined) places.set(value.name, place.at('name'));
    else reportTwice(problems, place.at('name'), first, value.name);
  }
}
