import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { certificateEnd } from '../../../../src/upstream/vault/secrets/certificate-end.ts';
import { createAuthority } from '../../../support/certificates.ts';
import { missing } from '../../../support/missing.ts';

const end = Date.UTC(2031, 4, 6, 7, 8, 9);

async function certificate() {
  const authority = await createAuthority();
  const { cert, key } = await authority.issue({ notAfter: new Date(end) });
  return { cert, key, authority: authority.cert };
}

function derOf(pem: string): string {
  return pem.replace(/-----[^-]+-----/g, '').replace(/\s/g, '');
}

t.test('PEM, alone and as a bundle, and DER', async (t) => {
  const { cert, key } = await certificate();
  t.equal(certificateEnd(cert), end);
  t.equal(certificateEnd(`${key}\n${cert}\n${cert}`), end);
  t.equal(certificateEnd(derOf(cert)), end);
});

t.test(
  'PKCS#7 and an open PKCS#12, as openssl writes them',
  { skip: missing('openssl', ['openssl', 'version']) },
  async (t) => {
    const { cert, key, authority } = await certificate();
    const folder = t.testdir({ 'cert.pem': cert, 'key.pem': key, 'ca.pem': authority });
    const openssl = (...args: string[]): Buffer => {
      const { stdout, stderr, status } = spawnSync('openssl', args, { cwd: folder });
      t.equal(status, 0, stderr.toString());
      return stdout;
    };
    const bundle = ['crl2pkcs7', '-nocrl', '-certfile', 'cert.pem', '-certfile', 'ca.pem'];
    t.equal(certificateEnd(openssl(...bundle).toString()), end, 'PKCS#7 as PEM');
    t.equal(certificateEnd(openssl(...bundle, '-outform', 'DER').toString('base64')), end, 'PKCS#7 as DER');
    const open = ['-keypbe', 'NONE', '-certpbe', 'NONE', '-nomac', '-passout', 'pass:'];
    const pkcs12 = openssl('pkcs12', '-export', '-in', 'cert.pem', '-inkey', 'key.pem', ...open);
    t.equal(certificateEnd(pkcs12.toString('base64')), end, 'PKCS#12');
    const closed = openssl(
      'pkcs12',
      '-export',
      '-in',
      'cert.pem',
      '-inkey',
      'key.pem',
      '-passout',
      'pass:secret',
    );
    t.equal(certificateEnd(closed.toString('base64')), undefined, 'an encrypted one shows nothing');
  },
);

for (const type of ['ed25519', 'rsa', 'ecdsa']) {
  t.test(
    `a signed ${type} key, as ssh-keygen writes it`,
    { skip: missing('ssh-keygen', ['sh', '-c', 'command -v ssh-keygen']) },
    async (t) => {
      const folder = t.testdir();
      const keygen = (...args: string[]): void => {
        const { status, stderr } = spawnSync('ssh-keygen', ['-q', ...args], {
          cwd: folder,
          env: { ...process.env, TZ: 'UTC' },
        });
        t.equal(status, 0, stderr.toString());
      };
      keygen('-t', 'ed25519', '-N', '', '-f', 'ca');
      keygen('-t', type, '-N', '', '-f', 'key');
      keygen('-s', 'ca', '-I', 'id', '-n', 'host', '-V', '20300101000000:20310506070809', 'key.pub');
      t.equal(certificateEnd(readFileSync(join(folder, 'key-cert.pub'), 'utf8')), end);
      keygen('-s', 'ca', '-I', 'id', '-n', 'host', '-V', 'always:forever', 'key.pub');
      t.equal(
        certificateEnd(readFileSync(join(folder, 'key-cert.pub'), 'utf8')),
        undefined,
        'one without end',
      );
    },
  );
}

t.test('anything else tells nothing, and nothing throws', async (t) => {
  const { cert } = await certificate();
  const der = Buffer.from(derOf(cert), 'base64');
  for (let length = 0; length < der.length; length += 7) {
    t.equal(certificateEnd(der.subarray(0, length).toString('base64')), undefined);
  }
  for (const text of [
    '',
    'x',
    '-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----',
    'ssh-rsa AAAA',
    'ssh-ed25519-cert-v01@openssh.com AAAA',
    'MIAwgDCA'.repeat(99),
  ]) {
    t.equal(certificateEnd(text), undefined);
  }
});
