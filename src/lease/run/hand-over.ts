// What the next start needs to go on with what this run was issued: each credential and certificate, sealed with a key that
// is on no disk, bound to its secret and to the upstream that gave it. What stands whole in a file that the agent wrote is
// sealed by the bytes of that file too, and so outlives the host's memory.
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { readControlledFileSync } from '../../base/paths/controlled-file.ts';
import { trusting } from '../../base/paths/path-trust.ts';
import { SecretValue } from '../../base/secret-value.ts';
import { type Clock, wallAt } from '../../base/time/clock.ts';
import type { SecretAnswer, SecretContent } from '../../store/secret-version.ts';
import type { OwnedLease } from '../book/owned-lease.ts';
import type { TrackedValue } from '../track/track-state.ts';
import type { FileCopyRecord, LoginRecord, ValueRecord } from './state-file.ts';
import { digestOf, longestWritten, type WrittenValues } from './written-values.ts';

export interface IssuedValue {
  readonly upstream: string;
  /** The entry's. */
  readonly key: string;
  readonly answer: SecretAnswer;
  /** Wall time in milliseconds. */
  readonly obtainedAt: number;
  /** The end that the answer itself told, wall time; undefined: none. */
  readonly ownEnd: number | undefined;
  readonly lifeMs: number;
}

export interface HandOver {
  seal(value: IssuedValue): ValueRecord;
  /** What the last run left for this entry; given once. */
  take(entryKey: string): IssuedValue | undefined;
  sealLogin(upstream: string, login: SecretValue): LoginRecord;
  /** Undefined where it was sealed with another key, or the upstream is another one. */
  openLogin(record: LoginRecord): SecretValue | undefined;
  /** What nobody has taken so far, as it was left. */
  rest(): ValueRecord[];
  /** What `take` gives from now on. What another key or upstream sealed is left out. */
  adopt(records: readonly ValueRecord[]): void;
}

export interface Seal {
  readonly key: Buffer;
  /** Of what an upstream is: equal as long as what it gave is good there. */
  readonly originOf: (upstream: string) => string;
}

interface HandOverOptions extends Seal {
  readonly written: WrittenValues;
}

/** A value as it is handed on, in wall time: the next run has another monotonic clock. */
export function issuedValue(upstream: string, key: string, value: TrackedValue, clock: Clock): IssuedValue {
  const { answer, lifeMs } = value;
  const ownEnd = value.ownEnd === undefined ? undefined : wallAt(clock, value.ownEnd);
  return { upstream, key, answer, obtainedAt: wallAt(clock, value.confirmedAt), ownEnd, lifeMs };
}

/** A date's seconds, and a clock that is kept right. */
const sameMs = 2000;

/** The clock was set back since it was issued, nobody knows how far: upstream alone could tell when it ends. */
export function isOfLater({ obtainedAt }: IssuedValue, clock: Clock): boolean {
  return obtainedAt > clock.wall() + sameMs;
}

export function restoredValue(
  { answer, lifeMs, ownEnd, obtainedAt }: IssuedValue,
  lease: OwnedLease | undefined,
  clock: Clock,
): TrackedValue {
  const at = (wall: number): number => clock.now() + (wall - clock.wall());
  return {
    ...{ answer, lease, lifeMs },
    confirmedAt: at(obtainedAt),
    ownEnd: ownEnd === undefined ? undefined : at(ownEnd),
    ...{ changesAt: undefined, rotationWaits: 0, doubtUntil: undefined, isNew: false },
  };
}

const cipher = 'aes-256-gcm';
const nonceBytes = 12;
const tagBytes = 16;

export function createHandOver({ key, written, originOf }: HandOverOptions): HandOver {
  /** Sealing again and again would write other bytes for the same. */
  const sealed = new WeakMap<SecretContent, Map<string, string>>();
  const left = new Map<string, { value: IssuedValue; record: ValueRecord }>();

  const bindingOf = (upstream: string, entryKey: string): Buffer =>
    Buffer.from(JSON.stringify([upstream, originOf(upstream), entryKey]));

  function sealOnce({ answer, upstream, key: entryKey }: IssuedValue, by: Buffer): string {
    const binding = bindingOf(upstream, entryKey);
    const known = sealed.get(answer.content) ?? new Map<string, string>();
    sealed.set(answer.content, known);
    const id = `${by.toString('base64')} ${binding}`;
    const text = known.get(id) ?? seal(by, binding, serialise(answer));
    known.set(id, text);
    return text;
  }

  function openRecord(record: ValueRecord): string | undefined {
    const binding = bindingOf(record.upstream, record.key);
    const text = open(key, binding, record.sealed);
    if (text !== undefined) return text;
    for (const copy of record.inFiles ?? []) {
      const bytes = readCopy(copy);
      const found = bytes && open(digestOf(bytes), binding, copy.sealed);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  return {
    seal(value) {
      const { upstream, key: entryKey, obtainedAt, ownEnd, lifeMs } = value;
      const inFiles = written.copiesOf(entryKey, value.answer.content).map(({ path, owner, digest }) => ({
        ...{ path, sealed: sealOnce(value, digest) },
        ...(owner === undefined ? {} : { owner }),
      }));
      return {
        ...{ upstream, key: entryKey, obtainedAt, ownEnd: ownEnd ?? null, lifeMs },
        sealed: sealOnce(value, key),
        ...(inFiles.length === 0 ? {} : { inFiles }),
      };
    },
    sealLogin: (upstream, login) => ({
      upstream,
      sealed: seal(key, loginBinding(upstream, originOf), login.text()),
    }),
    openLogin: (record) => openLogin(record, { key, originOf }),
    take(entryKey) {
      const value = left.get(entryKey)?.value;
      left.delete(entryKey);
      return value;
    },
    rest: () => Array.from(left.values(), ({ record }) => record),
    adopt(records) {
      for (const record of records) {
        const text = openRecord(record);
        if (text === undefined) continue;
        const { upstream, key: entryKey, obtainedAt, ownEnd, lifeMs } = record;
        const answer = deserialise(text);
        const value = {
          upstream,
          key: entryKey,
          answer,
          obtainedAt,
          ownEnd: ownEnd ?? undefined,
          lifeMs,
        };
        left.set(entryKey, { value, record });
      }
    },
  };
}

/** Undefined where it was sealed with another key, or the upstream is another one. */
export function openLogin(
  { upstream, sealed }: LoginRecord,
  { key, originOf }: Seal,
): SecretValue | undefined {
  const login = open(key, loginBinding(upstream, originOf), sealed);
  return login === undefined ? undefined : SecretValue.fromText(login);
}

function loginBinding(upstream: string, originOf: Seal['originOf']): Buffer {
  return Buffer.from(JSON.stringify(['login', upstream, originOf(upstream)]));
}

/** Undefined where it is gone, or others have a hand in it: then it is none that tells us anything. */
function readCopy({ path, owner }: FileCopyRecord): Buffer | undefined {
  try {
    return readControlledFileSync(path, { trust: trusting(owner), maxBytes: longestWritten }).bytes;
  } catch {
    return undefined;
  }
}

function seal(key: Buffer, binding: Buffer, text: string): string {
  const nonce = randomBytes(nonceBytes);
  const sealing = createCipheriv(cipher, key, nonce).setAAD(binding);
  const body = Buffer.concat([sealing.update(text, 'utf8'), sealing.final()]);
  return Buffer.concat([nonce, sealing.getAuthTag(), body]).toString('base64');
}

/** Undefined where it was sealed with another key, for another secret, or is damaged. */
function open(key: Buffer, binding: Buffer, sealed: string): string | undefined {
  const bytes = Buffer.from(sealed, 'base64');
  if (bytes.length < nonceBytes + tagBytes) return undefined;
  const opening = createDecipheriv(cipher, key, bytes.subarray(0, nonceBytes), { authTagLength: tagBytes })
    .setAAD(binding)
    .setAuthTag(bytes.subarray(nonceBytes, nonceBytes + tagBytes));
  try {
    const body = opening.update(bytes.subarray(nonceBytes + tagBytes));
    return Buffer.concat([body, opening.final()]).toString('utf8');
  } catch {
    // Its authentication failed.
    return undefined;
  }
}

function serialise({ content, ...rest }: SecretAnswer): string {
  const { form } = content;
  const value = form === 'fields' ? content.json : form === 'bytes' ? content.value : content.body;
  const shape = form === 'vault' ? content.shape : undefined;
  return JSON.stringify({ rest, form, shape, bytes: value.bytes().toString('base64') });
}

/** Only what `serialise` made gets here: its authentication was checked. */
function deserialise(text: string): SecretAnswer {
  const { rest, form, shape, bytes } = JSON.parse(text) as {
    rest: Omit<SecretAnswer, 'content'>;
    form: SecretContent['form'];
    shape: 'flat' | 'kv2';
    bytes: string;
  };
  const value = SecretValue.fromBytes(Buffer.from(bytes, 'base64'));
  if (form === 'fields') return { ...rest, content: { form, json: value } };
  return { ...rest, content: form === 'bytes' ? { form, value } : { form, body: value, shape } };
}
