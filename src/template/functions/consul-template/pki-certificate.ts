// pkiCert: the PEM blocks of Vault's answer, sorted into key, certificate, CA and chain. Apart from vault.ts, because it
// brings all of node:crypto.
import { X509Certificate } from 'node:crypto';
import type { JsonObject } from '../../../base/text/json.ts';
import { callError, defineFunction, defineMethod, type FunctionTable } from '../../exec/function-table.ts';
import type { LookupSecret } from '../../exec/lookup.ts';
import { encodeText } from '../../text/bytes.ts';
import { structType } from '../../value/type.ts';
import { StructValue, stringSlice } from '../../value/value.ts';
import { ask, writeOf } from './vault.ts';

const block = /-----BEGIN ([^-]+)-----([^-]*)-----END \1-----/g;
const pemType = structType(
  'dependency.PemEncoded',
  [
    ['Cert', 'string'],
    ['Key', 'string'],
    ['CA', 'string'],
    ['CAChain', '[]string'],
  ],
  {
    /** `.Data.Cert` works as well as `.Cert`. */
    Data: defineMethod([], 'any', (_context, self: StructValue) => self),
    CaChainContains: defineMethod(['string'], 'bool', (_context, self: StructValue, pem) =>
      (self.hidden as Sorted).chain.includes(pem),
    ),
  },
);

interface Sorted {
  certificate: string;
  key: string;
  ca: string;
  chain: string[];
}

export const pkiCertificate: FunctionTable = {
  pkiCert: defineFunction(['...string'], 'any', (context, path, ...pairs) => {
    if (path === undefined) return null;
    const found = ask(context, writeOf(path, pairs, 'read'));
    return found === null ? null : certificateValue(found);
  }),
};

const made = new WeakMap<LookupSecret, StructValue>();

function certificateValue(secret: LookupSecret): StructValue {
  const known = made.get(secret);
  if (known !== undefined) return known;
  const sorted = sortBlocks(textsOf(secret.data ?? {}));
  if (sorted.certificate === '')
    throw callError`the answer has no certificate; pkiCert is for paths such as pki/issue/ROLE`;
  const { certificate, key, ca, chain } = sorted;
  const value = new StructValue(pemType, [certificate, key, ca, stringSlice(chain)], sorted);
  made.set(secret, value);
  return value;
}

/** The certificate first, so that the order does not depend on that of the answer. */
function textsOf(data: JsonObject): string[] {
  const { certificate, private_key, issuing_ca, ca_chain, ...others } = data;
  return [certificate, private_key, issuing_ca, ca_chain, ...Object.values(others)]
    .flat()
    .filter((item) => typeof item === 'string')
    .map(encodeText);
}

function sortBlocks(texts: readonly string[]): Sorted {
  const sorted: Sorted = { certificate: '', key: '', ca: '', chain: [] };
  for (const [, label = '', body = ''] of texts.join('\n').matchAll(block)) {
    const pem = toPem(label, body);
    if (label.endsWith('PRIVATE KEY')) sorted.key = pem;
    else if (!isAuthority(pem)) sorted.certificate = pem;
    else {
      sorted.ca ||= pem;
      if (!sorted.chain.includes(pem)) sorted.chain.push(pem);
    }
  }
  return sorted;
}

/** As Go writes PEM: lines of 64 characters, a line end at the end. */
function toPem(label: string, body: string): string {
  const lines = body.replace(/\s+/g, '').match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`;
}

function isAuthority(pem: string): boolean {
  try {
    return new X509Certificate(pem).ca;
  } catch {
    throw callError`the answer has a certificate that cannot be read`;
  }
}
