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
import type { AuthMethod } from '../auth/auth-method.ts';
import { type AuthConfig, isUsedUp } from '../config/vault-config.ts';
import type { VaultClient } from '../vault-client.ts';
import { createInterruption } from './interruption.ts';
import { type Grant, LoginError } from './login.ts';
import { createLoginDistance } from './login-distance.ts';
import { loginStatus, type SessionStatus } from './login-status.ts';
import { createLogins } from './logins.ts';
import type { RefusalMemory } from './refusal-memory.ts';
import type { SessionToken } from './session-token.ts';
import { createTokenCheck } from './token-check.ts';
import { createTokenInUse } from './token-in-use.ts';
import { createTokenKeeper } from './token-keeper.ts';

export interface Session {
  start(): void;
  /** Before `start`: goes on with this token of the last run where it still lives, in place of a login. */
  resume(token: SessionToken): void;
  /** The token where a login of the agent made it, of the last run too; undefined: there is none. */
  ownToken(): SessionToken | undefined;
  /** The token; waits for a login that is under way, and throws the error of the last one. */
  token(signal: AbortSignal): Promise<SessionToken>;
  /** The token of the last login and a few before it, newest first: what no answer may hold. */
  recentTokens(): readonly SecretValue[];
  /** Was a 403 the token's fault? Then a fresh login is under way, and `token` waits for it. */
  isRefused(token: SessionToken, answer: Pick<VaultAnswer, 'body'>, path: string): Promise<boolean>;
  status(): SessionStatus;
  /** Of that the state alone, which is asked for with each request. */
  state(): SessionStatus['state'];
  ready(signal: AbortSignal): Promise<void>;
  /** Logs in again while the old token lives: what it was got with has changed. */
  replace(): void;
  /** Somebody asks: a login that was refused is not waited with. */
  tryAgain(): void;
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
  /** What earlier runs on this host were refused. */
  readonly refusals: RefusalMemory;
  readonly onChange: () => void;
  /** A login was answered. */
  readonly onLogin: (outcome: 'ok' | ErrorCode) => void;
  readonly onToken: (token: SessionToken) => void;
  /** The token, and all that was issued under it, ends at `at` (wall time): told when there is another, or none. */
  readonly onEnding: (token: SessionToken, at: number) => void;
}

/** A token that lives for seconds only is replaced in time, whatever wait is configured for refused logins. */
const longestMinDistanceMs = 1000;

export function createSession(options: SessionOptions): Session {
  const { auth, client, clock, random, logger } = options;
  const lifetime = new AbortController();
  const settled = createChangePoint();
  const check = createTokenCheck({ client, clock, namespace: auth.namespace, signal: lifetime.signal });
  const keeper = createTokenKeeper({
    ...options,
    check,
    namespace: auth.namespace,
    isFixed: auth.method === 'token' || auth.method === 'token_file',
    onRenewed: options.onChange,
    onDead: drop,
  });
  const distance = createLoginDistance({
    ...{ clock, random, maxMs: auth.maxBackoffMs },
    minMs: Math.min(auth.minBackoffMs, longestMinDistanceMs),
  });
  const logins = createLogins({
    ...options,
    loadMethod: (signal) => options.loadMethod(heardOfCredentials, signal),
    lifetime: lifetime.signal,
  });
  const tokens = createTokenInUse({ clock, onEnding: options.onEnding });
  /** Of the pause after a failed login, and of the keeping of a token. */
  const interruption = createInterruption(clock, lifetime.signal);
  let error: LatchkeyError | undefined;
  /** An attempt is under way or about to begin: requests wait for it. */
  let isPending = true;
  let isFatal = false;
  let isRetired = false;
  let isAttempting = false;
  let running: Promise<void> | undefined;
  /** Of a login that was answered when nothing was asked by it any more. */
  let unneeded: SessionToken | undefined;

  /** The token that there is must not end because another cannot be had. */
  async function pauseWithToken(ms: number): Promise<void> {
    const over = new AbortController();
    const until = AbortSignal.any([over.signal, interruption.signal()]);
    const token = tokens.living();
    const keeping = token && keeper.keep(token, until);
    try {
      await interruption.pause(ms);
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
    if (tokens.current() !== token) return;
    logger.warn({ accessor: token.grant.accessor }, 'the token is refused: a fresh login follows');
    giveUp();
  }

  function giveUp(): void {
    isPending = true;
    tokens.drop();
    options.onChange();
    // A login that is under way is the fresh one.
    if (!isAttempting) interruption.stir();
  }

  async function attempt(): Promise<void> {
    interruption.clear();
    isPending = true;
    isAttempting = true;
    options.onChange();
    try {
      const ofLastRun = tokens.waiting();
      if (ofLastRun !== undefined && (await goOn(ofLastRun))) return;
      await logins.logIn(adopt);
    } finally {
      isAttempting = false;
    }
  }

  /** Whether the token of the last run is the one to go on with. */
  async function goOn(ofLastRun: SessionToken): Promise<boolean> {
    let told: Grant | undefined;
    try {
      told = await logins.lookUp(ofLastRun);
    } catch (reason) {
      if (!(reason instanceof LoginError)) throw reason;
      // It is dead, or may not look itself up: then it is believed to live as long as it was told.
    }
    const token = tokens.goOn(told);
    if (token === undefined) return false;
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
    return tokens.current() !== token;
  }

  /** Its policies may be those of yesterday, and a restart is how people have them read again. */
  function doubtResumed(token: SessionToken): void {
    if (!isUsedUp(auth) && tokens.doubt(token)) heardOfCredentials({ isReplacement: true });
  }

  function heardOfCredentials({ isReplacement }: { isReplacement: boolean }): void {
    if (!isRetired && (isReplacement || tokens.living() === undefined)) interruption.stir();
  }

  function adopt(grant: Grant): void {
    error = undefined;
    const token = tokens.adopt(grant);
    if (token !== undefined) {
      if (isRetired) unneeded = token;
      distance.note();
      const { accessor, ttlSeconds } = grant;
      logger.info({ method: auth.method, accessor, ttl_seconds: ttlSeconds }, 'logged in');
      options.onToken(token);
    }
    settle();
  }

  function fail(reason: unknown): void {
    const found =
      reason instanceof LatchkeyError ? reason : new LatchkeyError('internal', describeError(reason));
    const isAway = client.health.failure() !== undefined;
    if (!isAway && error?.message !== found.message) {
      logger.error({ event: 'login.failed', method: auth.method, code: found.code }, describeError(found));
    }
    error = found;
    const isAlive = tokens.living() !== undefined;
    if (!isAlive) tokens.drop();
    isFatal = auth.exitOnError && !isAlive;
    settle();
  }

  /** Tries until there is a token: backs off from refusals, waits for a server that is away. */
  async function logInUntilDone(): Promise<void> {
    for (let failures = 1; ; failures += 1) {
      const distanceMs = distance.waitMs();
      if (distanceMs > 0) {
        // The end of the token has ended the wait for it, not this one.
        interruption.clear();
        await interruption.pause(distanceMs);
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
        await interruption.pause(random() * 500);
      } else {
        const backoff = { minMs: auth.minBackoffMs, maxMs: auth.maxBackoffMs };
        const leftMs = (tokens.living()?.life.expiresAt ?? Number.POSITIVE_INFINITY) - clock.now();
        const asked = error instanceof UpstreamError ? error.retryAfterMs : undefined;
        const told = asked ?? logins.waitMs();
        await pauseWithToken(Math.min(Math.max(told, backoffDelayMs(failures, backoff, random)), leftMs));
      }
      if (isRetired) return;
    }
  }

  async function run(): Promise<void> {
    while (!lifetime.signal.aborted && !isFatal && !isRetired) {
      try {
        await logInUntilDone();
        const token = tokens.current();
        if (token !== undefined) await keeper.keep(token, interruption.signal());
      } catch (reason) {
        if (lifetime.signal.aborted || isFatal) return;
        // A defect must not end the agent's logins.
        fail(reason);
        await clock.sleep(auth.maxBackoffMs, lifetime.signal).catch(() => undefined); // closed: the loop ends
      }
    }
    if (isRetired) tokens.leave();
  }

  function state(): SessionStatus['state'] {
    if (tokens.living() !== undefined) return 'ready';
    // A login that was refused stays so while it is tried again; one that found no server may just begin again.
    const isFailed = error !== undefined && !(isPending && error instanceof UpstreamFailure);
    if (!isFailed) return running !== undefined ? 'logging_in' : 'starting';
    return error instanceof LoginError && error.isDenied ? 'denied' : 'login_failed';
  }

  return {
    start() {
      // Nobody hears of its first step before it counts as begun.
      running ??= Promise.resolve().then(run);
    },
    resume: tokens.resume,
    ownToken: tokens.own,
    recentTokens: tokens.recent,
    async token(signal) {
      for (;;) {
        const token = tokens.living();
        if (token !== undefined) return token;
        if (lifetime.signal.aborted) throw new LatchkeyError('aborted', 'the upstream is closed');
        if (isRetired)
          throw new LatchkeyError('aborted', 'the upstream was replaced and its token has ended');
        // The process was suspended for so long, and nobody has noticed yet.
        if (tokens.current() !== undefined && error === undefined) giveUp();
        if (error !== undefined && (!isPending || isFatal)) throw error;
        await nextChange(settled.changes, signal);
      }
    },
    async isRefused(token, answer, path) {
      if (tokens.current() !== token) return true;
      const verdict = await check.judge(token, answer, path);
      if (verdict === 'suspect') return tryAnother(token);
      if (verdict !== 'dead') {
        doubtResumed(token);
        return false;
      }
      drop(token);
      return true;
    },
    state,
    status() {
      const now = state();
      return { state: now, error, isFatal, login: loginStatus(auth.method, now, tokens.living(), clock) };
    },
    async ready(signal) {
      for (;;) {
        if (tokens.living() !== undefined) return;
        if (lifetime.signal.aborted) throw new LatchkeyError('aborted', 'the upstream is closed');
        if (isFatal) throw error;
        await nextChange(settled.changes, signal);
      }
    },
    replace: () => heardOfCredentials({ isReplacement: true }),
    tryAgain() {
      const isWaiting = error !== undefined && !isAttempting && !client.health.isAway();
      if (isRetired || isFatal || !isWaiting || tokens.living() !== undefined) return;
      // Whoever asks waits for this try, and is not told of the last one.
      isPending = true;
      interruption.stir();
    },
    retire() {
      isRetired = true;
      settled.tell();
    },
    async close({ revokeToken, signal }) {
      lifetime.abort();
      settled.tell();
      await logins.close(signal);
      await running;
      const own = tokens.own();
      if (!revokeToken && own !== unneeded) tokens.leave();
      else if (own !== undefined) await logins.revoke(own, signal);
      tokens.forget();
    },
  };
}
