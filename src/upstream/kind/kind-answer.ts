// Answers of kinds that are no Vault: fields, or one value without a name.
import type { JsonObject } from '../../base/json.ts';
import { SecretValue } from '../../base/secret-value.ts';
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
