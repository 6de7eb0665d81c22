// The Go value of a secret, as consul-template's dependency.Secret: the fields and their order are those that templates
// of legacy teams print and name.
import { JsonNumber, type JsonObject } from '../../base/text/json.ts';
import type { LookupSecret } from '../exec/lookup.ts';
import { encodeText } from '../text/bytes.ts';
import { fromJsonObject } from './json-value.ts';
import { structType, typeOfName } from './type.ts';
import { anyMap, PointerValue, StructValue, stringMap, stringSlice, type Value } from './value.ts';

const authType = structType('dependency.SecretAuth', [
  ['ClientToken', 'string'],
  ['Accessor', 'string'],
  ['Policies', '[]string'],
  ['Metadata', 'map[string]string'],
  ['LeaseDuration', 'int'],
  ['Renewable', 'bool'],
]);
const wrapInfoType = structType('dependency.SecretWrapInfo', [
  ['Token', 'string'],
  ['TTL', 'int'],
  ['CreationTime', 'string'],
  ['WrappedAccessor', 'string'],
]);
const secretType = structType('dependency.Secret', [
  ['RequestID', 'string'],
  ['LeaseID', 'string'],
  ['LeaseDuration', 'int'],
  ['Renewable', 'bool'],
  ['Data', 'map[string]interface {}'],
  ['Warnings', '[]string'],
  ['Auth', '*dependency.SecretAuth'],
  ['WrapInfo', '*dependency.SecretWrapInfo'],
]);

/** A *dependency.Secret. */
export function secretValue(secret: LookupSecret): PointerValue {
  const fields: Value[] = [
    encodeText(secret.requestId),
    encodeText(secret.leaseId),
    BigInt(Math.trunc(secret.leaseDurationSeconds)),
    secret.isRenewable,
    secret.data === null ? anyMap(null) : fromJsonObject(secret.data),
    stringSlice(secret.warnings?.map(encodeText) ?? null),
    authValue(secret.auth),
    wrapInfoValue(secret.wrapInfo),
  ];
  return new PointerValue(typeOfName('*dependency.Secret'), new StructValue(secretType, fields));
}

function authValue(auth: JsonObject | null): PointerValue {
  const type = typeOfName('*dependency.SecretAuth');
  if (auth === null) return new PointerValue(type, null);
  const { policies, metadata } = auth as { policies?: unknown; metadata?: unknown };
  const fields: Value[] = [
    text(auth['client_token']),
    text(auth['accessor']),
    stringSlice(Array.isArray(policies) ? policies.map(text) : null),
    stringMap(
      metadata ? Object.entries(metadata).map(([key, item]) => [encodeText(key), text(item)] as const) : null,
    ),
    whole(auth['lease_duration']),
    auth['renewable'] === true,
  ];
  return new PointerValue(type, new StructValue(authType, fields));
}

function wrapInfoValue(info: JsonObject | null): PointerValue {
  const type = typeOfName('*dependency.SecretWrapInfo');
  if (info === null) return new PointerValue(type, null);
  const fields: Value[] = [
    text(info['token']),
    whole(info['ttl']),
    text(info['creation_time']),
    text(info['wrapped_accessor']),
  ];
  return new PointerValue(type, new StructValue(wrapInfoType, fields));
}

function text(value: unknown): string {
  return typeof value === 'string' ? encodeText(value) : '';
}

function whole(value: unknown): bigint {
  return value instanceof JsonNumber && /^-?\d{1,18}$/.test(value.text) ? BigInt(value.text) : 0n;
}
