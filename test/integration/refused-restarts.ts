// A service manager that starts the agent again and again with a credential that is refused: user lockout of Vault and OpenBao
// counts each login, and locks the role for every host with the fifth in a quarter of an hour.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { runProgram } from '../support/cli.ts';
import { startDevVault } from '../support/dev-vault.ts';
import { testFolder } from '../support/test-folder.ts';

t.test(
  'six starts with a refused secret id are four logins, and the right one is taken at once',
  async (t) => {
    const vault = await startDevVault(t);
    await vault.writeSecret('secret/app', { key: 'one' });
    const { roleId, secretId } = await vault.createAppRole('app', { token_policies: ['app'] });
    await vault.ask('PUT', 'sys/policies/acl/app', { policy: 'path "secret/*" { capabilities = ["read"] }' });
    const folder = testFolder(t);
    const [config, secretIdFile] = [join(folder, 'latchkey.yaml'), join(folder, 'secret-id')];
    writeFileSync(secretIdFile, 'not-the-right-one', { mode: 0o600 });
    writeFileSync(
      config,
      JSON.stringify({
        upstreams: {
          vault: {
            kind: 'vault',
            address: vault.address,
            auth: { method: 'approle', role_id: roleId, secret_id_file: secretIdFile },
          },
        },
        state_dir: join(folder, 'state'),
        secrets: { app: { path: 'secret/app' } },
        files: [{ destination: join(folder, 'app.txt'), contents: '{{ field "app" "key" }}' }],
      }),
      { mode: 0o600 },
    );
    const render = () => runProgram(t, ['render', '--once', '--config', config, '--timeout', '5s']);
    const asked = () => vault.countRequests(/^(?:PUT|POST) auth\/approle\/login/);
    const before = asked();
    for (let run = 0; run < 6; run += 1) {
      const { code, stderr } = await render();
      t.not(code, 0);
      t.match(
        stderr,
        run < 4 ? /refused with 400/ : /refused 4 times within 15 minutes.*not shown again before/s,
      );
    }
    t.equal(asked() - before, 4);
    writeFileSync(secretIdFile, secretId);
    const { code, stderr } = await render();
    t.equal(code, 0, stderr);
  },
);
