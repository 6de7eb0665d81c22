// Reads from an answer of Vault how its data age: static, leased, rotated by a plan, or ending at a date inside.

import { SecretValue } from '../../../base/secret-value.ts';
import { isJsonObject, JsonNumber, type JsonObject, type JsonValue } from '../../../base/text/json.ts';
import { UpstreamError } from '../../../base/upstream-error.ts';
import type { Operation } from '../../../store/reference.ts';
import { digestData, type SecretAnswer, type SecretLease } from '../../../store/secret-version.ts';
import { UpstreamFailure } from '../../gate/failure.ts';
import { answerJson, invalidAnswer, type VaultAnswer } from '../answer-policy.ts';
import {
  authSeconds,
  durationSeconds,
  issuedSeconds,
  issuedTokenSeconds,
  leaseSeconds,
  lifeFields,
  longestSeconds,
  seconds,
} from './issued-life.ts';
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
  readonly parameters: Readonly<Record<string, string>>;
  readonly mount: Mount | undefined;
  /** The server's wall time in milliseconds, as far as it is known. */
  readonly wallMs: number;
}

/** Throws `answer_invalid` when the body is not a JSON object. Takes the answer's buffer as its own. */
export function toSecretAnswer(answer: VaultAnswer, context: AnswerContext): SecretAnswer {
  const isRead = context.operation === 'read';
  if (answer.body.length === 0 && answer.status === 204) {
    if (isRead && !isOfMount(null, context.mount)) throw noSecret(context.what, answer);
    return emptyAnswer(context.operation);
  }
  const json = answerJson(answer);
  if (json === undefined) throw invalidAnswer(context.what, answer);
  const data = json['data'] ?? null;
  refuseWrapped(json, context);
  if (isRead && !isOfMount(data, context.mount)) throw noSecret(context.what, answer);
  const body = SecretValue.fromBytes(answer.body);
  if (isRead && isVersioned(data, context.mount)) {
    return { content: { form: 'vault', body, shape: 'kv2' }, ...kv2Aging(data, context.wallMs) };
  }
  return { content: { form: 'vault', body, shape: 'flat' }, ...flatAging(json, data, context) };
}

type Aging = Omit<SecretAnswer, 'content'>;

function emptyAnswer(operation: Operation): SecretAnswer {
  const body = SecretValue.fromText('{"data":null}');
  const kind = operation === 'write' ? 'expiring' : 'static';
  return { content: { form: 'vault', body, shape: 'flat' }, kind, dataDigest: digestData(null) };
}

/** A key/value engine answers a map, always: whatever else comes is of somebody else, and would empty a file. */
function isOfMount(data: JsonValue, mount: Mount | undefined): boolean {
  if (mount === undefined || mount.kvVersion === 0) return true;
  return isJsonObject(data);
}

function noSecret(what: string, { address, status }: VaultAnswer): UpstreamFailure {
  const message = `${what}: ${address} answers ${status} with something that is no secret`;
  const remedy = 'check that the address is that of a vault and that nothing between changes answers';
  return new UpstreamFailure('answer_invalid', message, { status, remedy, wasSent: true });
}

/** A control group, or a policy that wants a wrapping: nobody is there to open it, and each read would make another. */
function refuseWrapped(json: JsonObject, { operation, what }: AnswerContext): void {
  if (operation === 'write' || !isJsonObject(json['wrap_info'])) return;
  throw new UpstreamError(
    'denied',
    `${what}: the answer is wrapped, as a control group or a policy wants it`,
    {
      remedy:
        'exempt this login from control groups and min_wrapping_ttl at this path: an agent has nobody who opens it',
    },
  );
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
  const createdTime = isJsonObject(metadata) ? metadata['created_time'] : undefined;
  const changedAt = typeof createdTime === 'string' ? Date.parse(createdTime) : Number.NaN;
  return {
    kind: 'static',
    dataDigest: digestData({ data: data['data'] ?? null, version: version ?? null }),
    ...(version instanceof JsonNumber ? { versionId: version.text } : {}),
    ...(Number.isFinite(changedAt) ? { changedAt } : {}),
    // A time that is over and did nothing is no plan.
    ...(deletedAt > wallMs ? { ttlSeconds: Math.min((deletedAt - wallMs) / 1000, longestSeconds) } : {}),
  };
}

function flatAging(json: JsonObject, data: JsonValue, context: AnswerContext): Aging {
  const lease = leaseOf(json);
  const fields = isJsonObject(data) ? data : {};
  const { auth } = json;
  if (isJsonObject(auth) && typeof auth['client_token'] === 'string') {
    return { kind: 'expiring', dataDigest: digestData(auth), ...lasting(authSeconds(auth)) };
  }
  if (isJsonObject(json['wrap_info'])) {
    const { wrap_info } = json;
    return {
      kind: 'expiring',
      dataDigest: digestData(wrap_info),
      ...lasting(durationSeconds(wrap_info['ttl'])),
    };
  }
  if (context.operation === 'write') return issuedAging(data, fields, lease, context);
  if (context.mount?.kvVersion === 1) return { ...kv1Aging(json, fields), dataDigest: digestData(data) };
  if (rotationFields.slice(1).some((name) => name in fields) && 'ttl' in fields)
    return rotatingAging(fields, context.wallMs);
  if (lease) return { kind: 'leased', dataDigest: digestData(data), lease };
  const tokenSeconds = issuedTokenSeconds(fields, context);
  if (tokenSeconds === undefined) return { kind: 'static', dataDigest: digestData(data) };
  return { kind: 'expiring', dataDigest: digestData(data, lifeFields), ttlSeconds: tokenSeconds };
}

/** Whatever a write answers was made by it: it is kept to its end, and for good where nothing tells one. */
function issuedAging(
  data: JsonValue,
  fields: JsonObject,
  lease: SecretLease | undefined,
  context: AnswerContext,
): Aging {
  const dataDigest = digestData(data);
  // A lease is renewed; what ends by itself is not, whatever lease it has.
  const ownSeconds = issuedSeconds(lease === undefined ? fields : contentOf(fields), {
    ...context,
    parameters: lease === undefined ? context.parameters : {},
  });
  if (lease !== undefined && ownSeconds === undefined) return { kind: 'leased', dataDigest, lease };
  return { kind: 'expiring', dataDigest, ...lasting(ownSeconds), ...(lease ? { lease } : {}) };
}

/** A certificate with the end that it is told with, and nothing else. */
function contentOf(fields: JsonObject): JsonObject {
  const { certificate, expiration } = fields;
  return typeof certificate === 'string' ? { certificate, ...(expiration ? { expiration } : {}) } : {};
}

function lasting(ttlSeconds: number | undefined): { ttlSeconds?: number } {
  return ttlSeconds === undefined ? {} : { ttlSeconds };
}

function rotatingAging(fields: JsonObject, wallMs: number): Aging {
  const mark = fields['last_vault_rotation'];
  return {
    kind: 'rotating',
    dataDigest: digestData(fields, rotationFields),
    ttlSeconds: Math.min(Math.max(0, untilRotation(fields, wallMs)), longestSeconds),
    ...(typeof mark === 'string' && mark !== '' ? { rotationMark: mark } : {}),
  };
}

/** The ttl is rounded to the second; the last rotation and the period tell it to the millisecond, where the clocks agree. */
function untilRotation(fields: JsonObject, wallMs: number): number {
  const ttl = seconds(fields['ttl']) ?? 0;
  const last = fields['last_vault_rotation'];
  const period = seconds(fields['rotation_period']);
  const exact =
    typeof last === 'string' && period !== undefined
      ? (Date.parse(last) - wallMs) / 1000 + period
      : Number.NaN;
  return Math.abs(exact - ttl) <= 1 ? exact : ttl - 0.5;
}

/** KV 1 tells a lease_duration always; it means something only where the secret has a `ttl` (or `lease`) field. */
function kv1Aging(json: JsonObject, fields: JsonObject): Pick<Aging, 'kind' | 'ttlSeconds'> {
  const ttl = 'ttl' in fields || 'lease' in fields ? seconds(json['lease_duration']) : undefined;
  return { kind: 'static', ...(ttl && ttl > 0 ? { ttlSeconds: Math.min(ttl, longestSeconds) } : {}) };
}

function leaseOf(json: JsonObject): SecretLease | undefined {
  const id = json['lease_id'];
  if (typeof id !== 'string' || id === '') return undefined;
  return {
    id,
    durationSeconds: leaseSeconds(json['lease_duration']),
    isRenewable: json['renewable'] === true,
  };
}
