// The question of `latchkey access test`, as JSON: who would ask, and for what.
import type { Ask } from '../../access/access-policy.ts';
import type { Caller } from '../../access/caller.ts';
import { findUser, groupsOfUser } from '../../base/accounts.ts';
import { LatchkeyError } from '../../base/errors.ts';
import { JsonNumber, type JsonObject } from '../../base/json.ts';

/** From `{"user"|"uid","gid","groups","exe","unit","container"}` or `{"token"}`. */
export function callerFrom(body: JsonObject): Caller {
  const token = textOf(body, 'token');
  if (token !== undefined) return { kind: 'token', tokens: [token] };
  const user = textOf(body, 'user');
  const named = user ?? numberOf(body, 'uid')?.toString();
  const account = named === undefined ? undefined : findUser(named);
  if (user !== undefined && account === undefined) {
    throw new LatchkeyError('usage', `user: there is no user ${JSON.stringify(user)}`);
  }
  const uid = numberOf(body, 'uid') ?? account?.uid;
  if (uid === undefined) throw new LatchkeyError('usage', 'expected a user, a uid or a token to test');
  const { groups } = body;
  if (groups !== undefined && !Array.isArray(groups))
    throw new LatchkeyError('usage', 'groups: expected a list of numbers');
  return {
    kind: 'process',
    uid,
    gid: numberOf(body, 'gid') ?? account?.gid ?? uid,
    groups:
      groups?.map((value) => numberFrom(value, 'groups')) ??
      (account === undefined ? [] : groupsOfUser(account.name)),
    pid: 0,
    startTime: undefined,
    exe: textOf(body, 'exe'),
    unit: textOf(body, 'unit'),
    container: textOf(body, 'container'),
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

function textOf(body: JsonObject, key: string): string | undefined {
  const value = body[key];
  if (value === undefined || value === null) return undefined;
  if (typeof value === 'string') return value;
  throw new LatchkeyError('usage', `${key}: expected a string`);
}

function numberOf(body: JsonObject, key: string): number | undefined {
  const value = body[key];
  return value === undefined || value === null ? undefined : numberFrom(value, key);
}

function numberFrom(value: unknown, key: string): number {
  const number = value instanceof JsonNumber ? Number(value.text) : Number.NaN;
  if (Number.isSafeInteger(number) && number >= 0) return number;
  throw new LatchkeyError('usage', `${key}: expected a number`);
}
