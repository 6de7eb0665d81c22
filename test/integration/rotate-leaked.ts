// What leaked and has no lease is revoked in the vault by the agent itself, with the least right that does it; what cannot be
// revoked is not said to be. Against every vault that is there.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { runProgram } from '../support/cli.ts';
import { startLoginAgent } from '../support/login-agent.ts';
import { mountPki } from '../support/pki-engine.ts';
import { type ServedVault, withEachVault } from '../support/served-vault.ts';

t.setTimeout(600_000);

const making = `
path "pki/issue/web" { capabilities = ["update"] }
path "auth/token/create" { capabilities = ["update"] }
`;
const revoking = `
path "pki/revoke-with-key" { capabilities = ["update"] }
path "auth/token/revoke-accessor" { capabilities = ["update"] }
`;

async function start(t: Test, vault: ServedVault, policy: string) {
  await mountPki(vault, { enforce_hostnames: false });
  const agent = await startLoginAgent(t, vault, {
    policy,
    role: { token_ttl: '1h' },
    config: {
      secrets: {
        web: {
          path: 'pki/issue/web',
          operation: 'write',
          parameters: { common_name: 'app.internal', ttl: '1h' },
        },
        child: { path: 'auth/token/create', operation: 'write', parameters: { ttl: '1h' } },
      },
      files: [
        { contents: '{{ field "web" "serial_number" }}', destination: 'serial' },
        {
          contents: '{{ with secret "auth/token/create" "ttl=1h" }}{{ .Auth.ClientToken }}{{ end }}',
          destination: 'token',
        },
      ],
    },
  });
  await agent.untilReady();
  const read = (name: string) => readFileSync(join(agent.folder, name), 'utf8');
  const ask = (...args: string[]) => runProgram(t, [...args, '--socket', agent.socket]);
  const isRevoked = async (serial: string) =>
    (await vault.ask('GET', `pki/cert/${serial}`)).data.revocation_time > 0;
  const isAlive = async (token: string) =>
    (await vault.request('PUT', 'auth/token/lookup', { token })).status === 200;
  return { agent, ask, read, isRevoked, isAlive };
}

withEachVault('a leaked certificate and a leaked token are revoked', async (t, vault) => {
  const { ask, read, isRevoked, isAlive } = await start(t, vault, making + revoking);
  const [first, token] = [read('serial'), read('token')];
  t.match(await ask('rotate', 'web'), { code: 0, stderr: /the old one lives to its own end/ });
  t.notOk(await isRevoked(first), 'a rotation alone revokes no certificate');
  const second = read('serial');

  t.match(await ask('rotate', 'web', '--revoke-now'), {
    code: 0,
    stderr: /^web: rotated .*; the old one is revoked; /,
  });
  t.ok(await isRevoked(second));
  t.not(read('serial'), second, 'another is in place');
  const steps = /fetched[\s\S]*committed[\s\S]*let go[\s\S]*revoked/;
  t.match(await ask('timeline', 'web', '--last', '1'), { code: 0, stdout: steps });

  t.match(await ask('rotate', 'child', '--revoke-now'), { code: 0, stderr: /the old one is revoked/ });
  t.notOk(await isAlive(token));
  t.ok(await isAlive(read('token')), 'and another is in place');
});

withEachVault('also after a restart, and all of it when the agent goes for good', async (t, vault) => {
  const { agent, ask, read, isRevoked } = await start(t, vault, making + revoking);
  const first = read('serial');
  t.match(await agent.stop(), { code: 0 });
  const again = runProgram(t, ['agent', '--config', agent.configPath]);
  await agent.untilReady();
  t.equal(read('serial'), first, 'it goes on with the same one');
  t.match(await ask('rotate', 'web', '--revoke-now'), { code: 0, stderr: /the old one is revoked/ });
  t.ok(await isRevoked(first));
  const second = read('serial');
  t.match(await ask('stop', '--revoke'), {
    code: 0,
    stderr: /what it was issued is revoked, if its log names none that it could not revoke\n$/,
  });
  t.match(await again, { code: 0 });
  t.ok(await isRevoked(second));
});

withEachVault('without the right the policy line is named', async (t, vault) => {
  const { ask, read, isRevoked } = await start(t, vault, making);
  const first = read('serial');
  t.match(await ask('rotate', 'web', '--revoke-now'), {
    code: 1,
    stderr:
      /^web: rotated .*; the old one is still good to its own end: .*allow update on "pki\/revoke-with-key" in a policy of this login/,
  });
  t.notOk(await isRevoked(first));
  t.not(read('serial'), first, 'another is in place all the same');
});
