// Whether two answers of a Vault are the same bytes but for the id of their request, which is another one in each: a poll that
// finds nothing new is told by that alone, without a look into the JSON.
import { hash } from 'node:crypto';

const opening = '{"request_id":"';
const idEnd = opening.length + 36;

/** What follows the request's id where the answer begins with one as servers make it; else all. */
function afterRequestId(body: Buffer): Buffer {
  if (body.length <= idEnd || body[idEnd] !== 0x22) return body;
  const start = body.toString('latin1', 0, idEnd);
  return start.startsWith(opening) && /^[\da-f-]{36}$/.test(start.slice(opening.length))
    ? body.subarray(idEnd)
    : body;
}

export function isSameAnswer(body: Buffer, known: Buffer): boolean {
  return body.length === known.length && afterRequestId(body).equals(afterRequestId(known));
}

/** Equal for the same answers; for what is not worth keeping whole. */
export function markOfAnswer(body: Buffer): string {
  return hash('sha256', afterRequestId(body), 'base64');
}
