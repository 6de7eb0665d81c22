// What a vault answers, as it comes to files: what is deleted, rewritten together or refused, and an upstream that changes.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { startAgent } from '../support/cli.ts';
import { withEachVault } from '../support/served-vault.ts';
import { testFolder } from '../support/test-folder.ts';
import { waitFor } from '../support/wait-for.ts';

t.setTimeout(600_000);
t.jobs = 4;

const contents = [
  '{{ if secretExists "feat" }}on {{ field "feat" "v" }}{{ else }}off{{ end }}',
  '{{ secretOrDefault "feat" "v" "DEFAULT" }}',
  '{{ if secretExists "flat" }}on{{ else }}off{{ end }}',
  '{{ secretOrDefault "flat" "v" "DEFAULT" }}',
  '{{ secretOrDefault "away" "v" "DEFAULT" }}',
].join('|');
const settings = (folder: string, address: string, rest: object = {}) => ({
  upstreams: { vault: { address, auth: { method: 'token' } } },
  secrets: {
    feat: { path: 'secret/feat', refresh: '1s' },
    flat: { path: 'flat/feat', refresh: '1s' },
    away: { path: 'gone/feat', refresh: '1s' },
  },
  files: [{ contents, destination: join(folder, 'out') }],
  listeners: [{ unix: join(folder, 'latchkey.sock'), serve: ['secrets', 'vault', 'admin'] }],
  state_dir: join(folder, 'state'),
  ...rest,
});

withEachVault('what is deleted is answered the same before and after a restart', async (t, vault) => {
  await vault.ask('PUT', 'sys/mounts/flat', { type: 'kv', options: { version: '1' } });
  await vault.ask('PUT', 'sys/mounts/gone', { type: 'kv', options: { version: '2' } });
  for (const path of ['secret/feat', 'gone/feat']) await vault.writeSecret(path, { v: 'x' });
  await vault.ask('PUT', 'flat/feat', { v: 'x' });
  const folder = testFolder(t);
  const config = settings(folder, vault.address);
  const out = () => readFileSync(join(folder, 'out'), 'utf8');
  const first = startAgent(t, { folder, vault, config });
  await first.untilReady();
  t.equal(out(), 'on x|x|on|x|x');
  await vault.ask('DELETE', 'secret/data/feat');
  await vault.ask('DELETE', 'flat/feat');
  await vault.ask('DELETE', 'sys/mounts/gone');
  const gone = 'off|DEFAULT|off|DEFAULT|DEFAULT';
  await untilWritten(folder, gone);
  await first.stop();
  const second = startAgent(t, { folder, vault, config });
  await waitFor(
    'the answers',
    async () => (second.log().match(/"code":"(?:mount_)?not_found"/g)?.length ?? 0) >= 6,
  );
  t.equal(out(), gone);
  await vault.writeSecret('secret/feat', { v: 'again' });
  await waitFor('the new one', () => out().startsWith('on again|again|'));
  await second.stop();
});

const names = ['a', 'b', 'c', 'd', 'e'];

withEachVault('five secrets that are rewritten together are one notification', async (t, vault) => {
  const writeAll = async (v: string) => {
    await Promise.all(names.map((name) => vault.writeSecret(`secret/${name}`, { v })));
  };
  await writeAll('one');
  const folder = testFolder(t);
  const [destination, told] = [join(folder, 'out'), join(folder, 'told')];
  const command = ['sh', '-c', `cat ${destination} >> ${told}; echo >> ${told}`];
  const config = settings(folder, vault.address, {
    secrets: Object.fromEntries(names.map((name) => [name, { path: `secret/${name}`, refresh: '5s' }])),
    files: [
      {
        contents: names.map((name) => `{{ field "${name}" "v" }}`).join(' '),
        destination,
        notify: { command },
      },
    ],
  });
  const agent = startAgent(t, { folder, vault, config });
  const lines = () => (existsSync(told) ? readFileSync(told, 'utf8').split('\n').slice(0, -1) : []);
  await waitFor('the first notification', () => lines().length === 1);
  t.strictSame(lines(), ['one one one one one']);
  // Where the machine is busy they may be written further apart than the agent waits for more of them.
  const counts: number[] = [];
  for (const word of ['two', 'three', 'four', 'five', 'six']) {
    const before = lines().length;
    await writeAll(word);
    await waitFor(`all of ${word}`, () => lines().at(-1) === names.map(() => word).join(' '));
    counts.push(lines().length - before);
    if (counts.at(-1) === 1) break;
  }
  t.equal(counts.at(-1), 1, `${counts.join(', ')} notifications`);
  await agent.stop();
});

withEachVault(
  'a token that may read one secret and nothing else, not itself either, reads it and its changes',
  async (t, vault) => {
    await vault.writePolicy('tiny', 'path "secret/data/app" { capabilities = ["read"] }');
    await vault.writeSecret('secret/app', { v: 'x' });
    const token = await vault.createToken({ policies: ['tiny'], no_default_policy: true, ttl: '20m' });
    const folder = testFolder(t);
    const path = join(folder, 'token');
    writeFileSync(path, token, { mode: 0o600 });
    const config = settings(folder, vault.address, {
      upstreams: { vault: { address: vault.address, auth: { method: 'token_file', path } } },
      secrets: {
        app: { path: 'secret/data/app', refresh: '1s' },
        other: { path: 'secret/data/other', refresh: '1s' },
      },
      files: [{ contents: '{{ field "app" "v" }}', destination: join(folder, 'out') }],
    });
    const agent = startAgent(t, { folder, vault, config });
    await untilWritten(folder, 'x');
    await vault.writeSecret('secret/app', { v: 'y' });
    await untilWritten(folder, 'y');
    t.match(agent.log(), /denied by policy[^\n]*secret\/data\/other/);
    t.equal(agent.log().match(/"logged in"/g)?.length, 1);
    await agent.stop();
  },
);

withEachVault(
  'an upstream that is renamed, or has another namespace, budget or address, goes on with a secret id that is gone',
  async (t, vault) => {
    await vault.writePolicy('app', 'path "secret/*" { capabilities = ["read"] }');
    await vault.writeSecret('secret/app', { v: 'first' });
    const { roleId, secretId } = await vault.createAppRole('app', { token_policies: 'app', token_ttl: '5m' });
    const folder = testFolder(t);
    const secretIdFile = join(folder, 'sid');
    writeFileSync(secretIdFile, secretId, { mode: 0o600 });
    const auth = { method: 'approle', role_id: roleId, secret_id_file: secretIdFile };
    const config = (upstreams: Record<string, object>) =>
      settings(folder, vault.address, {
        upstreams: Object.fromEntries(
          Object.entries(upstreams).map(([name, changes]) => [
            name,
            { address: vault.address, auth, ...changes },
          ]),
        ),
        secrets: { app: { path: 'secret/app', refresh: '1s', upstream: Object.keys(upstreams)[0] } },
        files: [{ contents: '{{ field "app" "v" }}', destination: join(folder, 'out') }],
        log: { level: 'debug', format: 'json', file: join(folder, 'agent.log') },
      });
    const agent = startAgent(t, { folder, vault, config: config({ vault: {} }) });
    await agent.untilReady();
    t.notOk(existsSync(secretIdFile));
    const steps = [
      { renamed: {} },
      { renamed: { budget: { requests_per_second: 7 } } },
      { renamed: { timeout: '9s', tls: { skip_verify: true } } },
      { renamed: { address: [vault.address, 'http://127.0.0.1:9'] } },
      { renamed: { namespace: 'root' } },
      { second: {}, renamed: { namespace: 'root' } },
    ];
    for (const [index, step] of steps.entries()) {
      writeFileSync(agent.configPath, JSON.stringify(config(step)), { mode: 0o600 });
      t.equal((await agent.ask('/reload', { method: 'POST' })).status, 200);
      await vault.writeSecret('secret/app', { v: `step ${index}` });
      await untilWritten(folder, `step ${index}`);
      t.pass(JSON.stringify(step));
    }
    await agent.stop();
  },
);

async function untilWritten(folder: string, text: string): Promise<void> {
  const path = join(folder, 'out');
  await waitFor(`the file with ${text}`, () => existsSync(path) && readFileSync(path, 'utf8') === text);
}
