// No program that the agent starts gets the agent's token by its environment, whichever way it is started.
import { closeSync, existsSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { keysOfProfile, type OtherSources } from '../../src/upstream/cloud/aws-profile.ts';
import { runProgram, startAgent } from '../support/cli.ts';
import { startDevVault } from '../support/dev-vault.ts';
import { startKindSource } from '../support/kind-source.ts';
import { startFakeKubernetes } from '../support/kinds/kubernetes-kind.ts';
import { testFolder } from '../support/test-folder.ts';
import { waitFor } from '../support/wait-for.ts';

const linuxOnly = process.platform !== 'linux' && 'needs Linux';
const noOthers: OtherSources = {
  webIdentity: async () => undefined,
  named: async () => undefined,
  stsEndpoint: () => '',
};
const agentsOwn = {
  ...{ PATH: process.env['PATH'] ?? '', OKTA_PROFILE: 'of-theirs' },
  ...{ VAULT_TOKEN: 'canary-vault', BAO_TOKEN: 'canary-bao', OP_SERVICE_ACCOUNT_TOKEN: 'canary-op' },
  ...{ NOTIFY_SOCKET: '/canary', CREDENTIALS_DIRECTORY: '/canary' },
};
const canary = { LATCHKEY_CANARY: 'canary-of-the-agent', NODE_EXTRA: 'canary-too', NOTIFY_SOCKET: '' };

t.test('plugins, checks, notifications, settling, probes and processes', async (t) => {
  const folder = testFolder(t);
  const at = (name: string) => join(folder, name);
  const vault = await startDevVault(t);
  const write = (name: string) => ['sh', '-c', `env > ${at(name)}.new && mv ${at(name)}.new ${at(name)}`];
  const agent = startAgent(t, {
    folder,
    vault,
    env: canary,
    config: {
      template: { allow_plugin: true },
      files: [
        {
          contents: '{{ plugin "env" }}',
          destination: at('plugin'),
          check: { command: write('check') },
          notify: { command: write('notify') },
          settle: { command: write('settle') },
        },
      ],
      processes: [{ name: 'child', command: ['sh', '-c', `${write('process')[2]}; exec sleep 600`] }],
    },
  });
  for (const name of ['plugin', 'check', 'notify', 'settle', 'process']) {
    await waitFor(name, () => existsSync(at(name)));
    const text = readFileSync(at(name), 'utf8');
    t.match(text, /^PATH=/m, name);
    t.notMatch(text, /canary-of-the-agent|canary-too|VAULT_TOKEN/, name);
    t.notOk(text.includes(vault.rootToken), `${name}: no token`);
  }
  await agent.stop();
});

t.test(
  'no descriptor that the agent was started with, whatever its number',
  { skip: linuxOnly },
  async (t) => {
    const folder = testFolder(t);
    const at = (name: string) => join(folder, name);
    const vault = await startDevVault(t);
    writeFileSync(at('canary'), 'x', { mode: 0o600 });
    const list = (name: string) => [
      'sh',
      '-c',
      `for f in /proc/self/fd/*; do readlink $f; done > ${at(name)}.new; mv ${at(name)}.new ${at(name)}`,
    ];
    for (const as of [3, 17, 200]) {
      const fd = openSync(at('canary'), 'r');
      const agent = startAgent(t, {
        folder,
        vault,
        inherits: { fd, as },
        config: {
          template: { allow_plugin: true },
          files: [
            {
              contents: `{{ plugin "sh" "-c" "${list(`plugin-${as}`)[2]}" }}`,
              destination: at(`out-${as}`),
              check: { command: list(`check-${as}`) },
            },
          ],
          processes: [
            { name: 'child', command: ['sh', '-c', `${list(`process-${as}`)[2]}; exec sleep 600`] },
          ],
        },
      });
      for (const name of ['plugin', 'check', 'process']) {
        await waitFor(name, () => existsSync(at(`${name}-${as}`)));
        t.notMatch(readFileSync(at(`${name}-${as}`), 'utf8'), 'canary', `${name}: descriptor ${as}`);
      }
      await agent.stop();
      closeSync(fd);
    }
  },
);

t.test('a template rendered once', async (t) => {
  const folder = testFolder(t);
  const vault = await startDevVault(t);
  const config = join(folder, 'latchkey.json');
  const settings = {
    upstreams: { vault: { address: vault.address, auth: { method: 'token' } } },
    template: { allow_plugin: true },
    files: [{ contents: '{{ plugin "env" }}', destination: join(folder, 'out') }],
    state_dir: join(folder, 'state'),
  };
  writeFileSync(config, JSON.stringify(settings), { mode: 0o600 });
  const { code } = await runProgram(t, ['render', '--config', config], {
    env: { ...canary, VAULT_TOKEN: vault.rootToken },
  });
  t.equal(code, 0);
  t.notMatch(readFileSync(join(folder, 'out'), 'utf8'), /canary-of-the-agent|canary-too|VAULT_TOKEN/);
});

t.test('the credential_process of a profile of AWS', async (t) => {
  const folder = testFolder(t);
  const script = join(folder, 'process');
  const seen = join(folder, 'seen');
  writeFileSync(
    script,
    `env > ${seen}; echo '{"Version":1,"AccessKeyId":"AKIA","SecretAccessKey":"s","SessionToken":"t"}'`,
  );
  writeFileSync(join(folder, 'config'), `[default]\ncredential_process = sh ${script}\n`);
  const env = { ...agentsOwn, HOME: folder, AWS_CONFIG_FILE: join(folder, 'config') };
  const keys = await keysOfProfile({ env, signal: AbortSignal.timeout(60_000) }, noOthers);
  t.equal(keys?.accessKeyId, 'AKIA');
  const text = readFileSync(seen, 'utf8');
  t.match(text, /^OKTA_PROFILE=of-theirs$/m, 'what it may need is there, as from other tools');
  t.notMatch(text, /canary-(?:vault|bao|op)|=\/canary$/m);
});

t.test('the credential plugin of a kubeconfig', async (t) => {
  const fake = await startFakeKubernetes(t);
  const folder = testFolder(t);
  const seen = join(folder, 'seen');
  const config = JSON.parse(readFileSync(fake.kubeconfig, 'utf8'));
  // Another login asks again, and may be doing so while it is read.
  const script = `[ -e ${seen} ] || env > ${seen}; echo '{"status":{"token":"token-1"}}'`;
  config.users[0].user = { exec: { command: 'sh', args: ['-c', script] } };
  writeFileSync(join(folder, 'config'), JSON.stringify(config), { mode: 0o600 });
  fake.put('db', { user: 'joe' });
  const source = { kind: 'kubernetes', watch: false, kubeconfig: join(folder, 'config') };
  const up = await startKindSource(t, source, { env: agentsOwn });
  t.same(await up.fields('db'), { user: 'joe' });
  const text = readFileSync(seen, 'utf8');
  t.match(text, /^OKTA_PROFILE=of-theirs$/m);
  t.notMatch(text, /canary-(?:vault|bao|op)|=\/canary$/m);
});
