// One obtained answer for a reference: what upstream gave and what is known of its life. Parsed only when used, and once.
import { isUtf8 } from 'node:buffer';
import { hash } from 'node:crypto';
import { SecretValue } from '../base/secret-value.ts';
import {
  isJsonObject,
  JsonNumber,
  type JsonObject,
  type JsonValue,
  parseJsonBytes,
  stringifyJson,
} from '../base/text/json.ts';

export interface SecretLease {
  /** What renew and revoke take. */
  readonly id: string;
  readonly durationSeconds: number;
  readonly isRenewable: boolean;
}

/**
 * How an answer ages. `static`: polled. `leased`: ends with its lease. `rotating`: upstream changes it by a plan of its
 * own and says when. `expiring`: issued by the request, so asked for again only towards its end (a certificate, a token);
 * one without `ttlSeconds` and lease has no end that is told.
 */
export type SecretKind = 'static' | 'leased' | 'rotating' | 'expiring';

/**
 * What a secret consists of. `fields`: a JSON object of names and values. `bytes`: one value without a name. `vault`: a whole
 * answer in the shape of Vault's API, with the fields in `data` (`kv2`: in `data.data`).
 */
export type SecretContent =
  | { readonly form: 'fields'; readonly json: SecretValue }
  | { readonly form: 'bytes'; readonly value: SecretValue }
  | { readonly form: 'vault'; readonly body: SecretValue; readonly shape: 'flat' | 'kv2' };

/** What an upstream answers, before the store numbers it. */
export interface SecretAnswer {
  readonly content: SecretContent;
  readonly kind: SecretKind;
  /** Upstream's own name of this version: a number (KV version 2), an id. Opaque: it is compared and shown, never counted. */
  readonly versionId?: string;
  readonly lease?: SecretLease;
  /** Seconds until the data may differ or end, where the answer tells: a static role's `ttl`, KV 1's `ttl`, a certificate's end. */
  readonly ttlSeconds?: number;
  /** When upstream last rotated it, by its own words: while it is the same, so is the password, whatever `ttl` says. */
  readonly rotationMark?: string;
  /** When it was changed there, in wall time by upstream's own clock; absent: it does not tell. */
  readonly changedAt?: number;
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
export function shownVersion(version: Pick<SecretVersion, 'versionId' | 'number'>): number {
  const { versionId } = version;
  return versionId !== undefined && /^\d{1,15}$/.test(versionId) ? Number(versionId) : version.number;
}

type WithContent = Pick<SecretAnswer, 'content'>;

/**
 * The whole answer in the shape of Vault's API; that of another upstream is made up: `{"data": fields}`. Never changed by
 * those who get it. Throws when the content is not a JSON object; upstreams hand over only those that are.
 */
export function parseBody({ content }: WithContent): JsonObject {
  if (content.form !== 'vault') return { data: secretFields({ content }) };
  return parseObject(content.body);
}

/** `parseBody` as the bytes that a client of Vault gets: upstream's own where it is a Vault. */
export function bodyBytes({ content }: WithContent): Buffer {
  if (content.form === 'vault') return content.body.bytes();
  return Buffer.from(stringifyJson(parseBody({ content })), 'utf8');
}

/** How many bytes of it are kept. */
export function contentBytes({ content }: WithContent): number {
  if (content.form === 'vault') return content.body.byteLength;
  return (content.form === 'fields' ? content.json : content.value).byteLength;
}

/** The secret's own fields; empty when the answer has no data. Never changed by those who get them. */
export function secretFields({ content }: WithContent): JsonObject {
  if (content.form === 'fields') return parseObject(content.json);
  if (content.form === 'bytes') return fieldOf(content.value);
  const data = parseBody({ content })['data'];
  const fields = content.shape === 'kv2' && isJsonObject(data) ? data['data'] : data;
  return isJsonObject(fields) ? fields : {};
}

export function fieldsContent(fields: JsonObject): SecretContent {
  return { form: 'fields', json: SecretValue.fromText(stringifyJson(fields)) };
}

const objectsOfBytes = new WeakMap<SecretValue, JsonObject>();

/** Once for all who use it, for as long as somebody holds the value. */
function parseObject(json: SecretValue): JsonObject {
  const known = objectsOfBytes.get(json);
  if (known !== undefined) return known;
  const value = parseJsonBytes(json.bytes());
  if (!isJsonObject(value)) throw new TypeError('the answer of an upstream is not a JSON object');
  objectsOfBytes.set(json, value);
  return value;
}

const fieldsOfBytes = new WeakMap<SecretValue, JsonObject>();

/** A value without a name is `value`; one that is no text is `secret_binary` in base64. Made once, whoever asks. */
function fieldOf(value: SecretValue): JsonObject {
  const known = fieldsOfBytes.get(value);
  if (known !== undefined) return known;
  const bytes = value.bytes();
  const fields = isUtf8(bytes) ? { value: value.text() } : { secret_binary: bytes.toString('base64') };
  fieldsOfBytes.set(value, fields);
  return fields;
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
  return hash('sha256', canonical(data, ignored), 'base64');
}

function canonical(value: JsonValue, ignored: readonly string[] = []): string {
  if (value instanceof JsonNumber) return value.text;
  if (Array.isArray(value)) return `[${value.map((item) => canonical(item)).join(',')}]`;
  if (!isJsonObject(value)) return JSON.stringify(value);
  let members = '';
  for (const key of Object.keys(value).sort()) {
    if (ignored.includes(key)) continue;
    members += `${members === '' ? '' : ','}${JSON.stringify(key)}:${canonical(value[key] ?? null)}`;
  }
  return `{${members}}`;
}
