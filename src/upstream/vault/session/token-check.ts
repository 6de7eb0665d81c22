// Tells a 403 of policy from a 403 of a dead token. Most servers answer them differently; where this one does not, the token
// looks itself up, once for all who ask at a time, a few times at once at most, and not again soon for a path that policy denies.
import { BoundedMap } from '../../../base/bounded-map.ts';
import type { Clock } from '../../../base/time/clock.ts';
import { isAborted, UpstreamFailure } from '../../gate/failure.ts';
import { answerTexts, isOfPolicy, type VaultAnswer } from '../answer-policy.ts';
import type { VaultClient } from '../vault-client.ts';
import type { SessionToken } from './session-token.ts';

/** `suspect`: it may be dead, and may not look itself up to tell. */
export type TokenVerdict = 'dead' | 'suspect' | 'alive';

export interface TokenCheck {
  /** `answer` is a 403 to a request for `path` that carried the token. */
  judge(token: SessionToken, answer: Pick<VaultAnswer, 'body'>, path: string): Promise<TokenVerdict>;
}

export interface TokenCheckOptions {
  readonly client: VaultClient;
  readonly clock: Clock;
  readonly namespace: string | undefined;
  readonly signal: AbortSignal;
}

/** A path that was denied to a living token is believed to be denied by policy this long. */
const deniedMs = 60_000;
const mostPaths = 10_000;
/** This many looks at once, then one a second. Beyond that a 403 counts as policy's, until it is asked again. */
const burst = 10;
const lookEveryMs = 1000;
/** A token that may not look itself up cannot be told from a dead one: a fresh login is tried at most this often. */
const blindMs = 300_000;
/** What newer servers say of tokens themselves; `permission denied` alone says nothing. */
const tokenFault = /\b(?:invalid|bad) token\b|token not found|missing client token/i;

export function createTokenCheck(options: TokenCheckOptions): TokenCheck {
  const { client, clock } = options;
  const deniedUntil = new BoundedMap<string, number>(mostPaths);
  let looks = burst;
  let countedAt = clock.now();
  let blindUntil = Number.NEGATIVE_INFINITY;
  let checking: { token: SessionToken; result: Promise<TokenVerdict> } | undefined;

  async function lookUp(token: SessionToken): Promise<TokenVerdict> {
    try {
      const answer = await client.request({
        method: 'GET',
        path: 'auth/token/lookup-self',
        token: token.value,
        namespace: options.namespace,
        signal: options.signal,
        priority: 'interactive',
      });
      // One that may not look itself up is told so by its policy, and so it lives.
      if (answer.status !== 403 || isOfPolicy(answer)) return 'alive';
      if (canLookUp(token) || answerTexts(answer).some((text) => tokenFault.test(text))) return 'dead';
      if (clock.now() < blindUntil) return 'alive';
      blindUntil = clock.now() + blindMs;
      return 'suspect';
    } catch (error) {
      if (error instanceof UpstreamFailure || isAborted(error)) return 'alive';
      throw error;
    }
  }

  function mayLook(): boolean {
    const now = clock.now();
    looks = Math.min(burst, looks + (now - countedAt) / lookEveryMs);
    countedAt = now;
    if (looks < 1) return false;
    looks -= 1;
    return true;
  }

  async function sharedLookUp(token: SessionToken): Promise<TokenVerdict> {
    if (checking?.token === token) return await checking.result;
    if (!mayLook()) return 'alive';
    const result = lookUp(token).finally(() => {
      checking = undefined;
    });
    checking = { token, result };
    return await result;
  }

  return {
    async judge(token, answer, path) {
      if (answerTexts(answer).some((text) => tokenFault.test(text))) return 'dead';
      if (isOfPolicy(answer) || (deniedUntil.get(path) ?? 0) > clock.now()) return 'alive';
      const verdict = await sharedLookUp(token);
      if (verdict === 'alive') deniedUntil.set(path, clock.now() + deniedMs);
      return verdict;
    },
  };
}

/** The policy `default` allows it; a token that was found by looking it up is allowed to as well. */
function canLookUp(token: SessionToken): boolean {
  const { grant } = token;
  return !grant.isOwn || grant.policies.includes('default') || grant.policies.includes('root');
}
