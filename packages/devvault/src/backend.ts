// What the router and everything mounted behind it say to each other: requests, answers, routes, leases, logins.

import type { Logger } from '../../../src/base/logger.ts';
import type { JsonObject } from '../../../src/base/text/json.ts';
import type { Clock } from '../../../src/base/time/clock.ts';
import type { Mount, Namespace, NamespaceTable } from './namespace.ts';
import type { LeaseTable } from './tokens/lease-table.ts';
import type { TokenEntry, TokenTable } from './tokens/token-table.ts';

export type Operation = 'read' | 'list' | 'create' | 'update' | 'patch' | 'delete';

export interface VaultRequest {
  readonly id: string;
  operation: Operation;
  namespace: Namespace;
  /** Below the namespace, without a leading slash: `secret/data/app`. */
  path: string;
  readonly data: JsonObject;
  readonly headers: Readonly<Record<string, string | undefined>>;
  /** The token as it came; empty when none did. */
  readonly clientToken: string;
  token?: TokenEntry;
  readonly remoteAddress: string;
  /** The client certificate of the TLS connection, DER. */
  readonly peerCertificate?: Buffer;
  /** 0 when no wrapping is asked for. */
  readonly wrapTtlSeconds: number;
}

/** A request at the mount that owns it. */
export interface Call extends VaultRequest {
  readonly mount: Mount;
  /** Below the mount: `data/app`. */
  readonly rest: string;
  /** What the route's pattern named. */
  readonly params: Readonly<Record<string, string>>;
}

export interface VaultResponse {
  data?: object | null;
  auth?: AuthGrant;
  /** A finished auth block, when the token is there already (renewal, token creation). */
  authBlock?: object;
  lease?: LeaseGrant;
  /** A lease that is registered already (renewal), or none but a time (KV 1): id empty. */
  leased?: { id: string; renewable: boolean; seconds: number };
  warnings?: readonly string[];
  status?: number;
  /** Only the status is sent. */
  isEmpty?: boolean;
  /** Sent as it is, instead of JSON. */
  raw?: { contentType: string; body: Buffer | string };
  /** Sys paths show their data at the top level too. */
  isInjected?: boolean;
  /** The engine itself asks that this be wrapped (rewrap): the creation path stays. */
  rewrap?: { ttlSeconds: number; creationPath: string; payload: string };
}

/** What a login gives; the router makes the token. */
export interface AuthGrant {
  displayName: string;
  policies: readonly string[];
  metadata: Readonly<Record<string, string>>;
  /** Names the same person at every login; gives the entity id. */
  alias: string;
  ttlSeconds?: number;
  maxTtlSeconds?: number;
  periodSeconds?: number;
  explicitMaxTtlSeconds?: number;
  numUses?: number;
  type?: 'service' | 'batch';
  noDefaultPolicy?: boolean;
}

/** What a leased secret brings along; the lease table calls back. */
export interface LeaseGrant {
  ttlSeconds: number;
  maxTtlSeconds: number;
  renewable: boolean;
  revoke(): Promise<void>;
  /** Called before the new end is fixed, with that end in milliseconds since 1970. */
  renew?(expiresAtMs: number): Promise<void>;
}

export type Handler = (call: Call) => VaultResponse | undefined | Promise<VaultResponse | undefined>;

/** A pattern such as `role/:name/secret-id` or `data/*path`, and what can be done there. */
export interface Route {
  readonly pattern: string;
  readonly read?: Handler;
  readonly list?: Handler;
  /** Serves both `create` and `update`. */
  readonly update?: Handler;
  readonly patch?: Handler;
  readonly delete?: Handler;
  /** Tells `create` from `update` for policies; without it every write is an update. */
  readonly exists?: (call: Call) => boolean;
}

export interface Backend {
  readonly routes: readonly Route[];
  /** Paths below the mount that need no token; a trailing `*` is a prefix, `+` one segment. */
  readonly unauthenticated?: readonly string[];
  /** Paths below the mount that need `sudo`. */
  readonly sudo?: readonly string[];
  close?(): void | Promise<void>;
}

/** What an engine or auth method may use of the server it is in. */
export interface BackendContext {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly tokens: TokenTable;
  readonly leases: LeaseTable;
  readonly namespaces: NamespaceTable;
  readonly mount: Mount;
  readonly namespace: Namespace;
  readonly version: string;
  /** Tells subscribers; `type` such as `kv-v2/data-write`. */
  publish(type: string, metadata: Record<string, string>): void;
}

export type BackendFactory = (context: BackendContext) => Backend;
