// What a template may ask of the world, and what it may be told. The engine itself does no I/O: whoever executes a
// template answers these questions at once, from memory, or says that the answer is not there yet.
import type { JsonObject } from '../../base/text/json.ts';

/** One thing that a template depends on. Equal dependencies are asked for once in an execution. */
export interface Dependency {
  readonly kind: 'read' | 'list' | 'write' | 'name';
  /** The vault path as the template gave it, without a leading slash; for `name`, a name from the config's `secrets`. */
  readonly path: string;
  /** `?version=N` and other query parameters of a read; the key=value arguments of a write. */
  readonly parameters: Readonly<Record<string, string>>;
  /** Of a write: the parameters whose values come from no secret, so that an error may show them. */
  readonly shownParameters?: readonly string[];
}

/** A secret as Vault's API gives it; numbers are `JsonNumber`. */
export interface LookupSecret {
  readonly requestId: string;
  readonly leaseId: string;
  readonly leaseDurationSeconds: number;
  readonly isRenewable: boolean;
  /** The answer's `data` (for KV version 2 with its inner `data` and `metadata`); null when there is none. */
  readonly data: JsonObject | null;
  readonly warnings: readonly string[] | null;
  readonly auth: JsonObject | null;
  readonly wrapInfo: JsonObject | null;
  /** The secret's own fields: of KV version 2 the inner `data`, else `data`. What `field` and `fields` see. */
  readonly fields: JsonObject;
}

export type LookupAnswer =
  /** `isRemoved`: the last value of a secret that upstream says is no longer there; to `secretExists` and `secretOrDefault` it is not. */
  | { readonly status: 'ready'; readonly secret: LookupSecret; readonly isRemoved?: boolean }
  | { readonly status: 'ready-list'; readonly names: readonly string[] }
  /** Not known yet: the value is nil, the dependency is reported as missing, execution goes on. */
  | { readonly status: 'pending'; readonly reason?: string }
  /** Upstream says that there is no such secret. Reported as missing too, but `secretExists` is false and `secretOrDefault` gives its default. */
  | { readonly status: 'absent'; readonly reason: string };

/** Answers from memory; must not throw. */
export type Lookup = (dependency: Dependency) => LookupAnswer;
