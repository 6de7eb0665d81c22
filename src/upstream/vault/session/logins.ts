// Single logins by the method of the config: what one is done with, how it went, and that no token is left over. What is under
// way when the session closes is waited for, not long: a token that nobody takes any more would live on, and nobody knows it.
import { describeError } from '../../../base/errors.ts';
import type { Logger } from '../../../base/logger.ts';
import type { Clock } from '../../../base/time/clock.ts';
import type { AuthMethod, Credentials } from '../auth/auth-method.ts';
import { type Grant, LoginError, type LoginOptions, logIn, lookUpToken } from './login.ts';
import type { RefusalMemory } from './refusal-memory.ts';
import { createRefusedCredential } from './refused-credential.ts';
import type { SessionToken } from './session-token.ts';

export interface Logins {
  /** `adopt` takes what it brought, before the method hears that it was accepted. Throws `LoginError` and as requests do. */
  logIn(adopt: (grant: Grant) => void): Promise<void>;
  /** What the vault tells of a token that there is. Undefined: it may not look itself up. */
  lookUp(token: SessionToken): Promise<Grant | undefined>;
  /** How long the credential is not to be shown; 0: the usual backoff will do. */
  waitMs(): number;
  revoke(token: SessionToken, signal: AbortSignal): Promise<void>;
  /** After the lifetime has ended: resolves when nothing is under way, at the latest when `signal` is aborted. */
  close(signal: AbortSignal): Promise<void>;
}

interface LoginsOptions extends Omit<LoginOptions, 'signal'> {
  readonly clock: Clock;
  readonly logger: Logger;
  /** Called once. */
  readonly loadMethod: (signal: AbortSignal) => Promise<AuthMethod>;
  readonly lifetime: AbortSignal;
  readonly refusals: RefusalMemory;
}

/** Most answers that come at all come within it; a server that hangs must not hold up whoever closes. */
const lastAnswerMs = 1000;

export function createLogins(options: LoginsOptions): Logins {
  const { clock, logger, client, auth, lifetime } = options;
  const refusedCredential = createRefusedCredential(auth, clock, options.refusals);
  /** Ends what is under way; later than the lifetime. */
  const last = new AbortController();
  let method: AuthMethod | undefined;
  let underWay: Promise<unknown> = Promise.resolve();

  async function revoke({ value }: Pick<SessionToken, 'value'>, signal: AbortSignal): Promise<void> {
    try {
      const answer = await client.request({
        method: 'POST',
        path: 'auth/token/revoke-self',
        token: value,
        namespace: auth.namespace,
        signal,
        priority: 'interactive',
      });
      if (answer.status >= 400) logger.warn({ status: answer.status }, 'the token could not be revoked');
    } catch (reason) {
      logger.warn({ error: describeError(reason) }, 'the token could not be revoked');
    }
  }

  async function ask(credentials: Credentials): Promise<Grant> {
    const grant = await logIn(credentials, { ...options, signal: last.signal });
    if (!lifetime.aborted) return grant;
    if (grant.isOwn) {
      logger.info({ accessor: grant.accessor }, 'a login was answered after its end: its token is revoked');
      await revoke({ value: grant.token }, last.signal);
    }
    throw lifetime.reason;
  }

  return {
    async logIn(adopt) {
      let credentials: Credentials | undefined;
      let isShown = false;
      try {
        method ??= await options.loadMethod(lifetime);
        credentials = await method.credentials(lifetime);
        const held = refusedCredential.heldBack(credentials);
        if (held !== undefined) throw held;
        isShown = true;
        const asked = ask(credentials);
        underWay = asked;
        adopt(await asked);
        refusedCredential.accepted();
        await method.accepted?.();
      } catch (reason) {
        if (!(reason instanceof LoginError)) throw reason;
        if (isShown || credentials === undefined) method?.rejected?.();
        if (isShown && credentials !== undefined && reason.isOfCredential)
          refusedCredential.refused(credentials, reason);
        throw reason;
      }
    },
    lookUp: ({ value }) => lookUpToken(value, { ...options, signal: lifetime }),
    waitMs: () => refusedCredential.waitMs(),
    revoke,
    async close(signal) {
      const giveUp = (): void => last.abort(lifetime.reason);
      const timer = clock.setTimer(lastAnswerMs, giveUp);
      signal.addEventListener('abort', giveUp, { once: true });
      if (signal.aborted) giveUp();
      await underWay.catch(() => undefined); // the session hears of it too
      timer.cancel();
      signal.removeEventListener('abort', giveUp);
      await method?.close?.();
    },
  };
}
