// Words that no command takes, and output that nobody takes: one line, the right exit code, never a stack trace.
import { spawn } from 'node:child_process';
import { openSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { nodeOptions, program, runProgram, startAgent, startProgram } from '../support/cli.ts';
import { startDevVault } from '../support/dev-vault.ts';
import { startPlainAgent } from '../support/plain-agent.ts';
import { testFolder } from '../support/test-folder.ts';
import { waitFor } from '../support/wait-for.ts';

const wrongWords: [string, string][] = [
  ['agnt', 'unknown command "agnt"; did you mean agent?'],
  ['frobnicate', 'unknown command "frobnicate"; latchkey --help tells more'],
  ['agent --confg x', 'agent: unknown option --confg; did you mean --config?'],
  ['agent more', 'agent: unexpected argument "more"'],
  ['get', 'get: too few arguments, expected NAME [FIELD]'],
  ['get a b c', 'get: unexpected argument "c"'],
  ['get a --sokcet x', 'get: unknown option --sokcet; did you mean --socket?'],
  ['get a --socket', 'get: expected a value after --socket'],
  ['get a --config', 'get: expected a value after --config'],
  ['validate --config', 'validate: expected a value after --config'],
  ['status --jsn', 'status: unknown option --jsn; did you mean --json?'],
  ['helper svn', 'helper: kind: expected one of "git", "docker", "aws", "kubernetes", got "svn"'],
  ['drill a --kind b', 'drill: --kind: expected one of "rotation", "outage", "revocation", got "b"'],
  ['access tset a', 'access: test: expected one of "test", got "tset"'],
  ['access test a --uid x', 'access test: --uid: expected a number'],
  ['access test', 'access: too few arguments, expected test NAME'],
  ['audit frob', 'audit: query: expected one of "query", "verify", got "frob"'],
];

for (const [words, expected] of wrongWords) {
  t.test(`latchkey ${words} says what is wrong`, async (t) => {
    const ended = await runProgram(t, words === '' ? [] : words.split(' '));
    t.match(ended, { code: 2, stdout: '' });
    t.match(ended.stderr, expected);
    t.equal(ended.stderr.trimEnd().split('\n').length, 1);
  });
}

t.test('an empty name or timeout is bad usage, an empty $LATCHKEY_SOCKET none at all', async (t) => {
  t.match(await runProgram(t, ['get', '']), { code: 2, stderr: /expected NAME/ });
  t.match(await runProgram(t, ['render', '--timeout', 'soon', '--config', 'config/latchkey.minimal.yaml']), {
    code: 2,
    stderr: /--timeout: expected a duration/,
  });
  const unset = await runProgram(t, ['get', 'app'], { env: { LATCHKEY_SOCKET: '' } });
  t.notMatch(unset.stderr, 'agent at :');
});

t.test('help and version are asked for as everywhere', async (t) => {
  t.match(await runProgram(t, ['-h']), { code: 0, stdout: /Commands:/, stderr: '' });
  t.match(await runProgram(t, ['get', '--help']), { code: 0, stdout: /latchkey get <name>/, stderr: '' });
  const { stdout } = await runProgram(t, ['version']);
  t.match(await runProgram(t, ['--version']), { code: 0, stdout, stderr: '' });
});

t.test('usage shows words that are typed as they are, and where a program begins', async (t) => {
  t.match(await runProgram(t, ['run', '--help']), { code: 0, stdout: /^latchkey run \[OPTIONS\] -- CMD…$/m });
  t.match(await runProgram(t, ['access', '--help']), { code: 0, stdout: /^latchkey access test <name>$/m });
  t.match(await runProgram(t, ['audit', '--help']), {
    code: 0,
    stdout: /^latchkey audit query\|verify \[what\.\.\]$/m,
  });
  t.match(await runProgram(t, ['--help']), { code: 0, stdout: /^ {2}latchkey access test <name> /m });
});

t.test('a field that is not there is told, with the one that is near', async (t) => {
  const { agent } = await startPlainAgent(t, 'good');
  const get = (field: string) =>
    runProgram(t, ['get', 'app', field], { env: { LATCHKEY_SOCKET: agent.socket } });
  t.match(await get('wrod'), { code: 4, stdout: '', stderr: /has no field "wrod"; did you mean "word"\?$/m });
  t.match(await get('xyz'), { code: 4, stdout: '', stderr: /has no field "xyz"$/m });
});

t.test('a reader that has had enough ends a command without a word', async (t) => {
  const { agent } = await startPlainAgent(t, 'good');
  const withoutReader = (...args: string[]) => {
    const started = startProgram(t, args, { env: { LATCHKEY_SOCKET: agent.socket } });
    started.child.stdout?.destroy();
    return started.exited;
  };
  for (const args of [['get', 'app'], ['status'], ['status', '--json', '--watch'], ['--help']]) {
    t.match(await withoutReader(...args), { code: 0, stderr: '' }, args.join(' '));
  }
});

t.test('a full disk behind stdout is one line and exit code 1', async (t) => {
  const { agent } = await startPlainAgent(t, 'good');
  for (const args of [
    ['get', 'app', 'word'],
    ['status', '--json'],
  ]) {
    const child = spawn(process.execPath, [...nodeOptions, program, ...args], {
      env: { LATCHKEY_SOCKET: agent.socket },
      stdio: ['ignore', openSync('/dev/full', 'w'), 'pipe'],
    });
    const stderr = child.stderr?.setEncoding('utf8').toArray() ?? [];
    const code = await new Promise((resolve) => child.on('close', resolve));
    t.equal(code, 1);
    t.equal((await stderr).join(''), 'latchkey: cannot write the output: ENOSPC\n');
  }
});

t.test('status --watch outlives the agent that it watches', async (t) => {
  const { folder } = await startPlainAgent(t, 'good');
  const socket = join(folder, 'later.sock');
  const watch = startProgram(t, ['status', '--watch'], { env: { LATCHKEY_SOCKET: socket } });
  await waitFor('a first look', () => /ENOENT; start the agent/.test(watch.stderr()));
  const other = testFolder(t);
  const vault = await startDevVault(t);
  startAgent(t, { folder: other, vault, config: { listeners: [{ unix: socket, serve: ['admin'] }] } });
  await waitFor('the agent to be seen', () => /, ready/.test(watch.stdout()));
  watch.child.kill('SIGINT');
  t.match(await watch.exited, { code: 0 });
});

t.test('an older Node is told what is needed', async (t) => {
  const older =
    "Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '20.20.2' } })";
  const preload = `--import=data:text/javascript,${encodeURIComponent(older)}`;
  const ended = await runProgram(t, ['version'], { env: { NODE_OPTIONS: preload } });
  t.match(ended, { code: 1, stdout: '', stderr: 'latchkey: needs Node 24 or newer, this is 20.20.2\n' });
});

t.test('a log file that cannot be opened: exit 1, with its place and what helps', async (t) => {
  const folder = testFolder(t);
  const config = join(folder, 'latchkey.yaml');
  const file = join(folder, 'no-folder/agent.log');
  writeFileSync(config, JSON.stringify({ log: { file } }));
  const { code, stderr } = await runProgram(t, ['agent', '--config', config]);
  t.equal(code, 1);
  t.equal(
    stderr,
    `latchkey: log.file: ${file} cannot be opened for writing (ENOENT); make its folder, let this user write there, or name another file\n`,
  );
});
