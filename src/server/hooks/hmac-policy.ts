// Whether a message is signed with a key of its hook: what is signed, by which headers, and how old it may be. Pure.
import { createHmac, timingSafeEqual } from 'node:crypto';
import type { HmacProofConfig } from '../../config/resolved.ts';

export interface SignedMessage {
  /** By name in lower case; a header that came twice is none. */
  header(name: string): string | undefined;
  readonly body: Buffer;
}

export interface GoodVerdict {
  readonly isGood: true;
  /** What is the same again when the message is; undefined: nothing of it says when it was signed. */
  readonly mark: string | undefined;
  /** Wall time in milliseconds until which the same message would be good again. */
  readonly untilMs: number;
  /** Two messages of one second may have the same mark. */
  readonly isCoarse: boolean;
}

export type Verdict = GoodVerdict | { readonly isGood: false; readonly why: string };

/** Of one header; more would only be work for us. */
const mostCandidates = 8;

/** `wallMs` is now. Takes as long whichever key or candidate fits, or none. */
export function verifyHmac(
  config: HmacProofConfig,
  keys: readonly Buffer[],
  message: SignedMessage,
  wallMs: number,
): Verdict {
  const shown = message.header(config.header);
  if (shown === undefined) return bad(`no header ${config.header}`);
  const { candidates, time } = partsOf(shown, config.algorithm);
  const timestamp = time ?? message.header(config.timestampHeader);
  const id = message.header(config.idHeader);
  const signed = signedBytes(config.signed, { timestamp, id, body: message.body });
  if (typeof signed === 'string') return bad(signed);
  let isSigned = false;
  for (const key of keys) {
    const expected = createHmac(config.algorithm, key).update(signed).digest();
    for (const candidate of candidates) isSigned = timingSafeEqual(candidate, expected) || isSigned;
  }
  if (!isSigned)
    return bad(candidates.length === 0 ? 'no signature in its header' : 'the signature does not fit');
  if (!config.signed.includes('{timestamp}'))
    return { isGood: true, mark: undefined, untilMs: wallMs, isCoarse: false };
  const signedAt = timeOf(timestamp ?? '');
  if (signedAt === undefined) return bad('the time of signing is no time');
  const offMs = Math.abs(wallMs - signedAt);
  if (offMs > config.toleranceMs)
    return bad(`signed ${Math.round(offMs / 1000)} s ${signedAt < wallMs ? 'ago' : 'ahead of this clock'}`);
  // Over what was signed, not over the header: the same signature can be written in several ways.
  const mark = createHmac(config.algorithm, 'mark').update(signed).digest('base64url');
  return {
    ...{ isGood: true, mark, untilMs: signedAt + config.toleranceMs },
    isCoarse: signedAt % 1000 === 0 && !config.signed.includes('{id}'),
  };
}

function bad(why: string): Verdict {
  return { isGood: false, why };
}

/** `sha256=HEX`, `v1,BASE64 v1,BASE64`, `t=1700000000,v1=HEX`, `t=1700000000;HEX`, `HEX`. */
function partsOf(shown: string, algorithm: HmacProofConfig['algorithm']) {
  const size = algorithm === 'sha256' ? 32 : 64;
  const candidates: Buffer[] = [];
  let time: string | undefined;
  for (const part of shown.split(/[\s,;]+/)) {
    const [, at] = /^t=(.{1,40})$/.exec(part) ?? [];
    if (at !== undefined) {
      time ??= at;
      continue;
    }
    const bytes =
      decoded(part.replace(/^[A-Za-z][A-Za-z0-9_-]{0,15}=(?=.)/, ''), size) ?? decoded(part, size);
    if (bytes !== undefined && candidates.length < mostCandidates) candidates.push(bytes);
  }
  return { candidates, time };
}

function decoded(text: string, size: number): Buffer | undefined {
  if (/^[0-9a-f]+$/i.test(text) && text.length === 2 * size) return Buffer.from(text, 'hex');
  if (!/^[A-Za-z0-9+/_-]+={0,2}$/.test(text)) return undefined;
  const bytes = Buffer.from(text, 'base64');
  return bytes.length === size ? bytes : undefined;
}

/** Or what is missing of it. */
function signedBytes(
  template: string,
  words: { timestamp: string | undefined; id: string | undefined; body: Buffer },
): Buffer | string {
  const pieces: Buffer[] = [];
  for (const part of template.split(/(\{(?:timestamp|id|body)\})/)) {
    if (part === '{body}') pieces.push(words.body);
    else if (part === '{timestamp}' || part === '{id}') {
      const word = part === '{id}' ? words.id : words.timestamp;
      if (word === undefined) return part === '{id}' ? 'no id' : 'no time of signing';
      pieces.push(Buffer.from(word, 'latin1'));
    } else pieces.push(Buffer.from(part));
  }
  return Buffer.concat(pieces);
}

/** Seconds or milliseconds since 1970, or a date. */
function timeOf(text: string): number | undefined {
  if (/^\d{1,10}(?:\.\d{1,9})?$/.test(text)) return Number(text) * 1000;
  if (/^\d{13}$/.test(text)) return Number(text);
  const at = /^\d{4}-\d\d-\d\dT/.test(text) ? Date.parse(text) : Number.NaN;
  return Number.isNaN(at) ? undefined : at;
}
