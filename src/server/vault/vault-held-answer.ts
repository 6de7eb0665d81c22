// The answer that gives a caller what is kept for them: the vault's own bytes with what is left of its life. Made once a
// second, and only for what is asked for.
import { jsonHeaders } from '../http/exchange.ts';
import { isValidAt, type PreparedAnswer, type Validity } from '../http/prepared-answer.ts';
import { wireBytes } from '../node-internals/wire-answer.ts';
import { ageOf, tellsSeconds } from './vault-answer.ts';
import { withNumbers } from './vault-body.ts';
import type { Held } from './vault-held-table.ts';

export interface ToldAnswer extends Validity {
  readonly endsAt: number;
  readonly answer: PreparedAnswer;
}

/** `isHit`: the caller asked for what was there already. */
export function heldAnswer(held: Held, wall: number, isHit: boolean): PreparedAnswer {
  if (!isHit) return answerOf(held.body.bytes(), ['X-Cache', 'MISS'], wall);
  const endsAt = held.lease.endsAt() ?? 0;
  const { told } = held;
  if (told !== undefined && told.endsAt === endsAt && isValidAt(told, wall)) return told.answer;
  const number = Math.max(0, Math.floor((endsAt - wall) / 1000));
  const { obtainedAt, span } = held;
  const body = withNumbers(held.body.bytes(), span === undefined ? [] : [{ span, number }]);
  const answer = answerOf(body, ['X-Cache', 'HIT', 'Age', String(ageOf(wall, obtainedAt))], wall);
  held.told = { ...tellsSeconds(wall, obtainedAt, endsAt), endsAt, answer };
  return answer;
}

function answerOf(body: Buffer, more: readonly string[], wall: number): PreparedAnswer {
  const headers = [...jsonHeaders(body.length), ...more];
  const wire = wireBytes(headers, body, wall);
  return { etag: '', headers, notModifiedHeaders: [], body, wire };
}
