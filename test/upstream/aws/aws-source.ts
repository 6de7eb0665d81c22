// AWS's own ways, against moto: versions, stages, batches, prefixes, tags, roles, events, and the chain of credentials.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { findAwsCredentials } from '../../../src/upstream/cloud/find-aws-credentials.ts';
import { startFakeService } from '../../support/fake-service.ts';
import { startKindSource } from '../../support/kind-source.ts';
import { motoEnv, needsMoto, startMoto } from '../../support/kinds/moto.ts';
import { testFolder } from '../../support/test-folder.ts';
import { onceWithin, waitFor } from '../../support/wait-for.ts';

const arn = 'arn:aws:iam::123456789012:role/app';

t.test('against moto', { skip: needsMoto }, async (t) => {
  const moto = await startMoto(t);
  const start = (more: object = {}) =>
    startKindSource(t, { kind: 'aws', endpoint: moto.address, ...more }, { env: motoEnv });

  t.test('versions, stages and keys of a secret', async (t) => {
    const up = await start();
    const made = await moto.call('secretsmanager', 'CreateSecret', {
      Name: 'db',
      SecretString: '{"user":"joe","port":5432,"deep":{"a":"b"}}',
    });
    await moto.call('secretsmanager', 'PutSecretValue', { SecretId: 'db', SecretString: '{"user":"ann"}' });
    t.same(await up.fields('db'), { user: 'ann' });
    t.same(await up.fields('secretsmanager:db', { version_stage: 'AWSPREVIOUS' }), {
      user: 'joe',
      port: 5432,
      deep: { a: 'b' },
    });
    t.same(await up.fields('db', { version_id: String(made['VersionId']) }), {
      user: 'joe',
      port: 5432,
      deep: { a: 'b' },
    });
    t.same(await up.fields('db#user'), { value: 'ann' });
    t.same(await up.fields('db#deep', { version_stage: 'AWSPREVIOUS' }), { a: 'b' });
    await t.rejects(up.read('db#none'), {
      code: 'not_found',
      message: 'db#none: there is no such field in the secret',
    });
    t.same(await up.fields(String(made['ARN'])), { user: 'ann' });
    const key = (path: string) =>
      up.source.canonicalKey({ upstream: 'up', operation: 'read', path, parameters: {} });
    t.equal(key('db'), key(String(made['ARN'])), 'name and ARN are one secret');
    t.not(key('db'), key('db#user'));
    t.equal((await up.read('db')).versionId, (await up.read(String(made['ARN']))).versionId);
  });

  t.test('many at once are few requests, and one that is missing hurts no other', async (t) => {
    const proxy = await startFakeService(t, async ({ method, url, headers, body }) => {
      const answer = await fetch(`${moto.address}${url}`, {
        method,
        headers: {
          authorization: String(headers.authorization),
          'content-type': String(headers['content-type']),
          'x-amz-target': String(headers['x-amz-target']),
          'x-amz-date': String(headers['x-amz-date']),
        },
        body,
      });
      return { status: answer.status, text: await answer.text() };
    });
    const names = Array.from({ length: 45 }, (_, index) => `many/${index}`);
    for (const name of names)
      await moto.call('secretsmanager', 'CreateSecret', { Name: name, SecretString: name });
    const up = await startKindSource(t, { kind: 'aws', endpoint: proxy.address }, { env: motoEnv });
    await up.source.ready(AbortSignal.timeout(60_000));
    const all = await Promise.allSettled([...names, 'many/none'].map((name) => up.fields(name)));
    t.equal(proxy.requests.length, 3, '46 secrets in 3 requests');
    t.same(
      all.map((one) => (one.status === 'fulfilled' ? one.value['value'] : one.reason.code)),
      [...names, 'not_found'],
    );
    for (let index = 0; index < 25; index += 1) {
      await moto.call('ssm', 'PutParameter', { Name: `/p/${index}`, Value: `v${index}`, Type: 'String' });
    }
    const before = proxy.requests.length;
    const values = await Promise.all(Array.from({ length: 25 }, (_, index) => up.fields(`ssm:/p/${index}`)));
    t.same(
      values.map(({ value }) => value),
      Array.from({ length: 25 }, (_, index) => `v${index}`),
    );
    t.equal(proxy.requests.length - before, 3, '25 parameters in 3 requests');
  });

  t.test('where batches are not allowed each is asked for alone', async (t) => {
    const proxy = await startFakeService(t, async ({ method, url, headers, body }) => {
      if (String(headers['x-amz-target']).includes('Batch'))
        return { status: 400, json: { __type: 'AccessDeniedException', Message: 'no' } };
      const answer = await fetch(`${moto.address}${url}`, {
        method,
        headers: {
          authorization: String(headers.authorization),
          'content-type': String(headers['content-type']),
          'x-amz-target': String(headers['x-amz-target']),
          'x-amz-date': String(headers['x-amz-date']),
        },
        body,
      });
      return { status: answer.status, text: await answer.text() };
    });
    const up = await startKindSource(t, { kind: 'aws', endpoint: proxy.address }, { env: motoEnv });
    const all = await Promise.all(['many/1', 'many/2', 'many/3'].map((name) => up.fields(name)));
    t.same(
      all.map(({ value }) => value),
      ['many/1', 'many/2', 'many/3'],
    );
  });

  t.test('all of a path, of a prefix, of a tag', async (t) => {
    const up = await start();
    for (const name of ['a/x', 'a/y', 'b'])
      await moto.call('ssm', 'PutParameter', { Name: `/tree/${name}`, Value: name, Type: 'SecureString' });
    t.same(await up.fields('ssm:/tree/*'), { 'a/x': 'a/x', 'a/y': 'a/y', b: 'b' });
    await moto.call('secretsmanager', 'CreateSecret', {
      Name: 'team/one',
      SecretString: '{"k":"1"}',
      Tags: [{ Key: 'app', Value: 'billing' }],
    });
    await moto.call('secretsmanager', 'CreateSecret', { Name: 'team/two', SecretString: 'two' });
    t.same(await up.fields('secretsmanager:team/*'), { one: { k: '1' }, two: 'two' });
    t.same(await up.fields('secretsmanager:*', { tag: 'app=billing' }), { 'team/one': { k: '1' } });
    await t.rejects(up.read('secretsmanager:*'), {
      code: 'request_invalid',
      message: /all secrets of an account/,
    });
    await moto.call('ssm', 'PutParameter', { Name: '/v', Value: 'one', Type: 'String' });
    await moto.call('ssm', 'PutParameter', { Name: '/v', Value: 'two', Type: 'String', Overwrite: true });
    t.same(await up.fields('ssm:/v:1'), { value: 'one' });
    t.match(await up.read('ssm:/v'), { versionId: '2' });
  });

  t.test('a secret that is marked for deletion is removed, and a role is a lease', async (t) => {
    const up = await start();
    await moto.call('secretsmanager', 'CreateSecret', { Name: 'doomed', SecretString: 'x' });
    await moto.call('secretsmanager', 'DeleteSecret', { SecretId: 'doomed', RecoveryWindowInDays: 7 });
    await t.rejects(up.read('doomed'), { code: 'not_found', message: /marked for deletion/ });
    const session = await up.read(`sts:${arn}`, { duration: '900', session_name: 'web' });
    t.match(session, { kind: 'leased', lease: { isRenewable: false } });
    t.ok((session.lease?.durationSeconds ?? 0) > 850);
    t.match(await up.fields(`sts:${arn}`), {
      access_key: /^ASIA/,
      secret_key: String,
      security_token: String,
    });
    const chained = await start({ role_arn: arn, external_id: 'x' });
    t.same(await chained.fields('many/1'), { value: 'many/1' });
    t.match(chained.source.status().login, { method: 'aws', state: 'logged_in', expiresAt: Number });
  });

  t.test(
    'an event in the queue tells the change at once, by name or ARN; what is none is taken away',
    async (t) => {
      const { QueueUrl: queue } = await moto.call('sqs', 'CreateQueue', { QueueName: 'events' });
      const send = (body: object | string) =>
        moto.call('sqs', 'SendMessage', {
          QueueUrl: queue,
          MessageBody: typeof body === 'string' ? body : JSON.stringify(body),
        });
      const up = await start({ events_queue: queue });
      const made = await moto.call('secretsmanager', 'CreateSecret', { Name: 'pushed', SecretString: 'one' });
      await up.read('pushed');
      await up.read('ssm:/v');
      await send('no json');
      await onceWithin(1000, async (round) => {
        const told = () => up.changed.filter((path) => path === 'pushed').length;
        t.equal(told(), round);
        await send({
          source: 'aws.secretsmanager',
          'detail-type': 'Secret Label Updated',
          resources: [made['ARN']],
          detail: { labelUpdated: 'AWSCURRENT' },
        });
        await waitFor('it is told', () => told() > round);
      });
      await send({
        source: 'aws.ssm',
        'detail-type': 'Parameter Store Change',
        detail: { name: '/v', operation: 'Update' },
      });
      await waitFor('the parameter is told', () => up.changed.includes('ssm:/v'));
      await waitFor('the queue is empty', async () => {
        const { Attributes } = await moto.call('sqs', 'GetQueueAttributes', {
          QueueUrl: queue,
          AttributeNames: ['All'],
        });
        const counts = Attributes as Record<string, string>;
        return (
          counts['ApproximateNumberOfMessages'] === '0' &&
          counts['ApproximateNumberOfMessagesNotVisible'] === '0'
        );
      });
      t.notMatch(JSON.stringify(up.logs), /canary/);
    },
  );
});

t.test(
  'takes another identity when the one it has is refused, and the clock of AWS when its own is wrong',
  async (t) => {
    let refuse = 'ExpiredTokenException';
    const dates: string[] = [];
    const service = await startFakeService(t, ({ headers }) => {
      dates.push(String(headers['x-amz-date']));
      const type = refuse;
      refuse = '';
      return type === ''
        ? { json: { Name: 'a', ARN: 'arn', VersionId: 'v', SecretString: 'x' } }
        : { status: 400, json: { __type: type } };
    });
    const up = await startKindSource(t, { kind: 'aws', endpoint: service.address }, { env: motoEnv });
    t.same(await up.fields('a'), { value: 'x' });
    t.equal(service.requests.length, 2);
    refuse = 'RequestTimeTooSkewed';
    service.fault = { skewMs: 3_600_000 };
    t.same(await up.fields('a'), { value: 'x' });
    const [before = '', after = ''] = dates.slice(-2).map((date) => date.slice(0, 11));
    t.not(before, after, 'signed for the hour of AWS');
    const bad = await startFakeService(t, () => ({
      status: 400,
      json: { __type: 'com.amazon#UnrecognizedClientException:x' },
    }));
    const refused = await startKindSource(t, { kind: 'aws', endpoint: bad.address }, { env: motoEnv });
    await t.rejects(refused.read('a'), { code: 'login_failed', message: /UnrecognizedClientException/ });
  },
);

t.test('the chain of credentials: profiles, processes, roles of roles', async (t) => {
  const folder = testFolder(t);
  const sts = await startFakeService(t, ({ body, headers }) => {
    const form = new URLSearchParams(body);
    const who = /Credential=([A-Z0-9]+)\//.exec(headers.authorization ?? '')?.[1];
    return {
      text: `<Credentials><AccessKeyId>${who}+${form.get('RoleArn')?.split('/').at(-1)}+${form.get('ExternalId') ?? ''}</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration></Credentials>`,
    };
  });
  writeFileSync(
    join(folder, 'helper'),
    `#!/bin/sh\nprintf '{"Version":1,"AccessKeyId":"%s","SecretAccessKey":"s","SessionToken":"t","Expiration":"2099-01-01T00:00:00Z"}' "$2"\n`,
    { mode: 0o700 },
  );
  writeFileSync(
    join(folder, 'config'),
    `[default]\nregion = eu-west-1\n[profile role]\nrole_arn = arn:aws:iam::1:role/one\nsource_profile = keys\nexternal_id = ext\n[profile twice]\nrole_arn = arn:aws:iam::1:role/two\nsource_profile = keys\n[profile process]\ncredential_process = "${folder}/helper" --name "PROC ESS"\n[profile env]\nrole_arn = arn:aws:iam::1:role/env\ncredential_source = Environment\n[profile loop]\nrole_arn = arn:aws:iam::1:role/x\nsource_profile = loop2\n[profile loop2]\nrole_arn = arn:aws:iam::1:role/x\nsource_profile = loop\n`,
    { mode: 0o600 },
  );
  writeFileSync(
    join(folder, 'credentials'),
    '[keys]\naws_access_key_id = AKIAKEYS\naws_secret_access_key = s\n[default]\naws_access_key_id = AKIADEFAULT\naws_secret_access_key = s\n',
    { mode: 0o600 },
  );
  const env = {
    AWS_CONFIG_FILE: join(folder, 'config'),
    AWS_SHARED_CREDENTIALS_FILE: join(folder, 'credentials'),
    AWS_ENDPOINT_URL_STS: `${sts.address}/`,
    AWS_EC2_METADATA_DISABLED: 'true',
  };
  const find = async (more: Record<string, string>) =>
    (await findAwsCredentials({ env: { ...env, ...more }, signal: AbortSignal.timeout(60_000) })).accessKeyId;
  t.equal(await find({}), 'AKIADEFAULT');
  t.equal(await find({ AWS_PROFILE: 'keys' }), 'AKIAKEYS');
  t.equal(await find({ AWS_PROFILE: 'role' }), 'AKIAKEYS+one+ext');
  t.equal(await find({ AWS_PROFILE: 'process' }), 'PROC ESS');
  const keys = { AWS_ACCESS_KEY_ID: 'AKIAENV', AWS_SECRET_ACCESS_KEY: 's' };
  t.equal(await find(keys), 'AKIAENV');
  t.equal(await find({ ...keys, AWS_PROFILE: 'keys' }), 'AKIAKEYS', 'a profile that is named is meant');
  t.equal(await find({ ...keys, AWS_PROFILE: 'env' }), 'AKIAENV+env+');
  await t.rejects(find({ AWS_PROFILE: 'none' }), {
    code: 'login_failed',
    message: /profile none is in no shared file/,
  });
  await t.rejects(find({ AWS_PROFILE: 'loop' }), { code: 'login_failed', message: /leads back to itself/ });
});

t.test('asks no region by chance: that of the profile, of the instance, or none', async (t) => {
  const service = await startFakeService(t, ({ path, method, headers }) => {
    if (method === 'PUT') return { text: 'imds' };
    if (path === '/latest/meta-data/placement/region')
      return headers['x-aws-ec2-metadata-token'] === 'imds' ? { text: 'eu-south-1' } : { status: 401 };
    return { json: { Name: 'a', ARN: 'arn', VersionId: 'v', SecretString: String(headers.authorization) } };
  });
  const folder = testFolder(t);
  writeFileSync(join(folder, 'config'), '[default]\nregion = eu-west-1\n', { mode: 0o600 });
  const { AWS_REGION: _, ...keys } = motoEnv;
  const regionIn = async (env: Record<string, string>, more: object = {}) => {
    const up = await startKindSource(
      t,
      { kind: 'aws', endpoint: service.address, ...more },
      { env: { HOME: folder, ...keys, ...env } },
    );
    return /Credential=[^/]+\/\d+\/([^/]+)\//.exec(String((await up.fields('a'))['value']))?.[1];
  };
  t.equal(await regionIn({ AWS_REGION: 'us-west-2' }, { region: 'eu-central-1' }), 'eu-central-1');
  t.equal(await regionIn({ AWS_DEFAULT_REGION: 'us-west-2' }), 'us-west-2');
  t.equal(await regionIn({ AWS_CONFIG_FILE: join(folder, 'config') }), 'eu-west-1');
  t.equal(await regionIn({ AWS_EC2_METADATA_SERVICE_ENDPOINT: service.address }), 'eu-south-1');
  await t.rejects(regionIn({ AWS_EC2_METADATA_DISABLED: 'true' }), {
    code: 'login_failed',
    message: /which region/,
    remedy: /set region/,
  });
});
