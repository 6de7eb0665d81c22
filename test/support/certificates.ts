// Certificates made on the fly: an authority and what it signs, for servers, clients and the faults of both.
import 'reflect-metadata';
import { randomBytes, webcrypto } from 'node:crypto';
import * as x509 from '@peculiar/x509';

x509.cryptoProvider.set(webcrypto as typeof crypto);

export interface PemPair {
  readonly cert: string;
  readonly key: string;
}

export interface TestAuthority extends PemPair {
  issue(options?: IssueOptions): Promise<PemPair>;
}

export interface IssueOptions {
  commonName?: string;
  /** Default: the IP address 127.0.0.1. */
  names?: { type: 'dns' | 'ip'; value: string }[];
  notAfter?: Date;
  usage?: 'server' | 'client';
}

const algorithm = { name: 'ECDSA', namedCurve: 'P-256' } as const;
const signingAlgorithm = { name: 'ECDSA', hash: 'SHA-256' } as const;
const day = 86_400_000;

export async function createAuthority(name = 'Test authority'): Promise<TestAuthority> {
  const keys = await newKeys();
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    name: `CN=${name}`,
    keys,
    signingAlgorithm,
    serialNumber: randomBytes(8).toString('hex'),
    notBefore: new Date(Date.now() - 2 * day),
    notAfter: new Date(Date.now() + day),
    extensions: [
      new x509.BasicConstraintsExtension(true, 1, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
    ],
  });
  return {
    cert: certificate.toString('pem'),
    key: await pemOf(keys.privateKey),
    async issue(options = {}) {
      const own = await newKeys();
      const usage =
        options.usage === 'client' ? x509.ExtendedKeyUsage.clientAuth : x509.ExtendedKeyUsage.serverAuth;
      const issued = await x509.X509CertificateGenerator.create({
        subject: `CN=${options.commonName ?? 'vault'}`,
        issuer: certificate.subject,
        publicKey: own.publicKey,
        signingKey: keys.privateKey,
        signingAlgorithm,
        serialNumber: randomBytes(8).toString('hex'),
        notBefore: new Date(Date.now() - 2 * day),
        notAfter: options.notAfter ?? new Date(Date.now() + day),
        extensions: [
          new x509.SubjectAlternativeNameExtension(options.names ?? [{ type: 'ip', value: '127.0.0.1' }]),
          new x509.ExtendedKeyUsageExtension([usage]),
        ],
      });
      return { cert: issued.toString('pem'), key: await pemOf(own.privateKey) };
    },
  };
}

async function newKeys(): Promise<webcrypto.CryptoKeyPair> {
  return await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
}

async function pemOf(key: webcrypto.CryptoKey): Promise<string> {
  const der = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', key));
  const body = der.toString('base64').replace(/(.{64})/g, '$1\n');
  return `-----BEGIN PRIVATE KEY-----\n${body}\n-----END PRIVATE KEY-----\n`;
}
