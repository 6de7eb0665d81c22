// Tokens and leases that callers got through the agent, kept for whoever makes the very same request again and shows the
// same: one request in flight, renewed while somebody uses them, let go when they end. What may be kept says
// vault-held-policy.ts; leases under the agent's own token are the lease engine's, the rest is renewed by its own token.
import { createHmac, randomBytes } from 'node:crypto';
import type { Caller } from '../access/caller.ts';
import type { Clock, Timer } from '../base/clock.ts';
import { SecretValue } from '../base/secret-value.ts';
import type { AgentView, ForwardedAnswer, HeldLease, VaultAccess } from './agent-view.ts';
import { numberSpan, withNumbers } from './vault-body.ts';
import { jsonFields, smallJson, type VaultToken } from './vault-forward.ts';
import {
  callerKey,
  type Grant,
  grantOf,
  hasProof,
  isAtEnd,
  isFit,
  type Keepable,
  keepableOf,
  renewalDelayMs,
} from './vault-held-policy.ts';
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
  | { readonly kind: 'held'; readonly body: Buffer; readonly ageSeconds: number; readonly isHit: boolean }
  | { readonly kind: 'answer'; readonly answer: ForwardedAnswer }
  | { readonly kind: 'pass' };

export interface VaultHeld {
  /** Whether the answer may be one to keep, by what is known before. */
  mayKeep(request: Omit<HeldRequest, 'body'>): boolean;
  /** From memory, or by `ask`, which is called once however many make the same request. */
  obtain(request: HeldRequest, ask: (signal: AbortSignal) => Promise<ForwardedAnswer>): Promise<Obtained>;
  /** A caller showed this token: it is in use. */
  used(token: VaultToken): void;
  /** A caller renewed this lease by itself, perhaps for a shorter time. */
  renewedLease(leaseId: string): void;
  /** Upstream has revoked these: handed out no more. Of tokens `isGone` is asked with the start of such a lease's id. */
  revokedLeases(isGone: (leaseId: string) => boolean): void;
  /** Upstream has revoked the token: gone with it is what was got by it, but tokens are not where they became orphans. */
  revokedToken(named: { token?: VaultToken; accessor?: string | undefined }, areOrphaned: boolean): void;
  /** Forgets what `cache-clear` names, without revoking it. */
  clear(type: string, value: string): void;
  close(): void;
}

interface Held {
  readonly key: string;
  readonly upstream: string;
  readonly path: string;
  readonly namespace: string | undefined;
  readonly grant: Omit<Grant, 'id'>;
  /** By which it is renewed: of a token itself, of a lease the token that it was asked with. */
  readonly token: SecretValue | undefined;
  /** Of a token. */
  readonly digest: string | undefined;
  /** Of the token that it was asked with; `auto` for the agent's own, and which one that was. */
  readonly askedBy: string;
  readonly ownAccessor: string | undefined;
  readonly leaseId: string | undefined;
  readonly engineLease: HeldLease | undefined;
  readonly body: SecretValue;
  /** Wall time in milliseconds, as all the times here: a host that slept must not take it for time that is left. */
  readonly obtainedAt: number;
  endsAt: number;
  confirmedAt: number;
  usedAt: number;
  renewAt: number;
  canRenew: boolean;
  /** Something was revoked that it may have hung on. */
  isDoubtful: boolean;
  checking: Promise<void> | undefined;
  timer: Timer | undefined;
}

interface VaultHeldOptions {
  forward: AgentView['forward'];
  vault: VaultAccess;
  clock: Clock;
  limits?: Partial<typeof defaultLimits>;
}

const defaultLimits = {
  maxEntries: 1000,
  /** Neither asked for again nor used for so long: renewed no more. The same as for callers that have no process. */
  idleMs: 3_600_000,
  lookMs: 60_000,
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
  const table = new Map<string, Held>();
  const byToken = new Map<string, Held>();
  const inFlight = new Map<string, Promise<boolean>>();
  const passUntil = new Map<string, number>();
  /** What was asked before a revocation and answered after it may be gone already. */
  let revocations = 0;

  const digestOf = (bytes: Buffer | string): string =>
    createHmac('sha256', secret).update(bytes).digest('base64');

  function tokenKey(token: VaultToken): string {
    return token instanceof SecretValue ? digestOf(token.bytes()) : (token ?? 'none');
  }

  function keyOf(request: HeldRequest, kind: Keepable | undefined): string {
    const { method, target, namespace, token, body, caller } = request;
    const isProven = token instanceof SecretValue || (kind === 'login' && hasProof(jsonFields(body)));
    const of = isProven ? '' : callerKey(caller);
    const sent = digestOf(body ?? '');
    const asked = [method, target.rawPath, target.query, namespace ?? null];
    return digestOf(JSON.stringify([vault.upstream()?.name, ...asked, tokenKey(token), of, sent]));
  }

  function endOf({ engineLease, endsAt }: Held): number {
    return engineLease === undefined ? endsAt : (engineLease.endsAt() ?? 0);
  }

  function isServable(held: Held): boolean {
    if (held.upstream !== vault.upstream()?.name) return false;
    if (held.askedBy === 'auto' && held.ownAccessor !== vault.ownAccessor()) return false;
    return isFit(endOf(held) - clock.wall(), held.grant.durationSeconds * 1000);
  }

  function drop(held: Held, areOrphaned = false): void {
    if (table.get(held.key) !== held) return;
    held.timer?.cancel();
    table.delete(held.key);
    held.engineLease?.release();
    if (held.digest === undefined) return;
    byToken.delete(held.digest);
    dropAskedBy(held.digest, areOrphaned);
  }

  function dropAskedBy(askedBy: string, areOrphaned: boolean): void {
    for (const held of [...table.values()]) {
      const livesOn = held.grant.kind === 'token' && (areOrphaned || held.grant.isOrphan);
      if (held.askedBy === askedBy && !livesOn) drop(held);
    }
  }

  function dropWhere(isMeant: (held: Held) => boolean, areOrphaned = false): void {
    for (const held of [...table.values()]) if (isMeant(held)) drop(held, areOrphaned);
  }

  /** What was got by a token keeps that one in use as well. */
  function touch(held: Held | undefined): void {
    for (let next = held; next !== undefined; next = byToken.get(next.askedBy)) next.usedAt = clock.wall();
  }

  function keep(request: HeldRequest, key: string, grant: Grant, body: Buffer, sentAt: number): Held {
    const { id, ...rest } = grant;
    const { target, namespace, token } = request;
    const isToken = grant.kind === 'token';
    const upstream = vault.upstream()?.name ?? '';
    const held: Held = {
      ...{ key, upstream, path: target.path, namespace, grant: rest },
      token: isToken ? SecretValue.fromText(id) : token instanceof SecretValue ? token : undefined,
      digest: isToken ? digestOf(id) : undefined,
      askedBy: tokenKey(token),
      ownAccessor: token === 'auto' ? vault.ownAccessor() : undefined,
      leaseId: isToken ? undefined : id,
      engineLease:
        !isToken && token === 'auto'
          ? vault.holdLease({ id, path: target.path, durationSeconds: grant.durationSeconds })
          : undefined,
      body: SecretValue.fromBytes(body),
      ...{ obtainedAt: sentAt, confirmedAt: sentAt, usedAt: sentAt, endsAt: 0, renewAt: 0 },
      ...{ canRenew: true, isDoubtful: false, checking: undefined, timer: undefined },
    };
    makeRoom();
    table.set(key, held);
    if (held.digest !== undefined) byToken.set(held.digest, held);
    touch(held);
    extend(held, grant.durationSeconds, sentAt);
    return held;
  }

  function makeRoom(): void {
    if (table.size < limits.maxEntries) return;
    const oldest = [...table.values()].reduce((a, b) => (b.usedAt < a.usedAt ? b : a));
    drop(oldest);
  }

  function extend(held: Held, durationSeconds: number, sentAt: number): void {
    held.endsAt = sentAt + durationSeconds * 1000;
    held.confirmedAt = sentAt;
    held.isDoubtful = false;
    held.renewAt = clock.wall() + renewalDelayMs(held.endsAt - clock.wall(), false);
    arm(held);
  }

  function arm(held: Held): void {
    held.timer?.cancel();
    if (life.signal.aborted || table.get(held.key) !== held) return;
    const now = clock.wall();
    const left = held.canRenew && held.engineLease === undefined ? held.renewAt - now : limits.lookMs;
    held.timer = clock.setTimer(Math.min(Math.max(left, 0), limits.lookMs), () => void look(held));
  }

  async function look(held: Held): Promise<void> {
    const now = clock.wall();
    if (!isServable(held) || now - held.usedAt > limits.idleMs) return drop(held);
    if (held.engineLease === undefined && held.canRenew && now >= held.renewAt) await renew(held);
    arm(held);
  }

  async function renew(held: Held): Promise<void> {
    const { token, leaseId, grant } = held;
    if (token === undefined) return;
    const sentAt = clock.wall();
    const left = await (leaseId === undefined
      ? calls.renewToken({ ...held, token })
      : calls.renewLease({ ...held, token }, leaseId, grant.durationSeconds));
    if (left === 'gone') drop(held);
    else if (left === undefined) {
      held.renewAt = clock.wall() + renewalDelayMs(held.endsAt - clock.wall(), true);
    } else {
      const movedMs = sentAt + left * 1000 - held.endsAt;
      held.canRenew = !isAtEnd(movedMs, left * 1000, grant.durationSeconds * 1000);
      if (left > 0) extend(held, left, sentAt);
    }
  }

  /** Upstream alone knows of revocations that did not go through the agent. */
  async function check(held: Held): Promise<void> {
    if (held.token === undefined) return;
    const sentAt = clock.wall();
    const left = await calls.lookUp({ ...held, token: held.token });
    if (left === 'gone') drop(held);
    if (left === 'gone' || left === undefined) return;
    // A caller may have renewed it for a shorter time. A look must not put the renewal off.
    const planned = held.renewAt;
    extend(held, left, sentAt);
    held.renewAt = Math.min(planned, held.renewAt);
    arm(held);
  }

  async function isAlive(held: Held): Promise<boolean> {
    if (!isServable(held)) drop(held);
    else if (held.digest !== undefined) await confirm(held, limits.trustMs);
    else await confirm(byToken.get(held.askedBy), Number.POSITIVE_INFINITY);
    return table.get(held.key) === held && isServable(held);
  }

  async function confirm(held: Held | undefined, trustMs: number): Promise<void> {
    if (held === undefined || (!held.isDoubtful && clock.wall() - held.confirmedAt <= trustMs)) return;
    held.checking ??= check(held).finally(() => {
      held.checking = undefined;
    });
    await held.checking;
  }

  function show(held: Held, isHit: boolean): Obtained {
    const now = clock.wall();
    const json = held.body.bytes();
    const span = numberSpan(json, 'lease_duration', held.digest === undefined ? undefined : 'auth');
    const number = Math.max(0, Math.floor((endOf(held) - now) / 1000));
    const body = !isHit || span === undefined ? json : withNumbers(json, [{ span, number }]);
    const ageSeconds = Math.max(0, Math.floor((now - held.obtainedAt) / 1000));
    return { kind: 'held', body, ageSeconds, isHit };
  }

  async function lead(
    request: HeldRequest,
    key: string,
    kind: Keepable | undefined,
    ask: (signal: AbortSignal) => Promise<ForwardedAnswer>,
  ): Promise<Obtained> {
    const sentAt = clock.wall();
    const before = { revocations, accessor: vault.ownAccessor() };
    const { json, body, answer } = await smallJson(await ask(life.signal));
    const grant = json === undefined || answer.status !== 200 ? undefined : grantOf(json);
    const isSame = before.revocations === revocations && before.accessor === vault.ownAccessor();
    const isMeant = grant !== undefined && (grant.kind === 'token') === (kind !== 'lease');
    if (grant === undefined && kind === 'lease' && answer.status < 300) pass(pathKey(request));
    if (!isMeant || !isSame || body === undefined || life.signal.aborted) return { kind: 'answer', answer };
    return show(keep(request, key, grant, body, sentAt), false);
  }

  function pass(key: string): void {
    if (passUntil.size >= maxRemembered) passUntil.clear();
    passUntil.set(key, clock.now() + limits.passMs);
  }

  return {
    mayKeep({ method, target, namespace, token }) {
      const kind = keepableOf(method, target);
      if (kind !== 'lease') return kind !== undefined;
      if ((passUntil.get(pathKey({ method, target })) ?? 0) > clock.now()) return false;
      // What the agent's token reads is the store's, and the engine renews in the upstream's own namespace.
      if (token === 'auto') return method !== 'GET' && namespace === undefined;
      return token !== undefined && byToken.has(tokenKey(token));
    },
    async obtain(request, ask) {
      const kind = keepableOf(request.method, request.target);
      const key = keyOf(request, kind);
      const held = table.get(key);
      if (held !== undefined && (await isAlive(held))) {
        touch(held);
        return show(held, true);
      }
      const other = inFlight.get(key);
      if (other !== undefined) {
        const shared = (await other) ? table.get(key) : undefined;
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
    used(token) {
      if (byToken.size > 0 && token instanceof SecretValue) touch(byToken.get(tokenKey(token)));
    },
    renewedLease(leaseId) {
      for (const held of table.values()) {
        if (held.leaseId !== leaseId) continue;
        held.renewAt = clock.wall();
        held.engineLease?.renew();
        arm(held);
      }
    },
    revokedLeases(isGone) {
      revocations += 1;
      const gone = [...table.values()].filter(({ leaseId, path }) => isGone(leaseId ?? `${path}/`));
      for (const held of gone) drop(held);
      vault.leasesRevoked(gone.flatMap(({ engineLease, leaseId }) => (engineLease && leaseId) ?? []));
      for (const held of byToken.values()) held.isDoubtful = true;
    },
    revokedToken({ token, accessor }, areOrphaned) {
      revocations += 1;
      const askedBy = token === undefined ? undefined : tokenKey(token);
      dropWhere(
        ({ digest, grant }) =>
          (digest !== undefined && digest === askedBy) ||
          (accessor !== undefined && grant.accessor === accessor),
        areOrphaned,
      );
      // A token that is not kept here may be one that kept ones were made by.
      if (askedBy !== undefined) dropAskedBy(askedBy, areOrphaned);
      for (const held of byToken.values()) held.isDoubtful = true;
    },
    clear(type, value) {
      passUntil.clear();
      const digest = type === 'token' ? digestOf(value) : undefined;
      dropWhere(({ path, ...held }) => {
        if (type === 'request_path') return path.startsWith(value.replace(/^\/?(?:v1\/)?/, ''));
        if (type === 'token') return held.digest === digest || held.askedBy === digest;
        if (type === 'token_accessor') return held.grant.accessor === value;
        return type === 'lease' ? held.leaseId === value : type === 'all';
      });
    },
    close() {
      life.abort();
      for (const held of table.values()) held.timer?.cancel();
      table.clear();
      byToken.clear();
    },
  };
}

function pathKey({ method, target }: Pick<HeldRequest, 'method' | 'target'>): string {
  return `${method} ${target.path}`;
}
