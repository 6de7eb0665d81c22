// Takes back what was issued without a lease, by the requests of revocation-policy.ts.

import type { JsonObject, JsonValue } from '../../../base/text/json.ts';
import { UpstreamError } from '../../../base/upstream-error.ts';
import type { Reference } from '../../../store/reference.ts';
import type { RequestOptions, RevocationRequests } from '../../../store/secret-reading.ts';
import type { SecretAnswer } from '../../../store/secret-version.ts';
import { answerTexts, requestRefusal } from '../answer-policy.ts';
import type { Authorised, AuthorisedAnswer } from '../session/authorised.ts';
import type { Mount } from './kv-path-policy.ts';
import { type Revocation, revocationOf, whyOutlives } from './revocation-policy.ts';

export interface RevocationOptions {
  readonly authorised: Authorised;
  /** What is known already. */
  readonly mountOf: (path: string) => Mount | undefined;
  readonly isOwnToken: (token: string) => boolean;
}

/** Of an accessor that stands for nothing; of a token Vault says so in a warning, of a secret id some by 404 alone. */
const isGoneText = /no token found with this accessor|failed to find accessor entry|invalid accessor/i;

export function createRevocationRequests({
  authorised,
  mountOf,
  isOwnToken,
}: RevocationOptions): RevocationRequests {
  const find = (reference: Reference, answer: SecretAnswer): Revocation =>
    revocationOf(reference, mountOf(reference.path), answer, isOwnToken);

  /** Resolves with the refusal; undefined: it is revoked. */
  async function ask(
    path: string,
    body: JsonObject,
    { whyIfGone }: Pick<Revocation & { how: 'asked' }, 'whyIfGone'>,
    request: RequestOptions,
  ): Promise<AuthorisedAnswer | undefined> {
    const sent = { method: 'PUT', path, body, isHarmless: true, isOptional: true };
    const answer = await authorised({ ...sent, ...request });
    const texts = [...answerTexts(answer), ...answerTexts(answer, 'warnings')];
    const isOfAccessor = /accessor/.test(path) && answer.status === 404 && texts.length === 0;
    const isGone = isOfAccessor || texts.some((text) => isGoneText.test(text));
    if (isGone && whyIfGone !== undefined) throw new UpstreamError('not_found', whyIfGone);
    return answer.status < 300 || isGone ? undefined : answer;
  }

  return {
    whyLasting(reference, answer) {
      if (answer.lease !== undefined) return whyOutlives(answer);
      const revocation = find(reference, answer);
      return revocation.how === 'none' ? revocation.why : undefined;
    },
    async revoke(reference, given, request) {
      const revocation = find(reference, given);
      if (revocation.how === 'none') throw new UpstreamError('request_invalid', revocation.why);
      const refusals: UpstreamError[] = [];
      for (const { path, bodies } of revocation.steps) {
        for (const body of bodies) {
          const refused = await ask(path, body, revocation, request);
          if (refused === undefined) return;
          refusals.push(refusalOf(refused, path, body));
          if (refused.status === 403) break;
        }
      }
      // The least right that would do comes first.
      const [first] = [...refusals.filter(({ status }) => status === 403), ...refusals.reverse()];
      if (first !== undefined) throw first;
    },
  };
}

function refusalOf(answer: AuthorisedAnswer, path: string, body: JsonObject): UpstreamError {
  const secrets = [answer.token.value.text(), ...Object.values(body).filter(isText)];
  return requestRefusal(answer, { what: `revoke it at ${path}`, path, capability: 'update', secrets });
}

function isText(value: JsonValue): value is string {
  return typeof value === 'string';
}
