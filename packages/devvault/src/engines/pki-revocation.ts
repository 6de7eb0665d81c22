// Revocation of certificates: by whoever may revoke all of a mount, and by whoever shows the key.
import { createPrivateKey, X509Certificate } from 'node:crypto';
import type { JsonObject } from '../../../../src/base/text/json.ts';
import type { BackendContext, Call, Route, VaultResponse } from '../backend.ts';
import { textField } from '../fields.ts';
import { badRequest, collected } from '../vault-error.ts';
import type { PkiState } from './pki.ts';

type RevocationState = Pick<PkiState, 'issued' | 'revoked' | 'issuer'>;

export function revocationRoutes(context: BackendContext, state: RevocationState): Route[] {
  return [
    { pattern: 'revoke', update: ({ data }) => revoke(context, state, chosen(state, data)) },
    {
      pattern: 'revoke-with-key',
      update(call) {
        const certificate = chosen(state, call.data);
        refuseForeignKey(certificate, call);
        return revoke(context, state, certificate);
      },
    },
  ];
}

/** By its serial number where it is stored, or as it is where this mount has signed it. */
function chosen(state: RevocationState, data: JsonObject): X509Certificate {
  const serial = textField(data, 'serial_number').replaceAll('-', ':').toLowerCase();
  const pem = textField(data, 'certificate');
  if (serial !== '' && pem !== '')
    throw badRequest('Must provide either the certificate or the serial to revoke; not both.');
  if (pem !== '') return signedHere(state, pem);
  if (serial === '') throw badRequest('The serial number or certificate to revoke must be provided.');
  const found = state.issued.get(serial);
  if (found === undefined) throw badRequest(`certificate with serial ${serial} not found.`);
  return new X509Certificate(found.der);
}

function signedHere({ issuer }: RevocationState, pem: string): X509Certificate {
  let certificate: X509Certificate;
  try {
    certificate = new X509Certificate(pem);
  } catch {
    throw collected(400, 'certificate contains no PEM data');
  }
  const authority = issuer && new X509Certificate(issuer.ca.der);
  if (authority === undefined || !certificate.verify(authority.publicKey))
    throw collected(
      400,
      'unable to verify signature on presented cert from any present issuer in this mount',
    );
  return certificate;
}

function refuseForeignKey(certificate: X509Certificate, { data }: Call): void {
  const pem = textField(data, 'private_key');
  if (pem === '') throw badRequest('private_key must be provided');
  let isIts: boolean;
  try {
    isIts = certificate.checkPrivateKey(createPrivateKey(pem));
  } catch {
    throw collected(500, 'provided key PEM block contained no data or failed to parse');
  }
  if (!isIts) throw collected(500, "provided private key does not match certificate's public key");
}

function revoke(
  context: BackendContext,
  { revoked }: RevocationState,
  certificate: X509Certificate,
): VaultResponse {
  const serial = certificate.serialNumber.toLowerCase().replace(/(..)(?=.)/g, '$1:');
  const at = revoked.get(serial) ?? context.clock.wall();
  revoked.set(serial, at);
  return {
    data: {
      revocation_time: Math.floor(at / 1000),
      revocation_time_rfc3339: new Date(at).toISOString(),
      state: 'revoked',
    },
  };
}
