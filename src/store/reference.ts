// Names what is wanted from an upstream. Equal references have equal keys and so share one entry, whoever asks.
import { createHash } from 'node:crypto';
import { plainSlashes } from '../base/text/secret-path.ts';

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
    path: plainSlashes(input.path),
    parameters: { ...input.parameters },
    ...(input.shownParameters === undefined ? {} : { shownParameters: input.shownParameters }),
  };
}

/**
 * The identity of a reference, fit for logs and status: `vault:read secret/app?version=2`. The arguments of a
 * write may be secrets, so they appear as a hash only: `vault:write pki/issue/web -> 3f9a…`. `path` counts instead of its own.
 */
export function referenceKey(reference: Reference, path = reference.path): string {
  // Signs of the name are not those of the query after it.
  const name = path.replace(/[%?]/g, encodeURIComponent);
  const start = `${reference.upstream}:${reference.operation} ${name}`;
  const pairs = Object.entries(reference.parameters);
  if (pairs.length === 0) return start;
  pairs.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
  if (reference.operation === 'write') {
    return `${start} -> ${createHash('sha256').update(JSON.stringify(pairs)).digest('hex').slice(0, 16)}`;
  }
  return `${start}?${new URLSearchParams(pairs).toString()}`;
}
