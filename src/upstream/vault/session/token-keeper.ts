// Keeps one token alive by the policy for as long as it can be, and says when a fresh login is due.

import { describeError } from '../../../base/errors.ts';
import type { Logger } from '../../../base/logger.ts';
import { isJsonObject } from '../../../base/text/json.ts';
import type { Clock } from '../../../base/time/clock.ts';
import { UpstreamFailure } from '../../gate/failure.ts';
import { answerJson, requestRefusal } from '../answer-policy.ts';
import { seconds } from '../secrets/issued-life.ts';
import type { VaultClient } from '../vault-client.ts';
import type { SessionToken } from './session-token.ts';
import type { TokenCheck } from './token-check.ts';
import { planToken, renewedLife } from './token-policy.ts';

export interface TokenKeeper {
  /** Resolves when a fresh login is due, or `signal` is aborted (the token was refused or is to be replaced). */
  keep(token: SessionToken, signal: AbortSignal): Promise<void>;
}

export interface TokenKeeperOptions {
  readonly client: VaultClient;
  readonly clock: Clock;
  readonly random: () => number;
  readonly logger: Logger;
  readonly check: TokenCheck;
  readonly namespace: string | undefined;
  /** The token was given, not made by a login: another login would bring the same one, so it is used to its end. */
  readonly isFixed: boolean;
  readonly onRenewed: () => void;
  readonly onDead: (token: SessionToken) => void;
}

const renewPath = 'auth/token/renew-self';
/** Long waits are cut up, because a timer holds about 24 days. */
const longestPauseMs = 86_400_000;

export function createTokenKeeper(options: TokenKeeperOptions): TokenKeeper {
  const { client, clock, random, logger } = options;

  async function waitUntil(at: number, signal: AbortSignal): Promise<void> {
    while (clock.now() < at && !signal.aborted) {
      try {
        await clock.sleep(Math.min(at - clock.now(), longestPauseMs), signal);
      } catch {
        // Aborted: the loop's condition says so.
      }
    }
  }

  async function renew(token: SessionToken, signal: AbortSignal): Promise<void> {
    const before = token.life;
    try {
      const answer = await client.request({
        method: 'POST',
        path: renewPath,
        isHarmless: true,
        body: { increment: `${Math.ceil(before.periodMs / 1000)}s` },
        token: token.value,
        namespace: options.namespace,
        signal,
        priority: 'interactive',
        isVital: true,
      });
      const granted = answer.status === 200 ? answerJson(answer)?.['auth'] : undefined;
      const grantedMs = isJsonObject(granted) ? (seconds(granted['lease_duration']) ?? 0) * 1000 : -1;
      if (isJsonObject(granted) && grantedMs >= 0) {
        token.life = renewedLife(before, grantedMs, granted['renewable'] === true, clock.now());
        options.onRenewed();
        return;
      }
      const context = {
        what: renewPath,
        path: renewPath,
        capability: 'update',
        secrets: [token.value.text()],
      };
      const error = describeError(requestRefusal(answer, context));
      logger.warn({ status: answer.status, error }, 'the token was not renewed');
      if (answer.status === 403 && (await options.check.judge(token, answer, renewPath)) === 'dead')
        options.onDead(token);
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof UpstreamFailure)) throw error;
    }
    token.life = { ...before, failures: before.failures + 1 };
  }

  return {
    async keep(token, signal) {
      while (!signal.aborted) {
        const { life } = token;
        const plan = planToken(life, clock.now(), random);
        if (plan.action === 'replace') logger.debug({ why: plan.why }, 'a fresh login is planned');
        await waitUntil(plan.action === 'replace' && options.isFixed ? life.expiresAt : plan.at, signal);
        if (plan.action === 'replace') return;
        if (!signal.aborted) await renew(token, signal);
      }
    },
  };
}
