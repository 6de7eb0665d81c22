// What the resolver of a kind gets beside the upstream as the file has it: the few things of the whole that it may ask for.
import type { Environment } from '../../base/surroundings.ts';
import type { Place, Problems } from '../problems.ts';

export interface KindContext {
  readonly env: Environment;
  readonly problems: Problems;
  /** Absolute; a relative path starts at the folder of the file that says it. */
  pathAt(place: Place, path: string): string;
  optionalPathAt(place: Place, path: string | undefined): string | undefined;
}
