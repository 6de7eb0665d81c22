// X.509 for the PKI engine: keys on WebCrypto, certificates and revocation lists by @peculiar/x509, loaded lazily.
import { createPrivateKey, type KeyObject, randomBytes, webcrypto } from 'node:crypto';

export type KeyType = 'rsa' | 'ec' | 'ed25519';

export interface KeyPair {
  readonly keys: webcrypto.CryptoKeyPair;
  readonly type: KeyType;
  readonly signing: webcrypto.Algorithm | webcrypto.EcdsaParams;
}

export interface Certificate {
  readonly pem: string;
  readonly der: Buffer;
  /** `1a:2b:…`, as Vault writes serial numbers. */
  readonly serial: string;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
}

export interface CertificateAuthority extends Certificate {
  readonly pair: KeyPair;
  readonly commonName: string;
}

export interface CertificateRequest {
  readonly commonName: string;
  readonly dnsNames: readonly string[];
  readonly ipAddresses: readonly string[];
  readonly uris: readonly string[];
  readonly isServer: boolean;
  readonly isClient: boolean;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
}

async function loadX509() {
  await import('reflect-metadata');
  const x509 = await import('@peculiar/x509');
  x509.cryptoProvider.set(webcrypto);
  return x509;
}

/** `bits` 0 takes Vault's default: RSA 2048, P-256. */
export async function newKeyPair(type: KeyType, bits: number): Promise<KeyPair> {
  const { algorithm, signing } = keyAlgorithm(type, bits);
  const keys = (await webcrypto.subtle.generateKey(algorithm, true, [
    'sign',
    'verify',
  ])) as webcrypto.CryptoKeyPair;
  return { keys, type, signing };
}

function keyAlgorithm(
  type: KeyType,
  bits: number,
): { algorithm: webcrypto.Algorithm; signing: webcrypto.Algorithm } {
  if (type === 'ed25519') return { algorithm: { name: 'Ed25519' }, signing: { name: 'Ed25519' } };
  if (type === 'ec') {
    const namedCurve = `P-${bits || 256}`;
    const hash = bits === 384 ? 'SHA-384' : bits === 521 ? 'SHA-512' : 'SHA-256';
    return {
      algorithm: { name: 'ECDSA', namedCurve } as webcrypto.EcKeyGenParams,
      signing: { name: 'ECDSA', hash } as webcrypto.EcdsaParams,
    };
  }
  const name = 'RSASSA-PKCS1-v1_5';
  const modulus = {
    name,
    modulusLength: bits || 2048,
    publicExponent: new Uint8Array([1, 0, 1]),
    hash: 'SHA-256',
  };
  return { algorithm: modulus, signing: { name } };
}

export async function newAuthority(
  pair: KeyPair,
  commonName: string,
  notBeforeMs: number,
  notAfterMs: number,
): Promise<CertificateAuthority> {
  const x509 = await loadX509();
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: newSerial(),
    name: nameOf(commonName),
    notBefore: new Date(notBeforeMs),
    notAfter: new Date(notAfterMs),
    keys: pair.keys,
    signingAlgorithm: pair.signing,
    extensions: [
      new x509.BasicConstraintsExtension(true, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(pair.keys.publicKey),
      await x509.AuthorityKeyIdentifierExtension.create(pair.keys.publicKey),
    ],
  });
  return { ...describe(certificate), pair, commonName };
}

export async function issueCertificate(
  ca: CertificateAuthority,
  publicKey: webcrypto.CryptoKey,
  request: CertificateRequest,
): Promise<Certificate> {
  const x509 = await loadX509();
  const { serverAuth, clientAuth } = x509.ExtendedKeyUsage;
  const usages = [...(request.isServer ? [serverAuth] : []), ...(request.isClient ? [clientAuth] : [])];
  const names = [
    ...request.dnsNames.map((value) => ({ type: 'dns' as const, value })),
    ...request.ipAddresses.map((value) => ({ type: 'ip' as const, value })),
    ...request.uris.map((value) => ({ type: 'url' as const, value })),
  ];
  const flags = x509.KeyUsageFlags;
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: newSerial(),
    subject: nameOf(request.commonName),
    issuer: nameOf(ca.commonName),
    notBefore: new Date(request.notBeforeMs),
    notAfter: new Date(request.notAfterMs),
    publicKey: publicKey,
    signingKey: ca.pair.keys.privateKey,
    signingAlgorithm: ca.pair.signing,
    extensions: [
      new x509.KeyUsagesExtension(flags.digitalSignature | flags.keyEncipherment | flags.keyAgreement, true),
      ...(usages.length > 0 ? [new x509.ExtendedKeyUsageExtension(usages)] : []),
      await x509.SubjectKeyIdentifierExtension.create(publicKey),
      await x509.AuthorityKeyIdentifierExtension.create(ca.pair.keys.publicKey),
      ...(names.length > 0 ? [new x509.SubjectAlternativeNameExtension(names)] : []),
    ],
  });
  return describe(certificate);
}

/** The public key of a certificate request; undefined when it is none or its signature is wrong. */
export async function readRequest(
  pem: string,
): Promise<{ publicKey: webcrypto.CryptoKey; commonName: string } | undefined> {
  const x509 = await loadX509();
  try {
    const request = new x509.Pkcs10CertificateRequest(pem);
    if (!(await request.verify())) return undefined;
    return {
      publicKey: (await request.publicKey.export()) as webcrypto.CryptoKey,
      commonName: request.subjectName.getField('CN')[0] ?? '',
    };
  } catch {
    return undefined;
  }
}

/** A revocation list, DER. */
export async function newRevocationList(
  ca: CertificateAuthority,
  revoked: ReadonlyMap<string, number>,
  nowMs: number,
): Promise<Buffer> {
  const x509 = await loadX509();
  const list = await x509.X509CrlGenerator.create({
    issuer: nameOf(ca.commonName),
    thisUpdate: new Date(nowMs),
    nextUpdate: new Date(nowMs + 72 * 3_600_000),
    entries: [...revoked].map(([serial, ms]) => ({
      serialNumber: serial.replaceAll(':', ''),
      revocationDate: new Date(ms),
    })),
    signingKey: ca.pair.keys.privateKey,
    signingAlgorithm: ca.pair.signing,
  });
  return Buffer.from(list.rawData);
}

/** PEM in the type's own form (PKCS#1, SEC 1) or PKCS#8, without the last newline, as Vault gives it. */
export async function privateKeyPem(pair: KeyPair, format: string): Promise<string> {
  const der = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', pair.keys.privateKey));
  const key: KeyObject = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
  const own = pair.type === 'rsa' ? 'pkcs1' : pair.type === 'ec' ? 'sec1' : 'pkcs8';
  return key
    .export({ type: format === 'pkcs8' ? 'pkcs8' : own, format: 'pem' })
    .toString()
    .trim();
}

function describe(certificate: import('@peculiar/x509').X509Certificate): Certificate {
  return {
    pem: certificate.toString('pem').trim(),
    der: Buffer.from(certificate.rawData),
    serial: certificate.serialNumber.replace(/(..)(?=.)/g, '$1:'),
    notBeforeMs: certificate.notBefore.getTime(),
    notAfterMs: certificate.notAfter.getTime(),
  };
}

// Positive, 20 bytes at most.
function newSerial(): string {
  const bytes = randomBytes(20);
  bytes[0] = ((bytes[0] ?? 0) & 0x7f) | 0x40;
  return bytes.toString('hex');
}

function nameOf(commonName: string): { CN: string[] }[] {
  return [{ CN: [commonName] }];
}

/** Without the last newline, as Vault gives it; nothing for nothing. */
export function pemOf(label: string, der: Buffer): string {
  if (der.length === 0) return '';
  const lines = der.toString('base64').match(/.{1,64}/g) ?? [];
  return [`-----BEGIN ${label}-----`, ...lines, `-----END ${label}-----`].join('\n');
}
