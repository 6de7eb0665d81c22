// What supervision wants to know of a process's variables; who makes them is wired elsewhere.
import type { ErrorCode } from '../base/errors.ts';
import type { SecretValue } from '../base/secret-value.ts';

export interface MissingValue {
  /** The key of a secret's entry; empty for what is no secret. */
  readonly key: string;
  /** What the config calls it. */
  readonly name: string;
  readonly reason: string;
  /** A template or a value that no waiting mends, as long as the secrets are what they are. */
  readonly code?: ErrorCode;
}

export interface EnvironmentSource {
  /** Every variable, or undefined while one of their secrets is missing or a template fails. */
  current(): ReadonlyMap<string, SecretValue> | undefined;
  /** What is missing, and why. */
  missing(): readonly MissingValue[];
  /** Called when the values differ from before, or become complete or incomplete. Returns what ends it. */
  onChange(listener: () => void): () => void;
  /** The process uses the current values from now on, and no earlier ones. */
  hold(): void;
  /** The process is gone for good. */
  close(): void;
}

export type Variables = ReadonlyMap<string, SecretValue>;

export function isSameEnvironment(a: Variables, b: Variables): boolean {
  if (a.size !== b.size) return false;
  return [...a].every(([name, value]) => b.get(name)?.equals(value) === true);
}

/** `waits for DB_URL (not yet read) and 2 more` */
export function describeMissing(source: EnvironmentSource): string {
  const missing = source.missing();
  const [first] = missing;
  if (first === undefined) return 'waits for its values';
  const more = missing.length > 1 ? ` and ${missing.length - 1} more` : '';
  return `waits for ${first.name} (${first.reason})${more}`;
}
