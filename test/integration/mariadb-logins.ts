// The option file of the guide for MySQL and MariaDB against a real server: its own client logs in with what the agent wrote,
// through rotations, whatever is in a password.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { load } from 'js-yaml';
import t, { type Test } from 'tap';
import { startAgent } from '../support/cli.ts';
import { startDevVault } from '../support/dev-vault.ts';
import { missing } from '../support/missing.ts';
import { testFolder } from '../support/test-folder.ts';
import { waitFor } from '../support/wait-for.ts';

const server = ['/usr/sbin/mariadbd', '/usr/libexec/mariadbd'].find((path) => existsSync(path));
const skip =
  server === undefined
    ? 'mariadbd (Debian: mariadb-server-core) is not installed'
    : missing('mariadb', ['mariadb', '--version']) ||
      missing('mariadb-install-db', ['sh', '-c', 'command -v mariadb-install-db']);

const guide = readFileSync(resolve(import.meta.dirname, '../../docs/guides/programs/mysql.md'), 'utf8');

/** As root of the server, over its own socket. */
async function startMariadb(t: Test): Promise<{ socket: string; ask(sql: string): void }> {
  const folder = testFolder(t);
  const data = join(folder, 'data');
  mkdirSync(data);
  const user = process.getuid?.() === 0 ? ['--user=root'] : [];
  const made = spawnSync(
    'mariadb-install-db',
    [
      '--no-defaults',
      `--datadir=${data}`,
      '--auth-root-authentication-method=normal',
      '--skip-test-db',
      ...user,
    ],
    { encoding: 'utf8' },
  );
  if (made.status !== 0) throw new Error(made.stdout + made.stderr);
  const socket = join(folder, 's');
  const options = [`--datadir=${data}`, `--socket=${socket}`, `--pid-file=${join(folder, 'pid')}`];
  const small = ['--skip-networking', '--innodb-buffer-pool-size=16M', '--innodb-flush-log-at-trx-commit=0'];
  const child = spawn(server ?? '', ['--no-defaults', ...options, ...small, ...user], { stdio: 'ignore' });
  const exited = new Promise((done) => child.once('close', done));
  t.teardown(async () => {
    child.kill('SIGKILL');
    await exited;
  });
  const run = (sql: string) =>
    spawnSync('mariadb', ['--no-defaults', `--socket=${socket}`, '--user=root'], {
      input: sql,
      encoding: 'utf8',
    });
  await waitFor('the server', async () => run('SELECT 1').status === 0);
  return {
    socket,
    ask(sql) {
      const { status, stderr } = run(sql);
      if (status !== 0) throw new Error(`${sql}: ${stderr}`);
    },
  };
}

/** Each is the password of one version. */
const passwords = [
  'plain',
  ' a b ',
  'quo"te',
  "sin'gle",
  `both'"`,
  'back\\slash',
  'ends\\',
  '\\n\\s\\t',
  '#hash;semi',
  '%$!`~',
  'p=q',
  '[client]',
  'ünïcødé 漢',
  'tab\tin',
];

t.setTimeout(600_000);

t.test('its client logs in with what is in the file, whatever that is', { skip }, async (t) => {
  const mariadb = await startMariadb(t);
  const vault = await startDevVault(t);
  const folder = testFolder(t);
  const [yaml = ''] = [...guide.matchAll(/^```yaml latchkey\.yaml\n(.*?)^```$/gms)].map(
    ([, text = '']) => text,
  );
  const config = load(yaml) as {
    secrets: Record<string, object>;
    files: Record<string, unknown>[];
  };
  const destination = join(folder, 'my.cnf');
  for (const file of config.files) {
    t.equal(file['destination'], '/etc/app/my.cnf');
    delete file['owner'];
    file['destination'] = destination;
  }
  const literal = (text: string): string => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`;
  const put = async (index: number): Promise<string> => {
    const [user, password = ''] = [`app_${index}`, passwords[index]];
    mariadb.ask(`SET NAMES utf8mb4; CREATE USER ${user}@localhost IDENTIFIED BY ${literal(password)};`);
    await vault.writeSecret('secret/app', { user, password });
    return user;
  };
  const first = await put(0);
  const agent = startAgent(t, { folder, vault, config: { ...config } });
  await agent.untilReady();
  const whoAmI = () =>
    spawnSync(
      'mariadb',
      [
        ...[`--defaults-extra-file=${destination}`, `--socket=${mariadb.socket}`],
        ...['--default-character-set=utf8mb4', '--batch', '--skip-column-names', '-e', 'SELECT USER()'],
      ],
      { encoding: 'utf8', env: { PATH: process.env['PATH'], HOME: folder } },
    );
  t.match(whoAmI(), { status: 0, stdout: `${first}@localhost\n` });
  for (let index = 1; index < passwords.length; index += 1) {
    const user = await put(index);
    await agent.ask('/refresh/database', { method: 'POST' });
    await waitFor(`version ${index + 1}`, () => readFileSync(destination, 'utf8').includes(user));
    const { status, stdout, stderr } = whoAmI();
    t.strictSame([status, stdout], [0, `${user}@localhost\n`], `${passwords[index]}: ${stderr}`);
    mariadb.ask(`DROP USER app_${index - 1}@localhost;`);
  }
});
