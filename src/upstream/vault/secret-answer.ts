// Reads from an answer of Vault how its data age: static, leased, rotated by a plan, or ending at a date inside.
import { X509Certificate } from 'node:crypto';
import { isJsonObject, JsonNumber, type JsonObject, type JsonValue } from '../../base/json.ts';
import { SecretValue } from '../../base/secret-value.ts';
import type { Operation } from '../../store/reference.ts';
import { digestData, type SecretAnswer, type SecretLease } from '../../store/secret-version.ts';
import { answerJson, invalidAnswer, type VaultAnswer } from './answer-policy.ts';
import type { Mount } from './kv-path-policy.ts';

/** Fields of a static role that count down or describe the plan; a change of them alone is no new credential. */
const rotationFields = [
  'ttl',
  'rotation_period',
  'rotation_schedule',
  'rotation_window',
  'last_vault_rotation',
];

export interface AnswerContext {
  /** For messages: `read secret/data/app`. */
  readonly what: string;
  readonly operation: Operation;
  readonly mount: Mount | undefined;
  /** Wall time in milliseconds. */
  readonly wallMs: number;
}

/** Throws `answer_invalid` when the body is not a JSON object. Takes the answer's buffer as its own. */
export function toSecretAnswer(answer: VaultAnswer, context: AnswerContext): SecretAnswer {
  if (answer.body.length === 0 && answer.status === 204) return emptyAnswer();
  const json = answerJson(answer);
  if (json === undefined) throw invalidAnswer(context.what, answer);
  const body = SecretValue.fromBytes(answer.body);
  const data = json['data'] ?? null;
  if (context.operation === 'read' && isVersioned(data, context.mount)) {
    return { content: { form: 'vault', body, shape: 'kv2' }, ...kv2Aging(data, context.wallMs) };
  }
  return { content: { form: 'vault', body, shape: 'flat' }, ...flatAging(json, data, context) };
}

type Aging = Omit<SecretAnswer, 'content'>;

function emptyAnswer(): SecretAnswer {
  const body = SecretValue.fromText('{"data":null}');
  return {
    content: { form: 'vault', body, shape: 'flat' },
    kind: 'static',
    dataDigest: digestData(null),
  };
}

/** Where the server does not tell the KV version, an answer in version 2's form settles it. */
function isVersioned(data: JsonValue, mount: Mount | undefined): data is JsonObject {
  if (mount !== undefined && mount.kvVersion !== 2) return false;
  if (!isJsonObject(data) || !('data' in data)) return false;
  const metadata = data['metadata'];
  return isJsonObject(metadata) && metadata['version'] instanceof JsonNumber;
}

function kv2Aging(data: JsonObject, wallMs: number): Aging {
  const metadata = data['metadata'];
  const version = isJsonObject(metadata) ? metadata['version'] : undefined;
  const deletionTime = isJsonObject(metadata) ? metadata['deletion_time'] : undefined;
  const deletedAt =
    typeof deletionTime === 'string' && deletionTime !== '' ? Date.parse(deletionTime) : Number.NaN;
  return {
    kind: 'static',
    dataDigest: digestData({ data: data['data'] ?? null, version: version ?? null }),
    ...(version instanceof JsonNumber ? { versionId: version.text } : {}),
    ...(Number.isNaN(deletedAt) ? {} : { ttlSeconds: Math.max(0, (deletedAt - wallMs) / 1000) }),
  };
}

function flatAging(json: JsonObject, data: JsonValue, context: AnswerContext): Aging {
  const lease = leaseOf(json);
  const fields = isJsonObject(data) ? data : {};
  const leased = lease === undefined ? {} : { lease };
  const auth = json['auth'];
  if (isJsonObject(auth) && typeof auth['client_token'] === 'string') {
    const ttl = seconds(auth['lease_duration']);
    return { kind: 'expiring', dataDigest: digestData(auth), ...(ttl ? { ttlSeconds: ttl } : {}) };
  }
  if (context.mount?.kvVersion === 1) return { ...kv1Aging(json, fields), dataDigest: digestData(data) };
  if (rotationFields.slice(1).some((name) => name in fields) && 'ttl' in fields) {
    const ttlSeconds = seconds(fields['ttl']) ?? 0;
    return { kind: 'rotating', dataDigest: digestData(data, rotationFields), ttlSeconds };
  }
  const certificateSeconds = certificateTtl(fields, context);
  if (certificateSeconds !== undefined) {
    return { kind: 'expiring', dataDigest: digestData(data), ttlSeconds: certificateSeconds, ...leased };
  }
  if (lease) return { kind: 'leased', dataDigest: digestData(data), lease };
  const tokenTtl =
    typeof fields['token'] === 'string' ? seconds(fields['ttl'] ?? fields['token_ttl']) : undefined;
  if (tokenTtl) {
    return { kind: 'expiring', dataDigest: digestData(data, ['ttl', 'token_ttl']), ttlSeconds: tokenTtl };
  }
  return { kind: 'static', dataDigest: digestData(data) };
}

/** KV 1 tells a lease_duration always; it means something only where the secret has a `ttl` (or `lease`) field. */
function kv1Aging(json: JsonObject, fields: JsonObject): Pick<Aging, 'kind' | 'ttlSeconds'> {
  const ttl = 'ttl' in fields || 'lease' in fields ? seconds(json['lease_duration']) : undefined;
  return { kind: 'static', ...(ttl ? { ttlSeconds: ttl } : {}) };
}

/** Only what was issued by a write: a certificate that is merely stored or read (a CA) does not end the secret. */
function certificateTtl(fields: JsonObject, context: AnswerContext): number | undefined {
  const pem = fields['certificate'];
  if (context.operation !== 'write' || typeof pem !== 'string' || !pem.includes('BEGIN CERTIFICATE'))
    return undefined;
  try {
    return Math.max(0, (new X509Certificate(pem).validToDate.getTime() - context.wallMs) / 1000);
  } catch {
    const expiration = seconds(fields['expiration']);
    return expiration === undefined ? undefined : Math.max(0, expiration - context.wallMs / 1000);
  }
}

function leaseOf(json: JsonObject): SecretLease | undefined {
  const id = json['lease_id'];
  if (typeof id !== 'string' || id === '') return undefined;
  return {
    id,
    durationSeconds: seconds(json['lease_duration']) ?? 0,
    isRenewable: json['renewable'] === true,
  };
}

/** A number of seconds, whether it came as a number or as digits in a string. */
export function seconds(value: JsonValue | undefined): number | undefined {
  const text = value instanceof JsonNumber ? value.text : value;
  if (typeof text !== 'string' || text === '') return undefined;
  const number = Number(text);
  return Number.isFinite(number) ? number : undefined;
}
