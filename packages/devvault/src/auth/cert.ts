// Cert auth: the client certificate of the TLS connection, signed by (or equal to) a certificate that is known here.
import { X509Certificate } from 'node:crypto';
import type { Backend, BackendContext, Call, VaultResponse } from '../backend.ts';
import { listField, textField } from '../fields.ts';
import { globMatches } from '../policy/glob.ts';
import { createRoleCollection } from '../role-collection.ts';
import { badRequest } from '../vault-error.ts';
import { describeTokenParams, grantOf, readTokenParams, type TokenParams } from './token-params.ts';

interface Role {
  readonly name: string;
  readonly displayName: string;
  readonly pem: string;
  readonly certificate: X509Certificate;
  readonly allowedCommonNames: readonly string[];
  readonly allowedDnsSans: readonly string[];
  readonly token: TokenParams;
}

export function createCert(context: BackendContext): Backend {
  const collection = createRoleCollection<Role>({
    folder: 'certs',
    read: (call, name) => readRole(call, name),
    describe: describeRole,
  });
  return {
    unauthenticated: ['login'],
    routes: [
      ...collection.routes,
      { pattern: 'login', update: (call) => login(context, collection.roles, call) },
    ],
  };
}

function readRole({ data }: Call, name: string): Role {
  const pem = textField(data, 'certificate');
  return {
    name,
    displayName: textField(data, 'display_name', name),
    pem,
    certificate: parseCertificate(pem),
    allowedCommonNames: listField(data, 'allowed_common_names', listField(data, 'allowed_names')),
    allowedDnsSans: listField(data, 'allowed_dns_sans'),
    token: readTokenParams(data),
  };
}

function parseCertificate(pem: string): X509Certificate {
  try {
    return new X509Certificate(pem);
  } catch {
    throw badRequest('failed to parse certificate');
  }
}

function describeRole(role: Role): object {
  return {
    ...describeTokenParams(role.token),
    allowed_common_names: role.allowedCommonNames,
    allowed_dns_sans: role.allowedDnsSans,
    certificate: role.pem,
    display_name: role.displayName,
  };
}

function login(context: BackendContext, roles: ReadonlyMap<string, Role>, call: Call): VaultResponse {
  const { peerCertificate } = call;
  if (peerCertificate === undefined) throw badRequest('client certificate must be supplied');
  const client = new X509Certificate(peerCertificate);
  const wanted = textField(call.data, 'name');
  const candidates = [...roles.values()].filter(
    (role) => wanted === '' || role.name === wanted.toLowerCase(),
  );
  const role = candidates.find((item) => isTrusted(item, client, context.clock.wall()));
  if (role === undefined) throw badRequest('invalid certificate or no client certificate supplied');
  const commonName = commonNameOf(client);
  if (!namesPass(role, client, commonName)) {
    throw badRequest('no chain matching all constraints could be found for this login certificate');
  }
  const metadata = {
    authority_key_id: '',
    cert_name: role.name,
    common_name: commonName,
    serial_number: BigInt(`0x${client.serialNumber}`).toString(),
    subject_key_id: '',
  };
  return { auth: grantOf(role.token, { displayName: role.displayName, alias: commonName, metadata }) };
}

function isTrusted(role: Role, client: X509Certificate, nowMs: number): boolean {
  const isInTime = client.validFromDate.getTime() <= nowMs && nowMs <= client.validToDate.getTime();
  if (!isInTime) return false;
  if (role.certificate.fingerprint256 === client.fingerprint256) return true;
  return (
    role.certificate.ca && client.checkIssued(role.certificate) && client.verify(role.certificate.publicKey)
  );
}

function namesPass(role: Role, client: X509Certificate, commonName: string): boolean {
  const sans = (client.subjectAltName ?? '')
    .split(', ')
    .filter((item) => item.startsWith('DNS:'))
    .map((item) => item.slice(4));
  const passes = (globs: readonly string[], names: readonly string[]): boolean =>
    globs.length === 0 || names.some((name) => globs.some((glob) => globMatches(glob, name)));
  return passes(role.allowedCommonNames, [commonName]) && passes(role.allowedDnsSans, sans);
}

function commonNameOf(certificate: X509Certificate): string {
  return /^CN=(.*)$/m.exec(certificate.subject)?.[1] ?? '';
}
