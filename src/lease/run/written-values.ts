// Which files have a value that was issued in them, whole: there the next run finds it again, also after a restart of the
// host. What is handed on is then sealed by the bytes of such a file (hand-over.ts), which tells nobody more than it does.
import { createHash } from 'node:crypto';
import { isJsonObject, JsonNumber, type JsonValue } from '../../base/text/json.ts';
import { type SecretContent, type SecretVersion, secretFields } from '../../store/secret-version.ts';

export interface WrittenFile {
  readonly path: string;
  /** Who else may have a hand in it. */
  readonly owner: number | undefined;
}

export interface FileCopy extends WrittenFile {
  /** Of all of its bytes. */
  readonly digest: Buffer;
}

export interface WrittenValues {
  /** `bytes` are about to be in this file; what is returned is to be called when they are. */
  note(file: WrittenFile, bytes: Buffer, versions: ReadonlyMap<string, SecretVersion>): () => void;
  copiesOf(entryKey: string, content: SecretContent): readonly FileCopy[];
}

/** Of one value: more files would only be more to write. */
const mostCopies = 4;
export const longestWritten = 1024 * 1024;

/** What an issuer tells of a value, and nobody is let in by. */
const publicName =
  /^(?:serial_number|private_key_type|key_type)$|(?:^|_)(?:accessor|ttl|num_uses|expiration|before|after|at)$/;
/** A bundle under the same name may hold the key too. */
const onlyCertificates = /^(?:\s*-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----)+\s*$/;

export function createWrittenValues(onChange: () => void): WrittenValues {
  const byEntry = new Map<string, Map<string, { copy: FileCopy; content: SecretContent }>>();
  const byPath = new Map<string, readonly string[]>();

  function put(copy: FileCopy, held: readonly (readonly [string, SecretContent])[]): void {
    const { path } = copy;
    const before = byPath.get(path) ?? [];
    if (before.length === 0 && held.length === 0) return;
    for (const key of before) {
      const copies = byEntry.get(key);
      copies?.delete(path);
      if (copies?.size === 0) byEntry.delete(key);
    }
    for (const [key, content] of held) {
      const copies = byEntry.get(key) ?? new Map();
      byEntry.set(key, copies.set(path, { copy, content }));
    }
    if (held.length === 0) byPath.delete(path);
    else
      byPath.set(
        path,
        held.map(([key]) => key),
      );
    onChange();
  }

  return {
    note(file, bytes, versions) {
      const held = Array.from(versions).flatMap(([key, version]) =>
        isLasting(version) && bytes.length <= longestWritten && hasAllOf(bytes, version)
          ? [[key, version.content] as const]
          : [],
      );
      const digest = held.length === 0 ? Buffer.alloc(0) : digestOf(bytes);
      return () => put({ ...file, digest }, held);
    },
    copiesOf(entryKey, content) {
      const copies = Array.from(byEntry.get(entryKey)?.values() ?? []);
      return copies.flatMap((one) => (one.content === content ? [one.copy] : [])).slice(0, mostCopies);
    },
  };
}

export function digestOf(bytes: Buffer): Buffer {
  return createHash('sha256').update('latchkey: a value in a file\0').update(bytes).digest();
}

/** A lease ends with the token that it was issued under, and that does not outlive the host's memory. */
function isLasting({ kind, lease }: SecretVersion): boolean {
  return kind === 'expiring' && lease === undefined;
}

function hasAllOf(bytes: Buffer, version: SecretVersion): boolean {
  return Object.entries(secretFields(version)).every(
    ([name, value]) => publicName.test(name) || hasValue(bytes, value),
  );
}

function hasValue(bytes: Buffer, value: JsonValue): boolean {
  if (typeof value === 'string') return onlyCertificates.test(value) || bytes.includes(value.trim());
  if (value instanceof JsonNumber) return bytes.includes(value.text);
  if (Array.isArray(value)) return value.every((one) => hasValue(bytes, one));
  if (isJsonObject(value)) return Object.values(value).every((one) => hasValue(bytes, one));
  // Yes, no and nothing are no secrets.
  return true;
}
