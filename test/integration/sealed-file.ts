// From a .env file to a sealed, rotating, audited set-up: the commands and the agent of the built program, no server at all.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { program, runProgram, startAgent } from '../support/cli.ts';
import { needsRoot } from '../support/needs-root.ts';
import { testFolder } from '../support/test-folder.ts';
import { waitFor } from '../support/wait-for.ts';

const nowhere = { address: 'http://127.0.0.1:1', rootToken: 'none' };

function commands(t: Test) {
  const folder = testFolder(t);
  const sealed = join(folder, 's.env.age');
  const file = (args: string[], input = '', env: Record<string, string> = {}) => {
    const { status, stdout, stderr } = spawnSync(process.execPath, [program, 'file', ...args], {
      input,
      cwd: folder,
      encoding: 'utf8',
      env: { PATH: process.env['PATH'] ?? '', ...env },
    });
    return { code: status, stdout, stderr };
  };
  return { folder, sealed, file };
}

/** Every file below the folder, joined. */
function everything(folder: string): string {
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' }).map((name) => join(folder, name));
  return names
    .filter((name) => statSync(name).isFile())
    .map((name) => readFileSync(name, 'latin1'))
    .join('\n');
}

t.test(
  ".env becomes a sealed file, and a value that is set in it is in the program's file within a second",
  async (t) => {
    const { folder, sealed, file } = commands(t);
    writeFileSync(join(folder, '.env'), 'DB_USER=joe\nDB_PASSWORD=hunter2-first\n', { mode: 0o600 });
    t.match(file(['init', 's.env.age']), {
      code: 0,
      stderr: new RegExp(`\nupstreams:\n  local: .* path: ${sealed}, key: \\{ file: ${sealed}.key \\}`),
    });
    t.equal(statSync(`${sealed}.key`).mode & 0o777, 0o600);
    t.match(file(['import', 's.env.age', '.env', '--remove']), { code: 0, stderr: /2 values taken over/ });
    t.notOk(existsSync(join(folder, '.env')));
    t.notMatch(everything(folder), /hunter2/);

    const agent = startAgent(t, {
      folder,
      vault: nowhere,
      config: {
        upstreams: { local: { kind: 'file', path: sealed, key: { file: `${sealed}.key` } } },
        secrets: { password: { path: 'DB_PASSWORD', refresh: '1h' }, all: { path: '/', refresh: '1h' } },
        files: [
          {
            contents: '{{ field "all" "DB_USER" }}:{{ field "password" "value" }}',
            destination: join(folder, 'app.conf'),
          },
        ],
        audit: { file: join(folder, 'audit.jsonl') },
      },
    });
    await agent.untilReady();
    const written = () => readFileSync(join(folder, 'app.conf'), 'utf8');
    t.equal(written(), 'joe:hunter2-first');
    // By its watch: each is refreshed by the hour.
    t.match(file(['set', 's.env.age', 'DB_PASSWORD'], 'hunter2-second\n'), { code: 0 });
    await waitFor('the rotation is written', () => written() === 'joe:hunter2-second');

    t.match(file(['rotate-key', 's.env.age']), { code: 0, stderr: /is sealed for age1/ });
    t.match(file(['set', 's.env.age', 'DB_PASSWORD'], 'hunter2-third'), { code: 0 });
    await waitFor('the agent opens with the new key', () => written() === 'joe:hunter2-third');
    t.match(await runProgram(t, ['get', '--socket', agent.socket, 'password', 'value']), {
      code: 0,
      stdout: 'hunter2-third',
    });
    t.match(readFileSync(join(folder, 'audit.jsonl'), 'utf8'), /"password"/);
    await agent.stop();
    t.notMatch(
      readFileSync(agent.logPath, 'utf8') + readFileSync(join(folder, 'audit.jsonl'), 'utf8'),
      /hunter2/,
    );
  },
);

t.test('edit gives the text to an editor in memory alone, and leaves nothing there', async (t) => {
  const { folder, file } = commands(t);
  file(['init', 's.yaml.age']);
  t.match(file(['set', 's.yaml.age', 'db/password'], 'hunter2'), { code: 0 });
  writeFileSync(
    join(folder, 'editor'),
    '#!/bin/sh\ncp "$1" "$1.swp"; echo "$1" > $OUT; echo "$HOME" >> $OUT; stat -f -c %T "$1" >> $OUT; sed -i s/ter2/ter3/ "$1"\n',
    { mode: 0o755 },
  );
  const env = { EDITOR: join(folder, 'editor'), OUT: join(folder, 'out') };
  t.match(file(['edit', 's.yaml.age'], '', env), { code: 0, stderr: /is changed/ });
  const [path = '', home = '', type] = readFileSync(join(folder, 'out'), 'utf8').split('\n');
  t.equal(type, 'tmpfs');
  t.ok(path.startsWith(home), 'what the editor keeps beside it is in memory too');
  t.notOk(existsSync(home));
  t.notMatch(everything(folder), /hunter[23]/);
  t.match(file(['list', 's.yaml.age']), { code: 0, stdout: 'db/password\n' });
  t.match(file(['edit', 's.yaml.age'], '', { EDITOR: 'true' }), { code: 0, stderr: /nothing was changed/ });
  t.match(file(['edit', 's.yaml.age'], '', { EDITOR: 'false' }), {
    code: 2,
    stderr: /ended with 1; nothing was changed/,
  });
  const broken = file(['edit', 's.yaml.age'], '', { EDITOR: "sed -i 's/:/: [/'" });
  t.match(broken, { code: 2, stderr: /s\.yaml\.age:\d+:\d+: not valid YAML/ });
  t.notMatch(broken.stderr, /hunter/);
});

t.test('import, list and set by format; what cannot be is told', async (t) => {
  const { folder, file } = commands(t);
  writeFileSync(join(folder, 'plain.json'), '{"db":{"user":"joe","port":5432},"on":true}', { mode: 0o600 });
  file(['init', 's.json.age']);
  t.match(file(['import', 's.json.age', 'plain.json', '--at', 'team/a']), {
    code: 0,
    stderr: /plain\.json is still there, in plain/,
  });
  t.equal(file(['list', '--json', 's.json.age']).stdout, '["team/a/db/user","team/a/db/port","team/a/on"]\n');
  file(['init', 's.env.age']);
  t.match(file(['import', 's.env.age', 'plain.json']), {
    code: 2,
    stderr: /expected the name of a variable, got "db\/user"/,
  });
  t.match(file(['init', 's.env.age']), { code: 2, stderr: /is there already/ });
  t.match(file(['init', 'secrets.bin']), { code: 2, stderr: /its name does not tell its format/ });
  t.match(file(['set', 's.env.age']), { code: 2, stderr: /expected FILE NAME/ });
  t.match(file(['list', 'plain.json']), { code: 2, stderr: /not a sealed file/ });
  t.match(file(['list', 's.env.age', '--key-file', 's.json.age.key']), {
    code: 3,
    stderr: /sealed for another key/,
  });
  t.match(file(['frob', 's.env.age']), { code: 2, stderr: /action: expected one of/ });
});

t.test('those who set at once lose nothing of each other', async (t) => {
  const { sealed, file } = commands(t);
  file(['init', 's.env.age']);
  const names = ['A', 'B', 'C', 'D'];
  const codes = await Promise.all(
    names.map((name) => {
      const child = spawn(process.execPath, [program, 'file', 'set', sealed, name], {
        stdio: ['pipe', 'ignore', 'ignore'],
      });
      child.stdin.end(name);
      return new Promise((done) => child.once('close', done));
    }),
  );
  t.same(codes, [0, 0, 0, 0]);
  t.same(file(['list', 's.env.age']).stdout.trim().split('\n').sort(), names);
});

t.test('init gives both files to the user of the agent', { skip: needsRoot }, async (t) => {
  const { sealed, file } = commands(t);
  t.match(file(['init', 's.env.age', '--owner', 'nobody']), { code: 0 });
  const { uid } = statSync(sealed);
  t.not(uid, 0);
  t.equal(statSync(`${sealed}.key`).uid, uid);
});

t.test('a passphrase file seals and opens, and another one takes its place', async (t) => {
  const { folder, file } = commands(t);
  writeFileSync(join(folder, 'one'), 'correct horse\n', { mode: 0o600 });
  const by = (name: string) => ['--passphrase-file', name];
  t.match(file(['init', 's.env.age', ...by('one')]), { code: 0, stderr: /passphrase_file/ });
  t.match(file(['set', 's.env.age', 'A', ...by('one')], 'x'), { code: 0 });
  t.match(file(['rotate-key', 's.env.age', ...by('one')]), { code: 2, stderr: /name the new one/ });
  t.match(file(['rotate-key', 's.env.age', ...by('one'), '--new-key-file', 'key']), { code: 0 });
  t.match(file(['list', 's.env.age', '--key-file', 'key']), { code: 0, stdout: 'A\n' });
  t.match(file(['list', 's.env.age', '--passphrase']), { code: 2, stderr: /asked for at a terminal/ });
});
