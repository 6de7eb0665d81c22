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
}

interface ReferenceInput {
  upstream: string;
  path: string;
  operation?: Operation;
  parameters?: Readonly<Record<string, string>>;
}

/** Normalises slashes and moves a query in the path (`a/b?version=2`) to the parameters. */
export function createReference(input: ReferenceInput): Reference {
  const mark = input.path.indexOf('?');
  const plain = mark < 0 ? input.path : input.path.slice(0, mark);
  const query = mark < 0 ? [] : [...new URLSearchParams(input.path.slice(mark + 1))];
  return {
    upstream: input.upstream,
    operation: input.operation ?? 'read',
    path: plain.replace(/\/{2,}/g, '/').replace(/^\/|\/$/g, ''),
    parameters: { ...Object.fromEntries(query), ...input.parameters },
  };
}

/**
 * The identity of a reference, fit for logs and status: `vault:read secret/app?version=2`. The arguments of a
 * write may be secrets, so they appear as a hash only: `vault:write pki/issue/web -> 3f9a…`.
 */
export function referenceKey(reference: Reference): string {
  const start = `${reference.upstream}:${reference.operation} ${reference.path}`;
  const pairs = Object.entries(reference.parameters).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
  if (pairs.length === 0) return start;
  if (reference.operation === 'write') {
    return `${start} -> ${createHash('sha256').update(JSON.stringify(pairs)).digest('hex').slice(0, 16)}`;
  }
  return `${start}?${new URLSearchParams(pairs).toString()}`;
}
