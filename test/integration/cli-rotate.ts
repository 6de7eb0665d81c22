// `latchkey rotate` and `latchkey stop` on real database users: a new one now, the old one gone when it was said.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { processStartTime } from '../../src/base/system/process-identity.ts';
import { runProgram, startAgent } from '../support/cli.ts';
import { mountDatabase } from '../support/database-engine.ts';
import { startDevVault } from '../support/dev-vault.ts';
import { mountPki } from '../support/pki-engine.ts';
import { startPostgres } from '../support/postgres.ts';
import { testFolder } from '../support/test-folder.ts';
import { waitFor } from '../support/wait-for.ts';

t.setTimeout(600_000);

t.test('a new user now, the old one revoked at once or after its overlap', async (t) => {
  const postgres = await startPostgres(t);
  if (postgres === undefined) return;
  const folder = testFolder(t);
  const vault = await startDevVault(t);
  const database = await mountDatabase(vault, postgres, { defaultTtl: '1h', maxTtl: '24h' });
  await vault.writeSecret('secret/app', { word: 'w' });
  const file = join(folder, 'user');
  const agent = startAgent(t, {
    folder,
    vault,
    upstream: { events: false },
    config: {
      secrets: {
        db: { path: 'database/creds/app', overlap: '1s' },
        app: { path: 'secret/app', refresh: '1h' },
      },
      files: [{ contents: '{{ field "db" "username" }}', destination: file }],
    },
  });
  await agent.untilReady();
  const ask = (...args: string[]) => runProgram(t, [...args, '--socket', agent.socket]);
  const user = () => readFileSync(file, 'utf8');
  const first = user();
  t.match(await ask('refresh', 'db'), {
    code: 0,
    stderr: /^db: same \(.*`latchkey rotate db` makes another\)/,
  });
  t.equal(user(), first);

  t.match(await ask('rotate', 'db', '--revoke-now'), {
    code: 0,
    stderr: /^db: rotated .*; the old one is revoked; `latchkey timeline db` tells each step\n/,
  });
  const second = user();
  t.not(second, first);
  t.notOk((await database.roles()).includes(first), 'gone when the command ends');

  t.match(await ask('rotate', 'db'), { code: 0, stderr: /the old one is revoked after its overlap/ });
  t.not(user(), second);
  await waitFor('the old one to be gone', async () => !(await database.roles()).includes(second));

  t.match(await ask('rotate', 'app', '--revoke-now'), {
    code: 1,
    stderr:
      /^app: not rotated: upstream only stores it, and it is the same; write another value to "secret\/app"; of a leaked one destroy version 1 then\n$/,
  });
  await vault.writeSecret('secret/app', { word: 'x' });
  t.match(await ask('rotate', 'app'), {
    code: 0,
    stderr: /^app: upstream only stores it; read again, it has another value \(version 2\)\n$/,
  });
  t.match(await ask('rotate', 'dbb'), { code: 4, stderr: /no secret is named "dbb"; did you mean db\?/ });
  t.match(await ask('refresh', 'nope'), { code: 4 });

  t.match(await ask('stop', '--revoke'), { code: 0, stderr: /what it was issued is revoked/ });
  t.match(await agent.exited, { code: 0 });
  t.strictSame(await database.roles(), []);
});

t.test('a secret that only a template names is meant by its path', async (t) => {
  const folder = testFolder(t);
  const vault = await startDevVault(t);
  await mountPki(vault);
  await vault.writeSecret('secret/app', { word: 'w' });
  const issue = (name: string) =>
    `{{ with secret "pki/issue/web" "common_name=${name}" }}{{ .Data.serial_number }}{{ end }}`;
  const agent = startAgent(t, {
    folder,
    vault,
    config: {
      files: [
        {
          contents: '{{ with secret "secret/app" }}{{ .Data.data.word }}{{ end }}',
          destination: join(folder, 'word'),
        },
        { contents: issue('a.internal'), destination: join(folder, 'a') },
      ],
    },
  });
  await agent.untilReady();
  const ask = (...args: string[]) => runProgram(t, [...args, '--socket', agent.socket]);
  const first = readFileSync(join(folder, 'a'), 'utf8');
  t.match(await ask('refresh'), { code: 0, stderr: /^secret\/app: same\npki\/issue\/web -> \w+: same \(/ });
  t.match(await ask('refresh', 'secret/app'), { code: 0, stderr: 'secret/app: same\n' });
  t.match(await ask('rotate', 'pki/issue/web', '--revoke-now'), {
    code: 0,
    stderr: /^pki\/issue\/web: rotated .*; the old one is revoked/,
  });
  t.not(readFileSync(join(folder, 'a'), 'utf8'), first);
  t.match(await ask('timeline', 'pki/issue/web'), { code: 0, stdout: /revoked/ });
  t.match(await ask('who-has', 'pki/issue/web'), { code: 0, stdout: /file:/ });
  t.match(await ask('rotate', 'pki/isue/web'), { code: 4, stderr: /did you mean pki\/issue\/web\?/ });

  const config = JSON.parse(readFileSync(agent.configPath, 'utf8'));
  config.files.push({ contents: issue('b.internal'), destination: join(folder, 'b') });
  writeFileSync(agent.configPath, JSON.stringify(config));
  await waitFor('the second file', () => existsSync(join(folder, 'b')));
  t.match(await ask('rotate', 'pki/issue/web'), {
    code: 2,
    stderr:
      /several secrets have the path "pki\/issue\/web"; name one of "vault:write pki\/issue\/web -> \w+", "/,
  });
});

t.test('stop is over when the agent has ended, its processes before it', async (t) => {
  const folder = testFolder(t);
  const vault = await startDevVault(t);
  const [started, ended] = [join(folder, 'started'), join(folder, 'ended')];
  const script = `trap 'sleep 1.5; touch ${ended}; exit 0' TERM; touch ${started}; while :; do sleep 0.05; done`;
  const agent = startAgent(t, {
    folder,
    vault,
    config: { processes: [{ name: 'slow', command: ['sh', '-c', script] }] },
  });
  await waitFor('the program', () => existsSync(started));
  const pid = agent.child.pid ?? 0;
  t.match(await runProgram(t, ['stop', '--socket', agent.socket]), {
    code: 0,
    stderr: /stopped: the agent with pid/,
  });
  t.ok(existsSync(ended), 'what it was running had its time');
  t.equal(processStartTime(pid), undefined);
});

t.test('alone, help and -v say what everybody expects', async (t) => {
  for (const words of [[], ['help'], ['--help']]) {
    const { code, stdout, stderr } = await runProgram(t, words);
    t.strictSame([code, stderr], [0, ''], words.join(' '));
    t.match(stdout, /latchkey COMMAND[\s\S]*rotate <names\.\.>/);
  }
  t.match(await runProgram(t, ['help', 'rotate']), { code: 0, stdout: /--revoke-now/ });
  t.match(await runProgram(t, ['-v']), { code: 0, stdout: /^latchkey \d/ });
});
