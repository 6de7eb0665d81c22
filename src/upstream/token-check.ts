// Tells a 403 of policy from a 403 of a dead token: Vault often says "permission denied" for both, so the token looks itself
// up, once for all who ask, and not again for a while after it was found alive.
import type { Clock } from '../base/clock.ts';
import { answerTexts, isAborted, type VaultAnswer } from './answer-policy.ts';
import { UpstreamFailure } from './failure.ts';
import type { SessionToken } from './session-token.ts';
import type { VaultClient } from './vault-client.ts';

export interface TokenCheck {
  /** `answer` is a 403 to a request that carried the token. */
  isDead(token: SessionToken, answer: VaultAnswer): Promise<boolean>;
}

export interface TokenCheckOptions {
  readonly client: VaultClient;
  readonly clock: Clock;
  readonly namespace: string | undefined;
  readonly signal: AbortSignal;
}

/** A token that was found alive is believed this long. */
const aliveMs = 10_000;
/** A token that may not look itself up cannot be told from a dead one: it is given up at most this often. */
const blindMs = 300_000;
/** What newer servers say of tokens themselves; `permission denied` alone says nothing. */
const tokenFault = /\b(?:invalid|bad) token\b|token not found|missing client token/i;

export function createTokenCheck(options: TokenCheckOptions): TokenCheck {
  const { client, clock } = options;
  let aliveUntil = Number.NEGATIVE_INFINITY;
  let blindUntil = Number.NEGATIVE_INFINITY;
  let checking: { token: SessionToken; result: Promise<boolean> } | undefined;

  async function lookUp(token: SessionToken): Promise<boolean> {
    try {
      const answer = await client.request({
        method: 'GET',
        path: 'auth/token/lookup-self',
        token: token.value,
        namespace: options.namespace,
        signal: options.signal,
        priority: 'interactive',
      });
      if (answer.status === 200) {
        aliveUntil = clock.now() + aliveMs;
        return false;
      }
      if (answer.status !== 403) return false;
      if (canLookUp(token) || answerTexts(answer).some((text) => tokenFault.test(text))) return true;
      if (clock.now() < blindUntil) return false;
      blindUntil = clock.now() + blindMs;
      return true;
    } catch (error) {
      if (error instanceof UpstreamFailure || isAborted(error)) return false;
      throw error;
    }
  }

  return {
    async isDead(token, answer) {
      if (answerTexts(answer).some((text) => tokenFault.test(text))) return true;
      if (clock.now() < aliveUntil) return false;
      if (checking?.token !== token) {
        const result = lookUp(token).finally(() => {
          checking = undefined;
        });
        checking = { token, result };
      }
      return await checking.result;
    },
  };
}

/** The policy `default` allows it; a token that was found by looking it up is allowed to as well. */
function canLookUp(token: SessionToken): boolean {
  const { grant } = token;
  return !grant.isOwn || grant.policies.includes('default') || grant.policies.includes('root');
}
