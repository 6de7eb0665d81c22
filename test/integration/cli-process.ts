// A supervised program with a database login in its environment, and `latchkey run`, through the command line.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { runProgram, startAgent, startProgram } from '../support/cli.ts';
import { mountDatabase } from '../support/database-engine.ts';
import { startDevVault } from '../support/dev-vault.ts';
import { queryPostgres, startPostgres } from '../support/postgres.ts';
import { testFolder } from '../support/test-folder.ts';
import { waitFor } from '../support/wait-for.ts';

t.setTimeout(600_000);

t.test('a program with a login in its environment is restarted before the login ends', async (t) => {
  const postgres = await startPostgres(t);
  if (postgres === undefined) return;
  const vault = await startDevVault(t);
  await mountDatabase(vault, postgres, { defaultTtl: '5s', maxTtl: '5s' });
  const folder = testFolder(t);
  const seen = join(folder, 'seen');
  const agent = startAgent(t, {
    folder,
    vault,
    config: {
      secrets: { db: { path: 'database/creds/app', overlap: '500ms', on_exit: 'revoke' } },
      processes: [
        {
          name: 'app',
          command: ['sh', '-c', `echo "$DB_USER $DB_PASSWORD" >> ${seen}; exec sleep 600`],
          env: { DB_USER: '{{ field "db" "username" }}', DB_PASSWORD: '{{ field "db" "password" }}' },
        },
      ],
    },
  });
  await agent.untilReady();
  const logins = () => (existsSync(seen) ? readFileSync(seen, 'utf8').trim().split('\n') : []);
  await waitFor('two rotations', () => logins().length >= 3);
  const [user = '', password = ''] = (logins().at(-1) ?? '').split(' ');
  await queryPostgres(postgres, 'select 1', [], { user, password });
  const first = (logins()[0] ?? '').split(' ')[0];
  await waitFor('the first role to be gone', async () => {
    const rows = await queryPostgres(postgres, 'select 1 from pg_roles where rolname = $1', [first]);
    return rows.length === 0;
  });
  t.notMatch(agent.log(), password, 'the log knows no password');
  t.equal((await agent.stop()).code, 0);
  const left = await queryPostgres(postgres, "select rolname from pg_roles where rolname like 'v-%'");
  t.strictSame(left, [], 'no role is left');
});

t.test('run starts a program when all is there, and ends as it ends', async (t) => {
  const folder = testFolder(t);
  const vault = await startDevVault(t);
  await vault.writeSecret('secret/app', { word: 'value' });
  const configPath = join(folder, 'latchkey.yaml');
  const destination = join(folder, 'app.conf');
  const config = (path: string) => ({
    upstreams: { vault: { kind: 'vault', address: vault.address, auth: { method: 'token' } } },
    secrets: { app: { path } },
    files: [{ contents: '{{ field "app" "word" }}', destination }],
    processes: [{ name: 'app', command: ['true'], env: { WORD: '{{ field "app" "word" }}' } }],
    log: { level: 'error' },
    state_dir: join(folder, 'state'),
  });
  writeFileSync(configPath, JSON.stringify(config('secret/app')));
  const env = { VAULT_TOKEN: vault.rootToken };
  const run = (...command: string[]) =>
    runProgram(t, ['run', '--config', configPath, '--', ...command], { env });
  t.match(await run('sh', '-c', `printf "$WORD "; cat ${destination}`), { code: 0, stdout: 'value value' });
  t.match(await run('sh', '-c', 'exit 7'), { code: 7 });
  t.match(await run('sh', '-c', 'kill -TERM $$'), { code: 143 });
  t.match(
    await run('sh', '-c', 'echo "[$VAULT_TOKEN]"'),
    { code: 0, stdout: '[]\n' },
    'the environment is clean',
  );

  const forwarded = startProgram(
    t,
    [
      'run',
      '--config',
      configPath,
      '--',
      'sh',
      '-c',
      'trap "echo got; exit 3" TERM; echo up; while :; do sleep 0.1; done',
    ],
    { env },
  );
  await waitFor('the program', () => forwarded.stdout().includes('up'));
  forwarded.child.kill('SIGTERM');
  t.match(await forwarded.exited, { code: 3, stdout: 'up\ngot\n' });

  writeFileSync(configPath, JSON.stringify(config('secret/nothing')));
  t.match(await run('true'), { code: 4, stderr: /no such secret/ });
  t.match(await runProgram(t, ['run', '--config', configPath], { env }), { code: 2, stderr: /after --/ });
});
