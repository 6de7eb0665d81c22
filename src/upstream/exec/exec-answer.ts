// The protocol of `kind: exec`: the request on standard input, and what exit code and standard output mean.
import { isUtf8 } from 'node:buffer';
import { errorCode, LatchkeyError } from '../../base/errors.ts';
import { isJsonObject, JsonNumber, type JsonObject, parseJson } from '../../base/text/json.ts';
import { jsonExcess } from '../../base/text/json-excess.ts';
import type { Reference } from '../../store/reference.ts';
import type { SecretAnswer } from '../../store/secret-version.ts';
import { fieldsAnswer, secondsUntil, valueAnswer } from '../kind/kind-answer.ts';
import type { ProgramEnd } from './run-program.ts';

export type ExecRequest =
  | { readonly operation: 'read'; readonly reference: Reference }
  | { readonly operation: 'renew'; readonly leaseId: string; readonly incrementSeconds: number }
  | { readonly operation: 'revoke'; readonly leaseId: string };

export function requestText(request: ExecRequest): string {
  const words =
    request.operation === 'read'
      ? { name: request.reference.path, parameters: request.reference.parameters }
      : request.operation === 'renew'
        ? { lease_id: request.leaseId, increment_seconds: request.incrementSeconds }
        : { lease_id: request.leaseId };
  return `${JSON.stringify({ version: 1, operation: request.operation, ...words })}\n`;
}

/** What it printed, as an object; empty where it printed nothing. Throws by the exit code. */
export function answerObject(end: ProgramEnd, program: string, what: string): JsonObject {
  const { code, stdout } = end;
  if (code === 3) throw new LatchkeyError('not_found', `${program} knows no ${what}`);
  if (code === 4) throw new LatchkeyError('denied', `${program} may not give ${what}`);
  if (code !== 0) {
    throw new LatchkeyError(
      'upstream_unavailable',
      `${program} ended with ${code === undefined ? 'a signal' : `code ${code}`}`,
      {
        remedy: 'its standard error is in the log',
      },
    );
  }
  if (stdout.length === 0) return {};
  // Decoded all the same, its bytes would become others unseen.
  if (!isUtf8(stdout)) throw invalid(program, 'expected JSON in UTF-8; bytes go with "encoding":"base64"');
  const excess = jsonExcess(stdout);
  if (excess !== undefined) throw invalid(program, `its answer ${excess}`);
  try {
    const value = parseJson(stdout.toString('utf8'));
    if (isJsonObject(value)) return value;
  } catch {
    // The parser's error would quote the answer.
  }
  throw invalid(program, 'expected a JSON object');
}

/** `value` or `values`, with what is said of their life. */
export function secretAnswer(answer: JsonObject, program: string, wallMs: number): SecretAnswer {
  const { value, values, version, lease_id: leaseId, renewable } = answer;
  const seconds = secondsLeft(answer, program, wallMs);
  const versionId = version instanceof JsonNumber ? version.text : version;
  const life = {
    ...(typeof versionId === 'string' ? { versionId } : {}),
    ...lifeOf(leaseId, renewable === true, seconds, program),
  };
  if (isJsonObject(values)) return fieldsAnswer(values, life);
  if (typeof value === 'string') return valueAnswer(bytesOf(value, answer['encoding'], program), life);
  throw invalid(program, 'expected value, a string, or values, a map');
}

/** Node's decoder leaves out what is no base64, and would make another value of it. */
function bytesOf(value: string, encoding: unknown, program: string): Buffer {
  if (encoding === undefined || encoding === null) return Buffer.from(value, 'utf8');
  if (encoding !== 'base64') throw invalid(program, 'expected encoding base64, or none');
  const text = value.replaceAll(/\s/g, '');
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(text) || text.replaceAll('=', '').length % 4 === 1)
    throw invalid(program, 'expected value in base64');
  return Buffer.from(text, 'base64');
}

/** What a renewal gave. */
export function renewal(answer: JsonObject, program: string, wallMs: number) {
  const durationSeconds = secondsLeft(answer, program, wallMs);
  if (durationSeconds === undefined) throw invalid(program, 'expected expires_at');
  return { durationSeconds, isRenewable: answer['renewable'] !== false };
}

/** The program's word for a lease that is gone. */
export function asLeaseLost(error: unknown): unknown {
  return errorCode(error) === 'not_found' ? new LatchkeyError('lease_lost', (error as Error).message) : error;
}

function lifeOf(leaseId: unknown, isRenewable: boolean, seconds: number | undefined, program: string) {
  if (leaseId === undefined || leaseId === null) {
    return seconds === undefined ? {} : ({ kind: 'expiring', ttlSeconds: seconds } as const);
  }
  if (typeof leaseId !== 'string' || leaseId === '') throw invalid(program, 'expected lease_id, a string');
  if (seconds === undefined) throw invalid(program, 'expected expires_at with a lease_id');
  return { kind: 'leased', lease: { id: leaseId, durationSeconds: seconds, isRenewable } } as const;
}

function secondsLeft({ expires_at: end }: JsonObject, program: string, wallMs: number): number | undefined {
  if (end === undefined || end === null) return undefined;
  const seconds = secondsUntil(end, wallMs);
  if (seconds === undefined)
    throw invalid(program, 'expected expires_at, seconds since 1970 or a date of ISO 8601');
  return seconds;
}

function invalid(program: string, what: string): LatchkeyError {
  return new LatchkeyError('upstream_answer_invalid', `${program} answers something else: ${what}`);
}
