// The vault's side as its page has it, with a real OpenBao or Vault and a real PostgreSQL: its commands in one shell, a secret
// id that is delivered wrapped, and a policy that gives all that the pages of programs ask for.
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { load } from 'js-yaml';
import t from 'tap';
import { runProgram, startAgent } from '../support/cli.ts';
import { queryPostgres, startPostgres } from '../support/postgres.ts';
import { findRealVault, noRealVault, startRealVault } from '../support/real-vault.ts';
import { testFolder } from '../support/test-folder.ts';
import { waitFor } from '../support/wait-for.ts';

const guides = resolve(import.meta.dirname, '../../docs/guides');
const page = readFileSync(join(guides, 'vault-setup.md'), 'utf8');
const blocks = (text: string, language: string): string[] =>
  [...text.matchAll(new RegExp(`^\`\`\`${language}\\b[^\\n]*\\n(.*?)^\`\`\`$`, 'gms'))].map(
    ([, body = '']) => body,
  );

/** What the pages of programs ask for, by path. */
function secretsOfPrograms(): Record<string, unknown> {
  const folder = join(guides, 'programs');
  const all = readdirSync(folder).flatMap((name) => {
    const [config = ''] = blocks(readFileSync(join(folder, name), 'utf8'), 'yaml');
    return Object.values((load(config) as { secrets: Record<string, { path: string }> }).secrets);
  });
  return Object.fromEntries(all.map((secret) => [secret.path.replaceAll('/', '-'), secret]));
}

const real = findRealVault();

t.test(
  'commands, delivery and policy do for every page',
  { skip: real === undefined ? noRealVault : false, timeout: 120_000 },
  async (t) => {
    const postgres = await startPostgres(t);
    if (real === undefined || postgres === undefined) return;
    const home = testFolder(t);
    mkdirSync(join(home, 'bin'));
    symlinkSync(real, join(home, 'bin/bao'));
    const vault = await startRealVault(t, real, 'root');
    await queryPostgres(postgres, 'create role reporter login');
    const commands = blocks(page, 'sh')
      .join('\n')
      .replace('db.example:5432/postgres', `${postgres.host}:${postgres.port}/${postgres.database}`)
      .replace('username=postgres', `username=${postgres.user}`)
      .replace('password=…', `password=${postgres.password}`);
    const [policy = '', delivery = ''] = blocks(page, 'hcl');
    const script = `set -eu
cat > app.hcl <<'HCL'\n${policy}HCL
cat > delivery.hcl <<'HCL'\n${delivery}HCL
bao policy write delivery delivery.hcl
${commands}
bao kv put -mount=secret app user=joe password=one key=k
export BAO_TOKEN=$(bao token create -policy=delivery -field=token)
bao write -wrap-ttl=10m -field=wrapping_token -f auth/approle/role/web-1/secret-id > secret-id
if bao write -f auth/approle/role/web-1/secret-id; then exit 9; fi`;
    const { status, stdout, stderr } = spawnSync('bash', ['-c', script], {
      cwd: home,
      encoding: 'utf8',
      env: {
        ...{ HOME: home, PATH: `${join(home, 'bin')}:${process.env['PATH']}` },
        ...{ BAO_ADDR: vault.address, BAO_TOKEN: 'root', VAULT_ADDR: vault.address, VAULT_TOKEN: 'root' },
      },
    });
    t.equal(status, 0, `${stdout}\n${stderr}`);
    chmodSync(join(home, 'role-id'), 0o600);
    const [login = ''] = blocks(page, 'yaml');
    const { upstreams } = load(
      login.replace('https://vault.example:8200', vault.address).replaceAll('/etc/latchkey', home),
    ) as { upstreams: unknown };
    const secrets = {
      ...secretsOfPrograms(),
      static: { path: 'database/static-creds/reporter' },
    };
    const agent = startAgent(t, { folder: home, vault, config: { upstreams, secrets } });
    await agent.untilReady();
    t.notOk(existsSync(join(home, 'secret-id')), 'it was opened, and taken away');
    const socket = ['--socket', agent.socket];
    for (const name of Object.keys(secrets))
      t.match(await runProgram(t, ['get', name, ...socket]), { code: 0 }, name);
    for (const name of ['database-creds-app', 'pki-issue-web'])
      t.match(await runProgram(t, ['rotate', name, '--revoke-now', ...socket]), {
        code: 0,
        stderr: /the old one is revoked/,
      });
    t.match(await runProgram(t, ['stop', '--revoke', ...socket]), { code: 0 });
    t.notMatch(readFileSync(join(home, 'agent.log'), 'utf8'), /not-revoked/, 'all of it is given back');
    // A vault revokes a lease in its own time.
    await waitFor('the logins to be gone', async () => {
      const logins = await queryPostgres(postgres, "select rolname from pg_roles where rolname like 'v-%'");
      return logins.length === 0;
    });
  },
);
