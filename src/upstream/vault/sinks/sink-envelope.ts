// Encrypts a token for one reader as Vault Agent's sinks do: X25519 key agreement, optionally HKDF, AES-256-GCM, in JSON.
import {
  createCipheriv,
  createPublicKey,
  diffieHellman,
  generateKeyPairSync,
  hkdfSync,
  type KeyObject,
  randomBytes,
} from 'node:crypto';
import { LatchkeyError } from '../../../base/errors.ts';

export interface SinkKeys {
  readonly privateKey: KeyObject;
  /** The 32 bytes of the key, as in the envelope. */
  readonly publicBytes: Buffer;
}

export function createSinkKeys(): SinkKeys {
  const { privateKey, publicKey } = generateKeyPairSync('x25519');
  const { x } = publicKey.export({ format: 'jwk' });
  return { privateKey, publicBytes: Buffer.from(x ?? '', 'base64url') };
}

/** The reader's 32 bytes in `{"curve25519_public_key": "<base64>"}`. Throws `file_failed` that names `path`. */
export function parseReaderKey(text: string, path: string): Buffer {
  let bytes: Buffer | undefined;
  try {
    const value = (JSON.parse(text) as { curve25519_public_key?: unknown }).curve25519_public_key;
    if (typeof value === 'string') bytes = Buffer.from(value, 'base64');
  } catch {
    // Reported below, with the file's name.
  }
  if (bytes?.length === 32) return bytes;
  throw new LatchkeyError(
    'file_failed',
    `dh_path: ${path} holds no curve25519_public_key of 32 bytes in base64`,
    {
      remedy: 'write {"curve25519_public_key": "…"} to it',
    },
  );
}

export interface EnvelopeOptions {
  readonly keys: SinkKeys;
  readonly reader: Buffer;
  /** Pass the shared secret through HKDF-SHA256 (`derive_key`). */
  readonly deriveKey: boolean;
  readonly aad: string | undefined;
}

/** The envelope's bytes, with the newline that Go's encoder adds. */
export function sealEnvelope(plaintext: Buffer, options: EnvelopeOptions): Buffer {
  const { keys, reader, deriveKey, aad } = options;
  const publicKey = createPublicKey({
    key: { kty: 'OKP', crv: 'X25519', x: reader.toString('base64url') },
    format: 'jwk',
  });
  const shared = diffieHellman({ privateKey: keys.privateKey, publicKey });
  const key = deriveKey ? derive(shared, keys.publicBytes, reader) : shared;
  const nonce = randomBytes(12);
  const cipher = createCipheriv('aes-256-gcm', key, nonce);
  if (aad !== undefined) cipher.setAAD(Buffer.from(aad, 'utf8'));
  const payload = Buffer.concat([cipher.update(plaintext), cipher.final(), cipher.getAuthTag()]);
  const envelope = {
    curve25519_public_key: keys.publicBytes.toString('base64'),
    nonce: nonce.toString('base64'),
    encrypted_payload: payload.toString('base64'),
  };
  return Buffer.from(`${JSON.stringify(envelope)}\n`, 'utf8');
}

/** The lower of the two public keys is the salt, the higher one the info: both sides come to the same key. */
function derive(shared: Buffer, ours: Buffer, theirs: Buffer): Buffer {
  const [low, high] = Buffer.compare(ours, theirs) < 0 ? [ours, theirs] : [theirs, ours];
  return Buffer.from(hkdfSync('sha256', shared, low, high, 32));
}
