// Tokens and leases that callers got through the agent, kept for whoever makes the very same request again and shows the
// same: one request in flight, and which goes with which. What may be kept says vault-held-policy.ts; when each is renewed,
// and until when it is good, is the affair of the lease engine's book.

import { createHmac, randomBytes } from 'node:crypto';
import type { Caller } from '../../access/caller.ts';
import { BoundedMap } from '../../base/bounded-map.ts';
import type { ForwardedAnswer } from '../../base/forwarded.ts';
import { SecretValue } from '../../base/secret-value.ts';
import type { Clock } from '../../base/time/clock.ts';
import { type Moment, momentNow, passedSince } from '../../base/time/moment.ts';
import type { AgentView, VaultAccess } from '../agent-view.ts';
import { mostPrepared, type PreparedAnswer } from '../http/prepared-answer.ts';
import { userOf } from '../listen/shares.ts';
import { heldAnswer } from './vault-answer.ts';
import { numberSpan } from './vault-body.ts';
import { jsonFields, smallJson, type VaultToken } from './vault-forward.ts';
import {
  callerKey,
  type Grant,
  grantOf,
  hasProof,
  isFit,
  type Keepable,
  keepableOf,
} from './vault-held-policy.ts';
import { createHeldTable, type Held } from './vault-held-table.ts';
import type { VaultTarget } from './vault-path-policy.ts';
import { createTokenCalls } from './vault-token-calls.ts';

export interface HeldRequest {
  readonly method: string;
  readonly target: VaultTarget;
  /** Undefined: the upstream's own. */
  readonly namespace: string | undefined;
  readonly token: VaultToken;
  readonly body: Buffer | undefined;
  readonly caller: Caller;
}

/** `pass`: the same request was under way and gave nothing to share. */
export type Obtained =
  | { readonly kind: 'held'; readonly answer: PreparedAnswer; readonly isHit: boolean }
  | { readonly kind: 'answer'; readonly answer: ForwardedAnswer }
  | { readonly kind: 'pass' };

export interface VaultHeld {
  /** Whether the answer may be one to keep, by what is known before. */
  mayKeep(request: Omit<HeldRequest, 'body'>): boolean;
  /** From memory, or by `ask`, which is called once however many make the same request. */
  obtain(request: HeldRequest, ask: (signal: AbortSignal) => Promise<ForwardedAnswer>): Promise<Obtained>;
  /** The tokens that are kept, each for its own caller. */
  tokens(): SecretValue[];
  /** A caller showed this token: it is in use. */
  used(token: VaultToken): void;
  /** A caller renewed this lease by itself, perhaps for a shorter time. */
  renewedLease(leaseId: string): void;
  /** Upstream has revoked these: no longer handed out. Of tokens `isGone` is asked with the start of such a lease's id. */
  revokedLeases(isGone: (leaseId: string) => boolean): void;
  /** Upstream has revoked the token: gone with it is what was got by it, but tokens are not where they became orphans. */
  revokedToken(named: { token?: VaultToken; accessor?: string | undefined }, areOrphaned: boolean): void;
  /** Forgets what `cache-clear` names, without revoking it. */
  clear(type: string, value: string): void;
  close(): void;
}

interface VaultHeldOptions {
  forward: AgentView['forward'];
  vault: VaultAccess;
  clock: Clock;
  limits?: Partial<typeof defaultLimits>;
}

const defaultLimits = {
  maxEntries: 1000,
  maxBytes: mostPrepared.bytes,
  /** Neither asked for again nor used for so long: no longer renewed. The same as for callers that have no process. */
  idleMs: 3_600_000,
  /** A token that upstream has not confirmed for so long is looked up before it is handed out again. */
  trustMs: 2000,
  /** Paths that gave no lease are passed on so long without another look. */
  passMs: 600_000,
};
const maxRemembered = 4096;

export function createVaultHeld(options: VaultHeldOptions): VaultHeld {
  const { forward, vault, clock } = options;
  const limits = { ...defaultLimits, ...options.limits };
  const life = new AbortController();
  const calls = createTokenCalls({ forward, signal: life.signal });
  const secret = randomBytes(32);
  const table = createHeldTable({ clock, ...limits });
  const inFlight = new Map<string, Promise<boolean>>();
  const passUntil = new BoundedMap<string, number>(maxRemembered);
  /** By the digest of a login's body. */
  const proofs = new BoundedMap<string, boolean>(maxRemembered);
  /** What was asked before a revocation and answered after it may be gone already. */
  let revocations = 0;

  const digestOf = (bytes: Buffer | string): string =>
    createHmac('sha256', secret).update(bytes).digest('base64');

  function tokenKey(token: VaultToken): string {
    return token instanceof SecretValue ? digestOf(token.bytes()) : (token ?? 'none');
  }

  /** The very same body is not looked into again. */
  function showsProof(sent: string, body: Buffer | undefined): boolean {
    const known = proofs.get(sent);
    if (known !== undefined) return known;
    const isShown = hasProof(jsonFields(body));
    proofs.set(sent, isShown);
    return isShown;
  }

  function keyOf(request: HeldRequest, kind: Keepable): string {
    const { method, target, namespace, token, body, caller } = request;
    const sent = digestOf(body ?? '');
    // No vault looks at the token that a login comes with.
    const isProven = kind === 'login' ? showsProof(sent, body) : token instanceof SecretValue;
    const of = isProven ? '' : callerKey(caller);
    const asked = [method, target.rawPath, target.query, namespace ?? null];
    return digestOf(JSON.stringify([vault.upstream()?.name, ...asked, tokenKey(token), of, sent]));
  }

  const endOf = ({ lease }: Held): number => lease.endsAt() ?? 0;

  /** Of this upstream, and not of a token that the agent has no more. */
  function isOfNow({ source, askedBy, ownAccessor, grant }: Held): boolean {
    if (source !== vault.upstream()?.source) return false;
    return askedBy !== 'auto' || grant.isOrphan || ownAccessor === vault.ownAccessor();
  }

  function isServable(held: Held): boolean {
    return isOfNow(held) && isFit(endOf(held) - clock.wall(), held.grant.durationSeconds * 1000);
  }

  function isWanted(held: Held): boolean {
    return clock.now() - held.usedAt <= limits.idleMs && isOfNow(held);
  }

  function keep(request: HeldRequest, key: string, grant: Grant, body: Buffer, sentAt: Moment): Held {
    const { id, ...rest } = grant;
    const { target, namespace, token } = request;
    const isToken = grant.kind === 'token';
    const { name: upstream = '', source } = vault.upstream() ?? {};
    const digest = isToken ? digestOf(id) : undefined;
    const by = isToken ? SecretValue.fromText(id) : token instanceof SecretValue ? token : undefined;
    const renew =
      by && ((askedSeconds: number) => calls.renew({ token: by, namespace }, grant, askedSeconds));
    const lease = vault.hold({
      ...{ upstream, id: digest ?? id, key: `${upstream}:write ${target.path}` },
      ...{ durationSeconds: grant.durationSeconds, sentAt: sentAt.wall, ...(renew && { renew }) },
      isWanted: () => isWanted(held),
      onGone: () => table.drop(held),
    });
    const held: Held = {
      user: userOf(request.caller),
      ...{ key, source, path: target.path, namespace, grant: rest, lease, token: by, digest },
      askedBy: tokenKey(token),
      ownAccessor: token === 'auto' ? vault.ownAccessor() : undefined,
      leaseId: isToken ? undefined : id,
      body: SecretValue.fromBytes(body),
      span: numberSpan(body, 'lease_duration', isToken ? 'auth' : undefined),
      ...{ obtainedAt: sentAt.wall, confirmedAt: sentAt, usedAt: sentAt.monotonic },
      ...{ isDoubtful: false, checking: undefined, told: undefined },
    };
    table.dropWhere((other) => !isWanted(other));
    table.add(held);
    return held;
  }

  /** Upstream alone knows of revocations that did not go through the agent. */
  async function check(held: Held): Promise<void> {
    if (held.token === undefined) return;
    const sentAt = momentNow(clock);
    const before = revocations;
    const left = await calls.lookUp({ ...held, token: held.token });
    if (left === 'gone') table.drop(held);
    if (left === 'gone' || left === undefined) return;
    // A caller may have renewed it for a shorter time.
    held.lease.confirm(left, sentAt.wall);
    held.confirmedAt = sentAt;
    if (revocations === before) held.isDoubtful = false;
  }

  async function isAlive(held: Held): Promise<boolean> {
    if (!isServable(held)) await (isOfNow(held) && held.lease.renew());
    else if (held.digest !== undefined) await confirm(held, limits.trustMs);
    else await confirm(table.ofToken(held.askedBy), Number.POSITIVE_INFINITY);
    return table.has(held) && isServable(held);
  }

  async function confirm(held: Held | undefined, trustMs: number): Promise<void> {
    await held?.checking; // it may have been sent before there was a doubt
    if (held === undefined || (!held.isDoubtful && passedSince(held.confirmedAt, clock) <= trustMs)) return;
    held.checking ??= check(held).finally(() => {
      held.checking = undefined;
    });
    await held.checking;
  }

  function show(held: Held, isHit: boolean): Obtained {
    return { kind: 'held', answer: heldAnswer(held, clock.wall(), isHit), isHit };
  }

  async function lead(
    request: HeldRequest,
    key: string,
    kind: Keepable,
    ask: (signal: AbortSignal) => Promise<ForwardedAnswer>,
  ): Promise<Obtained> {
    const sentAt = momentNow(clock);
    const before = { revocations, accessor: vault.ownAccessor() };
    const { json, body, answer } = await smallJson(await ask(life.signal));
    const grant = json === undefined || answer.status !== 200 ? undefined : grantOf(json, kind);
    const isSame = before.revocations === revocations && before.accessor === vault.ownAccessor();
    if (grant === undefined && kind === 'lease' && answer.status < 300) pass(pathKey(request));
    if (grant === undefined || body === undefined || !isSame || life.signal.aborted) {
      return { kind: 'answer', answer };
    }
    return show(keep(request, key, grant, body, sentAt), false);
  }

  function pass(key: string): void {
    passUntil.set(key, clock.now() + limits.passMs);
  }

  return {
    mayKeep({ method, target, namespace, token }) {
      const kind = keepableOf(method, target);
      if (kind !== 'lease') return kind !== undefined;
      if ((passUntil.get(pathKey({ method, target })) ?? 0) > clock.now()) return false;
      // What the agent's token reads is the store's, and the engine renews in the upstream's own namespace.
      if (token === 'auto') return method !== 'GET' && namespace === undefined;
      return token !== undefined && table.ofToken(tokenKey(token)) !== undefined;
    },
    async obtain(request, ask) {
      const kind = keepableOf(request.method, request.target);
      if (kind === undefined) return { kind: 'pass' };
      const key = keyOf(request, kind);
      // While one is looked at another caller may have been given the next.
      for (let held = table.find(key); held !== undefined; held = table.find(key)) {
        if (await isAlive(held)) {
          table.touch(held);
          return show(held, true);
        }
        table.drop(held);
      }
      const other = inFlight.get(key);
      if (other !== undefined) {
        const shared = (await other) ? table.find(key) : undefined;
        return shared === undefined ? { kind: 'pass' } : show(shared, true);
      }
      const asked = lead(request, key, kind, ask);
      const isKept = asked.then(
        (found) => found.kind === 'held',
        () => false,
      );
      inFlight.set(
        key,
        isKept.finally(() => inFlight.delete(key)),
      );
      return await asked;
    },
    tokens: () =>
      table.size === 0
        ? []
        : table.all().flatMap(({ digest, token }) => (digest === undefined ? [] : (token ?? []))),
    used(token) {
      if (table.size > 0 && token instanceof SecretValue) table.touch(table.ofToken(tokenKey(token)));
    },
    renewedLease(leaseId) {
      for (const held of table.all()) if (held.leaseId === leaseId) void held.lease.renew();
    },
    revokedLeases(isGone) {
      revocations += 1;
      const gone = table.all().filter(({ leaseId, path }) => isGone(leaseId ?? `${path}/`));
      for (const held of gone) table.drop(held);
      vault.leasesRevoked(
        gone.flatMap(({ token, leaseId }) => (token === undefined ? leaseId : undefined) ?? []),
      );
      table.doubt();
    },
    revokedToken({ token, accessor }, areOrphaned) {
      revocations += 1;
      const askedBy = token === undefined ? undefined : tokenKey(token);
      table.dropWhere(
        ({ digest, grant }) =>
          (digest !== undefined && digest === askedBy) ||
          (accessor !== undefined && grant.accessor === accessor),
        areOrphaned,
      );
      // A token that is not kept here may be one that kept ones were made by.
      if (askedBy !== undefined) table.dropAskedBy(askedBy, areOrphaned);
      table.doubt();
    },
    clear(type, value) {
      passUntil.clear();
      const digest = type === 'token' ? digestOf(value) : undefined;
      table.dropWhere(({ path, ...held }) => {
        if (type === 'request_path') return path.startsWith(value.replace(/^\/?(?:v1\/)?/, ''));
        if (type === 'token') return held.digest === digest || held.askedBy === digest;
        if (type === 'token_accessor') return held.grant.accessor === value;
        return type === 'lease' ? held.leaseId === value : type === 'all';
      });
    },
    close() {
      life.abort();
      table.close();
    },
  };
}

function pathKey({ method, target }: Pick<HeldRequest, 'method' | 'target'>): string {
  return `${method} ${target.path}`;
}
