// The one issuer of a PKI mount as Vault's API for several of them shows it: by its id, its name or as `default`.
import type { Call, Route, VaultResponse } from '../backend.ts';
import { newUuid } from '../identifiers.ts';
import { badRequest, collected } from '../vault-error.ts';
import type { CertificateAuthority } from './pki-certificates.ts';

export interface Issuer {
  readonly ca: CertificateAuthority;
  readonly id: string;
  readonly keyId: string;
  readonly name: string;
}

export function newIssuer(ca: CertificateAuthority, name: string): Issuer {
  return { ca, id: newUuid(), keyId: newUuid(), name };
}

/** `current` is undefined while the mount has no root. */
export function issuerRoutes(current: () => Issuer | undefined): Route[] {
  const issuerOf = ({ params }: Call): Issuer => {
    const reference = params['reference'] ?? '';
    const issuer = current();
    if (issuer === undefined) throw collected(500, 'no default issuer currently configured');
    if (reference === 'default' || reference === issuer.id) return issuer;
    if (issuer.name !== '' && reference === issuer.name) return issuer;
    throw collected(500, `unable to find PKI issuer for reference: ${reference}`);
  };
  return [
    { pattern: 'issuer/:reference', read: (call) => ({ data: { ...shown(issuerOf(call)), ...usual } }) },
    { pattern: 'issuer/:reference/json', read: (call) => ({ data: shown(issuerOf(call), false) }) },
    { pattern: 'issuers', list: () => listed(current()) },
    { pattern: 'config/issuers', read: () => ({ data: defaults(current()) }), update: refuseUpdate },
  ];
}

const usual = {
  crl_distribution_points: [],
  delta_crl_distribution_points: [],
  issuing_certificates: [],
  leaf_not_after_behavior: 'err',
  manual_chain: null,
  ocsp_servers: [],
  revocation_signature_algorithm: '',
  revoked: false,
  usage: 'crl-signing,issuing-certificates,ocsp-signing,read-only',
};

/** With a line end behind each certificate, which those that are issued have not. */
function shown({ ca, id, keyId, name }: Issuer, hasKey = true) {
  const certificate = `${ca.pem}\n`;
  const issuer = { ca_chain: [certificate], certificate, issuer_id: id, issuer_name: name };
  return hasKey ? { ...issuer, key_id: keyId } : issuer;
}

function listed(issuer: Issuer | undefined): VaultResponse {
  if (issuer === undefined) return { data: { keys: [] } };
  const { id, name, keyId, ca } = issuer;
  const about = { is_default: true, issuer_name: name, key_id: keyId, serial_number: ca.serial };
  return { data: { keys: [id], key_info: { [id]: about } } };
}

function defaults(issuer: Issuer | undefined) {
  return { default: issuer?.id ?? '', default_follows_latest_issuer: false };
}

function refuseUpdate(): never {
  throw badRequest('this development vault has one issuer a mount');
}
