// One agent with an upstream of every kind: each secret is served by each dialect and rendered by each way of naming it, and
// one upstream that is away leaves all others as they are.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { runProgram, startAgent } from '../support/cli.ts';
import { startDevVault } from '../support/dev-vault.ts';
import { awsKinds } from '../support/kinds/aws-kinds.ts';
import { cloudKinds } from '../support/kinds/cloud-kinds.ts';
import { httpKind } from '../support/kinds/http-kind.ts';
import type { KindCase } from '../support/kinds/kind-fixture.ts';
import { kubernetesKind } from '../support/kinds/kubernetes-kind.ts';
import { localKinds } from '../support/kinds/local-kinds.ts';
import { testFolder } from '../support/test-folder.ts';
import { waitFor } from '../support/wait-for.ts';

/** The library that stands in for 1Password's lives in the process of the test. */
const isElsewhere = ({ kind }: KindCase) => kind === 'onepassword (service account)';
const cases = [...localKinds, httpKind, kubernetesKind, ...cloudKinds, ...awsKinds(t)].filter(
  (kind) => !isElsewhere(kind) && (kind.skip ?? false) === false,
);

async function setUp(t: Test) {
  const folder = testFolder(t);
  const vault = await startDevVault(t);
  await vault.writeSecret('secret/app', { value: 'canary-5f1d of vault' });
  const env: Record<string, string> = {};
  const upstreams: Record<string, object> = {
    vault: { kind: 'vault', address: vault.address, events: false, auth: { method: 'token' } },
  };
  const secrets: Record<string, object> = { 's-vault': { upstream: 'vault', path: 'secret/app' } };
  const values = new Map([['s-vault', 'canary-5f1d of vault']]);
  const fixtures = [];
  for (const kind of cases) {
    const name = kind.kind.replaceAll(/[^a-z]+/g, '-').replace(/-$/, '');
    const fixture = await kind.start(t, { timeout: '2s' });
    upstreams[name] = fixture.config;
    values.set(`s-${name}`, `canary-5f1d of ${name}`);
    secrets[`s-${name}`] = {
      upstream: name,
      path: await fixture.put('app', `canary-5f1d of ${name}`),
      refresh: '500ms',
    };
    Object.assign(env, fixture.env);
    fixtures.push({ name, fixture });
  }
  const names = [...values.keys()];
  const agent = startAgent(t, {
    folder,
    vault,
    env,
    config: {
      upstreams,
      secrets,
      files: names.map((name) => ({
        contents: `{{ field "${name}" "value" }}`,
        destination: join(folder, `${name}.conf`),
      })),
      listeners: [
        { unix: join(folder, 'latchkey.sock'), serve: ['secrets', 'vault', 'aws', 'admin', 'metrics'] },
      ],
    },
  });
  await waitFor('all files', () => names.every((name) => existsSync(join(folder, `${name}.conf`))));
  await agent.untilReady();
  return { folder, vault, agent, values, fixtures };
}

t.test('every dialect and every template serves a secret of every kind', async (t) => {
  const { folder, agent, values, fixtures, vault } = await setUp(t);
  for (const [name, value] of values) {
    t.equal(readFileSync(join(folder, `${name}.conf`), 'utf8'), value, `${name}: template`);
    t.equal((await agent.ask(`/secrets/${name}/value`)).text, value, `${name}: native`);
    const aws = await agent.ask(`/secretsmanager/get?secretId=${name}`, {
      headers: { 'X-Aws-Parameters-Secrets-Token': 'x' },
    });
    t.match(JSON.parse(aws.text), { Name: name }, `${name}: AWS`);
    t.match(JSON.parse(aws.text).SecretString, value);
    const kv = await agent.ask(`/v1/latchkey/data/${name}`, { headers: { 'X-Vault-Request': 'true' } });
    t.match(JSON.parse(kv.text).data, { data: { value }, metadata: { version: Number } }, `${name}: Vault`);
    const written = await agent.ask(`/v1/latchkey/data/${name}`, {
      method: 'POST',
      headers: { 'X-Vault-Request': 'true' },
      body: '{"data":{"value":"x"}}',
    });
    t.ok(written.status >= 400, `${name}: it is only read (${written.status})`);
  }
  const list = await agent.ask('/v1/latchkey/metadata/?list=true', {
    headers: { 'X-Vault-Request': 'true' },
  });
  t.strictSame(JSON.parse(list.text).data.keys.sort(), [...values.keys()].sort());

  // What it costs, of an upstream with a known limit and of one of its secrets.
  const explain = async (subject: string) =>
    (await runProgram(t, ['explain', subject, '--socket', agent.socket])).stdout;
  const azure = await explain('azure');
  t.match(azure, /^upstream azure \(azure\) at http:.*: ready since /);
  t.match(azure, /its secrets come to 172800 reads a day at most, about 0\.52 USD/);
  t.match(azure, /limit of 4000 reads in 10 s \(that of the service\): \d+ used, (?:<1|\d) %/);
  t.match(
    await explain('s-azure'),
    /upstream said so at 2.*\n {2}costs 172800 reads a day at most, 100 % of what azure is asked/,
  );
  t.match(await explain('exec'), /its secrets come to 172800 reads a day at most\n/);
  const metrics = (await agent.ask('/metrics')).text;
  t.match(metrics, /latchkey_upstream_limit_used\{upstream="azure",limit="4000 reads in 10 s"\} 0\.0/);
  t.match(metrics, /latchkey_upstream_calls_day\{upstream="http"\} [1-9]/);

  const states = async () =>
    Object.fromEntries(
      JSON.parse((await agent.ask('/status')).text).upstreams.map(
        ({ name, state }: { name: string; state: string }) => [name, state],
      ),
    );
  for (const { name, fixture } of fixtures) {
    if (fixture.service === undefined) continue;
    await fixture.service.down();
    await waitFor(`${name} is seen to be away`, async () => (await states())[name] !== 'ready');
    t.equal((await agent.ask(`/secrets/s-${name}/value`)).text, values.get(`s-${name}`), `${name}: kept`);
    const others = Object.entries(await states()).filter(
      ([other, state]) => other !== name && state !== 'ready',
    );
    t.strictSame(others, [], `${name} is away alone`);
    await fixture.service.up();
    await waitFor(`${name} is back`, async () => (await states())[name] === 'ready');
  }
  await vault.writeSecret('secret/app', { value: 'canary-5f1d again' });
  await agent.ask('/refresh', { method: 'POST' });
  await waitFor('Vault goes on', () => readFileSync(join(folder, 's-vault.conf'), 'utf8').endsWith('again'));
  await agent.stop();
  t.notMatch(agent.log(), /canary-5f1d/);
});
