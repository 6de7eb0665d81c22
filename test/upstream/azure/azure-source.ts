import { execFileSync } from 'node:child_process';
import { createHash, generateKeyPairSync, X509Certificate } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { decodeJwt, decodeProtectedHeader } from 'jose';
import t from 'tap';
import { startFakeService } from '../../support/fake-service.ts';
import { startKindSource } from '../../support/kind-source.ts';
import { testFolder } from '../../support/test-folder.ts';

t.test('a managed identity of the host, certificates, versions, and what is disabled', async (t) => {
  const service = await startFakeService(t, ({ path, query, headers }) => {
    if (path === '/metadata/identity/oauth2/token') {
      return headers['metadata'] === 'true'
        ? {
            json: {
              access_token: 'host',
              expires_on: String(Math.floor(Date.now() / 1000) + 600),
              resource: query.get('resource'),
            },
          }
        : { status: 400 };
    }
    if (headers.authorization !== 'Bearer host') return { status: 401 };
    const id = `https://v.vault.azure.net${path}/abc123`;
    if (path === '/secrets/cert')
      return {
        json: {
          id,
          value: Buffer.from([0, 1, 255]).toString('base64'),
          contentType: 'application/x-pkcs12',
          attributes: { enabled: true },
        },
      };
    if (path === '/secrets/off')
      return { status: 403, json: { error: { code: 'Forbidden', innererror: { code: 'SecretDisabled' } } } };
    if (path === '/secrets/later')
      return { json: { id, value: 'canary', attributes: { enabled: true, nbf: 4_000_000_000 } } };
    return { json: { id, value: `{"at":"${path}"}`, attributes: { enabled: true } } };
  });
  const up = await startKindSource(
    t,
    { kind: 'azure', vault: service.address },
    { env: { AZURE_POD_IDENTITY_AUTHORITY_HOST: service.address } },
  );
  t.same(await up.fields('db'), { at: '/secrets/db' });
  t.same(await up.fields('db/0123abc#at'), { value: '/secrets/db/0123abc' });
  t.match(await up.read('db'), { versionId: 'abc123' });
  const { content } = await up.read('cert');
  t.same(content.form === 'bytes' && content.value.bytes(), Buffer.from([0, 1, 255]));
  await t.rejects(up.read('off'), { code: 'not_found', message: /disabled/ });
  await t.rejects(up.read('later'), { code: 'not_found', message: /not valid yet/ });
  await t.rejects(up.read('under_score'), { code: 'request_invalid' });
  t.equal(
    service.requests.find(({ path }) => path.startsWith('/metadata'))?.query.get('resource'),
    'https://vault.azure.net',
  );
  t.equal(service.requests.filter(({ path }) => path.startsWith('/metadata')).length, 1, 'one token for all');
});

t.test('an application by its certificate', async (t) => {
  const folder = testFolder(t);
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  writeFileSync(join(folder, 'key'), privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 });
  const certificate = execFileSync(
    'openssl',
    ['req', '-x509', '-key', join(folder, 'key'), '-subj', '/CN=app', '-days', '2'],
    { encoding: 'utf8' },
  );
  writeFileSync(join(folder, 'pem'), `${certificate}${privateKey.export({ type: 'pkcs8', format: 'pem' })}`, {
    mode: 0o600,
  });
  let assertion = '';
  const service = await startFakeService(t, ({ path, body, headers }) => {
    if (path === '/ten/oauth2/v2.0/token') {
      assertion = new URLSearchParams(body).get('client_assertion') ?? '';
      return { json: { access_token: 'app', expires_in: 600 } };
    }
    return headers.authorization === 'Bearer app'
      ? { json: { id: 'https://v/secrets/a/1', value: 'x' } }
      : { status: 401 };
  });
  const config = {
    kind: 'azure',
    vault: service.address,
    tenant_id: 'ten',
    client_id: 'cid',
    client_certificate_file: join(folder, 'pem'),
  };
  const up = await startKindSource(t, config, { env: { AZURE_AUTHORITY_HOST: service.address } });
  t.same(await up.fields('a'), { value: 'x' });
  t.match(decodeJwt(assertion), { iss: 'cid', sub: 'cid', aud: `${service.address}/ten/oauth2/v2.0/token` });
  const thumbprint = createHash('sha256').update(new X509Certificate(certificate).raw).digest('base64url');
  t.match(decodeProtectedHeader(assertion), { alg: 'PS256', 'x5t#S256': thumbprint });
});
