// When the certificate in a text ends, whatever form it has: X.509 as PEM or DER, PKCS#7, a PKCS#12 that is not
// encrypted, or a signed SSH key. Of several the one that is no authority counts. Pure.
import { X509Certificate } from 'node:crypto';

const pemBlock = /-----BEGIN ([A-Z0-9 ]+)-----([^-]+)-----END \1-----/g;
/** OpenSSH calls this "forever". */
const forever = 0xffff_ffff_ffff_ffffn;

/** Wall time in milliseconds; undefined where the text holds no certificate, or one without end. */
export function certificateEnd(text: string): number | undefined {
  if (/^(?:ssh|ecdsa|sk)-\S+ \S/.test(text)) return signedKeyEnd(text);
  const blocks = [...text.matchAll(pemBlock)].filter(([, label = '']) => !label.includes('KEY'));
  if (blocks.length === 0) return derEnd(fromBase64(text));
  const [, label, body = ''] = blocks[0] ?? [];
  // A bundle holds the chain too, whose ends are later or somebody else's business; the leaf is first.
  const der = fromBase64(body);
  return label === 'CERTIFICATE' ? readX509(der)?.validToDate.getTime() : derEnd(der);
}

function fromBase64(text: string): Buffer {
  return /^[A-Za-z0-9+/=\s]+$/.test(text) ? Buffer.from(text, 'base64') : Buffer.alloc(0);
}

function readX509(der: Buffer): X509Certificate | undefined {
  try {
    return new X509Certificate(der);
  } catch {
    // Not a certificate, or one that this OpenSSL does not read.
    return undefined;
  }
}

function derEnd(der: Buffer): number | undefined {
  const found = [...certificates(der, 0)].flatMap((one) => readX509(one) ?? []);
  const leaves = found.filter(({ ca }) => !ca);
  const ends = (leaves.length > 0 ? leaves : found).map(({ validToDate }) => validToDate.getTime());
  return ends.length > 0 ? Math.min(...ends) : undefined;
}

interface Element {
  readonly tag: number;
  readonly whole: Buffer;
  readonly content: Buffer;
}

const sequence = 0x30;
const octets = 0x04;
const deepest = 16;

/** What may be a certificate, at any depth: a sequence whose first member begins with the explicit version of X.509. */
function* certificates(der: Buffer, depth: number): Generator<Buffer> {
  if (depth > deepest) return;
  for (const { tag, whole, content } of elements(der)) {
    const [inner] = tag === sequence ? elements(content) : [];
    const [version] = inner?.tag === sequence ? elements(inner.content) : [];
    if (version?.tag === 0xa0 && version.content[0] === 0x02) yield whole;
    else if ((tag & 0x20) !== 0 || tag === octets) yield* certificates(content, depth + 1);
  }
}

/** The elements side by side in a DER text, up to the first that is none. */
function* elements(der: Buffer): Generator<Element> {
  for (let at = 0; at + 2 <= der.length; ) {
    const tag = der[at] ?? 0;
    const first = der[at + 1] ?? 0;
    const lengthBytes = first < 0x80 ? 0 : first & 0x7f;
    if (lengthBytes > 4 || first === 0x80 || at + 2 + lengthBytes > der.length) return;
    const length = lengthBytes === 0 ? first : der.readUIntBE(at + 2, lengthBytes);
    const start = at + 2 + lengthBytes;
    if (start + length > der.length) return;
    yield { tag, whole: der.subarray(at, start + length), content: der.subarray(start, start + length) };
    at = start + length;
  }
}

/** Members of a public key before the serial number of its certificate, by its type; see PROTOCOL.certkeys of OpenSSH. */
const keyMembers: readonly (readonly [RegExp, number])[] = [
  [/^sk-ecdsa/, 3],
  [/^sk-ssh-ed25519/, 2],
  [/^ecdsa/, 2],
  [/^ssh-rsa|^rsa-sha2/, 2],
  [/^ssh-dss/, 4],
  [/^ssh-ed25519/, 1],
];

function signedKeyEnd(line: string): number | undefined {
  const [type = '', encoded = ''] = line.trim().split(' ');
  const members = keyMembers.find(([pattern]) => pattern.test(type))?.[1];
  if (!type.includes('-cert-v') || members === undefined) return undefined;
  const blob = fromBase64(encoded);
  try {
    let at = 0;
    const skip = (count: number): void => {
      for (let index = 0; index < count; index += 1) at += 4 + blob.readUInt32BE(at);
    };
    skip(2 + members); // type, nonce and key
    at += 8 + 4; // serial number and kind
    skip(2); // id and principals
    const validBefore = blob.readBigUInt64BE(at + 8);
    return validBefore === forever ? undefined : Number(validBefore) * 1000;
  } catch {
    // Cut short: not what it says it is.
    return undefined;
  }
}
