// `latchkey agent --config config.toml`: AWS's Secrets Manager agent by its own file, its own requests and moto behind it.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { freePort } from '../../src/base/system/free-port.ts';
import { startProgram } from '../support/cli.ts';
import { type Moto, motoEnv, needsMoto, startMoto } from '../support/kinds/moto.ts';

import { testFolder } from '../support/test-folder.ts';
import { waitFor } from '../support/wait-for.ts';

interface Answer {
  readonly status: number;
  readonly text: string;
  readonly value: Record<string, unknown>;
}

async function start(t: Test, moto: Moto, config: string, env: Record<string, string> = {}) {
  const folder = testFolder(t);
  const port = await freePort();
  const tokenFile = join(folder, 'awssmatoken');
  writeFileSync(tokenFile, 'their-own-token\n', { mode: 0o600 });
  mkdirSync(join(folder, 'logs'));
  writeFileSync(join(folder, 'config.toml'), `http_port = ${port}\n${config}`);
  startProgram(t, ['agent', '--config', 'config.toml'], {
    cwd: folder,
    env: {
      HOME: folder,
      STATE_DIRECTORY: join(folder, '.state'),
      ...motoEnv,
      AWS_ENDPOINT_URL: moto.address,
      AWS_TOKEN: `file://${tokenFile}`,
      ...env,
    },
  });
  const url = `http://127.0.0.1:${port}`;
  const get = async (
    path: string,
    headers: Record<string, string> = { 'X-Vault-Token': 'their-own-token' },
  ) => {
    const answer = await fetch(`${url}${path}`, { headers });
    const text = await answer.text();
    const value = text.startsWith('{') ? (JSON.parse(text) as Record<string, unknown>) : {};
    return { status: answer.status, text, value } satisfies Answer;
  };
  await waitFor('the agent answers', () =>
    get('/ping').then(
      ({ text }) => text === 'healthy',
      () => false,
    ),
  );
  return { folder, get };
}

t.test('takes -c, as there, and a port of the system that its log tells', async (t) => {
  const folder = testFolder(t);
  writeFileSync(
    join(folder, 'config.toml'),
    'http_port = "0"\n[prefetch]\nsecrets = [{ secret_id = "a" }]\n',
  );
  const running = startProgram(t, ['agent', '-c', 'config.toml'], {
    cwd: folder,
    env: {
      ...{
        HOME: folder,
        STATE_DIRECTORY: join(folder, '.state'),
        AWS_REGION: 'eu-west-1',
        AWS_TOKEN: 'mine',
      },
      ...{ AWS_ACCESS_KEY_ID: 'AKIA', AWS_SECRET_ACCESS_KEY: 'x', AWS_ENDPOINT_URL: 'http://127.0.0.1:9' },
    },
  });
  const told = () => /"address":"tcp (127\.0\.0\.1:\d+)"/.exec(running.stderr() + running.stdout())?.[1];
  await waitFor('its port', async () => told() !== undefined);
  const answer = await fetch(`http://${told()}/ping`);
  t.equal(await answer.text(), 'healthy');
});

t.test('against moto', { skip: needsMoto }, async (t) => {
  const moto = await startMoto(t);
  const secret = async (name: string, text: string) =>
    await moto.call('secretsmanager', 'CreateSecret', { Name: name, SecretString: text });
  const change = async (name: string, text: string) =>
    await moto.call('secretsmanager', 'PutSecretValue', { SecretId: name, SecretString: text });

  t.test('serves whatever the credentials allow, by the requests of its own documentation', async (t) => {
    const made = await secret('prod/db', '{"user":"joe"}');
    const { get } = await start(t, moto, 'ttl_seconds = 300\n');
    const byQuery = await get('/secretsmanager/get?secretId=prod%2Fdb');
    t.equal(byQuery.status, 200, byQuery.text);
    t.match(byQuery.value, {
      ARN: String(made['ARN']),
      Name: 'prod/db',
      VersionId: String(made['VersionId']),
      SecretString: '{"user":"joe"}',
      VersionStages: ['AWSCURRENT'],
      CreatedDate: /^\d+(\.\d+)?$/,
    });
    t.same((await get('/v1/prod/db')).value, byQuery.value, 'by path');
    t.same(
      (await get(`/secretsmanager/get?secretId=${String(made['ARN'])}`)).value['Name'],
      'prod/db',
      'by ARN',
    );
    await change('prod/db', '{"user":"ann"}');
    t.same((await get('/v1/prod/db')).value, byQuery.value, 'what is kept is given again');
    const fresh = await get('/secretsmanager/get?secretId=prod%2Fdb&refreshNow=true');
    t.match(fresh.value, { SecretString: '{"user":"ann"}' });
    t.same((await get('/v1/prod/db')).value, fresh.value, 'and what came of it is kept');
    t.match((await get('/v1/prod/db?versionStage=AWSPREVIOUS')).value, { SecretString: '{"user":"joe"}' });
    t.match((await get(`/v1/prod/db?versionId=${String(made['VersionId'])}`)).value, {
      SecretString: '{"user":"joe"}',
    });
  });

  t.test('refuses as it does', async (t) => {
    const { get } = await start(t, moto, '');
    const token = { 'X-Aws-Parameters-Secrets-Token': 'their-own-token' };
    t.match(await get('/v1/prod/db', token), { status: 200 });
    t.match(await get('/v1/prod/db', {}), { status: 403, text: 'Bad Token' });
    t.match(await get('/v1/prod/db', { 'X-Vault-Token': 'wrong' }), { status: 403, text: 'Bad Token' });
    t.match(await get('/v1/prod/db', { ...token, 'X-Forwarded-For': '192.0.2.1' }), {
      status: 400,
      text: 'Forwarded',
    });
    t.match(await get('/v1/none'), { status: 400, value: { __type: 'ResourceNotFoundException' } });
    t.match(await get('/secretsmanager/get'), { status: 400, text: 'missing parameter secretId' });
    t.match(await get('/secretsmanager/get?secretId=a&b=c'), { status: 400, text: 'unknown parameter: b' });
    t.match(await get('/other'), { status: 404 });
  });

  t.test('gives nobody a secret without a rule that allows its id', async (t) => {
    const folder = testFolder(t);
    const port = await freePort();
    const config = {
      upstreams: { cloud: { kind: 'aws' } },
      secrets: { named: { path: 'prod/db' } },
      listeners: [
        { tcp: `127.0.0.1:${port}`, serve: ['aws'], token_env: ['TOKEN'], aws: { upstream: 'cloud' } },
      ],
      access: [{ name: 'some', client: { token: 'listeners[0]' }, allow: ['prod/*'] }],
    };
    await secret('other/db', 'not yours');
    writeFileSync(join(folder, 'latchkey.json'), JSON.stringify(config), { mode: 0o600 });
    startProgram(t, ['agent', '--config', 'latchkey.json'], {
      cwd: folder,
      env: {
        ...{ HOME: folder, STATE_DIRECTORY: join(folder, '.state'), TOKEN: 'from the environment' },
        ...{ ...motoEnv, AWS_ENDPOINT_URL: moto.address },
      },
    });
    const get = (path: string) =>
      fetch(`http://127.0.0.1:${port}${path}`, { headers: { authorization: 'from the environment' } });
    await waitFor('the agent', () =>
      get('/ping').then(
        () => true,
        () => false,
      ),
    );
    t.equal((await get('/v1/prod/db')).status, 200);
    for (const id of ['other/db', 'named', 'prod', 'PROD/db', '../prod/db', 'none'])
      t.equal((await get(`/secretsmanager/get?secretId=${encodeURIComponent(id)}`)).status, 403, id);
  });

  t.test('takes its settings: headers, prefix, time, size and file of credentials', async (t) => {
    await secret('one', '1');
    await secret('two', '2');
    const folder = testFolder(t);
    const keys = join(folder, 'keys');
    writeFileSync(keys, '[default]\naws_access_key_id = AKIAFILE\naws_secret_access_key = x\n', {
      mode: 0o600,
    });
    const config = `
ssrf_headers = ["X-Mine"]
ssrf_env_variables = ["MY_TOKEN"]
path_prefix = "/secrets/by-id/"
ttl_seconds = 300
cache_size = 1
region = "eu-central-1"
credentials_file_path = "${keys}"
log_to_file = true
`;
    const { get } = await start(t, moto, config, { MY_TOKEN: 'mine', AWS_REGION: '', AWS_ACCESS_KEY_ID: '' });
    const mine = { 'X-Mine': 'mine' };
    const one = '/secrets/by-id/one';
    t.match(await get(one, mine), { status: 200, value: { SecretString: '1' } });
    t.match(await get(one, { 'X-Vault-Token': 'mine' }), { status: 403 });
    t.match(await get('/v1/one', mine), { status: 404 });
    await change('one', '1b');
    t.match(await get(one, mine), { value: { SecretString: '1' } });
    t.match(await get('/secrets/by-id/two', mine), { value: { SecretString: '2' } });
    t.match(await get(one, mine), { value: { SecretString: '1b' } }, 'one place: the other took it');
  });

  t.test('keeps nothing without a time, and serves on while AWS is away', async (t) => {
    await secret('calm', 'a');
    const always = await start(t, moto, 'ttl_seconds = 0\n');
    const kept = await start(t, moto, 'ttl_seconds = 1\n');
    const strict = await start(t, moto, 'ttl_seconds = 1\nignore_transient_errors = false\n');
    for (const { get } of [always, kept, strict])
      t.match(await get('/v1/calm'), { value: { SecretString: 'a' } });
    await change('calm', 'b');
    t.match(await always.get('/v1/calm'), { value: { SecretString: 'b' } });
    await waitFor(
      'the end of its time',
      async () => (await kept.get('/v1/calm')).value['SecretString'] === 'b',
    );
    t.match(await strict.get('/v1/calm?refreshNow=1'), { status: 200 });
    await moto.down();
    t.match(await kept.get('/v1/calm?refreshNow=1'), { status: 200, value: { SecretString: 'b' } });
    t.match(await strict.get('/v1/calm?refreshNow=1'), { status: /50[024]/ });
    await moto.up();
  });
});
