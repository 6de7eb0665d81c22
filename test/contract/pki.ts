import { createPrivateKey, X509Certificate } from 'node:crypto';
import { contract } from '../support/contract-server.ts';

contract('a certificate is issued, fits its key and its authority, and is revoked', async (t, server) => {
  await server.ask('POST', 'sys/mounts/pki', { data: { type: 'pki', config: { max_lease_ttl: '8760h' } } });
  const root = (
    await server.ask('POST', 'pki/root/generate/internal', {
      data: { common_name: 'Test Root', ttl: '1000h' },
    })
  ).body.data;
  t.equal(
    (
      await server.ask('POST', 'pki/roles/web', {
        data: {
          allowed_domains: 'example.com',
          allow_subdomains: true,
          max_ttl: '72h',
          key_type: 'ec',
          key_bits: 256,
        },
      })
    ).status,
    200,
  );
  const issued = (
    await server.ask('POST', 'pki/issue/web', {
      data: { common_name: 'www.example.com', alt_names: 'api.example.com', ip_sans: '127.0.0.1', ttl: '1h' },
    })
  ).body;
  const { data } = issued;
  const certificate = new X509Certificate(data.certificate);
  const authority = new X509Certificate(data.issuing_ca);
  t.equal(authority.fingerprint256, new X509Certificate(root.certificate).fingerprint256);
  t.ok(certificate.verify(authority.publicKey) && certificate.checkIssued(authority));
  t.ok(certificate.checkPrivateKey(createPrivateKey(data.private_key)));
  t.match(data.private_key, /^-----BEGIN EC PRIVATE KEY-----/);
  t.equal(data.serial_number.replaceAll(':', '').toUpperCase(), certificate.serialNumber);
  t.match(certificate.subjectAltName, /DNS:www.example.com/);
  t.match(certificate.subjectAltName, /DNS:api.example.com/);
  t.match(certificate.subjectAltName, /IP Address:127.0.0.1/);
  t.ok(Math.abs(data.expiration * 1000 - Date.now() - 3_600_000) < 60_000);
  t.equal(issued.lease_id, '');
  await server.ask('GET', `pki/cert/${data.serial_number}`, { token: '' });
  const revoked = await server.ask('POST', 'pki/revoke', { data: { serial_number: data.serial_number } });
  t.ok(revoked.body.data.revocation_time);
  t.ok(
    (await server.ask('GET', `pki/cert/${data.serial_number}`, { token: '' })).body.data.revocation_time > 0,
  );
  t.ok((await server.ask('LIST', 'pki/certs')).body.data.keys.includes(data.serial_number));
});

contract('names and times that the role does not allow are refused', async (t, server) => {
  await server.ask('POST', 'sys/mounts/pki', { data: { type: 'pki' } });
  await server.ask('POST', 'pki/roles/web', {
    data: { allowed_domains: 'example.com', allow_subdomains: true, max_ttl: '2h' },
  });
  await server.ask('POST', 'pki/issue/web', { data: { common_name: 'www.example.com' } });
  await server.ask('POST', 'pki/root/generate/internal', { data: { common_name: 'Test Root', ttl: '90m' } });
  const refused = async (data: object): Promise<string[]> =>
    (await server.ask('POST', 'pki/issue/web', { data })).body.errors;
  t.strictSame(await refused({ common_name: 'evil.com' }), ['common name evil.com not allowed by this role']);
  t.strictSame(await refused({ common_name: 'example.com' }), [
    'common name example.com not allowed by this role',
  ]);
  t.strictSame(await refused({ common_name: 'a.example.com', alt_names: 'evil.com' }), [
    'subject alternate name evil.com not allowed by this role',
  ]);
  t.match(await refused({}), [/the common_name field is required/]);
  t.match(await refused({ common_name: 'a.example.com', ttl: '2h' }), [
    /^cannot satisfy request, as TTL would result in notAfter/,
  ]);
  t.strictSame(
    (await server.ask('POST', 'pki/issue/nobody', { data: { common_name: 'a.example.com' } })).body.errors,
    ['unknown role: nobody'],
  );
  await server.ask('POST', 'pki/revoke', { data: { serial_number: '11:22:33' } });
  await server.ask('POST', 'pki/revoke', { data: {} });
  await server.ask('GET', 'pki/cert/11:22:33', { token: '' });
  await server.ask('GET', 'pki/roles/nobody');
});

contract('the authority is public, in every form', async (t, server) => {
  await server.ask('POST', 'sys/mounts/pki', { data: { type: 'pki' } });
  await server.ask('POST', 'pki/root/generate/internal', { data: { common_name: 'Test Root', ttl: '90m' } });
  const pem = await server.ask('GET', 'pki/ca/pem', { token: '' });
  t.match(new X509Certificate(pem.body).subject, 'CN=Test Root');
  t.match(
    new X509Certificate((await server.ask('GET', 'pki/ca_chain', { token: '' })).body).subject,
    'CN=Test Root',
  );
  t.match(
    new X509Certificate((await server.ask('GET', 'pki/cert/ca', { token: '' })).body.data.certificate)
      .subject,
    'CN=Test Root',
  );
  const der = await (await fetch(`${server.address}/v1/pki/ca`)).arrayBuffer();
  t.match(new X509Certificate(Buffer.from(der)).subject, 'CN=Test Root');
  t.match((await server.ask('GET', 'pki/crl/pem', { token: '' })).body, /BEGIN X509 CRL|BEGIN CRL/);
});

contract('an issued certificate has a lease where the role says so', async (t, server) => {
  await server.ask('POST', 'sys/mounts/pki', { data: { type: 'pki' } });
  await server.ask('POST', 'pki/root/generate/internal', { data: { common_name: 'Test Root', ttl: '90m' } });
  await server.ask('POST', 'pki/roles/leased', {
    data: { allow_any_name: true, generate_lease: true, key_type: 'ec', max_ttl: '1h' },
  });
  const issued = (
    await server.ask('POST', 'pki/issue/leased', {
      data: { common_name: 'a.example.com', private_key_format: 'pkcs8', format: 'pem_bundle' },
    })
  ).body;
  t.match(issued.lease_id, /^pki\/issue\/leased\//);
  t.equal(issued.renewable, false);
  t.match(issued.data.private_key, /^-----BEGIN PRIVATE KEY-----/);
  t.match(issued.data.certificate, /BEGIN [A-Z ]*PRIVATE KEY[\s\S]*BEGIN CERTIFICATE/);
  await server.ask('POST', 'sys/leases/renew', { data: { lease_id: issued.lease_id } });
  t.equal(
    (await server.ask('POST', 'sys/leases/revoke', { data: { lease_id: issued.lease_id } })).status,
    204,
  );
  t.ok((await server.ask('GET', `pki/cert/${issued.data.serial_number}`)).body.data.revocation_time > 0);
});

contract('the issuer of a mount is shown by its id and as the default', async (t, server) => {
  await server.ask('POST', 'sys/mounts/pki', { data: { type: 'pki' } });
  t.equal((await server.ask('GET', 'pki/issuer/default')).status, 500);
  t.equal((await server.ask('LIST', 'pki/issuers')).status, 404);
  const root = (
    await server.ask('POST', 'pki/root/generate/internal', { data: { common_name: 'Test Root', ttl: '90m' } })
  ).body.data;
  const { data } = (await server.ask('GET', 'pki/issuer/default')).body;
  t.match(data, {
    issuer_id: root.issuer_id,
    key_id: root.key_id,
    leaf_not_after_behavior: 'err',
    revoked: false,
  });
  t.equal(data.certificate, `${root.certificate}\n`);
  t.same(data.ca_chain, [data.certificate]);
  t.same((await server.ask('GET', `pki/issuer/${root.issuer_id}`)).body.data, data);
  t.match((await server.ask('GET', 'pki/issuer/default/json', { token: '' })).body.data, {
    certificate: data.certificate,
    issuer_id: root.issuer_id,
  });
  t.match((await server.ask('LIST', 'pki/issuers')).body.data, {
    keys: [root.issuer_id],
    key_info: {
      [root.issuer_id]: { is_default: true, key_id: root.key_id, serial_number: root.serial_number },
    },
  });
  t.match((await server.ask('GET', 'pki/config/issuers')).body.data, { default: root.issuer_id });
  t.equal((await server.ask('GET', 'pki/issuer/none')).status, 500);
});

contract('a certificate is revoked by whoever shows its key, stored or not', async (t, server) => {
  await server.ask('POST', 'sys/mounts/pki', { data: { type: 'pki' } });
  await server.ask('POST', 'pki/root/generate/internal', { data: { common_name: 'Test Root', ttl: '90m' } });
  const role = { allow_any_name: true, enforce_hostnames: false, key_type: 'ec', max_ttl: '1h' };
  await server.ask('POST', 'pki/roles/web', { data: role });
  await server.ask('POST', 'pki/roles/unstored', { data: { ...role, no_store: true } });
  const issue = async (name: string) =>
    (await server.ask('POST', `pki/issue/${name}`, { data: { common_name: 'a' } })).body.data;
  const [one, other, unstored] = [await issue('web'), await issue('web'), await issue('unstored')];
  const revoke = (data: object) => server.ask('POST', 'pki/revoke-with-key', { data });
  const foreign = await revoke({ serial_number: one.serial_number, private_key: other.private_key });
  t.match(foreign, { status: 500, body: { errors: [/does not match certificate's public key/] } });
  t.match(await revoke({ serial_number: one.serial_number, private_key: 'no key\n'.repeat(40) }), {
    status: 500,
  });
  t.match(await revoke({ serial_number: one.serial_number, private_key: one.private_key }), {
    status: 200,
    body: { data: { state: 'revoked' } },
  });
  const { private_key } = unstored;
  t.match(await revoke({ serial_number: unstored.serial_number, private_key }), {
    status: 400,
    body: { errors: [/not found/] },
  });
  t.match(await revoke({ certificate: unstored.certificate, private_key }), { status: 200 });
  const shown = await server.ask('GET', `pki/cert/${one.serial_number}`, { token: '' });
  t.ok(shown.body.data.revocation_time > 0);
});
