// `latchkey render --diff`: differences by the exit code where that is asked for, told apart from failures.
import { chmodSync, existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { runProgram } from '../support/cli.ts';
import { startDevVault } from '../support/dev-vault.ts';
import { testFolder } from '../support/test-folder.ts';

t.test('differences are told by the exit code where a user asks for it', async (t) => {
  const folder = testFolder(t);
  const vault = await startDevVault(t);
  await vault.writeSecret('secret/app', { word: 'w-long-enough' });
  const destination = join(folder, 'app.conf');
  const config = join(folder, 'latchkey.yaml');
  const write = (field: string) =>
    writeFileSync(
      config,
      JSON.stringify({
        upstreams: { vault: { kind: 'vault', address: vault.address, auth: { method: 'token' } } },
        secrets: { app: { path: 'secret/app' } },
        files: [{ contents: `{{ field "app" "${field}" }}`, destination }],
        state_dir: join(folder, 'state'),
      }),
      { mode: 0o600 },
    );
  let token = vault.rootToken;
  const render = async (...args: string[]) => {
    const env = { VAULT_TOKEN: token };
    const { code, stderr } = await runProgram(t, ['render', ...args, '--config', config], { env });
    return [code, stderr.trim().replaceAll(folder, '')];
  };
  write('word');
  t.strictSame(await render('--diff'), [0, '/app.conf: create']);
  t.strictSame(await render('--diff', '--exit-code'), [6, '/app.conf: create']);
  t.notOk(existsSync(destination), 'nothing was written');
  t.match(await render('--once'), [0]);
  t.strictSame(await render('--diff', '--exit-code'), [0, '/app.conf: no change']);
  chmodSync(destination, 0o644);
  t.match(await render('--diff', '--exit-code'), [6, /attributes/]);
  t.match(await render('--once'), [0]);
  await vault.writeSecret('secret/app', { word: 'another-word' });
  t.match(await render('--diff', '--exit-code'), [6, /content/]);
  write('wrod');
  t.match(await render('--diff', '--exit-code'), [1, /did you mean/], 'what cannot be made is no difference');
  t.match(await render('--exit-code'), [2, /expected --diff beside it/]);
  token = 'not-one';
  t.match(await render('--diff'), [
    1,
    /app\.conf: missing: app: the token is not accepted: refused with 403/,
  ]);
});
