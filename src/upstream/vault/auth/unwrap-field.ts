// Opens a response-wrapped credential once, after a look at where it was made: a token wrapped elsewhere was put there by
// somebody else, and one that is used up was read on its way.
import { LatchkeyError } from '../../../base/errors.ts';
import { SecretValue } from '../../../base/secret-value.ts';
import { isJsonObject } from '../../../base/text/json.ts';
import { answerJson, answerTexts, quoteTexts, type VaultAnswer } from '../answer-policy.ts';
import type { AuthContext } from './auth-method.ts';

export interface UnwrapOptions {
  readonly context: AuthContext;
  /** The field of the wrapped data. */
  readonly field: string;
  readonly isExpectedPath: (creationPath: string) => boolean;
  /** Option and file, for messages. */
  readonly source: string;
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
  if (lookup.status !== 200) throw unusable(source, lookup, token);
  const info = answerJson(lookup)?.['data'];
  const creationPath = isJsonObject(info) ? info['creation_path'] : undefined;
  if (typeof creationPath !== 'string' || !options.isExpectedPath(creationPath)) {
    throw new LatchkeyError(
      'login_failed',
      `${source} holds a wrapping token that was made elsewhere than expected`,
      {
        remedy: 'treat it as tampered with: find out who wrote it, and issue a new one',
      },
    );
  }
  const answer = await context.call({ method: 'POST', path: 'sys/wrapping/unwrap', token, signal });
  const data = answer.status === 200 ? answerJson(answer)?.['data'] : undefined;
  const value = isJsonObject(data) ? data[options.field] : undefined;
  if (typeof value !== 'string' || value === '') throw unusable(source, answer, token);
  return SecretValue.fromText(value);
}

/** Why a wrapping token gave nothing. */
export function unusable(source: string, answer: VaultAnswer, token: SecretValue): LatchkeyError {
  const said = quoteTexts(answerTexts(answer), [token.text()]);
  return new LatchkeyError('login_failed', `${source} holds a wrapping token that cannot be opened${said}`, {
    remedy:
      'it has ended, or somebody else has opened it: check the audit log of the vault, and issue a new one',
  });
}
