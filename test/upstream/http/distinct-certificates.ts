// One authority that several stores have is given to OpenSSL once, and none is lost.
import { X509Certificate } from 'node:crypto';
import tls from 'node:tls';
import t from 'tap';
import { distinctCertificates } from '../../../src/upstream/http/distinct-certificates.ts';
import { createAuthority } from '../../support/certificates.ts';

t.test('counts a certificate once, however its lines are cut', async (t) => {
  const [one, other] = await Promise.all([createAuthority('one'), createAuthority('other')]);
  const begin = '-----BEGIN CERTIFICATE-----';
  const end = '-----END CERTIFICATE-----';
  const content = one.cert.replace(begin, '').replace(end, '').replace(/\s+/g, '');
  const cutOtherwise = `${begin}\r\n${content.match(/.{1,76}/g)?.join('\r\n')}\r\n${end}`;
  t.equal(new X509Certificate(cutOtherwise).fingerprint256, new X509Certificate(one.cert).fingerprint256);
  t.same(distinctCertificates([one.cert, other.cert, cutOtherwise, `${other.cert}\n`]), [
    one.cert,
    other.cert,
  ]);
});

t.test('loses none of the authorities of Node and of the system', (t) => {
  const all = [...tls.getCACertificates('default'), ...tls.getCACertificates('system')];
  const fingerprints = (texts: readonly string[]): string[] =>
    [...new Set(texts.map((text) => new X509Certificate(text).fingerprint256))].sort();
  const distinct = distinctCertificates(all);
  t.same(fingerprints(distinct), fingerprints(all));
  t.equal(distinct.length, fingerprints(all).length);
  t.end();
});
