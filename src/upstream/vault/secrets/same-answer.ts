// Whether two answers of a Vault are the same bytes but for the id of their request, which is another one in each: a poll that
// finds nothing new is told by that alone, without a look into the JSON.
import { hash } from 'node:crypto';

const withId = /^\{"request_id":"[\da-f-]{36}$/;
const idEnd = '{"request_id":"'.length + 36;

/** Where the request's id ends if the answer begins with one as servers make it; else 0. */
function endOfRequestId(body: Buffer): number {
  if (body.length <= idEnd || body[idEnd] !== 0x22) return 0;
  return withId.test(body.toString('latin1', 0, idEnd)) ? idEnd : 0;
}

export function isSameAnswer(body: Buffer, known: Buffer): boolean {
  if (body.length !== known.length) return false;
  const start = endOfRequestId(body);
  if (start !== endOfRequestId(known)) return false;
  return body.compare(known, start, known.length, start, body.length) === 0;
}

/** Equal for the same answers; for what is not worth keeping whole. */
export function markOfAnswer(body: Buffer): string {
  return hash('sha256', body.subarray(endOfRequestId(body)), 'base64');
}

/** The gate asks it of an answer, and then who reads that. */
export function judgedOnce(judge: (body: Buffer) => boolean): (body: Buffer) => boolean {
  let last: { readonly body: Buffer; readonly verdict: boolean } | undefined;
  return (body) => {
    if (last?.body !== body) last = { body, verdict: judge(body) };
    return last.verdict;
  };
}
