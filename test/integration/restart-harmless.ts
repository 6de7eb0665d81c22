// A restart changes nothing: twenty starts with the same configuration, real PostgreSQL logins all the while, no new
// credential, certificate, commit or notification.
import { createHash } from 'node:crypto';
import { appendFileSync, existsSync, readFileSync, rmSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import t, { type Test } from 'tap';
import { writeAppRole } from '../support/app-role-files.ts';
import { startAgent } from '../support/cli.ts';
import { mountDatabase } from '../support/database-engine.ts';
import { startDevVault } from '../support/dev-vault.ts';
import { loginContents } from '../support/login-agent.ts';
import { startLogins } from '../support/login-count.ts';
import { mountPki } from '../support/pki-engine.ts';
import { startPostgres } from '../support/postgres.ts';
import { testFolder } from '../support/test-folder.ts';
import { waitFor } from '../support/wait-for.ts';

t.setTimeout(600_000);

const skip = existsSync('/dev/shm') ? false : 'no file system in memory here';

async function prepare(
  t: Test,
  role: object = { token_ttl: '1h' },
  login: object = { remove_secret_id_file: false },
) {
  const postgres = await startPostgres(t);
  if (postgres === undefined) return undefined;
  const vault = await startDevVault(t);
  const database = await mountDatabase(vault, postgres, { defaultTtl: '1h', maxTtl: '24h' });
  await mountPki(vault);
  await vault.writeSecret('secret/app', { key: 'one' });
  await vault.writePolicy(
    'app',
    ['database/creds/*', 'secret/*', 'pki/*']
      .map((path) => `path "${path}" { capabilities = ["read", "update", "create", "list"] }`)
      .join('\n'),
  );
  const credentials = await vault.createAppRole('app', { ...role, token_policies: 'app' });
  const folder = testFolder(t);
  const notified = join(folder, 'notified');
  const auth = { ...writeAppRole(folder, credentials), ...login };
  const file = (name: string, contents: string) => ({
    ...{ destination: join(folder, name), contents },
    notify: { command: ['sh', '-c', `echo ${name} >> ${notified}`] },
  });
  const config = {
    secrets: { db: { path: 'database/creds/app' }, app: { path: 'secret/app' } },
    files: [
      file('db.json', loginContents),
      file('app', '{{ field "app" "key" }}'),
      file(
        'web.pem',
        '{{ with pkiCert "pki/issue/web" "common_name=web.example.com" "ttl=24h" }}{{ .Cert }}{{ .Key }}{{ end }}',
      ),
      file(
        'web.der',
        '{{ with secret "pki/issue/web" "common_name=der.example.com" "format=der" "ttl=24h" }}{{ .Data.certificate }}{{ end }}',
      ),
    ],
  };
  const start = () => startAgent(t, { folder, vault, upstream: { auth }, config });
  const notifications = () =>
    existsSync(notified) ? readFileSync(notified, 'utf8').trim().split('\n').sort() : [];
  return { postgres, vault, database, folder, start, notifications };
}

t.test('twenty restarts, by TERM and by KILL', { skip }, async (t) => {
  const host = await prepare(t);
  if (host === undefined) return;
  const { postgres, vault, database, folder, start, notifications } = host;
  const names = ['db.json', 'app', 'web.pem', 'web.der'];
  const look = () =>
    names.map((name) => [name, readFileSync(join(folder, name), 'utf8'), statSync(join(folder, name)).ino]);
  let agent = start();
  await agent.untilReady();
  const before = look();
  await waitFor('the end of the first notifications', async () => {
    const { files } = JSON.parse((await agent.ask('/status')).text) as { files: { state: string }[] };
    return files.length === names.length && files.every(({ state }) => state === 'current');
  });
  t.strictSame(notifications(), [...names].sort());
  const loop = startLogins(postgres, join(folder, 'db.json'), 25);
  for (let restart = 0; restart < 20; restart += 1) {
    if (restart % 4 === 3) agent.child.kill('SIGKILL');
    else agent.child.kill('SIGTERM');
    await agent.exited;
    agent = start();
    await agent.untilReady();
  }
  const { failures, logins } = await loop.end();
  t.strictSame(failures, []);
  t.ok(logins > 10, `${logins} logins`);
  t.strictSame(look(), before, 'no file was written again');
  t.strictSame(notifications(), [...names].sort(), 'nothing was notified again');
  t.equal((await database.roles()).length, 1, 'one database user');
  t.equal(vault.countRequests(/^PUT pki\/issue/), 2, 'one certificate of each kind');
  t.notMatch(
    readFileSync(join(folder, 'state', 'leases.json'), 'utf8'),
    JSON.parse(String(before[0]?.[1])).password,
  );
  await agent.stop();
});

t.test(
  'a secret id that was used up is not missed, for longer than its token would live',
  { skip },
  async (t) => {
    const host = await prepare(t, { token_ttl: '6s', token_max_ttl: '10m', secret_id_num_uses: 1 }, {});
    if (host === undefined) return;
    const { postgres, vault, database, folder, start } = host;
    let agent = start();
    await agent.untilReady();
    t.notOk(existsSync(join(folder, 'secret-id')), 'removed, as by default');
    const loop = startLogins(postgres, join(folder, 'db.json'), 25);
    const renewals = () => vault.countRequests(/auth\/token\/renew-self/);
    for (const signal of ['SIGTERM', 'SIGKILL', 'SIGTERM'] as const) {
      const before = renewals();
      agent.child.kill(signal);
      await agent.exited;
      agent = start();
      await agent.untilReady();
      await waitFor('two more lives of the token', () => renewals() >= before + 3);
    }
    const { failures, logins } = await loop.end();
    t.strictSame(failures, []);
    t.ok(logins > 10, `${logins} logins`);
    t.equal(vault.countRequests(/auth\/approle\/login/), 1, 'one login');
    t.equal((await database.roles()).length, 1, 'one database user');
    const state = readFileSync(join(folder, 'state', 'leases.json'), 'utf8');
    t.notMatch(state, /hvs\.|s\.[A-Za-z0-9]{20}/, 'no token in the file');
    await agent.stop();
  },
);

/** After a restart of the host nothing is left of what its memory held. */
function forgetMemory(statePath: string): void {
  const id = createHash('sha256').update(statePath).digest('hex').slice(0, 16);
  const places = ['/run', process.env['XDG_RUNTIME_DIR'] ?? '/run', '/dev/shm'];
  const keys = [...new Set(places)].map((folder) => join(folder, `.latchkey-${process.getuid?.()}-${id}`));
  if (!keys.some((key) => existsSync(key))) throw new Error('there is no key');
  for (const key of keys) rmSync(key, { force: true });
}

t.test('a restart of the host: certificates are taken from their files', { skip }, async (t) => {
  const vault = await startDevVault(t);
  await mountPki(vault);
  await vault.writeSecret('secret/app', { key: 'one' });
  await vault.createAppRole('app', {});
  const folder = testFolder(t);
  const notified = join(folder, 'notified');
  const at = (name: string) => join(folder, name);
  const file = (name: string, contents: string, more: object = {}) => ({
    ...{ destination: at(name), contents, ...more },
    notify: { command: ['sh', '-c', `echo ${name} >> ${notified}`] },
  });
  const issue = (name: string, rest: string) =>
    `{{ with secret "pki/issue/web" "common_name=${name}.example.com" "ttl=24h" }}${rest}{{ end }}`;
  const config = {
    secrets: { app: { path: 'secret/app' } },
    template: { sandbox_paths: [folder] },
    files: [
      file(
        'web.pem',
        '{{ with pkiCert "pki/issue/web" "common_name=web.example.com" "ttl=24h" }}{{ .Cert }}{{ .Key }}{{ end }}',
      ),
      file('pair.crt', issue('pair', '{{ .Data.certificate }}{{ field "app" "key" }}'), { set: 'pair' }),
      file('pair.key', issue('pair', '{{ .Data.private_key }}'), { set: 'pair' }),
      file(
        'side.crt',
        `{{ with pkiCert "pki/issue/web" "common_name=side.example.com" "ttl=24h" }}{{ .Key | writeToFile "${at('side.key')}" "" "" "0600" }}{{ .Cert }}{{ end }}`,
      ),
      file(
        'secret-id',
        '{{ with secret "auth/approle/role/app/secret-id" "ttl=24h" }}{{ .Data.secret_id }}{{ end }}',
      ),
      file('public.crt', issue('public', '{{ .Data.certificate }}')),
    ],
  };
  const start = async () => {
    const agent = startAgent(t, { folder, vault, config });
    await agent.untilReady();
    await waitFor('all to be told', async () => {
      const { files } = JSON.parse((await agent.ask('/status')).text) as { files: { state: string }[] };
      return files.every(({ state }) => state === 'current');
    });
    return agent;
  };
  const names = ['web.pem', 'pair.crt', 'pair.key', 'side.crt', 'side.key', 'secret-id'];
  const look = () => names.map((name) => [name, readFileSync(at(name), 'utf8'), statSync(at(name)).ino]);
  const issued = () => vault.countRequests(/^PUT (pki\/issue|auth\/approle\/role\/app\/secret-id)/);
  const told = () => readFileSync(notified, 'utf8').trim().split('\n').sort();
  const statePath = join(folder, 'state', 'leases.json');
  const restart = async (agent: Awaited<ReturnType<typeof start>>, signal: NodeJS.Signals) => {
    // The state is written once the files are: what is killed before has told its values to nobody.
    await waitFor('the files to be remembered', () => {
      const { values } = JSON.parse(readFileSync(statePath, 'utf8')) as {
        values: { inFiles?: { path: string }[] }[];
      };
      const paths = values.flatMap(({ inFiles = [] }) => inFiles.map((file) => basename(file.path)));
      return ['web.pem', 'pair.key', 'side.key', 'secret-id'].every((name) => paths.includes(name));
    });
    agent.child.kill(signal);
    await agent.exited;
    forgetMemory(statePath);
  };

  let agent = await start();
  const before = look();
  const first = told();
  t.equal(issued(), 5);
  for (const [reboot, signal] of (['SIGKILL', 'SIGTERM', 'SIGKILL'] as const).entries()) {
    await restart(agent, signal);
    agent = await start();
    t.strictSame(look(), before, `no file was written again by start ${reboot + 2}`);
    t.equal(issued(), 5 + reboot + 1, 'of the one alone whose key is in no file another was made');
  }
  t.strictSame(
    told().filter((name) => name !== 'public.crt'),
    first.filter((name) => name !== 'public.crt'),
  );
  const text = readFileSync(statePath, 'utf8');
  const key = readFileSync(at('side.key'), 'utf8').split('\n')[1] ?? '';
  t.ok(key.length > 40 && !text.includes(key), 'sealed');

  await restart(agent, 'SIGKILL');
  rmSync(at('pair.crt'));
  appendFileSync(at('web.pem'), '#');
  agent = await start();
  t.equal(
    readFileSync(at('pair.crt'), 'utf8'),
    before[1]?.[1],
    'what is public is made again of what is kept',
  );
  t.not(
    readFileSync(at('web.pem'), 'utf8').replace(/#$/, ''),
    before[0]?.[1],
    'a changed file tells nothing',
  );
  t.equal(issued(), 10);
  await agent.stop();
});
