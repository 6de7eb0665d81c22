// What a request of the Vault dialect asks for, by its URL alone. Pure. Rules match the path that Vault will see, so a
// spelling that could be read in two ways is refused.
import { LatchkeyError } from '../../base/errors.ts';

export interface VaultTarget {
  /** As it goes upstream, without the query. */
  readonly rawPath: string;
  readonly query: string;
  /** Decoded, without `/v1/`: what access rules match and audit lines show. */
  readonly path: string;
  /** `list=true` makes a GET a LIST, and so does `scan=true`, a list of all below. */
  readonly isList: boolean;
  /** Of a GET that may be served from memory: the query as parameters of a reference. */
  readonly parameters: Readonly<Record<string, string>> | undefined;
}

/** Nothing below these is a secret that many share: they tell of the server, of tokens, or belong to one token. */
export const neverCached = new Set(['sys', 'auth', 'cubbyhole', 'identity', 'transit', 'totp']);
const forbidden = /[\0-\x1f\x7f]/;
const twisted = /[\0-\x1f\x7f\\]/;

/** Throws `usage` for a path that is not in its plain form. */
export function vaultTarget(sentPath: string, query: string): VaultTarget {
  // Vaults take a bare backslash for one of the name, as they do an escaped one; what reads URLs as browsers do, for a slash.
  const rawPath = sentPath.replaceAll('\\', '%5C');
  const path = plainPath(rawPath.slice('/v1/'.length));
  const pairs = [...new URLSearchParams(query)];
  const isPlain = pairs.every(([key], index) => pairs.findIndex(([other]) => other === key) === index);
  // Some servers take a semicolon for an ampersand.
  const split = [...new URLSearchParams(query.replaceAll(';', '&'))];
  const listing = split.filter(([key]) => key === 'list' || key === 'scan');
  // Some readers take what follows for no part of the request.
  if (query.includes('#')) throw new LatchkeyError('usage', 'the query: expected %23 in place of #');
  if (listing.length > 1) {
    throw new LatchkeyError('usage', 'the query: expected list or scan once, for servers heed one of them');
  }
  const isList = listing.some(([, value]) => /^(?:1|t|true)$/i.test(value));
  const isAside = split.some(([key]) => key === 'list' || key === 'help' || key === 'scan');
  const isFit =
    isPlain &&
    !isAside &&
    !path.endsWith('/') &&
    !/[?#]/.test(path) &&
    !neverCached.has(path.split('/', 1)[0] ?? '');
  return { rawPath, query, path, isList, parameters: isFit ? Object.fromEntries(pairs) : undefined };
}

function plainPath(text: string): string {
  let decoded: string;
  try {
    decoded = decodeURIComponent(text);
  } catch (error) {
    throw new LatchkeyError('usage', 'the path is not well percent-encoded', { cause: error });
  }
  const segments = decoded.split('/');
  // A backslash belongs to a name, and to no way up.
  const isTwisted =
    segments.some((segment, index) => segment === '' && (index === 0 || index < segments.length - 1)) ||
    decoded.split(/[\\/]/).some((part) => part === '.' || part === '..');
  if (isTwisted || /%2f|#/i.test(text) || forbidden.test(decoded)) {
    throw new LatchkeyError(
      'usage',
      'the path: expected it in plain form, without empty, dot or escaped segments',
    );
  }
  return decoded;
}

/**
 * The namespace that a header asks for; undefined where it is the upstream's own. Throws `usage` for one that is not in
 * its plain form: OpenBao would resolve `team/..` after the rules have seen it.
 */
export function namespaceAsked(header: string | undefined, own: string | undefined): string | undefined {
  const asked = trimSlashes(header ?? '');
  if (asked === '' || asked === trimSlashes(own ?? '')) return undefined;
  const isTwisted = asked.split('/').some((segment) => ['', '.', '..'].includes(segment));
  if (isTwisted || twisted.test(asked)) {
    throw new LatchkeyError('usage', 'X-Vault-Namespace: expected it in plain form, such as team-a/billing');
  }
  return asked;
}

/**
 * The path as rules know it, one for every spelling: seen from the upstream's own namespace, whether the header or the
 * path names one within it; what is outside of that begins with two slashes and the whole namespace.
 */
export function ruledPath(path: string, namespace: string | undefined, own: string | undefined): string {
  if (namespace === undefined) return path;
  const base = trimSlashes(own ?? '');
  if (base === '') return `${namespace}/${path}`;
  if (namespace.startsWith(`${base}/`)) return `${namespace.slice(base.length + 1)}/${path}`;
  return `//${namespace}/${path}`;
}

function trimSlashes(text: string): string {
  return text.replace(/^\/+|\/+$/g, '');
}

/** Old clients of HashiCorp's Vault name a token in the path: it is not for the audit file. */
export function withoutToken(path: string): string {
  return path.replace(/(\/auth\/token\/(?:lookup|renew|revoke|revoke-orphan)\/).+/, '$1…');
}

const kvVerbs = new Set(['metadata', 'delete', 'undelete', 'destroy']);

/** The paths of the secrets that a write may have changed: of KV 2 the `data/` path. */
export function pathsWritten(path: string): string[] {
  const segments = path.replace(/\/$/, '').split('/');
  const twins = segments.flatMap((segment, index) =>
    kvVerbs.has(segment) ? [segments.toSpliced(index, 1, 'data').join('/')] : [],
  );
  return [segments.join('/'), ...twins];
}

export type VaultOperation =
  | { readonly kind: 'renew-lease' | 'revoke-lease'; readonly leaseId: string | undefined }
  | { readonly kind: 'revoke-prefix'; readonly prefix: string }
  | { readonly kind: 'revoke-token'; readonly isSelf: boolean; readonly areOrphaned: boolean }
  | { readonly kind: 'token-about'; readonly isSelf: boolean }
  | { readonly kind: 'other' };

const other: VaultOperation = { kind: 'other' };

/** Requests about leases and tokens that concern what is in memory. Namespaces may stand before them in the path. */
export function operationOf(method: string, path: string): VaultOperation {
  const token = /(?:^|\/)auth\/token\/(lookup|renew)(-self|-accessor)?$/.exec(path);
  if (token !== null) return { kind: 'token-about', isSelf: token[2] === '-self' };
  if (method !== 'PUT' && method !== 'POST') return other;
  const lease = /(?:^|\/)sys\/(?:leases\/)?(renew|revoke)(?:\/(.+))?$/.exec(path);
  if (lease !== null) {
    return { kind: lease[1] === 'renew' ? 'renew-lease' : 'revoke-lease', leaseId: lease[2] };
  }
  const prefix = /(?:^|\/)sys\/(?:leases\/)?revoke-(?:prefix|force)\/(.+)$/.exec(path);
  if (prefix !== null) return { kind: 'revoke-prefix', prefix: prefix[1] ?? '' };
  const revoked = /(?:^|\/)auth\/token\/revoke(-self|-accessor|-orphan)?$/.exec(path);
  if (revoked !== null) {
    return { kind: 'revoke-token', isSelf: revoked[1] === '-self', areOrphaned: revoked[1] === '-orphan' };
  }
  return other;
}
