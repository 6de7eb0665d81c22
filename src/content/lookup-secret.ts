// How one version of a secret looks to templates, and which of its bytes must be masked wherever output is shown.

import { SecretValue } from '../base/secret-value.ts';
import { isJsonObject, JsonNumber, type JsonObject, type JsonValue } from '../base/text/json.ts';
import { parseBody, type SecretVersion, secretFields } from '../store/secret-version.ts';
import type { LookupSecret } from '../template/exec/lookup.ts';

// Shorter values ("on", "42") are no secrets worth the name, and masking them would garble every line.
const shortestMaskBytes = 3;

/** The answer of an upstream as a template sees it. */
export function toLookupSecret(version: Pick<SecretVersion, 'content'>): LookupSecret {
  const body = parseBody(version);
  const data = objectOrNull(body['data']);
  const warnings = body['warnings'];
  return {
    requestId: textOf(body['request_id']),
    leaseId: textOf(body['lease_id']),
    leaseDurationSeconds: Number(numberText(body['lease_duration'])),
    isRenewable: body['renewable'] === true,
    data,
    warnings: Array.isArray(warnings) ? warnings.map(textOf) : null,
    auth: objectOrNull(body['auth']),
    wrapInfo: objectOrNull(body['wrap_info']),
    fields: secretFields(version),
  };
}

/** The names of a list's answer (`data.keys`). */
export function toNames(version: Pick<SecretVersion, 'content'>): readonly string[] {
  const data = objectOrNull(parseBody(version)['data']);
  const keys = data?.['keys'];
  return Array.isArray(keys) ? keys.map(textOf) : [];
}

/** Every value of the secret that output may show, longest first; of values with several lines each line too. */
export function secretValues(secret: LookupSecret): SecretValue[] {
  const texts = new Set<string>();
  for (const part of [secret.fields, secret.auth, secret.wrapInfo]) collectTexts(part, texts);
  return [...texts]
    .filter((text) => Buffer.byteLength(text) >= shortestMaskBytes && text !== 'true' && text !== 'false')
    .sort((a, b) => b.length - a.length)
    .map((text) => SecretValue.fromText(text));
}

function collectTexts(value: JsonValue, texts: Set<string>): void {
  if (typeof value === 'string') {
    texts.add(value);
    for (const line of value.split('\n')) if (line.length >= 8) texts.add(line);
    // As JSON has it, and as Go's JSON has it: a config file that a program prints is often JSON.
    const escaped = JSON.stringify(value).slice(1, -1);
    texts.add(escaped);
    texts.add(escaped.replace(/[<>&]/g, (sign) => `\\u00${sign.charCodeAt(0).toString(16)}`));
  } else if (value instanceof JsonNumber) texts.add(value.text);
  else if (Array.isArray(value)) for (const item of value) collectTexts(item, texts);
  else if (isJsonObject(value)) for (const item of Object.values(value)) collectTexts(item, texts);
}

function objectOrNull(value: JsonValue | undefined): JsonObject | null {
  return isJsonObject(value) ? value : null;
}

function textOf(value: JsonValue | undefined): string {
  return typeof value === 'string' ? value : '';
}

function numberText(value: JsonValue | undefined): string {
  return value instanceof JsonNumber ? value.text : '0';
}
