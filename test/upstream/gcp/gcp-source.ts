import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { crc32c } from '../../../src/upstream/gcp/crc32c.ts';
import { startFakeService } from '../../support/fake-service.ts';
import { startKindSource } from '../../support/kind-source.ts';
import { testFolder } from '../../support/test-folder.ts';

const answer = (text: string, sum = String(crc32c(Buffer.from(text)))) => ({
  json: {
    name: 'projects/1/secrets/s/versions/7',
    payload: { data: Buffer.from(text).toString('base64'), dataCrc32c: sum },
  },
});

async function setUp(
  t: Parameters<typeof startFakeService>[0],
  handle: Parameters<typeof startFakeService>[1],
  more: object = {},
) {
  const service = await startFakeService(t, (request) => {
    if (!request.path.includes('computeMetadata')) return handle(request);
    return request.headers['metadata-flavor'] === 'Google'
      ? { json: { access_token: 'host', expires_in: 300 } }
      : { status: 403 };
  });
  const env = { GCE_METADATA_HOST: service.address.replace('http://', '') };
  const up = await startKindSource(
    t,
    { kind: 'gcp', project: 'p', endpoint: service.address, ...more },
    { env },
  );
  return { service, up };
}

t.test('checks the checksum: CRC-32C', async (t) => {
  t.equal(crc32c(Buffer.from('123456789')), 0xe3069283, 'the known answer');
  const { up } = await setUp(t, ({ path }) =>
    path.includes('/bad/') ? answer('canary', '1') : answer('fine'),
  );
  t.same(await up.fields('s'), { value: 'fine' });
  await t.rejects(up.read('bad'), { code: 'upstream_answer_invalid', message: /does not fit its checksum/ });
});

t.test('takes the identity of the host, names of every form, versions and locations', async (t) => {
  const { up, service } = await setUp(t, () => answer('{"user":"joe"}'), { location: 'europe-west3' });
  t.same(await up.fields('s#user'), { value: 'joe' });
  await up.read('s', { version: '3' });
  await up.read('projects/q/locations/us-east1/secrets/x/versions/live');
  const asked = service.requests.filter(({ path }) => path.endsWith(':access'));
  t.same(
    asked.map(({ path }) => path),
    [
      '/v1/projects/p/locations/europe-west3/secrets/s/versions/latest:access',
      '/v1/projects/p/locations/europe-west3/secrets/s/versions/3:access',
      '/v1/projects/q/locations/us-east1/secrets/x/versions/live:access',
    ],
  );
  t.equal(asked[0]?.headers.authorization, 'Bearer host');
  t.match(await up.read('s'), { versionId: '7' });
  await t.rejects(up.read('a/b/c'), { code: 'request_invalid' });
});

t.test('a version that is disabled is gone, and says what helps', async (t) => {
  const { up } = await setUp(t, () => ({
    status: 400,
    json: { error: { code: 400, status: 'FAILED_PRECONDITION', message: 'x' } },
  }));
  await t.rejects(up.read('s'), {
    code: 'not_found',
    message: /disabled or destroyed/,
    remedy: /add a version/,
  });
});

t.test(
  'workload identity federation: a token of another issuer, exchanged, for a service account',
  async (t) => {
    const folder = testFolder(t);
    writeFileSync(join(folder, 'subject'), '{"token":"subject-jwt"}', { mode: 0o600 });
    const seen: string[] = [];
    const service = await startFakeService(t, ({ path, body, headers }) => {
      if (path === '/sts') {
        const form = new URLSearchParams(body);
        seen.push(`${form.get('subject_token')} for ${form.get('audience')}`);
        return { json: { access_token: 'federated', expires_in: 3600 } };
      }
      if (path === '/impersonate') {
        seen.push(String(headers.authorization));
        return { json: { accessToken: 'as-account', expireTime: '2099-01-01T00:00:00Z' } };
      }
      return headers.authorization === 'Bearer as-account' ? answer('v') : { status: 401 };
    });
    const file = {
      type: 'external_account',
      audience: '//iam/pool',
      subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
      token_url: `${service.address}/sts`,
      service_account_impersonation_url: `${service.address}/impersonate`,
      credential_source: {
        file: join(folder, 'subject'),
        format: { type: 'json', subject_token_field_name: 'token' },
      } as object,
    };
    writeFileSync(join(folder, 'config'), JSON.stringify(file), { mode: 0o600 });
    const start = (name: string) =>
      startKindSource(t, {
        kind: 'gcp',
        project: 'p',
        endpoint: service.address,
        credentials_file: join(folder, name),
      });
    t.same(await (await start('config')).fields('s'), { value: 'v' });
    t.same(seen, ['subject-jwt for //iam/pool', 'Bearer federated']);
    writeFileSync(
      join(folder, 'program'),
      JSON.stringify({ ...file, credential_source: { executable: { command: '/bin/true' } } }),
      { mode: 0o600 },
    );
    await t.rejects((await start('program')).read('s'), {
      code: 'login_failed',
      message: /expected credential_source with file/,
    });
  },
);
