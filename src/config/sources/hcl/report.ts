// Where something of another tool's configuration stands, and who is told what is wrong or worth knowing there.
import type { Position } from '../../problems.ts';

export interface Origin {
  readonly file: string;
  readonly position: Position | undefined;
  /** As the file names it: `auto_auth.method.config.role`. Empty for the file itself. */
  readonly name: string;
}

export function wholeFile(file: string): Origin {
  return { file, position: undefined, name: '' };
}

/**
 * `ignored`: the file says something that nothing comes of. `differs`: the same is done in another way. `advice`: it is
 * taken over as it is, and something better is to be had.
 */
export type NoteKind = 'ignored' | 'differs' | 'advice';

export interface Note {
  readonly kind: NoteKind;
  readonly origin: Origin;
  readonly message: string;
}

export interface Report {
  problem(origin: Origin, message: string): void;
  note(kind: NoteKind, origin: Origin, message: string): void;
}
