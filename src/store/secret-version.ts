// One obtained answer for a reference: the upstream's bytes and what is known of their life. Parsed only when used.
import { createHash } from 'node:crypto';
import { isJsonObject, JsonNumber, type JsonObject, type JsonValue, parseJson } from '../base/json.ts';
import type { SecretValue } from '../base/secret-value.ts';

export interface SecretLease {
  /** What renew and revoke take. */
  readonly id: string;
  readonly durationSeconds: number;
  readonly isRenewable: boolean;
}

/**
 * How an answer ages. `static`: polled. `leased`: ends with its lease. `rotating`: upstream changes it by a plan of its
 * own and says when (database static roles). `certificate`: ends at a date inside it.
 */
export type SecretKind = 'static' | 'leased' | 'rotating' | 'certificate';

/** What an upstream answers, before the store numbers it. */
export interface SecretAnswer {
  /** The whole answer as JSON in the shape of Vault's API: `{request_id, lease_id, lease_duration, renewable, data, …}`. */
  readonly body: SecretValue;
  readonly kind: SecretKind;
  /** `kv2`: the secret's own fields are `data.data`; `flat`: they are `data`. */
  readonly shape: 'flat' | 'kv2';
  /** The upstream's own number of this version (KV version 2). */
  readonly upstreamVersion?: number;
  readonly lease?: SecretLease;
  /** Seconds until the data may differ or end, where the answer tells: a static role's `ttl`, KV 1's `ttl`, a certificate's end. */
  readonly ttlSeconds?: number;
  /** Equal digests mean the same data; bookkeeping (request and lease ids, a `ttl` that counts down) left out. */
  readonly dataDigest: string;
}

export interface SecretVersion extends SecretAnswer {
  /** Counts from 1 in each entry, never reused while the agent runs. */
  readonly number: number;
  /** Wall time in milliseconds. */
  readonly obtainedAt: number;
  /** Wall time in milliseconds; absent: it ends only when it is replaced. Renewal makes a later one: see `Entry.expiresAt`. */
  readonly expiresAt: number | undefined;
}

/** The version people and programs see: the upstream's number where it has one, else the agent's own. */
export function shownVersion(version: SecretVersion): number {
  return version.upstreamVersion ?? version.number;
}

/** Parses the whole answer. Throws when the body is not a JSON object; upstreams hand over only bodies that are. */
export function parseBody(version: Pick<SecretAnswer, 'body'>): JsonObject {
  const value = parseJson(version.body.text());
  if (!isJsonObject(value)) throw new TypeError('the answer of an upstream is not a JSON object');
  return value;
}

/** The secret's own fields; empty when the answer has no data. */
export function secretFields(version: Pick<SecretAnswer, 'body' | 'shape'>): JsonObject {
  const data = parseBody(version)['data'];
  const fields = version.shape === 'kv2' && isJsonObject(data) ? data['data'] : data;
  return isJsonObject(fields) ? fields : {};
}

/**
 * The bytes of one field as programs get them: strings as they are, everything else as JSON.
 * `undefined` when there is no such field.
 */
export function fieldBytes(fields: JsonObject, name: string): Buffer | undefined {
  if (!Object.hasOwn(fields, name)) return undefined;
  const value = fields[name];
  return Buffer.from(typeof value === 'string' ? value : JSON.stringify(value), 'utf8');
}

/** The digest for `SecretAnswer.dataDigest`; `ignored` names top-level fields of the data that are bookkeeping. */
export function digestData(data: JsonValue, ignored: readonly string[] = []): string {
  const hash = createHash('sha256');
  const kept = isJsonObject(data)
    ? Object.fromEntries(Object.entries(data).filter(([key]) => !ignored.includes(key)))
    : data;
  hash.update(canonical(kept));
  return hash.digest('base64');
}

function canonical(value: JsonValue): string {
  if (value instanceof JsonNumber) return value.text;
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (isJsonObject(value)) {
    const keys = Object.keys(value).sort();
    return `{${keys.map((key) => `${JSON.stringify(key)}:${canonical(value[key] ?? null)}`).join(',')}}`;
  }
  return JSON.stringify(value);
}
