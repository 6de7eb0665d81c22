// The identity of an instance of Oracle Cloud: its certificate from the metadata service, exchanged for a security token over a
// key pair that is made here.

import { generateKeyPair, X509Certificate } from 'node:crypto';
import { promisify } from 'node:util';
import { LatchkeyError } from '../../../base/errors.ts';
import type { Environment } from '../../../base/surroundings.ts';
import type { JsonObject } from '../../../base/text/json.ts';
import { type MetadataRequest, metadataJson, metadataText } from '../metadata-request.ts';
import { ociPrivateKey } from './oci-keys.ts';
import { type OciKey, ociAuthorization, ociBodyHeaders } from './oci-signature.ts';

export interface OciInstanceSource {
  readonly env: Environment;
  readonly signal: AbortSignal;
  /** The time that is signed. */
  readonly now: Date;
}

const service = 'the metadata service of Oracle Cloud';
const remedy = 'run on an instance of Oracle Cloud, or log in with auth.type: apikey';
const usualAddress = 'http://169.254.169.254/opc/v2';
const sessionKeyBits = 2048;

/** Throws `login_failed`. */
export async function ociInstanceKey(source: OciInstanceSource): Promise<OciKey> {
  const { env, signal } = source;
  const base = (env['OCI_METADATA_BASE_URL'] || usualAddress).replace(/\/+$/, '');
  const from = (path: string): MetadataRequest => ({
    service,
    url: `${base}/${path}`,
    headers: { authorization: 'Bearer Oracle' },
    remedy,
    signal,
  });
  const [pem, keyPem, intermediate, authAddress, session] = await Promise.all([
    metadataText(from('identity/cert.pem')),
    metadataText(from('identity/key.pem')),
    metadataText(from('identity/intermediate.pem')),
    env['OCI_SDK_AUTH_CLIENT_REGION_URL'] || metadataJson(from('instance/regionInfo')).then(authAddressOf),
    promisify(generateKeyPair)('rsa', { modulusLength: sessionKeyBits }),
  ]);
  const leaf = { id: leafKeyId(pem), key: ociPrivateKey(keyPem, `${base}/identity/key.pem`) };
  const body = JSON.stringify({
    certificate: bare(pem),
    publicKey: bare(session.publicKey.export({ type: 'spki', format: 'pem' })),
    intermediateCertificates: [bare(intermediate)],
    fingerprintAlgorithm: 'SHA256',
  });
  const token = await securityToken(authAddress, leaf, body, source);
  return { id: `ST$${token}`, key: session.privateKey };
}

function authAddressOf({ regionIdentifier: region, realmDomainComponent: domain }: JsonObject): string {
  if (typeof region === 'string' && typeof domain === 'string') return `https://auth.${region}.${domain}`;
  throw new LatchkeyError('login_failed', `${service} names no region`, { remedy });
}

function leafKeyId(pem: string): string {
  let certificate: X509Certificate | undefined;
  try {
    certificate = new X509Certificate(pem);
  } catch {
    // Told below: no certificate has no tenancy either.
  }
  const tenancy = /opc-tenant:([\w.-]+)/.exec(certificate?.subject ?? '')?.[1];
  if (certificate === undefined || tenancy === undefined)
    throw new LatchkeyError('login_failed', `${service} gives no certificate that names a tenancy`, {
      remedy,
    });
  return `${tenancy}/fed-x509-sha256/${certificate.fingerprint256.toLowerCase()}`;
}

async function securityToken(
  address: string,
  leaf: OciKey,
  body: string,
  { signal, now }: OciInstanceSource,
): Promise<string> {
  const url = `${address.replace(/\/+$/, '')}/v1/x509`;
  const { pathname } = new URL(url);
  const date = now.toUTCString();
  const signed = { date, '(request-target)': `post ${pathname}`, ...ociBodyHeaders(body) };
  const { '(request-target)': _, ...headers } = signed;
  const { token } = await metadataJson({
    service: 'the identity service of Oracle Cloud',
    url,
    method: 'POST',
    headers: { ...headers, authorization: ociAuthorization(leaf, signed) },
    body,
    remedy: 'check the clock of this instance, and that it reaches the identity service of its region',
    signal,
  });
  if (typeof token === 'string' && token !== '') return token;
  throw new LatchkeyError('login_failed', 'the identity service of Oracle Cloud answers without token', {
    remedy,
  });
}

function bare(pem: string | Buffer): string {
  return pem.toString().replace(/-----(?:BEGIN|END) (?:CERTIFICATE|PUBLIC KEY)-----|[\r\n]/g, '');
}
