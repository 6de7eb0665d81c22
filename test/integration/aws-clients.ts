// The credential providers of the AWS SDK for JavaScript against the built agent: container credentials over loopback
// TCP with the token file, and credential_process with `latchkey helper aws`.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fromHttp } from '@aws-sdk/credential-provider-http';
import { fromProcess } from '@aws-sdk/credential-provider-process';
import t, { type Test } from 'tap';
import { freePort } from '../../src/base/system/free-port.ts';
import { program, startAgent } from '../support/cli.ts';
import { startDevVault } from '../support/dev-vault.ts';
import { testFolder } from '../support/test-folder.ts';
import { waitFor } from '../support/wait-for.ts';

const arn = 'arn:aws:secretsmanager:eu-central-1:123456789012:secret:';

async function start(t: Test) {
  const vault = await startDevVault(t);
  await vault.writeSecret('secret/cloud', { access_key: 'AKIA1', secret_key: 's1', security_token: 'st1' });
  await vault.writeSecret('secret/plain', { password: 'x' });
  const folder = testFolder(t);
  const port = await freePort();
  const agent = startAgent(t, {
    folder,
    vault,
    config: {
      secrets: {
        cloud: { path: 'secret/cloud', aliases: [`${arn}my-secret`, `${arn}other-Ab12Cd`] },
        plain: { path: 'secret/plain', aliases: [`${arn}team/db-aB3xY9`, `${arn}other`] },
      },
      listeners: [
        { unix: join(folder, 'latchkey.sock'), serve: ['secrets', 'admin'] },
        { tcp: `127.0.0.1:${port}`, token_file: join(folder, 'token'), serve: ['aws'] },
      ],
    },
  });
  await agent.untilReady();
  return { vault, agent, folder, url: `http://127.0.0.1:${port}` };
}

t.test('AWS_CONTAINER_CREDENTIALS_FULL_URI works with the SDK, rotation included', async (t) => {
  const { vault, agent, folder, url } = await start(t);
  const options = {
    awsContainerCredentialsFullUri: `${url}/credentials/aws/cloud`,
    awsContainerAuthorizationTokenFile: join(folder, 'token'),
    maxRetries: 0,
  };
  const first = await fromHttp(options)();
  t.match(first, { accessKeyId: 'AKIA1', secretAccessKey: 's1', sessionToken: 'st1' });
  t.ok(first.expiration !== undefined && first.expiration.getTime() > Date.now() + 300_000);
  await vault.writeSecret('secret/cloud', { access_key: 'AKIA2', secret_key: 's2' });
  t.equal((await agent.ask('/refresh?name=cloud', { method: 'POST' })).status, 200);
  await waitFor('the new key', async () => (await fromHttp(options)()).accessKeyId === 'AKIA2');
  const withToken = {
    awsContainerCredentialsFullUri: options.awsContainerCredentialsFullUri,
    awsContainerAuthorizationToken: readFileSync(join(folder, 'token'), 'utf8'),
    maxRetries: 0,
  };
  t.match(await fromHttp(withToken)(), { accessKeyId: 'AKIA2' });
  await t.rejects(
    fromHttp({ ...withToken, awsContainerAuthorizationToken: 'wrong' })(),
    /403|denied|bad token/i,
  );
  const none = { ...withToken, awsContainerCredentialsFullUri: `${url}/credentials/aws/plain` };
  await t.rejects(fromHttp(none)(), /404|no AWS credentials/);
});

t.test('the ARN of an alias means the secret with its suffix and without, and no other', async (t) => {
  const { folder, url } = await start(t);
  const headers = { 'X-Aws-Parameters-Secrets-Token': readFileSync(join(folder, 'token'), 'utf8') };
  for (const [name, says] of [
    ['team/db-aB3xY9', /"password":"x"/],
    ['team/db', /"password":"x"/],
    ['my-secret', /AKIA1/],
    ['my-secret-Zz12Zz', /AKIA1/],
    ['other-Ab12Cd', /AKIA1/],
    ['other', /"password":"x"/],
    ['my', undefined],
    ['team', undefined],
  ] as const) {
    const id = encodeURIComponent(`${arn}${name}`);
    const answer = await fetch(`${url}/secretsmanager/get?secretId=${id}`, { headers });
    const text = await answer.text();
    if (says === undefined) t.not(answer.status, 200, name);
    else t.match((JSON.parse(text) as { SecretString?: string }).SecretString, says, name);
  }
});

t.test('credential_process runs the helper', async (t) => {
  const { folder, agent } = await start(t);
  const configFilepath = join(folder, 'aws-config');
  writeFileSync(
    configFilepath,
    `[profile local]\ncredential_process = "${process.execPath}" --disable-sigusr1 "${program}" helper aws cloud --socket ${agent.socket}\n`,
  );
  const credentials = await fromProcess({
    profile: 'local',
    configFilepath,
    filepath: join(folder, 'none'),
  })();
  t.match(credentials, { accessKeyId: 'AKIA1', secretAccessKey: 's1', sessionToken: 'st1' });
});
