// Other values in the place of a secret's own, of the same shape: to find out which parts of an output come from secrets,
// and to rehearse a rotation. What is made here is never written to a destination.
import { randomInt } from 'node:crypto';
import { isJsonObject, JsonNumber, type JsonObject, type JsonValue } from '../base/text/json.ts';
import type { LookupSecret } from '../template/exec/lookup.ts';

type Change = (text: string, name: string) => string;

const secretName = /pass|secret|token|key|cred|private|pin\b|dsn|auth|cert/i;

/** Every value differs in every letter and digit; lengths, punctuation and the vault's own metadata stay. */
export function simulateAll(secret: LookupSecret): LookupSecret {
  return { ...change(secret, scramble), leaseId: scramble(secret.leaseId) };
}

/**
 * As a rotation would: only what is named like a secret differs, or everything where nothing is. Keys and certificates in
 * PEM stay, because a check of one that was made up would fail.
 */
export function simulateRotation(secret: LookupSecret): LookupSecret {
  const isTelling = Object.keys(secret.fields).some((name) => secretName.test(name));
  return change(secret, (text, name) => {
    if (text.includes('-----BEGIN ') || (isTelling && !secretName.test(name))) return text;
    return scramble(text);
  });
}

/** One made-up secret for each key, the same whoever asks: files of a set must agree with each other. */
export function makeUpOnce(
  makeUp: (key: string, secret: LookupSecret) => LookupSecret | undefined,
): (key: string, secret: LookupSecret) => LookupSecret | undefined {
  const made = new Map<string, LookupSecret | undefined>();
  return (key, secret) => {
    if (!made.has(key)) made.set(key, makeUp(key, secret));
    return made.get(key);
  };
}

function change(secret: LookupSecret, by: Change): LookupSecret {
  const { data, fields } = secret;
  if (data === null) return secret;
  const isNested = data['data'] === fields;
  const changed = changeObject(fields, by);
  return { ...secret, data: isNested ? { ...data, data: changed } : changed, fields: changed };
}

function changeObject(object: JsonObject, by: Change): JsonObject {
  return Object.fromEntries(
    Object.entries(object).map(([name, value]) => [name, changeValue(value, name, by)]),
  );
}

function changeValue(value: JsonValue, name: string, by: Change): JsonValue {
  if (typeof value === 'string') return by(value, name);
  if (value instanceof JsonNumber) return new JsonNumber(by(value.text, name).replace(/^(-?)0+(?=\d)/, '$1'));
  if (Array.isArray(value)) return value.map((item) => changeValue(item, name, by));
  return isJsonObject(value) ? changeObject(value, by) : value;
}

/**
 * Each letter and digit by another one of its kind. By chance: commands of a rehearsal may print what was made up, and nobody
 * is to be able to count back from it.
 */
function scramble(text: string): string {
  return text.replaceAll(/[A-Za-z0-9]/g, (letter) => {
    if (letter <= '9') return shift(letter, '0', 10, randomInt(1, 10));
    return shift(letter, letter <= 'Z' ? 'A' : 'a', 26, randomInt(1, 26));
  });
}

function shift(letter: string, first: string, count: number, by: number): string {
  const start = first.charCodeAt(0);
  return String.fromCharCode(start + ((letter.charCodeAt(0) - start + by) % count));
}
