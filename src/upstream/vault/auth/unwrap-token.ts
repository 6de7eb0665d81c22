// A token that came response-wrapped: unwrapped once, and kept, for a wrapping token works once.
import { LatchkeyError } from '../../../base/errors.ts';
import { SecretValue } from '../../../base/secret-value.ts';
import { isJsonObject } from '../../../base/text/json.ts';
import { answerJson } from '../answer-policy.ts';
import type { AuthContext } from './auth-method.ts';
import { leftThere, type WrappingSource, wrappingFault } from './wrapping-fault.ts';

/** `place` is what messages call the wrapping token. Another wrapping token is unwrapped in its turn. */
export function unwrapToken(
  context: AuthContext,
  place: string,
): (wrapping: SecretValue, signal: AbortSignal) => Promise<SecretValue> {
  // Nobody takes it away: a file is the deliverer's, and a variable nobody's.
  const source: WrappingSource = { place, content: 'token', mount: 'token', ownDoing: leftThere };
  let kept: { readonly wrapping: SecretValue; readonly token: SecretValue } | undefined;
  return async (wrapping, signal) => {
    if (kept?.wrapping.equals(wrapping) === true) return kept.token;
    const answer = await context.call({
      method: 'POST',
      path: 'sys/wrapping/unwrap',
      token: wrapping,
      signal,
    });
    if (answer.status !== 200) throw wrappingFault(answer, wrapping, source, { wasGood: false });
    const { auth, data } = answerJson(answer) ?? {};
    const text = isJsonObject(auth) ? auth['client_token'] : isJsonObject(data) ? data['token'] : undefined;
    if (typeof text !== 'string' || text === '') {
      throw new LatchkeyError('login_failed', `${place}: the wrapping token holds no token`, {
        remedy: 'wrap the token that the agent is to work with, or take unwrap out',
      });
    }
    kept = { wrapping, token: SecretValue.fromText(text) };
    return kept.token;
  };
}
