// What those who want a command run say, and what they are told of it; who runs it is another part of the agent.
import type { SecretValue } from './secret-value.ts';

export interface CommandRequest {
  readonly command: readonly string[];
  readonly timeoutMs: number;
  /** `staged` for `{staged}` and so on, replaced in every argument. */
  readonly placeholders?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
  /** Values that must not be seen in the output or in `lastLine`. */
  readonly masks?: readonly SecretValue[];
}

export interface CommandResult {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** The last line that is not empty of what the command printed, masked; empty when it printed nothing. */
  readonly lastLine: string;
  readonly timedOut: boolean;
}

/** Runs without a shell; the whole process group is ended on timeout and when `signal` is aborted. */
export type RunCommand = (request: CommandRequest) => Promise<CommandResult>;
