// The Vault API on a listener: VAULT_ADDR of any Vault client may point here. Secrets come from memory, all else goes
// on to the vault; what the cache keeps is vault-cache.ts, how a request is passed on vault-forward.ts.

import { randomUUID } from 'node:crypto';
import { BoundedMap } from '../../base/bounded-map.ts';
import type { ForwardedAnswer } from '../../base/forwarded.ts';
import { UpstreamError } from '../../base/upstream-error.ts';
import type { VaultAccess } from '../agent-view.ts';
import { type ApiError, apiErrorOf, requestIsOver } from '../http/api-error.ts';
import type { DialectHandler } from '../http/dialect.ts';
import type { Exchange } from '../http/exchange.ts';
import { longestKeptUrl } from '../http/prepared-answer.ts';
import type { ServerContext } from '../http/server-context.ts';
import { followWrite, leaseIdOf } from './follow-write.ts';
import { createOwnMount } from './own-mount.ts';
import { canOnlyReveal, createOwnTokenGuard, tokenInAnswer } from './own-token-guard.ts';
import { type CachedSecret, createVaultCache, type Found } from './vault-cache.ts';
import {
  accessorIn,
  bodyOf,
  edited,
  type PassedRequest,
  passOn,
  streamBack,
  textIn,
  tokenOf,
  withoutTokenIds,
} from './vault-forward.ts';
import { createVaultHeld } from './vault-held.ts';
import { createVaultLocalApi } from './vault-local-api.ts';
import {
  namespaceAsked,
  operationOf,
  ruledPath,
  type VaultTarget,
  vaultTarget,
  withoutToken,
} from './vault-path-policy.ts';

const maxRememberedUrls = 4096;
const writes = new Set(['PUT', 'POST', 'PATCH', 'DELETE']);

export function createVaultDialect(context: ServerContext): DialectHandler {
  const { view, clock, access } = context;
  const { vault, store } = view;
  const guard = createOwnTokenGuard({
    ownTokens: () => vault.ownTokens(),
    keptTokens: () => held.tokens(),
    logger: context.logger,
    clock,
  });
  const cache = createVaultCache({ store, vault, clock, isClean: (bytes) => guard.isClean(bytes) });
  const held = createVaultHeld({ forward: view.forward, vault, clock });
  const localApi = createVaultLocalApi(context, cache, held);
  const ownMount = createOwnMount(context);
  const hits = context.metrics.vaultCache.with('hit');
  const misses = context.metrics.vaultCache.with('miss');
  /** Equal URLs give the same target: the cache knows it again. */
  const targets = new BoundedMap<string, VaultTarget>(maxRememberedUrls);

  function mayPass(exchange: Exchange, target: VaultTarget): boolean {
    const { method } = exchange;
    const wanted = method === 'HEAD' ? 'GET' : method === 'GET' && target.isList ? 'LIST' : method;
    const namespace = namespaceOf(exchange, vault);
    const path = ruledPath(target.path, namespace, vault.upstream()?.namespace);
    return exchange.permits({ kind: 'vault', method: wanted, path });
  }

  /** Until the client is gone, or the rules change and allow it no more: asking upstream and streaming take their time. */
  function whileAllowed(exchange: Exchange, target: VaultTarget): AbortSignal {
    const { response } = exchange;
    const gone = new AbortController();
    const stop = access.onChange(() => {
      if (mayPass(exchange, target)) return;
      if (exchange.isAnswered) response.destroy();
      else exchange.deny();
    });
    exchange.whenOver(() => {
      stop();
      gone.abort(requestIsOver);
    });
    return gone.signal;
  }

  /** What goes by the agent's token is answered without it. */
  function guarded(request: PassedRequest, pass: () => Promise<ForwardedAnswer>): Promise<ForwardedAnswer> {
    if (request.token !== 'auto') return pass();
    return guard.checked(pass, Buffer.isBuffer(request.body) ? request.body : undefined);
  }

  function ask(exchange: Exchange, target: VaultTarget, request: PassedRequest): Promise<ForwardedAnswer> {
    return guarded(request, () => passOn(exchange, target, view, request));
  }

  /** Words of the vault may be part of what is told. */
  function failBy(exchange: Exchange, reason: unknown): void {
    const error = vaultErrorOf(reason);
    const isClean = guard.isClean(Buffer.from(error.message));
    exchange.failWith(isClean ? error : vaultErrorOf(tokenInAnswer()), isClean ? headersOf(reason) : []);
  }

  async function answerErrors(exchange: Exchange, pending: Promise<void>): Promise<void> {
    try {
      await pending;
    } catch (error) {
      if (exchange.response.destroyed) return;
      if (apiErrorOf(error).code === 'internal') throw error;
      failBy(exchange, error);
    }
  }

  function answerFrom(exchange: Exchange, found: Found): boolean {
    if (found.kind === 'pass') return false;
    if (found.kind === 'failed') {
      failBy(exchange, found.error);
      return true;
    }
    const answer = found.secret.answer.at(found.version);
    if (answer === undefined) {
      failBy(exchange, tokenInAnswer());
      return true;
    }
    misses.inc();
    exchange.answer(200, found.secret.answer.missHeaders(answer), answer.body, answer.delivery);
    return true;
  }

  async function obtain(exchange: Exchange, target: VaultTarget): Promise<void> {
    const signal = whileAllowed(exchange, target);
    const found = await cache.obtain(target, signal);
    if (!answerFrom(exchange, found)) await forward(exchange, target, signal);
  }

  async function forward(
    exchange: Exchange,
    target: VaultTarget,
    signal = whileAllowed(exchange, target),
  ): Promise<void> {
    const token = tokenOf(exchange);
    held.used(token);
    const operation = operationOf(exchange.method, target.path);
    const body = await bodyOf(exchange);
    const request: PassedRequest = { namespace: namespaceOf(exchange, vault), token, body, signal };
    if (operation.kind === 'token-about') return aboutToken(exchange, target, request, operation.isSelf);
    if (operation.kind === 'renew-lease' && token === 'auto') {
      if (await answerRenewal(exchange, leaseIdOf(operation, body), signal)) return;
    }
    const answer = await shared(exchange, target, request);
    if (answer === undefined) return;
    if (answer.status < 300 && writes.has(exchange.method)) {
      await followWrite({ cache, held }, { method: exchange.method, path: target.path }, request);
    }
    streamBack(exchange, answer);
    if (signal.aborted) answer.body.destroy();
  }

  /** Logins and leases are asked for once for all that ask the very same; undefined: answered so. */
  async function shared(
    exchange: Exchange,
    target: VaultTarget,
    request: PassedRequest,
  ): Promise<ForwardedAnswer | undefined> {
    const { body } = request;
    const { method, identity } = exchange;
    const asked = { ...request, method, target, caller: identity.caller };
    const isSmall = body === undefined || Buffer.isBuffer(body);
    if (!isSmall || !isPlain(exchange) || !held.mayKeep(asked)) {
      return await ask(exchange, target, request);
    }
    // What it gives is kept though its caller goes away meanwhile.
    const found = await held.obtain({ ...asked, body }, (signal) =>
      ask(exchange, target, { ...request, signal, isEdited: true }),
    );
    if (found.kind === 'pass') return await ask(exchange, target, request);
    if (found.kind === 'answer') return found.answer;
    (found.isHit ? hits : misses).inc();
    exchange.answerPrepared(found.answer);
    return undefined;
  }

  async function aboutToken(
    exchange: Exchange,
    target: VaultTarget,
    request: PassedRequest,
    isSelf: boolean,
  ): Promise<void> {
    const named = textIn(request.body, 'token');
    const isOwn = request.token === 'auto' && (isSelf || named === undefined || named === '');
    const pass = async () => {
      const answer = await passOn(exchange, target, view, { ...request, isEdited: true });
      return await edited(answer, (json) => {
        const accessor = accessorIn(json);
        const isOurs = isOwn || (accessor !== undefined && vault.ownAccessor() === accessor);
        return isOurs ? withoutTokenIds(json) : json;
      });
    };
    streamBack(exchange, await guarded(request, pass));
  }

  /** The engine renews; a client's renewal is answered from what is left, or brings the engine's forward. */
  async function answerRenewal(
    exchange: Exchange,
    leaseId: string | undefined,
    signal: AbortSignal,
  ): Promise<boolean> {
    const entry = leaseId === undefined ? undefined : cache.entryOfLease(leaseId);
    const lease = entry?.current?.lease;
    if (entry === undefined || lease === undefined || !lease.isRenewable) return false;
    if (secondsTo(entry.expiresAt, clock.wall()) < (lease.durationSeconds * 2) / 3) {
      await vault.refresh([entry.key], { signal }).catch(() => undefined); // the client went away
    }
    if (entry.current?.lease?.id !== leaseId || entry.state !== 'fresh') return false;
    exchange.answerJson(200, {
      request_id: randomUUID(),
      lease_id: leaseId,
      renewable: true,
      lease_duration: secondsTo(entry.expiresAt, clock.wall()),
      data: null,
      wrap_info: null,
      warnings: null,
      auth: null,
    });
    return true;
  }

  function mayCache(exchange: Exchange, target: VaultTarget): boolean {
    if (exchange.method !== 'GET' || target.parameters === undefined) return false;
    if (!isPlain(exchange) || namespaceOf(exchange, vault) !== undefined) return false;
    return tokenOf(exchange) === 'auto';
  }

  /** From memory, where it is there as it goes over the wire. */
  function answerPrepared(exchange: Exchange, secret: CachedSecret | undefined): boolean {
    const version = secret?.entry.current;
    const prepared = version && secret?.answer.at(version);
    if (prepared === undefined) return false;
    hits.inc();
    exchange.answerPrepared(prepared);
    return true;
  }

  return {
    name: 'vault',
    roots: ['v1', 'agent', 'proxy'],
    isServedBy: (listener) => listener.serve.includes('vault'),
    handle(exchange) {
      const { scope } = exchange.connection;
      if (scope.config.requireRequestHeader && exchange.headers['x-vault-request'] !== 'true') {
        exchange.failWith({
          code: 'request_invalid',
          status: 412,
          message: 'missing "X-Vault-Request" header',
        });
        return undefined;
      }
      if (!exchange.path.startsWith('/v1/')) return localApi.handle(exchange);
      const url = exchange.request.url ?? '';
      if (ownMount.answerKnown(exchange, url)) return undefined;
      const known = targets.get(url);
      const target = known ?? vaultTarget(exchange.path, exchange.query);
      if (ownMount.handle(exchange, target)) return undefined;
      if (!mayPass(exchange, target)) {
        const isUnproven = exchange.identity.caller.kind === 'unknown' && scope.token !== undefined;
        exchange.deny(isUnproven ? howToShowTheToken : undefined);
        return undefined;
      }
      if (canOnlyReveal(target) && tokenOf(exchange) === 'auto') {
        exchange.refuse({
          why: 'own_token',
          message: "refused: by the agent's token this request could only show that token",
        });
        return undefined;
      }
      // Not before: whoever may have nothing must not choose what is kept.
      const isToKeep = known === undefined && target.parameters !== undefined && url.length <= longestKeptUrl;
      if (isToKeep) targets.set(url, target);
      const isKept = mayCache(exchange, target);
      if (isKept && answerPrepared(exchange, cache.find(target))) return undefined;
      const ask = () => (isKept ? obtain(exchange, target) : forward(exchange, target));
      return answerErrors(exchange, exchange.recordForward().then(ask));
    },
    errorBody: (_code, message) => `${JSON.stringify({ errors: [message] })}\n`,
    auditedPath: withoutToken,
    close() {
      cache.close();
      held.close();
    },
  };
}

function namespaceOf({ headers }: Exchange, vault: VaultAccess): string | undefined {
  const header = headers['x-vault-namespace'];
  return header === undefined ? undefined : namespaceAsked(String(header), vault.upstream()?.namespace);
}

function secondsTo(end = 0, wall: number): number {
  return Math.max(0, Math.floor((end - wall) / 1000));
}

const howToShowTheToken =
  "not allowed: show this listener's token as X-Vault-Token, or as Authorization: Bearer TOKEN where X-Vault-Token is a token of the vault";

/** Other headers of Vault may change what the answer is; what else a client sends (a trace's id) does not. */
const plainHeaders = new Set(['x-vault-request', 'x-vault-token', 'x-vault-namespace']);

function isPlain({ headers }: Exchange): boolean {
  for (const name in headers) {
    if (name.startsWith('x-vault-') && !plainHeaders.has(name)) return false;
  }
  return true;
}

/** A gateway's words: 503 would mean that the vault is sealed, and 403 that the caller's token may not. */
function vaultErrorOf(error: unknown): ApiError {
  if (error === undefined) {
    return { code: 'timeout', status: 504, message: 'the vault has not answered in time' };
  }
  const known = apiErrorOf(error);
  const told = (error as { status?: unknown }).status;
  if (typeof told === 'number' && told >= 400) return { ...known, status: told };
  return { ...known, status: gatewayStatuses[known.code] ?? known.status };
}

/** Of a 429: how long to wait, as the server told the agent. */
function headersOf(error: unknown): string[] {
  const headers = error instanceof UpstreamError ? error.answerHeaders : undefined;
  return Object.entries(headers ?? {}).flat();
}

const gatewayStatuses: Readonly<Record<string, number>> = {
  upstream_unavailable: 502,
  upstream_rate_limited: 429,
  login_failed: 502,
  token_invalid: 502,
  lease_lost: 502,
};
