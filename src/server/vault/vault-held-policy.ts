// Which answers of the vault to logins, token creations and requests for leases are kept for the caller that got them,
// and for how long they do. Pure. As Vault's agent: only what can be renewed; who asks again for the rest wants another.
import type { Caller } from '../../access/caller.ts';
import { isJsonObject, JsonNumber, type JsonObject, type JsonValue } from '../../base/text/json.ts';
import type { LeaseRenewal } from '../../store/secret-reading.ts';
import { neverCached, type VaultTarget } from './vault-path-policy.ts';

export type Keepable = 'login' | 'create' | 'lease';

/** What an answer gave. */
export interface Grant {
  readonly kind: 'token' | 'lease';
  /** The token itself, or the lease's id. */
  readonly id: string;
  readonly accessor: string | undefined;
  /** It outlives the token that made it. */
  readonly isOrphan: boolean;
  readonly durationSeconds: number;
}

/** Undefined: whatever the answer is, nobody else's request gets it. */
export function keepableOf(method: string, target: VaultTarget): Keepable | undefined {
  const { path, isList } = target;
  const isWrite = method === 'POST' || method === 'PUT';
  if (isWrite && isLogin(path)) return 'login';
  if (isWrite && /(?:^|\/)auth\/token\/create(?:-orphan|\/[^/]+)?$/.test(path)) return 'create';
  const isSecret = !isList && !neverCached.has(path.split('/', 1)[0] ?? '');
  return isSecret && (isWrite || method === 'GET') ? 'lease' : undefined;
}

/** `auth/MOUNT/login` and `auth/MOUNT/login/NAME`, a namespace before it. By parts: a pattern would try each `auth` with each `login`. */
function isLogin(path: string): boolean {
  const parts = path.split('/');
  const last = parts.at(-1) === 'login' ? parts.length - 1 : parts.length - 2;
  const first = parts.indexOf('auth');
  return parts[last] === 'login' && parts.at(-1) !== '' && first >= 0 && last - first > 1;
}

/**
 * Fields of login bodies that prove who logs in: who can send one of them could as well log in elsewhere. Not passwords:
 * guesses at what another caller sent would get past the vault's lockout.
 */
const proofs = ['secret_id', 'jwt', 'token', 'pkcs7', 'iam_request_headers'];

/** Whether the caller shows a credential in the body; if not, it may be the agent's connection or token that proves. */
export function hasProof(fields: JsonObject): boolean {
  return proofs.some((name) => typeof fields[name] === 'string' && fields[name] !== '');
}

/** Equal for processes that are the same program for the same user in the same unit and container. */
export function callerKey(caller: Caller): string {
  if (caller.kind !== 'process') return JSON.stringify(caller);
  const { pid: _pid, startTime: _startTime, ...who } = caller;
  return JSON.stringify(who);
}

/** Undefined: nothing to keep, such as a wrapped answer, a token with counted uses, or what cannot be renewed. */
export function grantOf(json: JsonObject, kind: Keepable): Grant | undefined {
  const { auth, wrap_info: wrapped, lease_id: leaseId } = json;
  if (isJsonObject(wrapped)) return undefined;
  if (isJsonObject(auth)) {
    const { client_token: id, accessor, orphan, num_uses: uses } = auth;
    const durationSeconds = secondsOf(auth);
    if (
      kind === 'lease' ||
      typeof id !== 'string' ||
      id === '' ||
      durationSeconds === 0 ||
      numberOf(uses) > 0
    )
      return undefined;
    const known = typeof accessor === 'string' && accessor !== '' ? accessor : undefined;
    const isOrphan = kind === 'login' || orphan === true;
    return { kind: 'token', id, accessor: known, isOrphan, durationSeconds };
  }
  const durationSeconds = secondsOf(json);
  if (kind !== 'lease' || typeof leaseId !== 'string' || leaseId === '' || durationSeconds === 0)
    return undefined;
  return { kind: 'lease', id: leaseId, accessor: undefined, isOrphan: false, durationSeconds };
}

export function renewedLife(json: JsonObject): LeaseRenewal {
  const part = isJsonObject(json['auth']) ? json['auth'] : json;
  return { durationSeconds: numberOf(part['lease_duration']), isRenewable: part['renewable'] === true };
}

/** The rest of a token's life by a lookup; undefined where the answer does not tell. */
export function lookedUpSeconds(json: JsonObject): number | undefined {
  const ttl = isJsonObject(json['data']) ? json['data']['ttl'] : undefined;
  return ttl instanceof JsonNumber ? numberOf(ttl) : undefined;
}

/**
 * With a tenth of its life left it is no good answer to somebody who begins to use it. Vaults tell whole seconds, some of
 * them rounded up: the last one may be over already.
 */
export function isFit(remainingMs: number, grantedMs: number): boolean {
  return remainingMs > Math.max(grantedMs / 10, 1000);
}

function secondsOf(part: JsonObject): number {
  return part['renewable'] === true ? numberOf(part['lease_duration']) : 0;
}

function numberOf(value: JsonValue | undefined): number {
  return value instanceof JsonNumber ? Number(value.text) : 0;
}
