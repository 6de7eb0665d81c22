// One agent with a Vault, AWS and a sealed file at once: a template mixes them, and one that is away leaves the others as they are.
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { createKeyFileText } from '../../src/upstream/file/seal-key.ts';
import { program, startAgent } from '../support/cli.ts';
import { startDevVault } from '../support/dev-vault.ts';
import { motoEnv, needsMoto, startMoto } from '../support/kinds/moto.ts';
import { testFolder } from '../support/test-folder.ts';
import { waitFor } from '../support/wait-for.ts';

t.test(
  'a template mixes Vault, AWS and a sealed file; each rotates, and fails, alone',
  { skip: needsMoto },
  async (t) => {
    const folder = testFolder(t);
    const [vault, moto] = await Promise.all([startDevVault(t), startMoto(t)]);
    await vault.writeSecret('secret/app', { word: 'canary-vault-1' });
    await moto.call('secretsmanager', 'CreateSecret', {
      Name: 'prod/stripe',
      SecretString: '{"key":"canary-aws-1"}',
    });
    const { QueueUrl: queue } = await moto.call('sqs', 'CreateQueue', { QueueName: 'events' });
    const sealed = join(folder, 's.env.age');
    writeFileSync(`${sealed}.key`, await createKeyFileText(new Date()), { mode: 0o600 });
    const file = (args: string[], input: string) =>
      spawnSync(process.execPath, [program, 'file', ...args], { input, encoding: 'utf8' });
    file(['init', sealed], '');
    file(['set', sealed, 'LICENSE'], 'canary-file-1');

    const agent = startAgent(t, {
      folder,
      vault,
      env: motoEnv,
      config: {
        upstreams: {
          vault: { address: vault.address, auth: { method: 'token' } },
          aws: { kind: 'aws', endpoint: moto.address, events_queue: queue, timeout: '2s' },
          local: { kind: 'file', path: sealed, key: { file: `${sealed}.key` } },
        },
        secrets: {
          app: { upstream: 'vault', path: 'secret/app', refresh: '300ms' },
          stripe: { upstream: 'aws', path: 'prod/stripe', refresh: '1h' },
          license: { upstream: 'local', path: 'LICENSE', refresh: '1h' },
        },
        files: [
          {
            contents: '{{ field "app" "word" }} {{ field "stripe" "key" }} {{ field "license" "value" }}',
            destination: join(folder, 'all.conf'),
          },
          { contents: '{{ field "license" "value" }}', destination: join(folder, 'license') },
        ],
        listeners: [
          { unix: join(folder, 'latchkey.sock'), serve: ['secrets', 'aws', 'vault', 'admin', 'metrics'] },
        ],
      },
    });
    await agent.untilReady();
    const all = () => readFileSync(join(folder, 'all.conf'), 'utf8');
    t.equal(all(), 'canary-vault-1 canary-aws-1 canary-file-1');

    await vault.writeSecret('secret/app', { word: 'canary-vault-2' });
    await waitFor('Vault rotates', () => all().startsWith('canary-vault-2 '));
    await moto.call('secretsmanager', 'PutSecretValue', {
      SecretId: 'prod/stripe',
      SecretString: '{"key":"canary-aws-2"}',
    });
    const event = {
      source: 'aws.secretsmanager',
      'detail-type': 'Secret Label Updated',
      detail: { name: 'prod/stripe' },
    };
    await moto.call('sqs', 'SendMessage', { QueueUrl: queue, MessageBody: JSON.stringify(event) });
    await waitFor('AWS rotates by its event', () => all().includes(' canary-aws-2 '));

    await moto.down();
    const stripe = () => agent.ask('/secrets/stripe/key');
    const refreshed = await agent.ask('/refresh', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{"names":["stripe"]}',
    });
    t.match(refreshed.text, /upstream_unavailable|fail/);
    file(['set', sealed, 'LICENSE'], 'canary-file-2');
    await waitFor(
      'the file rotates while AWS is away',
      () => readFileSync(join(folder, 'license'), 'utf8') === 'canary-file-2',
    );
    await vault.writeSecret('secret/app', { word: 'canary-vault-3' });
    await waitFor('and so does Vault', () => all() === 'canary-vault-3 canary-aws-2 canary-file-2');
    t.match(await stripe(), { status: 200, text: 'canary-aws-2' }, 'the last value stays');
    const status = JSON.parse((await agent.ask('/status')).text) as {
      upstreams: { name: string; state: string }[];
    };
    const states = Object.fromEntries(status.upstreams.map(({ name, state }) => [name, state]));
    t.match(states, { aws: 'unavailable', local: 'ready', vault: 'ready' });

    const aws = await agent.ask('/secretsmanager/get?secretId=license', {
      headers: { 'X-Aws-Parameters-Secrets-Token': 'x' },
    });
    t.match(
      JSON.parse(aws.text),
      { Name: 'license', SecretString: /canary-file-2/ },
      'the AWS dialect serves every kind',
    );
    await agent.stop();
    t.notMatch(agent.log(), /canary/);
  },
);

t.test('kinds that a config does not name are not loaded', async (t) => {
  const dist = join(program, '..');
  const chunks = readdirSync(dist).filter((name) => name.endsWith('.js'));
  const holding = (text: string) =>
    chunks.filter((name) => readFileSync(join(dist, name), 'utf8').includes(text));
  const marks = {
    file: 'function createFileSource(',
    env: 'function createEnvSource(',
    exec: 'function createExecSource(',
    http: 'function createEndpointSource(',
    aws: 'function createAwsSource(',
    kubernetes: 'function createKubernetesSource(',
    gcp: 'function createGcpSource(',
    azure: 'function createAzureSource(',
    onepassword: 'function createOnepasswordSource(',
    age: 'age-encryption.org/v1/scrypt',
  };
  const folder = testFolder(t);
  writeFileSync(
    join(folder, 'hook.mjs'),
    "import { registerHooks } from 'node:module'; import { appendFileSync } from 'node:fs'; registerHooks({ load(url, context, next) { appendFileSync(process.env.LOADED, url + '\\n'); return next(url, context); } });",
  );
  const vault = await startDevVault(t);
  await vault.writeSecret('secret/app', { word: 'x' });
  const loaded = join(folder, 'loaded');
  writeFileSync(loaded, '');
  const agent = startAgent(t, {
    folder,
    vault,
    env: { NODE_OPTIONS: `--import=${join(folder, 'hook.mjs')}`, LOADED: loaded },
    config: { secrets: { app: { path: 'secret/app' } } },
  });
  await agent.untilReady();
  await agent.stop();
  const names = readFileSync(loaded, 'utf8');
  const [vaultChunk = 'none'] = holding('function createVaultUpstream(');
  t.ok(names.includes(vaultChunk), 'what is used is seen to be loaded');
  for (const [kind, mark] of Object.entries(marks)) {
    const files = holding(mark);
    t.ok(files.length > 0, `${kind} is somewhere`);
    for (const name of files) t.notOk(names.includes(name), `${kind}: ${name} is not loaded`);
  }
});
