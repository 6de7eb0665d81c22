// The PKI secrets engine: one root per mount, roles, real certificates, revocation.
import type { JsonObject } from '../../../../src/base/text/json.ts';
import type { Backend, BackendContext, Call, LeaseGrant, Route, VaultResponse } from '../backend.ts';
import { intField, secondsField, textField } from '../fields.ts';
import { mountTtl } from '../namespace.ts';
import { createRoleCollection } from '../role-collection.ts';
import { badRequest, collected } from '../vault-error.ts';
import {
  type Certificate,
  type CertificateAuthority,
  issueCertificate,
  type KeyPair,
  type KeyType,
  newAuthority,
  newKeyPair,
  newRevocationList,
  pemOf,
  privateKeyPem,
  readRequest,
} from './pki-certificates.ts';
import { type Issuer, issuerRoutes, newIssuer } from './pki-issuers.ts';
import { revocationRoutes } from './pki-revocation.ts';
import { chooseLife, chooseNames, describePkiRole, type PkiRole, readPkiRole } from './pki-role.ts';

export interface PkiState {
  issuer: Issuer | undefined;
  /** By serial; what `cert/SERIAL` shows. */
  readonly issued: Map<string, Certificate>;
  /** Serial to the time of revocation. */
  readonly revoked: Map<string, number>;
}

const clockSkewMs = 30_000;

export function createPki(context: BackendContext): Backend {
  const state: PkiState = { issuer: undefined, issued: new Map(), revoked: new Map() };
  const collection = createRoleCollection<PkiRole>({
    folder: 'roles',
    read: ({ data }) => readPkiRole(data),
    describe: describePkiRole,
    isShownWhenWritten: true,
  });
  const roleOf = (call: Call): PkiRole => {
    const role = collection.roles.get((call.params['role'] ?? '').toLowerCase());
    if (role === undefined) throw badRequest(`unknown role: ${call.params['role']}`);
    return role;
  };
  return {
    unauthenticated: ['ca', 'ca/pem', 'ca_chain', 'cert/*', 'crl', 'crl/pem', 'issuer/+/json'],
    routes: [
      { pattern: 'root/generate/:kind', update: (call) => generateRoot(context, state, call) },
      { pattern: 'root', delete: () => removeRoot(state) },
      ...collection.routes,
      { pattern: 'issue/:role', update: (call) => issue(context, state, roleOf(call), call) },
      { pattern: 'sign/:role', update: (call) => sign(context, state, roleOf(call), call) },
      ...revocationRoutes(context, state),
      { pattern: 'certs', list: () => ({ data: { keys: [...state.issued.keys()].sort() } }) },
      { pattern: 'config/urls', read: () => ({ data: {} }), update: () => undefined },
      { pattern: 'tidy', update: () => ({ status: 202, data: null }) },
      ...issuerRoutes(() => state.issuer),
      ...readRoutes(context, state),
    ],
  };
}

async function generateRoot(context: BackendContext, state: PkiState, call: Call): Promise<VaultResponse> {
  const { kind } = call.params;
  if (kind !== 'internal' && kind !== 'exported') throw collected(404, 'unsupported path');
  const commonName = textField(call.data, 'common_name');
  if (commonName === '')
    throw badRequest(
      'the common_name field is required, or must be provided in a CSR with "use_csr_common_name" set to true, unless "require_cn" is set to false',
    );
  const pair = await newKeyPair(
    textField(call.data, 'key_type', 'rsa') as KeyType,
    intField(call.data, 'key_bits'),
  );
  const mount = mountTtl(context.mount);
  const now = context.clock.wall();
  const seconds = Math.min(secondsField(call.data, 'ttl') || mount.defaultSeconds, mount.maxSeconds);
  const ca = await newAuthority(pair, commonName, now - clockSkewMs, now + seconds * 1000);
  const issuer = newIssuer(ca, textField(call.data, 'issuer_name'));
  state.issuer = issuer;
  state.issued.set(ca.serial, ca);
  return {
    data: {
      certificate: ca.pem,
      expiration: Math.floor(ca.notAfterMs / 1000),
      issuer_id: issuer.id,
      issuer_name: issuer.name,
      issuing_ca: ca.pem,
      key_id: issuer.keyId,
      key_name: textField(call.data, 'key_name'),
      serial_number: ca.serial,
      ...(kind === 'exported' ? await keyFields(pair, call.data) : {}),
    },
  };
}

async function issue(
  context: BackendContext,
  state: PkiState,
  role: PkiRole,
  call: Call,
): Promise<VaultResponse> {
  const ca = requireCa(state);
  const pair = await newKeyPair(role.keyType, role.keyBits);
  const { certificate, warnings } = await certify(context, ca, role, call.data, pair.keys.publicKey);
  const keys = await keyFields(pair, call.data);
  return finish(context, state, ca, role, call, certificate, keys, warnings);
}

async function sign(
  context: BackendContext,
  state: PkiState,
  role: PkiRole,
  call: Call,
): Promise<VaultResponse> {
  const ca = requireCa(state);
  const request = await readRequest(textField(call.data, 'csr'));
  if (request === undefined) throw badRequest('"csr" contains no data or is not a valid certificate request');
  const { certificate, warnings } = await certify(
    context,
    ca,
    role,
    call.data,
    request.publicKey,
    request.commonName,
  );
  return finish(context, state, ca, role, call, certificate, {}, warnings);
}

async function certify(
  context: BackendContext,
  ca: CertificateAuthority,
  role: PkiRole,
  data: JsonObject,
  publicKey: KeyPair['keys']['publicKey'],
  csrCommonName = '',
) {
  const names = chooseNames(role, data, csrCommonName);
  const { seconds, warnings } = chooseLife(role, secondsField(data, 'ttl'), mountTtl(context.mount));
  const now = context.clock.wall();
  const notAfterMs = now + seconds * 1000;
  if (notAfterMs > ca.notAfterMs) {
    const [wanted, end] = [new Date(notAfterMs).toISOString(), new Date(ca.notAfterMs).toISOString()];
    throw badRequest(
      `cannot satisfy request, as TTL would result in notAfter of ${wanted} that is beyond the expiration of the CA certificate at ${end}`,
    );
  }
  const { isServer, isClient } = role;
  const request = {
    ...names,
    isServer,
    isClient,
    notBeforeMs: now - role.notBeforeSeconds * 1000,
    notAfterMs,
  };
  return { certificate: await issueCertificate(ca, publicKey, request), warnings };
}

function finish(
  context: BackendContext,
  state: PkiState,
  ca: CertificateAuthority,
  role: PkiRole,
  call: Call,
  certificate: Certificate,
  keys: Record<string, string>,
  warnings: string[],
): VaultResponse {
  if (role.isStored) state.issued.set(certificate.serial, certificate);
  const bundle = [keys['private_key'], certificate.pem, ca.pem]
    .filter((part) => part !== undefined)
    .join('\n');
  const isBundle = textField(call.data, 'format', 'pem') === 'pem_bundle';
  const data = {
    ca_chain: [ca.pem],
    certificate: isBundle ? bundle : certificate.pem,
    expiration: Math.floor(certificate.notAfterMs / 1000),
    not_before: Math.floor(certificate.notBeforeMs / 1000),
    issuing_ca: ca.pem,
    ...keys,
    serial_number: certificate.serial,
  };
  return { data, warnings, ...(role.hasLease ? { lease: leaseOf(context, state, certificate) } : {}) };
}

function leaseOf(context: BackendContext, state: PkiState, certificate: Certificate): LeaseGrant {
  const seconds = Math.floor((certificate.notAfterMs - context.clock.wall()) / 1000);
  return {
    ttlSeconds: seconds,
    maxTtlSeconds: seconds,
    renewable: false,
    async revoke() {
      state.revoked.set(certificate.serial, context.clock.wall());
    },
  };
}

async function keyFields(pair: KeyPair, data: JsonObject): Promise<Record<string, string>> {
  return {
    private_key: await privateKeyPem(pair, textField(data, 'private_key_format')),
    private_key_type: pair.type,
  };
}

function requireCa(state: PkiState): CertificateAuthority {
  if (state.issuer !== undefined) return state.issuer.ca;
  throw collected(
    500,
    'could not fetch the CA certificate (was one set?): no default issuer currently configured',
  );
}

function readRoutes(context: BackendContext, state: PkiState): Route[] {
  const raw = (body: string | Buffer, contentType: string): VaultResponse => ({ raw: { body, contentType } });
  const pemType = 'application/pem-certificate-chain';
  const noCa: VaultResponse = { status: 204, data: null };
  const caOf = (): CertificateAuthority | undefined => state.issuer?.ca;
  const list = async (): Promise<Buffer> => {
    const ca = caOf();
    return ca ? newRevocationList(ca, state.revoked, context.clock.wall()) : Buffer.alloc(0);
  };
  const listPem = async (): Promise<string> => pemOf('X509 CRL', await list());
  const rawCa = (bytes: (ca: CertificateAuthority) => string | Buffer, contentType: string) => {
    const ca = caOf();
    return ca ? raw(bytes(ca), contentType) : noCa;
  };
  return [
    { pattern: 'ca', read: () => rawCa(({ der }) => der, 'application/pkix-cert') },
    { pattern: 'ca/pem', read: () => rawCa(({ pem }) => pem, pemType) },
    { pattern: 'ca_chain', read: () => rawCa(({ pem }) => pem, pemType) },
    { pattern: 'crl/pem', read: async () => raw(await listPem(), 'application/x-pem-file') },
    { pattern: 'crl', read: async () => raw(await list(), 'application/pkix-crl') },
    {
      pattern: 'cert/:serial',
      read: async ({ params }) => {
        const name = (params['serial'] ?? '').replaceAll('-', ':').toLowerCase();
        const isCa = name === 'ca' || name === 'ca_chain';
        if (name === 'crl') return { data: { certificate: await listPem(), revocation_time: 0 } };
        const certificate = isCa ? caOf() : state.issued.get(name);
        if (certificate === undefined) return undefined;
        const revokedMs = state.revoked.get(certificate.serial);
        const data = {
          certificate: certificate.pem,
          ...(revokedMs === undefined ? {} : { issuer_id: '' }),
          revocation_time: revokedMs === undefined ? 0 : Math.floor(revokedMs / 1000),
          revocation_time_rfc3339: revokedMs === undefined ? '' : new Date(revokedMs).toISOString(),
          ...(name === 'ca_chain' ? { ca_chain: certificate.pem } : {}),
        };
        return { data };
      },
    },
  ];
}

function removeRoot(state: PkiState): undefined {
  state.issuer = undefined;
}
