// The agent's own token: logs in with backoff, replaces it before its end or when it is refused, and hands it to
// requests. Whoever waits for a login waits for the same one. Renewal is left to the keeper.

import { describeError, type ErrorCode, LatchkeyError } from '../../../base/errors.ts';
import type { Logger } from '../../../base/logger.ts';
import type { SecretValue } from '../../../base/secret-value.ts';
import { backoffDelayMs } from '../../../base/time/backoff.ts';
import type { Clock } from '../../../base/time/clock.ts';
import { createChangePoint, nextChange } from '../../../base/time/until.ts';
import { UpstreamError } from '../../../base/upstream-error.ts';
import { UpstreamFailure } from '../../gate/failure.ts';
import type { VaultAnswer } from '../answer-policy.ts';
import type { AuthMethod, Credentials } from '../auth/auth-method.ts';
import type { AuthConfig } from '../config/vault-config.ts';
import type { VaultClient } from '../vault-client.ts';
import { type Grant, LoginError, logIn } from './login.ts';
import { createLoginDistance } from './login-distance.ts';
import { loginStatus, type SessionStatus } from './login-status.ts';
import { createRefusedCredential } from './refused-credential.ts';
import { createSessionToken, type SessionToken } from './session-token.ts';
import { createTokenCheck } from './token-check.ts';
import { createTokenKeeper } from './token-keeper.ts';

export interface Session {
  start(): void;
  /** Before `start`: goes on with this token of the last run where it still lives, in place of a login. */
  resume(token: SessionToken): void;
  /** The token where a login of the agent made it; undefined: there is none. */
  ownToken(): SessionToken | undefined;
  /** The token; waits for a login that is under way, and throws the error of the last one. */
  token(signal: AbortSignal): Promise<SessionToken>;
  /** The token of the last login and a few before it, newest first: what no answer may hold. */
  recentTokens(): readonly SecretValue[];
  /** Was a 403 the token's fault? Then a fresh login is under way, and `token` waits for it. */
  isRefused(token: SessionToken, answer: Pick<VaultAnswer, 'body'>, path: string): Promise<boolean>;
  status(): SessionStatus;
  ready(signal: AbortSignal): Promise<void>;
  /** Logs in again while the old token lives: what it was got with has changed. */
  replace(): void;
  /** No login any more: the token is renewed for as long as it can be, and then it ends. */
  retire(): void;
  close(options: { revokeToken: boolean; signal: AbortSignal }): Promise<void>;
}

export interface SessionOptions {
  readonly auth: AuthConfig;
  readonly client: VaultClient;
  readonly clock: Clock;
  readonly random: () => number;
  readonly logger: Logger;
  /** Called once. `onCredentials` tells of new ones: a waiting login is tried at once. */
  readonly loadMethod: (
    onCredentials: (options: { isReplacement: boolean }) => void,
    signal: AbortSignal,
  ) => Promise<AuthMethod>;
  readonly onChange: () => void;
  /** A login can be repeated: what it is done with is not used up. */
  readonly canRepeat: boolean;
  /** A login was answered. */
  readonly onLogin: (outcome: 'ok' | ErrorCode) => void;
  readonly onToken: (token: SessionToken) => void;
  /** The token, and all that was issued under it, ends at `at` (wall time): told when there is another, or none. */
  readonly onEnding: (token: SessionToken, at: number) => void;
}

const mostRecent = 4;

/** A token that lives for seconds only is replaced in time, whatever wait is configured for refused logins. */
const longestMinDistanceMs = 1000;

export function createSession(options: SessionOptions): Session {
  const { auth, client, clock, random, logger } = options;
  const lifetime = new AbortController();
  const settled = createChangePoint();
  const check = createTokenCheck({ client, clock, namespace: auth.namespace, signal: lifetime.signal });
  const keeper = createTokenKeeper({
    client,
    clock,
    random,
    logger,
    check,
    namespace: auth.namespace,
    isFixed: auth.method === 'token' || auth.method === 'token_file',
    onRenewed: options.onChange,
    onDead: drop,
  });
  const distance = createLoginDistance({
    minMs: Math.min(auth.minBackoffMs, longestMinDistanceMs),
    maxMs: auth.maxBackoffMs,
    clock,
    random,
  });
  const refusedCredential = createRefusedCredential(auth.method);
  let method: AuthMethod | undefined;
  let current: SessionToken | undefined;
  let recent: readonly SecretValue[] = [];
  let error: LatchkeyError | undefined;
  let isStarted = false;
  /** An attempt is under way or about to begin: requests wait for it. */
  let isPending = true;
  let isFatal = false;
  let isRetired = false;
  let isAttempting = false;
  /** Aborted to end the pause after a failed login, or the keeping of a token; each attempt begins with a new one. */
  let interrupt = new AbortController();
  let running: Promise<void> = Promise.resolve();
  /** Of the last run, as long as it is not known whether it lives; then the token in use that came from there. */
  let last: SessionToken | undefined;

  function isAlive(token: SessionToken | undefined): token is SessionToken {
    return token !== undefined && clock.now() < token.life.expiresAt;
  }

  function interruptible(): AbortSignal {
    return AbortSignal.any([interrupt.signal, lifetime.signal]);
  }

  async function pause(ms: number): Promise<void> {
    try {
      await clock.sleep(ms, interruptible());
    } catch {
      lifetime.signal.throwIfAborted();
    }
  }

  /** The token that there is must not end because another cannot be had. */
  async function pauseWithToken(ms: number): Promise<void> {
    const over = new AbortController();
    const until = AbortSignal.any([over.signal, interruptible()]);
    const keeping = isAlive(current) ? keeper.keep(current, until) : undefined;
    try {
      await pause(ms);
    } finally {
      over.abort();
      await keeping;
    }
  }

  function settle(): void {
    isPending = false;
    settled.tell();
    options.onChange();
  }

  function drop(token: SessionToken): void {
    if (current !== token) return;
    logger.warn({ accessor: token.grant.accessor }, 'the token is refused: a fresh login follows');
    giveUp(token);
  }

  function giveUp(token: SessionToken): void {
    current = undefined;
    isPending = true;
    options.onEnding(token, clock.wall());
    options.onChange();
    // A login that is under way is the fresh one.
    if (!isAttempting) interrupt.abort();
  }

  async function attempt(): Promise<void> {
    interrupt = new AbortController();
    isPending = true;
    isAttempting = true;
    options.onChange();
    let credentials: Credentials | undefined;
    try {
      if (current === undefined && last !== undefined && (await goOn(last))) return;
      method ??= await options.loadMethod(heardOfCredentials, lifetime.signal);
      credentials = await method.credentials(lifetime.signal);
      adopt(await logIn(credentials, { client, auth, onLogin: options.onLogin, signal: lifetime.signal }));
      refusedCredential.accepted();
      await method.accepted?.();
    } catch (reason) {
      if (reason instanceof LoginError) method?.rejected?.();
      if (reason instanceof LoginError && reason.isOfCredential) refusedCredential.refused(credentials);
      throw reason;
    } finally {
      isAttempting = false;
    }
  }

  /** Whether the token of the last run is the one to go on with. */
  async function goOn(token: SessionToken): Promise<boolean> {
    let found: Grant | undefined;
    try {
      const credentials = { kind: 'token', token: token.value } as const;
      found = await logIn(credentials, { client, auth, onLogin: options.onLogin, signal: lifetime.signal });
    } catch (reason) {
      if (!(reason instanceof LoginError)) throw reason;
      // It is dead, or may not look itself up: then it is believed to live as long as it was told.
    }
    if (found !== undefined) {
      const { life } = createSessionToken(found, clock.now());
      token.life = { ...life, periodMs: Math.max(life.periodMs, token.life.periodMs) };
    }
    if (!isAlive(token)) {
      last = undefined;
      options.onEnding(token, clock.wall());
      return false;
    }
    current = token;
    recent = [token.value, ...recent].slice(0, mostRecent);
    error = undefined;
    logger.info({ accessor: token.grant.accessor }, 'the login of the last run goes on');
    options.onToken(token);
    settle();
    return true;
  }

  /** It may be dead, but what was got by it may live: it stays until a fresh login has brought another. */
  async function tryAnother(token: SessionToken): Promise<boolean> {
    if (!isAttempting) heardOfCredentials({ isReplacement: true });
    await nextChange(settled.changes, lifetime.signal);
    return current !== token;
  }

  /** Its policies may be those of yesterday, and a restart is how people have them read again. */
  function doubtResumed(token: SessionToken): void {
    if (token !== last || token !== current || !options.canRepeat) return;
    last = undefined;
    heardOfCredentials({ isReplacement: true });
  }

  function heardOfCredentials({ isReplacement }: { isReplacement: boolean }): void {
    if (!isRetired && (isReplacement || !isAlive(current))) interrupt.abort();
  }

  function adopt(grant: Grant): void {
    const before = current;
    error = undefined;
    if (before?.value.equals(grant.token)) {
      // A file that was written again with the same token: whatever was issued under it stays bound to it.
      before.life = createSessionToken(grant, clock.now()).life;
      settle();
      return;
    }
    distance.note();
    current = createSessionToken(grant, clock.now());
    recent = [current.value, ...recent].slice(0, mostRecent);
    if (before !== undefined) tellEnd(before);
    const { accessor, ttlSeconds } = grant;
    logger.info({ method: auth.method, accessor, ttl_seconds: ttlSeconds }, 'logged in');
    options.onToken(current);
    settle();
  }

  /** Of a token that nobody renews any more. */
  function tellEnd(token: SessionToken): void {
    const leftMs = token.life.expiresAt - clock.now();
    if (Number.isFinite(leftMs)) options.onEnding(token, clock.wall() + leftMs);
  }

  function fail(reason: unknown): void {
    const found =
      reason instanceof LatchkeyError ? reason : new LatchkeyError('internal', describeError(reason));
    const isAway = client.health.failure() !== undefined;
    if (!isAway && error?.message !== found.message) {
      logger.error({ event: 'login.failed', method: auth.method, code: found.code }, describeError(found));
    }
    error = found;
    if (current !== undefined && !isAlive(current)) {
      options.onEnding(current, clock.wall());
      current = undefined;
    }
    isFatal = auth.exitOnError && !isAlive(current);
    settle();
  }

  /** Tries until there is a token: backs off from refusals, waits for a server that is away. */
  async function logInUntilDone(): Promise<void> {
    for (let failures = 1; ; failures += 1) {
      const distanceMs = distance.waitMs();
      if (distanceMs > 0) {
        // The end of the token has ended the wait for it, not this one.
        interrupt = new AbortController();
        await pause(distanceMs);
      }
      try {
        await attempt();
        return;
      } catch (reason) {
        lifetime.signal.throwIfAborted();
        fail(reason);
        if (isFatal) throw reason;
      }
      if (client.health.isAway()) {
        await client.health.whenServing(lifetime.signal);
        failures = 0;
        isPending = true;
        // A fleet that waited for one server does not log in at one instant.
        await pause(random() * 500);
      } else {
        const backoff = { minMs: auth.minBackoffMs, maxMs: auth.maxBackoffMs };
        const leftMs = isAlive(current) ? current.life.expiresAt - clock.now() : Number.POSITIVE_INFINITY;
        const asked = error instanceof UpstreamError ? error.retryAfterMs : undefined;
        const told = asked ?? refusedCredential.waitMs();
        await pauseWithToken(Math.min(Math.max(told, backoffDelayMs(failures, backoff, random)), leftMs));
      }
      if (isRetired) return;
    }
  }

  async function run(): Promise<void> {
    while (!lifetime.signal.aborted && !isFatal && !isRetired) {
      try {
        await logInUntilDone();
        if (current !== undefined) await keeper.keep(current, interruptible());
      } catch (reason) {
        if (lifetime.signal.aborted || isFatal) return;
        // A defect must not end the agent's logins.
        fail(reason);
        await clock.sleep(auth.maxBackoffMs, lifetime.signal).catch(() => undefined); // closed: the loop ends
      }
    }
    if (isRetired && isAlive(current)) tellEnd(current);
  }

  async function revoke(signal: AbortSignal): Promise<void> {
    if (!isAlive(current) || !current.grant.isOwn) return;
    try {
      await client.request({
        method: 'POST',
        path: 'auth/token/revoke-self',
        token: current.value,
        namespace: auth.namespace,
        signal,
        priority: 'interactive',
      });
    } catch (reason) {
      logger.warn({ error: describeError(reason) }, 'the token could not be revoked');
    }
  }

  return {
    start() {
      if (isStarted) return;
      isStarted = true;
      running = run();
    },
    resume(token) {
      last = token;
    },
    ownToken: () => (isAlive(current) && current.grant.isOwn ? current : undefined),
    recentTokens: () => recent,
    async token(signal) {
      for (;;) {
        if (isAlive(current)) return current;
        if (lifetime.signal.aborted) throw new LatchkeyError('aborted', 'the upstream is closed');
        if (isRetired)
          throw new LatchkeyError('aborted', 'the upstream was replaced and its token has ended');
        // The process was suspended for so long, and nobody has noticed yet.
        if (current !== undefined && error === undefined) giveUp(current);
        if (error !== undefined && (!isPending || isFatal)) throw error;
        await nextChange(settled.changes, signal);
      }
    },
    async isRefused(token, answer, path) {
      if (current !== token) return true;
      const verdict = await check.judge(token, answer, path);
      if (verdict === 'suspect') return tryAnother(token);
      if (verdict !== 'dead') {
        doubtResumed(token);
        return false;
      }
      drop(token);
      return true;
    },
    status() {
      const failed = error instanceof LoginError && error.isDenied ? 'denied' : 'login_failed';
      const waiting = isStarted ? 'logging_in' : 'starting';
      // A login that was refused stays so while it is tried again; one that found no server may just begin again.
      const isFailed = error !== undefined && !(isPending && error instanceof UpstreamFailure);
      const state = isAlive(current) ? 'ready' : isFailed ? failed : waiting;
      return { state, error, isFatal, login: loginStatus(auth.method, state, current, clock) };
    },
    async ready(signal) {
      for (;;) {
        if (isAlive(current)) return;
        if (lifetime.signal.aborted) throw new LatchkeyError('aborted', 'the upstream is closed');
        if (isFatal) throw error;
        await nextChange(settled.changes, signal);
      }
    },
    replace: () => heardOfCredentials({ isReplacement: true }),
    retire() {
      isRetired = true;
      settled.tell();
    },
    async close({ revokeToken, signal }) {
      lifetime.abort();
      settled.tell();
      await running;
      await method?.close?.();
      if (revokeToken) await revoke(signal);
      else if (isAlive(current)) tellEnd(current);
      current = undefined;
    },
  };
}
