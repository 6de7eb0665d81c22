// Answers of kinds that are no Vault: fields, one value, or a value that is fields when it is a JSON object.
import { isUtf8 } from 'node:buffer';
import { LatchkeyError } from '../../base/errors.ts';
import { SecretValue } from '../../base/secret-value.ts';
import {
  isJsonObject,
  JsonNumber,
  type JsonObject,
  type JsonValue,
  parseJson,
} from '../../base/text/json.ts';
import { jsonExcess } from '../../base/text/json-excess.ts';
import { digestData, fieldsContent, type SecretAnswer } from '../../store/secret-version.ts';

type Life = Pick<SecretAnswer, 'versionId' | 'lease' | 'ttlSeconds'> & Partial<Pick<SecretAnswer, 'kind'>>;

export function fieldsAnswer(fields: JsonObject, life: Life): SecretAnswer {
  return { kind: 'static', ...life, content: fieldsContent(fields), dataDigest: digestData(fields) };
}

/** One value without a name; bytes that are no text stay what they are. */
export function valueAnswer(value: Buffer, life: Life): SecretAnswer {
  const content = { form: 'bytes', value: SecretValue.fromBytes(value) } as const;
  return { kind: 'static', ...life, content, dataDigest: digestData(value.toString('base64')) };
}

/** The fields of a value that is a JSON object, as databases' credentials mostly are; else the value. */
export function documentAnswer(value: Buffer, life: Life): SecretAnswer {
  const fields = jsonFields(value);
  return fields === undefined ? valueAnswer(value, life) : fieldsAnswer(fields, life);
}

/** One field of a value that is a JSON object; without a name of one the whole, as `documentAnswer`. */
export function partAnswer(value: Buffer, key: string | undefined, what: string, life: Life): SecretAnswer {
  if (key === undefined) return documentAnswer(value, life);
  const fields = jsonFields(value);
  const part = fields !== undefined && Object.hasOwn(fields, key) ? fields[key] : undefined;
  if (part === undefined || part === null)
    throw new LatchkeyError('not_found', `${what}: there is no such field in the secret`);
  if (isJsonObject(part)) return fieldsAnswer(part, life);
  return typeof part === 'string'
    ? valueAnswer(Buffer.from(part), life)
    : fieldsAnswer({ value: part }, life);
}

/** Undefined where the value is no JSON object. */
export function jsonFields(value: Buffer): JsonObject | undefined {
  if (!/^\s*\{/.test(value.subarray(0, 64).toString('latin1')) || !isUtf8(value)) return undefined;
  const excess = jsonExcess(value);
  if (excess !== undefined)
    throw new LatchkeyError('upstream_answer_invalid', `the value of the secret ${excess}`, {
      remedy: 'divide it',
    });
  try {
    const parsed = parseJson(value.toString('utf8'));
    return isJsonObject(parsed) ? parsed : undefined;
  } catch {
    // Text that begins with a brace is text.
    return undefined;
  }
}

/** To an end that is told as seconds since 1970 or as a date of ISO 8601; undefined: it is neither. */
export function secondsUntil(end: JsonValue | undefined, wallMs: number): number | undefined {
  const at =
    end instanceof JsonNumber ? Number(end.text) * 1000 : Date.parse(typeof end === 'string' ? end : '');
  return Number.isFinite(at) ? Math.max(0, Math.round((at - wallMs) / 1000)) : undefined;
}
