// Names what is wanted from an upstream. Equal references have equal keys and so share one entry, whoever asks.
import { createHash } from 'node:crypto';

export type Operation = 'read' | 'list' | 'write';

export interface Reference {
  /** A name from the config's `upstreams`. */
  readonly upstream: string;
  readonly operation: Operation;
  /** Without leading or trailing slash, without a query. */
  readonly path: string;
  /** Query parameters of a read or list (`version`); the body's fields of a write. */
  readonly parameters: Readonly<Record<string, string>>;
  /** Of these parameters the value comes from the operator, not from a secret: errors show it. No part of the identity. */
  readonly shownParameters?: readonly string[];
}

interface ReferenceInput {
  upstream: string;
  path: string;
  operation?: Operation;
  parameters?: Readonly<Record<string, string>>;
  shownParameters?: readonly string[] | undefined;
}

/** `path` is a name, to the letter: `?`, `%` and `#` in it belong to it. Only slashes are normalised. */
export function createReference(input: ReferenceInput): Reference {
  return {
    upstream: input.upstream,
    operation: input.operation ?? 'read',
    path: input.path.replace(/\/{2,}/g, '/').replace(/^\/|\/$/g, ''),
    parameters: { ...input.parameters },
    ...(input.shownParameters === undefined ? {} : { shownParameters: input.shownParameters }),
  };
}

/** A path as the config has it: a query of `key=value` pairs at its end (`a/b?version=2`) goes to the parameters. */
export function splitQuery(text: string): { path: string; parameters: Readonly<Record<string, string>> } {
  const query = /\?((?:[A-Za-z_][\w.-]*=[^&?]*)(?:&[A-Za-z_][\w.-]*=[^&?]*)*)$/.exec(text);
  if (query === null) return { path: text, parameters: {} };
  return {
    path: text.slice(0, query.index),
    parameters: Object.fromEntries(new URLSearchParams(query[1])),
  };
}

/**
 * The identity of a reference, fit for logs and status: `vault:read secret/app?version=2`. The arguments of a
 * write may be secrets, so they appear as a hash only: `vault:write pki/issue/web -> 3f9a…`.
 */
export function referenceKey(reference: Reference): string {
  // Signs of the name are not those of the query after it.
  const path = reference.path.replace(/[%?]/g, encodeURIComponent);
  const start = `${reference.upstream}:${reference.operation} ${path}`;
  const pairs = Object.entries(reference.parameters).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
  if (pairs.length === 0) return start;
  if (reference.operation === 'write') {
    return `${start} -> ${createHash('sha256').update(JSON.stringify(pairs)).digest('hex').slice(0, 16)}`;
  }
  return `${start}?${new URLSearchParams(pairs).toString()}`;
}
