// Every page of docs/guides/programs, as it stands, with the program that it is for: its configuration, its program's files
// and the command that shows the secret in use, before and after a rotation. Only folders, ports and the names of users that
// this machine does not have are others.
import { type ChildProcess, spawn } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { load } from 'js-yaml';
import t from 'tap';
import { findUser } from '../../src/base/system/accounts.ts';
import { freePort } from '../../src/base/system/free-port.ts';
import { program, runProgram, startAgent } from '../support/cli.ts';
import { mountDatabase } from '../support/database-engine.ts';
import { startDevVault } from '../support/dev-vault.ts';
import { missing } from '../support/missing.ts';
import { isRoot } from '../support/needs-root.ts';
import { outputOf } from '../support/output-of.ts';
import { mountPki } from '../support/pki-engine.ts';
import { startPostgres } from '../support/postgres.ts';
import { stopProgram } from '../support/program-loops.ts';
import { testFolder } from '../support/test-folder.ts';
import { waitFor } from '../support/wait-for.ts';

interface Needs {
  /** Each must end with 0. */
  readonly programs: readonly (readonly string[])[];
  readonly database?: boolean;
  /** What runs all the while; the page leaves it to the host. */
  start?(root: string, port: number): ChildProcess;
}

const pages = resolve(import.meta.dirname, '../../docs/guides/programs');
const openssl = ['openssl', 'version'];
const python = '/usr/bin/python3';

const needs: Readonly<Record<string, Needs>> = {
  nginx: { programs: [['nginx', '-v'], openssl], start: startNginx },
  apache: { programs: [['apache2', '-v'], openssl], start: startApache },
  php: { programs: [['php', '-r', 'exit(extension_loaded("pgsql") ? 0 : 1);']], database: true },
  'java-keystore': { programs: [['keytool', '-help'], openssl] },
  spring: { programs: [['java', '-version']], database: true },
  python: { programs: [[python, '-c', 'import django, psycopg2']], database: true },
  node: { programs: [] },
  postgresql: {
    programs: [
      ['psql', '--version'],
      ['pgbouncer', '--version'],
    ],
    database: true,
    start: startPgBouncer,
  },
  mysql: { programs: [['mariadb', '--version']] },
  cron: { programs: [] },
  shell: { programs: [] },
  'closed-binary': { programs: [] },
  ini: { programs: [[python, '--version']] },
};

/** The blocks of a page: what stands after the language, and the text. */
function blocksOf(page: string): { name: string; text: string }[] {
  const text = readFileSync(join(pages, `${page}.md`), 'utf8');
  return [...text.matchAll(/^```\w+ ([^\n]+)\n(.*?)^```$/gms)].map(([, name = '', body = '']) => ({
    name,
    text: body,
  }));
}

function startNginx(root: string): ChildProcess {
  writeFileSync(
    join(root, 'nginx.conf'),
    `daemon off; pid ${root}/run/nginx.pid; error_log ${root}/error.log; events {}
http { access_log off; client_body_temp_path ${root}/run/body; proxy_temp_path ${root}/run/proxy; fastcgi_temp_path ${root}/run/fastcgi;
uwsgi_temp_path ${root}/run/uwsgi; scgi_temp_path ${root}/run/scgi; include ${root}/etc/nginx/conf.d/*.conf; }\n`,
  );
  return spawn('nginx', ['-e', join(root, 'error.log'), '-p', root, '-c', join(root, 'nginx.conf')], {
    stdio: 'ignore',
  });
}

function startApache(root: string, port: number): ChildProcess {
  const modules = ['mpm_event', 'authz_core', 'ssl'].map(
    (name) => `LoadModule ${name}_module /usr/lib/apache2/modules/mod_${name}.so`,
  );
  const user = isRoot ? ['User nobody', 'Group nogroup'] : [];
  writeFileSync(
    join(root, 'apache.conf'),
    [
      ...modules,
      ...user,
      `ServerRoot ${root}`,
      'ServerName localhost',
      `PidFile ${root}/run/apache2/apache2.pid`,
      `ErrorLog ${root}/error.log`,
      `DefaultRuntimeDir ${root}/run/apache2`,
      `Listen ${port}`,
      `Include ${root}/etc/apache2/sites-enabled/*.conf`,
      '',
    ].join('\n'),
  );
  return spawn('apache2', ['-f', join(root, 'apache.conf'), '-DFOREGROUND'], { stdio: 'ignore' });
}

function startPgBouncer(root: string): ChildProcess {
  const asUser = isRoot ? ['-u', 'postgres'] : [];
  return spawn('pgbouncer', ['-q', ...asUser, join(root, 'etc/pgbouncer/pgbouncer.ini')], {
    stdio: 'ignore',
  });
}

/** Programs that a page may call: this very build, and a service manager that has nothing to do. */
function writePrograms(root: string): string {
  const bin = join(root, 'bin');
  mkdirSync(bin);
  writeFileSync(
    join(bin, 'latchkey'),
    `#!/bin/sh\nexec '${process.execPath}' --disable-sigusr1 '${program}' "$@"\n`,
  );
  writeFileSync(join(bin, 'systemctl'), '#!/bin/sh\nexit 0\n');
  for (const name of ['latchkey', 'systemctl']) chmodSync(join(bin, name), 0o755);
  // A program of a vendor: tells its pid, as daemons do, and no more.
  const vendor = join(root, 'opt/vendor/server');
  mkdirSync(dirname(vendor), { recursive: true });
  writeFileSync(vendor, `#!/bin/sh\necho $$ > ${root}/run/vendor.pid\nexec sleep 1000\n`, { mode: 0o755 });
  return bin;
}

/** Another user's file takes root, and that user. */
function withUsersOfHere(text: string): string {
  return text.replace(/^ *(?:owner|user|group): (\S+)\n/gm, (line, name: string) =>
    isRoot && findUser(name) !== undefined ? line : '',
  );
}

function why({ programs }: Needs): string | undefined {
  return programs.map((probe) => missing(probe[0] ?? '', probe)).find((reason) => reason !== false);
}

t.setTimeout(600_000);

t.test('every page has its program', async (t) => {
  const names = readdirSync(pages).map((name) => name.replace(/\.md$/, ''));
  t.strictSame(names.sort(), Object.keys(needs).sort());
});

t.test('what a page says is so', { timeout: 500_000 }, async (t) => {
  const vault = await startDevVault(t);
  await mountPki(vault);
  const postgres = await startPostgres(t);
  if (postgres !== undefined) await mountDatabase(vault, postgres, { defaultTtl: '1h', maxTtl: '24h' });
  let version = 0;
  const writeSecret = () => {
    version += 1;
    return vault.writeSecret('secret/app', {
      user: `app-${version}`,
      password: `p "${version}' %`,
      // A single quote more, and no spelling of it would be read alike by all readers of .env.
      key: `k\\ "${version} %#`,
    });
  };

  for (const [page, need] of Object.entries(needs)) {
    const skip =
      need.database === true && postgres === undefined ? 'needs a PostgreSQL' : (why(need) ?? false);
    await t.test(page, { skip }, async (t) => {
      await writeSecret();
      const root = testFolder(t);
      const [tlsPort, poolPort] = [await freePort(), await freePort()];
      const here = (text: string): string =>
        withUsersOfHere(text)
          .replace(/(?<![\w.:/-])\/(etc|run|srv|opt)\//g, `${root}/$1/`)
          .replace(/\b8443\b/g, String(tlsPort))
          .replace(/\b5432\b/g, String(postgres?.port ?? 0))
          .replace(/\b6432\b/g, String(poolPort));
      const env = {
        PATH: `${writePrograms(root)}:/usr/sbin:${process.env['PATH'] ?? ''}`,
        LATCHKEY_SOCKET: join(root, 'latchkey.sock'),
      };
      const run = async (text: string): Promise<string> =>
        (await outputOf(['sh', '-c', here(text)], env)).trim();
      const blocks = blocksOf(page);
      await prepare(root, blocks, here, run);
      const config = load(here(blocks.find(({ name }) => name === 'latchkey.yaml')?.text ?? '')) as {
        secrets: Record<string, { path: string }>;
        listeners?: unknown[];
      };
      // Beside the page's own the one that this test asks.
      const listeners = [
        { unix: env.LATCHKEY_SOCKET, serve: ['secrets', 'admin'] },
        ...(config.listeners ?? []),
      ];
      const agent = startAgent(t, { folder: root, vault, config: { ...config, listeners }, env });
      await agent.untilReady();
      const child = need.start?.(root, tlsPort);
      if (child !== undefined) t.teardown(() => stopProgram(child));

      const looks = blocks.filter(({ name }) => name === 'see').map(({ text }) => text);
      t.ok(looks.length > 0, 'a command shows the secret in use');
      const before = await Promise.all(looks.map((look) => untilOther(look, '', run)));
      await writeSecret();
      for (const [name, { path }] of Object.entries(config.secrets)) {
        const command = path.startsWith('secret/') ? ['refresh', name] : ['rotate', name];
        const { code, stderr } = await runProgram(t, command, { env });
        t.equal(code, 0, `${command.join(' ')} ${stderr}`);
      }
      const after = await Promise.all(looks.map((look, index) => untilOther(look, before[index] ?? '', run)));
      t.ok(
        after.every((one) => one !== ''),
        'and the new one after a rotation',
      );
    });
  }
});

async function prepare(
  root: string,
  blocks: readonly { name: string; text: string }[],
  here: (text: string) => string,
  run: (text: string) => Promise<string>,
): Promise<void> {
  const all = blocks.map(({ text, name }) => here(`${text}\n${name}\n`)).join('\n');
  for (const [path] of all.matchAll(new RegExp(`${root}/(?:etc|run|srv|opt)/[\\w./-]+`, 'g')))
    mkdirSync(dirname(path), { recursive: true });
  mkdirSync(join(root, 'run'), { recursive: true });
  const pooler = join(root, 'run/postgresql');
  if (isRoot && existsSync(pooler)) chownSync(pooler, findUser('postgres')?.uid ?? 0, 0);
  for (const { name, text } of blocks) {
    if (name.startsWith('/')) writeFileSync(here(name), here(text));
    else if (name === 'once') await run(text);
  }
}

async function untilOther(
  look: string,
  before: string,
  run: (text: string) => Promise<string>,
): Promise<string> {
  let [seen, failure] = ['', 'it said nothing'];
  await waitFor(`other than before: ${look}`, async () => {
    seen = await run(look).catch((error: unknown) => {
      failure = String(error);
      return '';
    });
    return seen !== '' && seen !== before;
  }).catch((error: unknown) => {
    throw new Error(`${String(error)}; last: ${failure}`);
  });
  return seen;
}
