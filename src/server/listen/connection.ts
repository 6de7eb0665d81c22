// One client's connection: the listener it came through and who is at its other end, told once.
import { timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import type { Standing } from '../../access/access-policy.ts';
import { unknownCaller } from '../../access/caller.ts';
import type { ListenerConfig } from '../../config/resolved.ts';
import type { HostRules } from '../http/refusal-policy.ts';
import { createIdentity, type Identity } from './identity.ts';
import type { ListenerToken } from './listener-token.ts';
import type { Peer } from './peer-table.ts';

/** What the connections of a listener share; changes with a reload. */
export interface ListenerScope {
  config: ListenerConfig;
  hostRules: HostRules;
  /** Of a TCP listener. */
  token: ListenerToken | undefined;
  isDraining: boolean;
}

export interface Connection {
  readonly scope: ListenerScope;
  /** Of a unix socket: the peer. Of TCP: nobody, until a request shows the token. */
  readonly peer: Peer;
  /** When it began. A stranger's connection ends with its first answer. */
  readonly standing: Standing;
  /** Requests that wait for their answer. */
  waiting: number;
  /** The token that a request of this connection has shown, and the header's value that did. */
  provedBy: ListenerToken | undefined;
  provenHeader: string | undefined;
  /** Called by the first `noteProof`. */
  onProof: (() => void) | undefined;
  /** To be called when it has ended; undefined until there is one. */
  endings: Set<() => void> | undefined;
}

const usualHeaders = ['authorization', 'x-aws-parameters-secrets-token', 'x-vault-token'];

const withoutToken = createIdentity(unknownCaller('no token was shown'));
const fromBefore = createIdentity(unknownCaller('the listener was open when this connection began'));
const withWrongToken = createIdentity(unknownCaller('a wrong token was shown'));

/** Who makes this request: the peer, or of TCP whoever shows the listener's token in one of its headers. */
export function identityOf(connection: Connection, headers: IncomingHttpHeaders, now: number): Identity {
  const { token } = connection.scope;
  if (token === undefined) {
    const identity = connection.peer.at(now);
    return identity.caller.kind === 'open' && !connection.scope.config.isOpen ? fromBefore : identity;
  }
  const names = token.headers ?? usualHeaders;
  for (const name of names) if (isProven(connection, headers[name])) return token.caller;
  let hasShown = false;
  for (const name of names) {
    const shown = headers[name];
    if (typeof shown !== 'string') continue;
    hasShown = true;
    if (!isListenerToken(connection, shown)) continue;
    Object.assign(connection, { provedBy: token, provenHeader: shown });
    noteProof(connection);
    return token.caller;
  }
  return hasShown ? withWrongToken : withoutToken;
}

/** Who is at the other end has shown that they are wanted here. */
export function noteProof(connection: Connection): void {
  connection.onProof?.();
  connection.onProof = undefined;
}

/** Equal to what this very connection has proved to know: nothing to be learnt from the time this takes. */
function isProven({ scope, provedBy, provenHeader }: Connection, value: unknown): boolean {
  return value !== undefined && value === provenHeader && scope.token === provedBy;
}

/**
 * Whether a header's value is the listener's own token, which must not go on to an upstream. With or without a scheme:
 * AWS SDKs send the container credentials' token bare.
 */
export function isListenerToken(connection: Connection, value: string): boolean {
  const { token } = connection.scope;
  if (token === undefined) return false;
  if (isProven(connection, value)) return true;
  const bytes = Buffer.from(value.replace(/^bearer +/i, ''), 'utf8');
  return bytes.length === token.bytes.length && timingSafeEqual(bytes, token.bytes);
}
