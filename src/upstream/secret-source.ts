// What an upstream of any kind is to the rest of the agent: something that secrets are read from, with a state for people; of
// some kinds also leases, and the whole API of a Vault. Whose lease is renewed when is decided elsewhere.

import type { AwsSecretQuery } from '../base/aws-secret-query.ts';
import type { ForwardedAnswer, ForwardedRequest } from '../base/forwarded.ts';
import type { SecretValue } from '../base/secret-value.ts';
import type { Surroundings } from '../base/surroundings.ts';
import type { JsonObject } from '../base/text/json.ts';
import type { UpstreamConfig, UpstreamKind } from '../config/upstreams/kinds.ts';
import type { Reference } from '../store/reference.ts';
import type { ReadableSource, RequestOptions } from '../store/secret-reading.ts';
import type { GateObserver, GateStatus } from './gate/gate.ts';
import type { SourceStateName } from './source-state.ts';

export interface LoginStatus {
  readonly method: string;
  readonly state: 'none' | 'logging_in' | 'logged_in' | 'failed';
  /** Wall time in milliseconds; absent: the token has no end, or there is none. */
  readonly expiresAt?: number;
  readonly accessor?: string;
  readonly policies?: readonly string[];
}

export interface SourceStatus {
  readonly name: string;
  readonly kind: UpstreamKind;
  readonly state: SourceStateName;
  /** Wall time in milliseconds at which the state began. */
  readonly since: number;
  /** What is wrong and what helps, for people. */
  readonly message?: string;
  /** Where it is asked: a URL, a path, a command. */
  readonly address: string;
  readonly namespace?: string;
  /** Absent: it wants none. */
  readonly login?: LoginStatus;
  /** Absent: asking it costs nobody anything. */
  readonly budget?: GateStatus & { readonly requestsPerSecond?: number };
  /** How far the server's clock is ahead of this host's (negative: behind); absent: no difference that can be told. */
  readonly clockSkewMs?: number;
  /** Login failed and the config says `exit_on_error`: the agent should end. */
  readonly isFatal?: boolean;
  /** Absent: it has none. */
  readonly sinks?: readonly SinkStatus[];
}

/** A file that holds a copy of the login for other programs. */
export interface SinkStatus {
  readonly path: string;
  /** Wall time in milliseconds; absent: not yet. */
  readonly writtenAt?: number;
  /** Why the login of now is not there. */
  readonly error?: string;
}

/** Called synchronously; must not throw. */
export interface SourceListener {
  /** The state, the login or the address differs from before. */
  status?(status: SourceStatus): void;
  /** Upstream tells that what is at this path, as it spells it (`secret/data/app`), has changed. */
  changedUpstream?(path: string): void;
  /** The token under which these leases were issued ends at `at` (wall time, ms), and upstream revokes them with it. */
  leasesEnd?(leaseIds: readonly string[], at: number): void;
}

/** A line of a policy: what is lacking at a path of the API. */
export interface Grant {
  readonly path: string;
  readonly capabilities: readonly string[];
}

export interface Shortfall {
  /** Undefined: what the agent itself asks, for its token and its leases. */
  readonly reference: Reference | undefined;
  /** `no_mount`: the login may ask, and there is nothing to be asked. */
  readonly problem: 'denied' | 'no_mount';
  /** One of them is enough: where the login may not know the mount, neither is known which. */
  readonly anyOf: readonly Grant[];
}

export interface RightsReport {
  /** False: the login may not ask what it may do. */
  readonly isTold: boolean;
  readonly shortfalls: readonly Shortfall[];
  /** What may be read to see whether it is there: nothing is made or lent by that. With what that takes. */
  readonly readable: readonly { readonly reference: Reference; readonly grants: readonly Grant[] }[];
  /** What could not be found out. */
  readonly untold: readonly Reference[];
  /** What goes on without it, and could not be revoked after a leak: the least right that would do. */
  readonly afterLeak: readonly { readonly reference: Reference; readonly grant: Grant }[];
}

/** What only a Vault has: its whole API, for clients that speak it. */
export interface VaultSide {
  namespace(): string | undefined;
  /** Of the agent's own token; undefined while there is none. */
  accessor(): string | undefined;
  /** Resolves when the token of the last login is in every sink. */
  handedOn(): Promise<void>;
  /** The token that the agent logged in for and a few before it: what no answer to a caller may hold. */
  ownTokens(): readonly SecretValue[];
  /** Whether the login may do what these ask; reads, lends and makes nothing. */
  rights(references: readonly Reference[], request: RequestOptions): Promise<RightsReport>;
  /** Passes a request on as it came. Throws only when there is no answer to pass back. */
  forward(request: ForwardedRequest): Promise<ForwardedAnswer>;
}

/** What only AWS has: secrets by any id, in its own words. */
export interface AwsSide {
  /** The answer of AWS as it came. Rejects as `read` does. */
  secretValue(query: AwsSecretQuery, request: RequestOptions): Promise<JsonObject>;
}

export interface SecretSource extends ReadableSource {
  readonly kind: UpstreamKind;
  /** Absent: it is no Vault. */
  readonly vault?: VaultSide;
  /** Absent: it is not AWS. */
  readonly aws?: AwsSide;
  /** Logs in, connects or watches in the background, for as long as it lives; never throws. */
  start(): void;
  status(): SourceStatus;
  /** Somebody asks: a login (or connection) that failed is tried again now. Absent: there is none. */
  tryAgain?(): void;
  listen(listener: SourceListener): () => void;
  /** Resolves when it can be asked; rejects when aborted, closed, or when login failed with `exit_on_error`. */
  ready(signal: AbortSignal): Promise<void>;
  /**
   * Whether `next` can be taken over with all that was got so far (login, leases): the function that does so, which cannot
   * fail. Absent or undefined: another source must take its place. Has no effect by itself.
   */
  prepareUpdate?(next: UpstreamConfig): (() => void) | undefined;
  /**
   * Another has taken its place, or none: it hears and tells nothing more and no longer logs in, but keeps alive what was
   * issued by it.
   */
  retire(): Promise<void>;
  /**
   * Ends requests, watches and timers; `revokeToken` revokes what login made (and with it its leases) where nobody else
   * uses it.
   */
  close(options: { revokeToken: boolean; signal: AbortSignal }): Promise<void>;
}

/** What every kind is built from. */
export interface SourceOptions<Config> extends Surroundings {
  readonly config: Config;
  /** Told of every request; absent: nobody counts. */
  readonly observer?: GateObserver | undefined;
  /** The one whose place it takes: what was used up to log in there (a secret id) may serve here too. */
  readonly predecessor?: SecretSource | undefined;
}
