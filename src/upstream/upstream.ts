// What an upstream is to the rest of the agent: requests for secrets, leases and raw calls, and a state for people.
// Whose lease is renewed when, and what a change means, is decided elsewhere.
import type { IncomingHttpHeaders } from 'node:http';
import type { Readable } from 'node:stream';
import type { SecretValue } from '../base/secret-value.ts';
import type { UpstreamConfig } from '../config/resolved.ts';
import type { Reference } from '../store/reference.ts';
import type { SecretAnswer, SecretVersion } from '../store/secret-version.ts';

/** `interactive`: somebody waits for the answer; it goes ahead of `background` in the budget. */
export type Priority = 'interactive' | 'background';

export interface Urgency {
  readonly priority: Priority;
  /** Aborted when somebody begins to wait for a background request: wherever it is queued, it is interactive then. */
  readonly promoted?: AbortSignal | undefined;
}

export interface RequestOptions extends Urgency {
  readonly signal: AbortSignal;
}

/** Each is explained in docs/reference/upstream-states.md. */
export type UpstreamStateName =
  | 'starting'
  | 'logging_in'
  | 'ready'
  | 'login_failed'
  | 'denied'
  | 'sealed'
  | 'uninitialized'
  | 'standby'
  | 'rate_limited'
  | 'unavailable'
  | 'tls_failed'
  | 'dns_failed'
  | 'answer_invalid'
  | 'closed';

export interface LoginStatus {
  readonly method: string;
  readonly state: 'none' | 'logging_in' | 'logged_in' | 'failed';
  /** Wall time in milliseconds; absent: the token has no end, or there is none. */
  readonly expiresAt?: number;
  readonly accessor?: string;
  readonly policies?: readonly string[];
}

export interface UpstreamStatus {
  readonly name: string;
  readonly kind: string;
  readonly state: UpstreamStateName;
  /** Wall time in milliseconds at which the state began. */
  readonly since: number;
  /** What is wrong and what helps, for people. */
  readonly message?: string;
  readonly address: string;
  readonly namespace?: string;
  readonly login: LoginStatus;
  readonly budget: { readonly inFlight: number; readonly queued: number };
  /** Login failed and the config says `exit_on_error`: the agent should end. */
  readonly isFatal?: boolean;
}

/** Called synchronously; must not throw. */
export interface UpstreamListener {
  /** The state, the login or the address differs from before. */
  status?(status: UpstreamStatus): void;
  /** An event says that this API path (`secret/data/app`) has changed. */
  changedUpstream?(path: string): void;
  /** The token under which these leases were issued ends at `at` (wall time, ms), and upstream revokes them with it. */
  leasesEnd?(leaseIds: readonly string[], at: number): void;
}

export interface ForwardRequest {
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

export interface ForwardResponse {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** To be read to its end or destroyed. */
  readonly body: Readable;
}

/** What can change in an upstream that stays. */
export type UpstreamSettings = Pick<UpstreamConfig, 'budget' | 'events' | 'timeoutMs' | 'maxBodyBytes'>;

export interface Upstream {
  readonly name: string;
  /** Asks for the reference; the KV version is found out and `data/` or `metadata/` put in where the path lacks it. */
  read(reference: Reference, options: RequestOptions): Promise<SecretAnswer>;
  /** Does upstream still have this version? `undefined`: cannot tell cheaply, read instead. */
  isCurrent(
    reference: Reference,
    version: SecretVersion,
    options: RequestOptions,
  ): Promise<boolean | undefined>;
  renew(
    leaseId: string,
    incrementSeconds: number,
    options: RequestOptions,
  ): Promise<{ durationSeconds: number; isRenewable: boolean }>;
  /** A lease that is gone already counts as revoked. */
  revoke(leaseId: string, options: RequestOptions): Promise<void>;
  /** References that mean the same secret have the same canonical key; known after the first read of a mount. */
  canonicalKey(reference: Reference): string;
  /** Logs in in the background, renews and logs in again; never throws. */
  start(): void;
  status(): UpstreamStatus;
  listen(listener: UpstreamListener): () => void;
  /** Resolves when logged in; rejects when aborted, closed, or login failed with `exit_on_error`. */
  ready(signal: AbortSignal): Promise<void>;
  /** Passes a request on as it came. Throws only when there is no answer to pass back. */
  forward(request: ForwardRequest): Promise<ForwardResponse>;
  /** The token that the agent logged in for and a few before it: what no answer to a caller may hold. */
  ownTokens?(): readonly SecretValue[];
  /** Takes over settings that need no new login; the rest of `config` is what it was built with. */
  update(config: UpstreamSettings): void;
  /**
   * Another has taken its place, or none: it hears and tells nothing more, writes no sinks and logs in no more, but keeps
   * its token alive for what was issued under it.
   */
  retire(): Promise<void>;
  /**
   * Ends requests, watches and timers; `revokeToken` revokes the token (and with it its leases) if login made it and no
   * sink has it.
   */
  close(options: { revokeToken: boolean; signal: AbortSignal }): Promise<void>;
}
