// `latchkey run -- CMD` obtains what this one run uses: what nobody would use is not issued, and nobody logs in for it.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { runProgram, startAgent } from '../support/cli.ts';
import { startDevVault } from '../support/dev-vault.ts';
import { testFolder } from '../support/test-folder.ts';

const names = ['used', 'by-file', 'by-other', 'unused'] as const;

async function setUp(t: Test, rest: object = {}) {
  const folder = testFolder(t);
  const vault = await startDevVault(t);
  for (const name of names) await vault.writeSecret(`secret/${name}`, { word: `${name}-word` });
  const server = { kind: 'vault', address: vault.address, events: false };
  const config = join(folder, 'run.yaml');
  writeFileSync(join(folder, 'role-id'), 'a-role', { mode: 0o600 });
  writeFileSync(
    config,
    JSON.stringify({
      upstreams: {
        vault: { ...server, auth: { method: 'token' } },
        elsewhere: {
          ...server,
          auth: { method: 'userpass', username: 'nobody', password_file: join(folder, 'role-id') },
        },
      },
      secrets: {
        ...Object.fromEntries(names.map((name) => [name, { path: `secret/${name}`, upstream: 'vault' }])),
        away: { path: 'secret/away', upstream: 'elsewhere' },
      },
      processes: [
        { name: 'app', command: ['true'], env: { WORD: '{{ field "used" "word" }}' } },
        { name: 'other', command: ['true'], env: { WORD: '{{ field "by-other" "word" }}' } },
      ],
      state_dir: join(folder, 'state'),
      ...rest,
    }),
    { mode: 0o600 },
  );
  return {
    folder,
    run: (...words: string[]) =>
      runProgram(t, ['run', '--config', config, ...words], { env: { VAULT_TOKEN: vault.rootToken } }),
    asked: () => names.filter((name) => vault.countRequests(new RegExp(`secret/(data/)?${name}$`)) > 0),
    logins: () => vault.countRequests(/auth\/userpass\/login/),
  };
}

const show = ['sh', '-c', 'echo "[$WORD]"'];

t.test('of the secrets and upstreams in the config those that this program uses', async (t) => {
  const { run, asked, logins } = await setUp(t);
  t.match(await run('--process', 'app', '--', ...show), { code: 0, stdout: '[used-word]\n', stderr: '' });
  t.strictSame([asked(), logins()], [['used'], 0]);
});

t.test('and those that its files use, also of those that a template comes to later', async (t) => {
  const folder = testFolder(t);
  const file = join(folder, 'app.conf');
  const contents = '{{ if eq (field "used" "word") "used-word" }}{{ field "by-file" "word" }}{{ end }}';
  const { run, asked, logins } = await setUp(t, { files: [{ contents, destination: file }] });
  t.match(await run('--', 'cat', file), { code: 0, stdout: 'by-file-word', stderr: '' });
  t.strictSame([asked(), logins()], [['used', 'by-file'], 0]);
});

t.test('a program without any asks for nothing', async (t) => {
  const { run, asked, logins } = await setUp(t, { processes: [] });
  t.match(await run('--', ...show), { code: 0, stdout: '[]\n', stderr: '' });
  t.strictSame([asked(), logins()], [[], 0]);
});

t.test('an upstream that cannot be logged in to holds up who uses it, and nobody else', async (t) => {
  const processes = [{ name: 'app', command: ['true'], env: { WORD: '{{ field "away" "word" }}' } }];
  const { run, asked, logins } = await setUp(t, { processes });
  t.match(await run('--', ...show), { code: 3, stdout: '', stderr: /elsewhere/ });
  t.strictSame(asked(), []);
  t.ok(logins() > 0);
});

t.test('whom its own listeners serve may ask for any: then all are obtained', async (t) => {
  const socket = join(testFolder(t), 'run.sock');
  const { run, asked } = await setUp(t, { listeners: [{ unix: socket }] });
  const get = ['curl', '-sS', '--unix-socket', socket, 'http://localhost/secrets/unused/word?wait=10s'];
  const ended = await run('--process', 'app', '--', ...get);
  t.match(ended, { code: 0, stdout: 'unused-word' });
  t.strictSame(asked(), [...names]);
  const metrics = await setUp(t, { listeners: [{ unix: socket, serve: ['metrics'] }] });
  t.match(await metrics.run('--process', 'app', '--', 'true'), { code: 0, stderr: '' });
  t.strictSame(metrics.asked(), ['used'], 'metrics serve no names');
});

t.test('an agent that serves it is asked for the same few', async (t) => {
  const folder = testFolder(t);
  const vault = await startDevVault(t);
  for (const name of names) await vault.writeSecret(`secret/${name}`, { word: `${name}-word` });
  const trail = join(folder, 'audit.jsonl');
  const agent = startAgent(t, {
    folder,
    vault,
    config: {
      secrets: Object.fromEntries(names.map((name) => [name, { path: `secret/${name}` }])),
      processes: [{ name: 'app', command: ['true'], env: { WORD: '{{ field "used" "word" }}' } }],
      audit: { file: trail },
    },
  });
  await agent.untilReady();
  const words = ['run', '--config', agent.configPath, '--process', 'app', '--', ...show];
  t.match(await runProgram(t, words, { env: { VAULT_TOKEN: vault.rootToken } }), {
    code: 0,
    stdout: '[used-word]\n',
  });
  const served = readFileSync(trail, 'utf8')
    .trim()
    .split('\n')
    .flatMap((line) => (JSON.parse(line) as { name?: string }).name ?? []);
  t.strictSame([...new Set(served)], ['used']);
});
