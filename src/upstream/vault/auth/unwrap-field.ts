// Opens a response-wrapped credential once, after a look at where it was made: a token wrapped elsewhere was put there by
// somebody else, and one that is used up was read on its way.
import { LatchkeyError } from '../../../base/errors.ts';
import { SecretValue } from '../../../base/secret-value.ts';
import { isJsonObject } from '../../../base/text/json.ts';
import { answerJson } from '../answer-policy.ts';
import type { AuthContext } from './auth-method.ts';
import { type WrappingSource, wrappingFault } from './wrapping-fault.ts';

export interface UnwrapOptions {
  readonly context: AuthContext;
  /** The field of the wrapped data. */
  readonly field: string;
  readonly isExpectedPath: (creationPath: string) => boolean;
  readonly source: WrappingSource;
  /** It is about to be opened: what comes of that may not be heard of. */
  onOpening(): void;
  readonly signal: AbortSignal;
}

export async function unwrapField(token: SecretValue, options: UnwrapOptions): Promise<SecretValue> {
  const { context, source, signal } = options;
  const lookup = await context.call({
    method: 'POST',
    path: 'sys/wrapping/lookup',
    body: { token: token.text() },
    signal,
  });
  if (lookup.status !== 200) throw wrappingFault(lookup, token, source, { wasGood: false });
  const info = answerJson(lookup)?.['data'];
  const creationPath = isJsonObject(info) ? info['creation_path'] : undefined;
  if (typeof creationPath !== 'string' || !options.isExpectedPath(creationPath)) {
    throw new LatchkeyError(
      'login_failed',
      `${source.place} holds a wrapping token that was made elsewhere than expected`,
      {
        remedy: 'treat it as tampered with: find out who wrote it, and issue a new one',
      },
    );
  }
  options.onOpening();
  const answer = await context.call({ method: 'POST', path: 'sys/wrapping/unwrap', token, signal });
  const data = answer.status === 200 ? answerJson(answer)?.['data'] : undefined;
  const value = isJsonObject(data) ? data[options.field] : undefined;
  if (typeof value !== 'string' || value === '') {
    throw wrappingFault(answer, token, source, { wasGood: true });
  }
  return SecretValue.fromText(value);
}
