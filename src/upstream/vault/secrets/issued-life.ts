// How long what an answer issued will live, from whatever tells it: the certificate or token itself, a field with its
// end or its duration, or what was asked for. Pure.

import { isJsonObject, JsonNumber, type JsonObject, type JsonValue } from '../../../base/text/json.ts';
import { parseDuration } from '../../../base/time/duration.ts';
import { certificateEnd } from './certificate-end.ts';

interface LifeContext {
  /** The server's wall time in milliseconds, as far as it is known: ends are told by its clock. */
  readonly wallMs: number;
  /** What was asked with, a `ttl` among it. */
  readonly parameters: Readonly<Record<string, string>>;
}

const endFields = [
  'expiration',
  'expires_at',
  'expires_at_seconds',
  'expire_time',
  'expiration_time',
  'expires_on',
  'not_after',
  'valid_before',
];
const durationFields = ['secret_id_ttl', 'token_ttl', 'lease_duration', 'expires_in', 'ttl'];
const tokenFields = ['token', 'access_token', 'id_token', 'jwt', 'service_account_token'];
const sessionFields = ['security_token', 'session_token'];

/** Of a write. Undefined: nothing tells an end, or there is none (`secret_id_ttl: 0`). */
export function issuedSeconds(fields: JsonObject, context: LifeContext): number | undefined {
  return (
    secondsUntil(contentEnd(fields), context) ??
    toldSeconds(fields, context) ??
    durationSeconds(context.parameters['ttl'])
  );
}

/** Of a read: only a token or session is issued by one. Undefined: it issued none, or nothing tells its end. */
export function issuedTokenSeconds(fields: JsonObject, context: LifeContext): number | undefined {
  const isIssued = [...tokenFields, ...sessionFields].some((name) => isText(fields[name]));
  if (!isIssued) return undefined;
  return secondsUntil(tokenEnd(fields), context) ?? toldSeconds(fields, context);
}

/** Names whose change alone is no other credential. */
export const lifeFields: readonly string[] = [...endFields, ...durationFields];

function contentEnd(fields: JsonObject): number | undefined {
  for (const name of ['certificate', 'signed_key', 'pkcs7', 'pkcs12', 'pkcs12_bundle', 'bundle']) {
    const value = fields[name];
    const end = isText(value) ? certificateEnd(value) : undefined;
    if (end !== undefined) return end;
  }
  return tokenEnd(fields);
}

function tokenEnd(fields: JsonObject): number | undefined {
  for (const name of tokenFields) {
    const value = fields[name];
    const end = isText(value) ? jwtEnd(value) : undefined;
    if (end !== undefined) return end;
  }
  return undefined;
}

function toldSeconds(fields: JsonObject, context: LifeContext): number | undefined {
  for (const name of endFields) {
    const left = secondsUntil(instant(fields[name]), context);
    if (left !== undefined) return left;
  }
  for (const name of durationFields) {
    const told = durationSeconds(fields[name]);
    if (told !== undefined) return told;
  }
  return undefined;
}

function secondsUntil(endMs: number | undefined, { wallMs }: LifeContext): number | undefined {
  return endMs === undefined ? undefined : Math.min(Math.max(0, (endMs - wallMs) / 1000), longestSeconds);
}

/** The `exp` of a JSON web token, unverified: it only plans when to ask for the next one. */
function jwtEnd(token: string): number | undefined {
  const [, payload, signature, ...more] = token.split('.');
  if (payload === undefined || signature === undefined || more.length > 0) return undefined;
  try {
    const claims: unknown = JSON.parse(Buffer.from(payload, 'base64url').toString('utf8'));
    const isClaims = typeof claims === 'object' && claims !== null && 'exp' in claims;
    return isClaims && typeof claims.exp === 'number' ? claims.exp * 1000 : undefined;
  } catch {
    // Some other token with two dots in it.
    return undefined;
  }
}

/** Wall time in milliseconds of a date, or of seconds (or milliseconds) since 1970; 0 means no end. */
function instant(value: JsonValue | undefined): number | undefined {
  const number = seconds(value);
  if (number !== undefined) {
    if (number <= 0) return undefined;
    return number > 1e11 ? number : number * 1000;
  }
  const at = typeof value === 'string' ? Date.parse(value) : Number.NaN;
  return Number.isNaN(at) ? undefined : at;
}

/** Seconds, or a duration such as `24h`; 0 means no end. */
export function durationSeconds(value: JsonValue | undefined): number | undefined {
  const number = seconds(value) ?? written(value);
  return number === undefined || number <= 0 ? undefined : Math.min(number, longestSeconds);
}

function written(value: JsonValue | undefined): number | undefined {
  if (typeof value !== 'string' || !/^(?:\d+(?:\.\d+)?(?:ms|s|m|h|d))+$/.test(value)) return undefined;
  return parseDuration(value) / 1000;
}

/** A hundred years: what is said to live longer lives as long as this, so that every date of it can be written. */
export const longestSeconds = 100 * 365.25 * 86_400;

/** A number of seconds, whether it came as a number or as digits in a string. */
export function seconds(value: JsonValue | undefined): number | undefined {
  const text = value instanceof JsonNumber ? value.text : value;
  if (typeof text !== 'string' || text === '') return undefined;
  const number = Number(text);
  return Number.isFinite(number) ? number : undefined;
}

/** What a lease is taken to last whose duration is no time at all: it is renewed or replaced, and never handed out for good. */
const unusableLeaseSeconds = 60;

/** The duration of a lease, which ends in any case. */
export function leaseSeconds(value: JsonValue | undefined): number {
  const told = seconds(value);
  return told === undefined || told <= 0 ? unusableLeaseSeconds : Math.min(told, longestSeconds);
}

function isText(value: JsonValue | undefined): value is string {
  return typeof value === 'string' && value !== '';
}

/** The token of an `auth` answer; undefined: it has none, or no end. */
export function authSeconds(auth: JsonValue | undefined): number | undefined {
  return isJsonObject(auth) ? durationSeconds(auth['lease_duration']) : undefined;
}
