// psql, PHP, nginx, Java and a pooler log in and shake hands without a pause, while their credential and certificate rotate,
// the agent restarts, is upgraded and killed, their files are deleted, and others want to write them. One database, one vault
// and one agent for all of them.
import { spawn } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import t, { type Test } from 'tap';
import { freePort } from '../../src/base/system/free-port.ts';
import { program, runProgram, startAgent } from '../support/cli.ts';
import { mountDatabase } from '../support/database-engine.ts';
import { startDevVault } from '../support/dev-vault.ts';
import { missing } from '../support/missing.ts';
import { isRoot } from '../support/needs-root.ts';
import { handshake, nginxConf } from '../support/nginx-rotation.ts';
import { outputOf } from '../support/output-of.ts';
import { mountPki } from '../support/pki-engine.ts';
import { queryPostgres, startPostgres } from '../support/postgres.ts';
import { type Loop, startLoop, startProgramLoop, stopProgram } from '../support/program-loops.ts';
import { testFolder } from '../support/test-folder.ts';
import { waitFor } from '../support/wait-for.ts';

t.setTimeout(600_000);

const pooler = '/usr/sbin/pgbouncer';
const webServer = 'nginx';
const runtime = 'java';

const phpScript = (config: string) => `
$c = include ${JSON.stringify(config)};
if ($c === false) { fwrite(STDERR, "no file"); exit(2); }
$p = @pg_connect("host=127.0.0.1 port=" . $c["port"] . " dbname=" . $c["name"] . " user=" . $c["user"] . " password='" . $c["password"] . "'");
if ($p === false) { fwrite(STDERR, "login failed"); exit(1); }
echo pg_fetch_result(pg_query($p, "select 1"), 0, 0);`;

const javaProgram = `
import java.io.*; import java.security.*; import java.security.cert.*; import java.util.*; import javax.net.ssl.*;
public class Loop {
  public static void main(String[] a) throws Exception {
    KeyStore store = KeyStore.getInstance("PKCS12");
    store.load(null, null);
    try (InputStream in = new FileInputStream(a[1])) {
      store.setCertificateEntry("ca", CertificateFactory.getInstance("X.509").generateCertificate(in));
    }
    TrustManagerFactory trust = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
    trust.init(store);
    SSLContext tls = SSLContext.getInstance("TLS");
    tls.init(null, trust.getTrustManagers(), null);
    for (;; Thread.sleep(60)) {
      Properties p = new Properties();
      String shake = "ok";
      try (InputStream in = new FileInputStream(a[0])) { p.load(in); } catch (FileNotFoundException e) { System.out.println("no file"); continue; }
      try (SSLSocket s = (SSLSocket) tls.getSocketFactory().createSocket("127.0.0.1", Integer.parseInt(a[2]))) { s.startHandshake(); }
      catch (Exception e) { shake = e.toString(); }
      System.out.println(p.getProperty("user") + "\\t" + p.getProperty("password") + "\\t" + shake);
    }
  }
}`;

/** Only one's own dependency that is not bundled is found from there. */
function copyOfProgram(t: Test): string {
  const parent = resolve(import.meta.dirname, '../../.tap');
  mkdirSync(parent, { recursive: true });
  const folder = mkdtempSync(join(parent, 'upgrade-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  cpSync(dirname(program), join(folder, 'dist'), { recursive: true });
  cpSync(resolve(import.meta.dirname, '../../package.json'), join(folder, 'package.json'));
  return folder;
}

t.test('nobody notices', { skip: missing('psql', ['psql', '--version']) }, async (t) => {
  const postgres = await startPostgres(t);
  if (postgres === undefined) return;
  const vault = await startDevVault(t);
  const database = await mountDatabase(vault, postgres, { defaultTtl: '1h', maxTtl: '24h' });
  const ca = await mountPki(vault, { allow_ip_sans: true });
  const folder = testFolder(t);
  const at = (name: string) => join(folder, name);
  writeFileSync(at('ca.pem'), ca);
  mkdirSync(at('tmp'));
  const [tlsPort, poolPort] = [await freePort(), await freePort()];
  writeFileSync(at('nginx.conf'), nginxConf(folder, tlsPort));
  const { port, database: name } = postgres;
  const user = (quote: string) => `{{ field "db" "username" | ${quote} }}`;
  const password = (quote: string) => `{{ field "db" "password" | ${quote} }}`;
  const names = [
    'pg_service.conf',
    'config.php',
    'app.properties',
    'pool.ini',
    'tls.crt',
    'tls.key',
  ] as const;
  const contents: Record<(typeof names)[number], string> = {
    'pg_service.conf': `[app]\nhost=127.0.0.1\nport=${port}\ndbname=${name}\nuser=${user('quotePgService')}\npassword=${password('quotePgService')}\n`,
    'config.php': `<?php return ["port" => ${port}, "name" => "${name}", "user" => ${user('quotePHP')}, "password" => ${password('quotePHP')}];\n`,
    'app.properties': `user=${user('quoteProperties')}\npassword=${password('quoteProperties')}\n`,
    'pool.ini': `[databases]\napp = host=127.0.0.1 port=${port} dbname=${name} user={{ field "db" "username" }} password={{ field "db" "password" }}
[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = ${poolPort}\nauth_type = any\npool_mode = transaction\nserver_login_retry = 0.2\npidfile = ${at('tmp/pool.pid')}\nunix_socket_dir =\n`,
    'tls.crt': '{{ field "web" "certificate" }}\n',
    'tls.key': '{{ field "web" "private_key" }}\n',
  };
  const more: Partial<Record<(typeof names)[number], object>> = {
    'pool.ini': { mode: '0644', notify: { signal: 'HUP', pid_file: at('tmp/pool.pid') } },
    'tls.crt': { set: 'tls', notify: { signal: 'HUP', pid_file: at('nginx.pid') } },
    'tls.key': { set: 'tls' },
  };
  const config = {
    secrets: {
      db: { path: 'database/creds/app', overlap: '4s' },
      web: {
        path: 'pki/issue/web',
        operation: 'write',
        parameters: { common_name: 'web.example.com', ip_sans: '127.0.0.1', ttl: '24h' },
      },
    },
    files: names.map((one) => ({ destination: at(one), contents: contents[one], ...more[one] })),
  };
  const home = copyOfProgram(t);
  const main = join(home, 'dist/main.js');
  const start = async () => {
    const started = startAgent(t, { folder, vault, config, main });
    await started.untilReady();
    return started;
  };
  let agent = await start();
  const isThere = () => names.every((one) => existsSync(at(one)));
  await waitFor('the files', isThere);

  const loops: Loop[] = [];
  const begin = (what: string, why: string | false, loop: () => Loop) => {
    if (why !== false) return void t.pass(`without ${what}`, { skip: why });
    const one = loop();
    loops.push(one);
    t.teardown(one.end);
  };
  const login = (line: string) => {
    const [who = '', word = '', shake = ''] = line.split('\t');
    if (shake !== 'ok') return Promise.reject(new Error(shake));
    return queryPostgres(postgres, 'select 1', [], { user: who, password: word });
  };
  const psql = ['psql', '-w', '-Atqc', 'select 1'];
  begin('psql', false, () =>
    startLoop('psql', () => outputOf(psql, { PGSERVICEFILE: at('pg_service.conf'), PGSERVICE: 'app' })),
  );
  begin('PHP', missing('php with pgsql', ['php', '-m'], /^pgsql$/m), () =>
    startLoop('PHP', () => outputOf(['php', '-r', phpScript(at('config.php'))])),
  );
  begin('nginx', missing(webServer, [webServer, '-v']), () => {
    const nginx = spawn(webServer, ['-p', folder, '-c', at('nginx.conf')], { stdio: 'ignore' });
    t.teardown(() => stopProgram(nginx));
    return startLoop('nginx', () => handshake(tlsPort, ca));
  });
  begin('a pooler', missing('pgbouncer', [pooler, '--version']), () => {
    // It refuses to be root; what it reads again is then its user's.
    const command = [...(isRoot ? ['-u', 'nobody'] : []), at('pool.ini')];
    const child = spawn(pooler, ['-q', ...command], { stdio: 'ignore' });
    t.teardown(() => stopProgram(child));
    return startLoop('pooler', () =>
      outputOf([...psql, `host=127.0.0.1 port=${poolPort} dbname=app user=anybody`]),
    );
  });
  begin('Java', missing('javac', ['javac', '-version']), () => {
    writeFileSync(at('Loop.java'), javaProgram);
    const java = spawn(
      runtime,
      [
        '-Xshare:auto',
        '-XX:TieredStopAtLevel=1',
        at('Loop.java'),
        at('app.properties'),
        at('ca.pem'),
        String(tlsPort),
      ],
      {
        stdio: ['ignore', 'pipe', 'inherit'],
      },
    );
    t.teardown(() => stopProgram(java));
    return startProgramLoop('Java', java, login);
  });
  // What failed before the program was up is no failure of the agent's.
  await waitFor('all of them', () => loops.every((loop) => loop.successes() > 2));
  const begun = Date.now();
  /** A program that reads its file finds none for this long: no agent can be faster than the deletion. */
  const gaps: [number, number][] = [];
  const goOn = async (what: string) => {
    const before = loops.map((loop) => loop.successes());
    await waitFor(`all to go on after ${what}`, () =>
      loops.every((loop, index) => loop.successes() > (before[index] ?? 0) + 2),
    );
  };
  const stateOf = () => names.map((one) => readFileSync(at(one), 'utf8')).join('');

  for (const secret of ['db', 'web', 'db']) {
    const before = stateOf();
    const answer = await agent.ask(`/rotate/${secret}`, { method: 'POST' });
    t.match(JSON.parse(answer.text), { outcome: 'rotated', behind: [] }, `${secret} rotated`);
    t.not(stateOf(), before);
    await goOn(`the rotation of ${secret}`);
  }
  const serials = () => vault.countRequests(/pki\/issue\/web/);
  const [issued, text] = [serials(), stateOf()];

  await agent.stop();
  await goOn('the stop');
  agent = await start();
  await goOn('the restart');

  // As a package manager does it: the old files go while the old agent runs.
  renameSync(join(home, 'dist'), join(home, 'old'));
  cpSync(join(home, 'old'), join(home, 'dist'), { recursive: true });
  rmSync(join(home, 'old'), { recursive: true });
  await goOn('the new files of the program');
  t.match(await runProgram(t, ['status', '--socket', agent.socket]), { code: 0 });
  await agent.stop();
  agent = await start();
  await goOn('the upgrade');

  agent.child.kill('SIGKILL');
  await agent.exited;
  await goOn('the kill');
  agent = await start();
  await goOn('the start after the kill');
  t.equal(stateOf(), text, 'all the while every file was as it was');

  const from = Date.now();
  for (const one of names) rmSync(at(one));
  await waitFor('the files again', isThere);
  gaps.push([from - 500, Date.now()]);
  await goOn('the deletion of the files');
  t.equal(stateOf(), text);

  const other = at('other.yaml');
  writeFileSync(other, readFileSync(agent.configPath, 'utf8').replace('agent.log', 'other.log'), {
    mode: 0o600,
  });
  const env = { VAULT_TOKEN: vault.rootToken };
  for (const command of ['agent', 'render']) {
    const { code, stderr } = await runProgram(t, [command, '--config', other], { env });
    t.match({ code, stderr }, { code: 2, stderr: /in use by another agent/ }, `a second ${command}`);
  }
  await runProgram(t, ['run', '--config', other, '--', 'true'], { env });
  await goOn('other writers');
  t.equal(stateOf(), text);

  await Promise.all(loops.map((loop) => loop.end()));
  const inGap = (time: number) => gaps.some(([start, end]) => time >= start && time <= end);
  for (const loop of loops) {
    const failures = loop.failures().filter(({ at: time }) => time >= begun && !inGap(time));
    t.strictSame(
      failures.map(({ message }) => message).slice(0, 5),
      [],
      `${loop.name}: ${loop.successes()} times, no failure`,
    );
  }
  for (const loop of loops.filter((one) => ['nginx', 'pooler'].includes(one.name))) {
    t.equal(
      loop.failures().filter(({ at: time }) => time >= begun).length,
      0,
      `${loop.name} reads no file of its own`,
    );
  }
  t.equal(serials(), issued, 'no certificate but those that were rotated');
  await waitFor('one database user', async () => (await database.roles()).length === 1);
  await agent.stop();
});
