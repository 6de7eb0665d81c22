// One client's connection: the listener it came through and who is at its other end, told once.
import { timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { type Caller, unknownCaller } from '../access/caller.ts';
import { type EncodedCaller, encodeCaller } from '../audit/audit-line.ts';
import type { ListenerConfig } from '../config/resolved.ts';
import type { HostRules } from './refusal-policy.ts';
import type { DialectHandler } from './server-context.ts';

/** What the connections of a listener share; changes with a reload. */
export interface ListenerScope {
  config: ListenerConfig;
  hostRules: HostRules;
  /** By the first segment of the path. */
  dialects: ReadonlyMap<string, DialectHandler>;
  /** Of a TCP listener. */
  token: ListenerToken | undefined;
  isDraining: boolean;
}

export interface ListenerToken {
  readonly bytes: Buffer;
  /** Shared by all that show the token, so that decisions and ledger see one caller. */
  readonly caller: Identity;
}

export interface Identity {
  readonly caller: Caller;
  readonly encoded: EncodedCaller;
}

export interface Connection {
  readonly scope: ListenerScope;
  /** Of a unix socket: the peer. Of TCP: nobody, until a request shows the token. */
  readonly peer: Identity;
  /** The token that this connection has shown before and that was right. */
  shownToken: string | undefined;
}

export function createIdentity(caller: Caller): Identity {
  return { caller, encoded: encodeCaller(auditCaller(caller)) };
}

function auditCaller(caller: Caller) {
  if (caller.kind === 'unknown') return { unknown: caller.why };
  if (caller.kind === 'token') return { token: caller.tokens[0] ?? '' };
  const { uid, gid, pid, exe, unit, container } = caller;
  return { uid, gid, pid, exe, unit, container };
}

const withoutToken = createIdentity(unknownCaller('no token was shown'));
const withWrongToken = createIdentity(unknownCaller('a wrong token was shown'));

/** Who makes this request: the peer, or of TCP whoever shows the listener's token in one of its headers. */
export function identityOf(connection: Connection, headers: IncomingHttpHeaders): Identity {
  const { token } = connection.scope;
  if (token === undefined) return connection.peer;
  const shown = shownTokens(headers);
  if (shown.length === 0) return withoutToken;
  return shown.some((text) => isRightToken(connection, token, text)) ? token.caller : withWrongToken;
}

/** Whether this header's value is the listener's own token, which must not go on to an upstream. */
export function isListenerToken(connection: Connection, value: string): boolean {
  const { token } = connection.scope;
  return token !== undefined && isRightToken(connection, token, value);
}

function shownTokens(headers: IncomingHttpHeaders): string[] {
  const shown: string[] = [];
  const { authorization } = headers;
  // AWS SDKs send the container credentials' token without a scheme.
  if (authorization !== undefined) shown.push(authorization.replace(/^bearer +/i, ''));
  for (const name of ['x-aws-parameters-secrets-token', 'x-vault-token']) {
    const value = headers[name];
    if (typeof value === 'string') shown.push(value);
  }
  return shown;
}

function isRightToken(connection: Connection, token: ListenerToken, shown: string): boolean {
  // Equal to what this very connection has proved to know: nothing to be learnt from the time this takes.
  if (connection.shownToken === shown) return true;
  const bytes = Buffer.from(shown, 'utf8');
  if (bytes.length !== token.bytes.length || !timingSafeEqual(bytes, token.bytes)) return false;
  connection.shownToken = shown;
  return true;
}
