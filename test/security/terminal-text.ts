// Names that others choose are letters in every text that a person reads: they cannot clear the screen or fake a line.
import { spawn } from 'node:child_process';
import { copyFileSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import t from 'tap';
import { runProgram, startAgent } from '../support/cli.ts';
import { startDevVault } from '../support/dev-vault.ts';
import { testFolder } from '../support/test-folder.ts';

const evil = '\u001b[2J\u001b]0;OWNED\u0007\u009b\u202e';
const inName = `${evil}\nstripe  fresh  9  fake-row`;
/** What must be in no output; ends of lines are looked for as lines. */
const control = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069\u2028\u2029]/;

t.test('a request, a program and a vault with such names', async (t) => {
  const folder = testFolder(t);
  const vault = await startDevVault(t);
  await vault.writeSecret('secret/app', { word: 'x' });
  const logs: Record<string, string> = {};
  for (const format of ['text', 'json']) {
    const agent = startAgent(t, {
      folder: testFolder(t),
      vault,
      config: {
        secrets: { app: { path: 'secret/app' }, [`lost`]: { path: `secret/${evil}`, required: false } },
        audit: { file: join(folder, `${format}.audit`) },
        log: { level: 'debug', format, file: join(folder, `${format}.log`) },
      },
    });
    await agent.untilReady();
    await agent.ask(`/secrets/${encodeURIComponent(inName)}`);
    await agent.ask(`/secrets/${encodeURIComponent(evil)}/${encodeURIComponent(inName)}`);

    // A program of such a name reads the secret and stays.
    const program = join(folder, inName.replaceAll('/', '-'));
    copyFileSync(process.execPath, program);
    const script = `require('node:http').get({ socketPath: process.argv[1], path: '/secrets/app?x', headers: { host: 'localhost' } },
      (answer) => answer.resume().on('end', () => console.log('read')));setInterval(() => {}, 1000);`;
    const reader = spawn(program, ['-e', script, agent.socket], { stdio: ['ignore', 'pipe', 'inherit'] });
    t.teardown(() => reader.kill('SIGKILL'));
    await new Promise((resolve) => reader.stdout.once('data', resolve));

    const outputs: Record<string, string> = {};
    for (const words of [
      ['who-has', 'app'],
      ['status'],
      ['explain', 'app'],
      ['explain', 'lost'],
      ['refresh'],
      ['drill', 'app'],
      ['get', inName],
      ['explain', inName],
      ['who-has', inName],
      ['status', '--json'],
      ['who-has', 'app', '--json'],
      ['refresh', inName],
    ]) {
      const { stdout, stderr } = await runProgram(t, [...words, '--socket', agent.socket]);
      outputs[words.join(' ')] = stdout + stderr;
    }
    t.match(outputs['who-has app'], /\\x1b\[2J\\x1b\]0;OWNED\\x07/, 'the program is named');
    for (const [words, text] of Object.entries(outputs)) {
      t.notMatch(text, control, words);
      t.notMatch(text, /^stripe /m, `${words}: no line of theirs`);
    }
    await agent.stop();
    logs[format] = readFileSync(join(folder, `${format}.log`), 'utf8');
    t.notMatch(readFileSync(join(folder, `${format}.audit`), 'utf8'), control, 'audit');
    reader.kill('SIGKILL');
  }
  for (const [format, log] of Object.entries(logs)) {
    t.match(log, format === 'text' ? /\\x1b\[2J|\\u001b\[2J/ : /\\u001b\[2J/, `${format}: it is told`);
    t.notMatch(log, control, `${format} log`);
    t.notMatch(log, /^stripe /m);
  }
});

t.test('a config, a template and a command line with such names', async (t) => {
  const folder = testFolder(t);
  for (const words of [
    ['get', 'x', `--${evil}`],
    [evil],
    ['validate', '--config', join(folder, evil)],
    ['audit', 'verify', join(folder, inName)],
    ['explain', 'x', '--socket', join(folder, evil)],
  ]) {
    const { stdout, stderr, code } = await runProgram(t, words);
    t.not(code, 0);
    t.notMatch(stdout + stderr, control, JSON.stringify(words));
  }
});

const source = resolve(import.meta.dirname, '../../src');
const writers = new Set([
  'cli/output.ts',
  'cli/exit-code.ts',
  'base/log/log-output.ts',
  'main.ts',
  // A secret, byte for byte; a protocol for a program; files of the package; a prompt; the clearing of the screen.
  'cli/broken-output.ts',
  'cli/commands/helper.ts',
  'cli/commands/generate-config.ts',
  'cli/sealed/ask-hidden.ts',
  'cli/commands/status.ts',
  // What was rendered or written for a file, as it is.
  'cli/commands/consul-template.ts',
  'cli/commands/migrate.ts',
  // A process of its own, whose answer goes to the agent.
  'upstream/vault/auth/kerberos/kerberos-token.ts',
]);

t.test('nothing else writes to a terminal by itself', async (t) => {
  const files = readdirSync(source, { recursive: true, encoding: 'utf8' }).filter(
    (name) => name.endsWith('.ts') && statSync(join(source, name)).isFile() && !name.startsWith('cli/demo/'),
  );
  const found = files.filter((name) =>
    /std(?:out|err)\.write|console\./.test(readFileSync(join(source, name), 'utf8')),
  );
  t.strictSame(
    found.filter((name) => !writers.has(relative('.', name))),
    [],
  );
});
