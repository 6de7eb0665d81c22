// What the resolver of a kind gets: the upstream as the file has it, and the few things of the whole that a kind may ask for.
import type { Place, Problems } from '../problems.ts';

export interface KindItem<T> {
  readonly name: string;
  readonly place: Place;
  readonly value: T;
}

export interface KindContext {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly problems: Problems;
  /** Absolute; a relative path starts at the folder of the file that says it. */
  pathAt(place: Place, path: string): string;
  optionalPathAt(place: Place, path: string | undefined): string | undefined;
}
