// What rendering wants from other parts of the agent: signalling children, and somebody to tell. The
// parts themselves live elsewhere; agent/wire.ts hands them in.
import type { ErrorCode } from '../../base/errors.ts';
import type { SecretVersion } from '../../store/secret-version.ts';
import type { Step, StepResult } from './transaction-policy.ts';

/** Sends a signal to a supervised process by its name in the config, or restarts it; rejects when it does not run. */
export type SignalProcess = (name: string, signal: NodeJS.Signals | 'restart') => Promise<void>;

/** Told of bytes that are about to be in a file, and what they were made of; calls back what it gives when they are. */
export type NoteWritten = (
  file: { readonly path: string; readonly owner: number | undefined },
  bytes: Buffer,
  versions: ReadonlyMap<string, SecretVersion>,
) => () => void;

export interface SteppedSet {
  /** The set's name; undefined: one file alone. */
  readonly name: string | undefined;
  readonly destinations: readonly string[];
  /** What they are rendered from: the store's number of the version, by entry key; undefined: it came to no rendering. */
  readonly versions: ReadonlyMap<string, number | undefined>;
  readonly step: Step;
  readonly result: StepResult;
  /** Undefined: nothing went wrong. */
  readonly failure: unknown;
  /** Whether the config asks for anything in this step. */
  readonly isWanted: boolean;
}

/** Told of what happens, for metrics and for tests; must not throw. */
export interface FileObserver {
  /** A template was executed. */
  executed?(destination: string): void;
  /** Files that commit together have come to the end of a step. */
  stepped?(set: SteppedSet): void;
  /** A file was written. */
  committed?(destination: string): void;
  /** It is in place and its programs know it, so long after the newest secret in it was obtained. */
  rotated?(destination: string, ms: number): void;
  /** A transaction came to its end for this file: its last step, and the code where it failed. */
  concluded?(destination: string, step: string, failure: ErrorCode | undefined): void;
  /** Somebody else did this to the file. */
  drifted?(destination: string, what: string): void;
  /** A notification was sent, or failed. */
  notified?(notification: string, failure: ErrorCode | undefined): void;
}
