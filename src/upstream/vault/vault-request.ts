// A request in Vault's terms, how it looks on the wire, and which path and mount it concerns.
import { Buffer } from 'node:buffer';
import type { Readable } from 'node:stream';
import type { SecretValue } from '../../base/secret-value.ts';
import { type JsonValue, stringifyJson } from '../../base/text/json.ts';
import type { Urgency } from '../../store/secret-reading.ts';
import type { Scope } from '../gate/quota.ts';

export interface VaultRequest extends Urgency {
  readonly method: string;
  /** Without `/v1/`; each segment is escaped here. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: JsonValue;
  readonly token?: SecretValue | undefined;
  /** Instead of the upstream's own. */
  readonly namespace?: string | undefined;
  readonly signal: AbortSignal;
  /** Asked twice it makes nothing more: it is repeated once where a kept connection was just closed by the other side, or is silent. */
  readonly isHarmless?: boolean;
  /** Whether a body is one that was looked into before: it is not looked into again. */
  readonly isKnown?: (body: Buffer) => boolean;
}

export interface RawRequest {
  readonly method: string;
  /** Path and query as they go on the wire. */
  readonly target: string;
  readonly headers: Readonly<Record<string, string | string[]>>;
  readonly body: Buffer | Readable | undefined;
  readonly signal: AbortSignal;
  readonly isHarmless?: boolean | undefined;
}

export function rawRequest(request: VaultRequest, ownNamespace: string | undefined): RawRequest {
  const namespace = request.namespace ?? ownNamespace;
  const query = request.query === undefined ? '' : new URLSearchParams(request.query).toString();
  const path = plainPath.test(request.path) ? request.path : escapedPath(request.path);
  return {
    method: request.method,
    target: `/v1/${path}${query === '' ? '' : `?${query}`}`,
    headers: {
      'x-vault-request': 'true',
      accept: 'application/json',
      ...(request.body === undefined ? {} : { 'content-type': 'application/json' }),
      ...(namespace === undefined ? {} : { 'x-vault-namespace': namespace }),
      ...(request.token === undefined ? {} : { 'x-vault-token': request.token.text() }),
      ...request.headers,
    },
    body: request.body === undefined ? undefined : Buffer.from(stringifyJson(request.body), 'utf8'),
    signal: request.signal,
    isHarmless: request.isHarmless,
  };
}

/** What escaping leaves as it is. */
const plainPath = /^[\w./~-]*$/;

function escapedPath(path: string): string {
  return path.toWellFormed().split('/').map(encodeURIComponent).join('/');
}

/** Of a request that is passed on as it came. */
export function callerPath({
  target,
  headers,
}: Pick<RawRequest, 'target' | 'headers'>): Pick<VaultRequest, 'path' | 'namespace'> {
  const escaped = target.split('?', 1)[0]?.replace(/^\/v1\//, '') ?? '';
  const namespace = headers['x-vault-namespace'];
  return {
    path: decoded(escaped),
    ...(typeof namespace === 'string' ? { namespace } : {}),
  };
}

function decoded(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    // Not well escaped: the server refuses it, and it limits nothing else.
    return path;
  }
}

/** What a limit on this request may reach. A mount that is not known is taken for the first segment. */
export function scopeOf(
  { path, namespace }: Pick<VaultRequest, 'path' | 'namespace'>,
  ownNamespace: string | undefined,
  mountOf: (path: string) => string | undefined,
): Scope {
  const start = namespace ?? ownNamespace ?? '';
  const inside = start === '' ? '' : `${start.replace(/^\/+|\/+$/g, '')}/`;
  return { path: `${inside}${path}`, mount: `${inside}${mountOf(path) ?? guessedMount(path)}` };
}

function guessedMount(path: string): string {
  const segments = path.split('/');
  const isOfTwo = segments[0] === 'auth' || segments[0] === 'sys';
  return `${segments.slice(0, isOfTwo ? 2 : 1).join('/')}/`;
}
