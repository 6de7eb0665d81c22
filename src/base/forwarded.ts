// A request of a caller that is passed on to the upstream behind it, and the answer that is passed back.
import type { IncomingHttpHeaders } from 'node:http';
import type { Readable } from 'node:stream';
import type { SecretValue } from './secret-value.ts';

export interface ForwardedRequest {
  readonly method: string;
  /** With `/v1/`, escaped as it came, without a query. */
  readonly path: string;
  /** As it came, without the question mark; empty: none. */
  readonly query: string;
  /** Hop-by-hop headers, Host, X-Vault-Token and X-Vault-Namespace are left out by the upstream. */
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  /** Instead of any that the headers name; undefined: the upstream's own. */
  readonly namespace: string | undefined;
  readonly body: Buffer | Readable | undefined;
  /** `auto`: the agent's own token; undefined: none. */
  readonly token: SecretValue | 'auto' | undefined;
  readonly signal: AbortSignal;
}

export interface ForwardedAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** To be read to its end or destroyed. */
  readonly body: Readable;
}
