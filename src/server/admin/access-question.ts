// The question of `latchkey access test`, as JSON: who would ask, and for what.
import type { Ask } from '../../access/access-policy.ts';
import type { DescribedCaller } from '../../access/described-caller.ts';
import type { AccessTestRequest, LogLevelRequest } from '../../api/admin.ts';
import { LatchkeyError } from '../../base/errors.ts';
import { JsonNumber, type JsonObject } from '../../base/text/json.ts';

/** From `{"user","uid","gid","groups","exe","unit","container"}` or `{"token"}`. */
export function describedCallerFrom(body: JsonObject): DescribedCaller {
  const { groups } = body;
  if (groups !== undefined && !Array.isArray(groups)) {
    throw new LatchkeyError('usage', 'groups: expected a list of names or numbers');
  }
  return {
    user: textOf(body, 'user'),
    uid: numberOf(body, 'uid'),
    gid: numberOf(body, 'gid'),
    groups: groups?.map((value) => (typeof value === 'string' ? value : String(numberFrom(value, 'groups')))),
    exe: textOf(body, 'exe'),
    unit: textOf(body, 'unit'),
    container: textOf(body, 'container'),
    token: textOf(body, 'token'),
  };
}

/** From `{"name"}`, `{"path","method"}` for the Vault dialect, or `{"admin":true}`. */
export function askFrom(body: JsonObject): Ask {
  const name = textOf(body, 'name');
  if (name !== undefined) return { kind: 'secret', name };
  const path = textOf(body, 'path');
  if (path !== undefined) return { kind: 'vault', method: textOf(body, 'method') ?? 'GET', path };
  if (body['admin'] === true) return { kind: 'admin' };
  throw new LatchkeyError('usage', 'expected a name, a path or admin to test');
}

function textOf(body: JsonObject, key: keyof AccessTestRequest): string | undefined {
  const value = body[key];
  if (value === undefined || value === null) return undefined;
  if (typeof value === 'string') return value;
  throw new LatchkeyError('usage', `${key}: expected a string`);
}

export function numberOf(
  body: JsonObject,
  key: keyof AccessTestRequest | keyof LogLevelRequest,
): number | undefined {
  const value = body[key];
  return value === undefined || value === null ? undefined : numberFrom(value, key);
}

function numberFrom(value: unknown, key: string): number {
  const number = value instanceof JsonNumber ? Number(value.text) : Number.NaN;
  if (Number.isSafeInteger(number) && number >= 0) return number;
  throw new LatchkeyError('usage', `${key}: expected a number`);
}
