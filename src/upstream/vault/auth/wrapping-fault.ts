// What it means that a wrapping token gave nothing, and what to do. A vault answers alike to one that never was, one whose
// time is over and one that somebody has opened: the last is a theft until somebody knows better.
import { LatchkeyError } from '../../../base/errors.ts';
import type { SecretValue } from '../../../base/secret-value.ts';
import { answerTexts, quoteTexts, type VaultAnswer } from '../answer-policy.ts';

/** Of what is not taken away once it was opened. */
export const leftThere = 'at a start before, for it is left where it is';
/** Of what was to be opened when the connection broke. */
export const answerLost = 'it asked for it before, and no answer came';

export interface WrappingSource {
  /** Option and file, for messages. */
  readonly place: string;
  /** What is in it. */
  readonly content: 'secret id' | 'token';
  /** Of the login, without `auth/`. */
  readonly mount: string;
  /** How this agent itself may have used it up before; undefined: it has not. */
  readonly ownDoing: string | undefined;
}

/** `wasGood`: the vault knew it a moment ago. */
export function wrappingFault(
  answer: VaultAnswer,
  token: SecretValue,
  source: WrappingSource,
  { wasGood }: { wasGood: boolean },
): LatchkeyError {
  const said = quoteTexts(answerTexts(answer), [token.text()]);
  const { place } = source;
  if (answer.status !== 400 && answer.status !== 403) {
    const what = answer.status === 200 ? `no ${source.content} was in it` : `answered with ${answer.status}`;
    return fault(`${place}: the wrapping token could not be opened: ${what}${said}`, [
      'check auth.namespace and what was wrapped',
    ]);
  }
  if (wasGood)
    return fault(`${place} held a wrapping token that was good, and was opened by somebody else${said}`, [
      stepsAfterTheft(source),
    ]);
  return fault(`${place} holds a wrapping token that cannot be opened${said}`, [
    ...(source.content === 'secret id' && isUuid(token)
      ? ['it looks like a secret id as it is: then set secret_id_wrapped: false; else']
      : []),
    `it was never valid, its time is over, or somebody else has opened it and has the ${source.content} now`,
    ...(source.ownDoing === undefined ? [] : [`(or this agent: ${source.ownDoing})`]),
    `: look in the audit log of the vault who asked sys/wrapping/unwrap for it; if nobody you know, ${stepsAfterTheft(source)}`,
  ]);
}

function stepsAfterTheft({ content, mount }: WrappingSource): string {
  const path =
    content === 'token' ? 'auth/token/revoke-accessor' : `auth/${mount}/role/ROLE/secret-id-accessor/destroy`;
  return `take it for an incident: revoke the ${content} by its accessor (${path}; wrapped_accessor in the answer that made the wrapping token), find out who could read the place, then put a new wrapping token there`;
}

function fault(message: string, remedy: readonly string[]): LatchkeyError {
  return new LatchkeyError('login_failed', message, { remedy: remedy.join(' ').replaceAll(' : ', ': ') });
}

/** As secret ids are by default; wrapping tokens are not. */
function isUuid(token: SecretValue): boolean {
  return /^[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$/i.test(token.text());
}
