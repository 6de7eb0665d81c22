// `latchkey completion`: a shell that sources it offers the commands, their words and options as they are declared.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { program, runProgram, startAgent } from '../support/cli.ts';
import { startDevVault } from '../support/dev-vault.ts';
import { missing } from '../support/missing.ts';
import { testFolder } from '../support/test-folder.ts';
import { waitFor } from '../support/wait-for.ts';

t.test('bash sources it, and offers what there is', async (t) => {
  const { stdout, stderr, code } = await runProgram(t, ['completion', 'bash']);
  t.match({ code, stderr }, { code: 0, stderr: '' });
  const complete = (...words: string[]) => {
    const script = `${stdout}\nCOMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _latchkey; printf '%s\\n' "\${COMPREPLY[@]}"`;
    const run = spawnSync('bash', ['--norc', '-c', script, 'bash', ...words], { encoding: 'utf8' });
    t.equal(run.stderr, '');
    return run.stdout.split('\n').filter((word) => word !== '');
  };
  t.strictSame(complete('latchkey', 'val'), ['validate']);
  t.strictSame(complete('latchkey', 'validate', '--on'), ['--online']);
  t.strictSame(complete('latchkey', 'access', 'te'), ['test']);
  t.strictSame(complete('latchkey', 'helper', ''), [
    'git',
    'docker',
    'aws',
    'kubernetes',
    '--config',
    '--socket',
    '--secret',
    '--host',
    '--help',
  ]);
  t.strictSame(complete('latchkey', 'drill', 'app', '--kind', 'r'), ['rotation', 'revocation']);
  t.strictSame(complete('latchkey', 'status', '--config', ''), [], 'files are offered by the shell');
});

const zsh = { skip: missing('zsh', ['zsh', '--version']) };

t.test('zsh sources it, and offers what there is', zsh, async (t) => {
  const { stdout } = await runProgram(t, ['completion', 'zsh']);
  // What zsh would show stands in its own `compadd`, which works only while somebody types.
  const script = `compdef() { :; }; compadd() { shift; print -l -- "$@"; }; _files() { print -- FILES; }
    ${stdout}
    words=("$@"); CURRENT=$#; _latchkey`;
  const complete = (...words: string[]) => {
    const run = spawnSync('zsh', ['-f', '-c', script, 'zsh', ...words], { encoding: 'utf8' });
    t.equal(run.stderr, '');
    return run.stdout.split('\n').filter((word) => word !== '');
  };
  t.ok(complete('latchkey', '').includes('validate'));
  t.ok(complete('latchkey', 'validate', '').includes('--online'));
  t.strictSame(complete('latchkey', 'drill', 'app', '--kind', ''), ['rotation', 'outage', 'revocation']);
  t.strictSame(complete('latchkey', 'status', '--config', ''), ['FILES']);
});

const fish = { skip: missing('fish', ['fish', '--version']) };

t.test('fish sources it, and offers what there is', fish, async (t) => {
  const { stdout } = await runProgram(t, ['completion', 'fish']);
  const complete = (line: string) => {
    const script = `${stdout}\ncomplete -C ${JSON.stringify(line)}`;
    const run = spawnSync('fish', ['--no-config', '-c', script], { encoding: 'utf8', cwd: testFolder(t) });
    t.equal(run.stderr, '');
    return run.stdout.split('\n').flatMap((offer) => (offer === '' ? [] : [offer.split('\t')[0]]));
  };
  t.strictSame(complete('latchkey val'), ['validate']);
  t.strictSame(complete('latchkey validate --on'), ['--online']);
  t.strictSame(complete('latchkey drill app --kind r'), ['revocation', 'rotation']);
  t.strictSame(complete('latchkey access te'), ['test']);
});

/** An agent with names that a shell could stumble over, and the program on a PATH of its own. */
async function setUpNames(t: Test, rest: object = {}) {
  const folder = testFolder(t);
  const vault = await startDevVault(t);
  const bin = join(folder, 'bin');
  mkdirSync(bin);
  writeFileSync(join(bin, 'latchkey'), `#!/bin/sh\nexec '${process.execPath}' '${program}' "$@"\n`, {
    mode: 0o755,
  });
  const hostile = join(folder, '$(touch pwned) `touch pwned`;');
  const agent = startAgent(t, {
    folder,
    vault,
    config: {
      secrets: { payments: { path: 'secret/a' }, 'pa-two': { path: 'secret/b' } },
      files: [
        { contents: 'x', destination: join(folder, 'plain.conf') },
        { contents: 'x', destination: hostile },
      ],
      processes: [{ name: 'worker', command: ['sleep', '1000'] }],
      ...rest,
    },
  });
  await waitFor('the agent', () => agent.ask('/healthz').catch(() => undefined));
  const env = { PATH: `${bin}:${process.env['PATH'] ?? ''}`, HOME: folder, LATCHKEY_SOCKET: agent.socket };
  return { folder, agent, hostile, env, isUntouched: () => !existsSync(join(folder, 'pwned')) };
}

const names = (t: Test, env: Record<string, string>, ...words: string[]) =>
  runProgram(t, ['completion', 'names', '--', ...words], { env });

t.test('names of the running agent are offered where a command takes one', async (t) => {
  const { env, agent, folder, hostile } = await setUpNames(t);
  const offered = async (...words: string[]) => {
    const { code, stdout, stderr } = await names(t, env, ...words);
    t.match({ code, stderr }, { code: 0, stderr: '' }, words.join(' '));
    return stdout.split('\n').filter((line) => line !== '');
  };
  const secrets = ['pa-two', 'payments'];
  for (const words of [
    ['get', ''],
    ['get', 'pay'],
    ['rotate', 'payments', ''],
    ['refresh', '--json', ''],
    ['who-has', ''],
    ['timeline', '--last', '3', ''],
    ['drill', ''],
    ['access', 'test', ''],
    ['access', 'test', '--user', 'me', ''],
    ['audit', 'query', 'payments', ''],
    ['helper', 'git', '--secret', ''],
    ['get', '--socket', agent.socket, ''],
    ['get', '--socket', '=', agent.socket, ''],
    ['get', `--socket=${agent.socket}`, ''],
    ['get', '--socket', '~/latchkey.sock', ''],
    ['get', '--socket', `'${agent.socket}`, ''],
    ['get', '--config', agent.configPath, ''],
  ])
    t.strictSame(await offered(...words), secrets, words.join(' '));
  t.strictSame(await offered('run', '--process', ''), ['worker']);
  t.strictSame(await offered('explain', ''), [
    ...[hostile, join(folder, 'plain.conf')].sort(),
    'listeners[0]',
    ...secrets,
    'vault',
    'worker',
  ]);
  for (const words of [
    ['get', 'payments', ''],
    ['explain', 'payments', ''],
    ['get', '--socket', ''],
    ['access', ''],
    ['audit', 'verify', ''],
    ['status', ''],
    ['drill', '--kind', ''],
    [''],
    [],
  ])
    t.strictSame(await offered(...words), [], words.join(' '));
});

t.test('without an agent, a right or an answer there is nothing, and no word of it', async (t) => {
  const nobody = join(testFolder(t), 'none.sock');
  const nothing = { code: 0, stdout: '', stderr: '' };
  t.match(await names(t, { LATCHKEY_SOCKET: nobody }, 'get', ''), nothing);
  t.match(await names(t, {}, 'get', '--config', '/no/such/config.yaml', ''), nothing);
  const { env } = await setUpNames(t, { access: { strict: true, rules: [] } });
  for (const command of ['get', 'explain']) t.match(await names(t, env, command, ''), nothing);

  const silent = join(testFolder(t), 'silent.sock');
  const server = createServer(() => undefined);
  await new Promise<void>((resolve) => server.listen(silent, resolve));
  t.teardown(() => server.close());
  // Nothing but its own second ends this wait.
  t.match(await names(t, { LATCHKEY_SOCKET: silent }, 'get', ''), nothing);
});

t.test('a shell offers them quoted, and executes none', async (t) => {
  const { env, folder, hostile, isUntouched } = await setUpNames(t);
  const inShell = async (
    shell: 'bash' | 'zsh' | 'fish',
    words: readonly string[],
    after: string,
    before = '',
  ) => {
    const { stdout } = await runProgram(t, ['completion', shell]);
    const own = shell === 'fish' ? ['--no-config', '-c'] : shell === 'zsh' ? ['-f', '-c'] : ['--norc', '-c'];
    const run = spawnSync(shell, [...own, `${before}\n${stdout}\n${after}`, shell, ...words], {
      encoding: 'utf8',
      cwd: folder,
      env,
    });
    t.equal(run.stderr, '', shell);
    return run.stdout.split('\n').filter((word) => word !== '');
  };
  const bash = `COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _latchkey; printf '%s\\n' "\${COMPREPLY[@]}"`;
  t.strictSame(await inShell('bash', ['latchkey', 'get', 'pay'], bash), ['payments']);
  t.strictSame(await inShell('bash', ['latchkey', 'run', '--process', ''], bash), ['worker']);
  const [offered = ''] = await inShell('bash', ['latchkey', 'explain', `${folder}/$`], bash);
  const meant = spawnSync('bash', ['-c', `printf %s ${offered}`], { encoding: 'utf8', cwd: folder });
  t.equal(meant.stdout, hostile);
  t.ok(isUntouched());
  if (zsh.skip === false) {
    const own = `compdef() { :; }; compadd() { shift; print -rl -- "$@"; }; _files() { :; }`;
    const show = (...words: string[]) =>
      inShell('zsh', ['latchkey', ...words], 'words=("$@"); CURRENT=$#; _latchkey', own);
    t.ok((await show('get', 'pay')).includes('payments'));
    t.strictSame(await show('run', '--process', ''), ['worker']);
    t.ok((await show('explain', '')).includes(hostile));
    t.ok(isUntouched());
  }
  if (fish.skip === false) {
    const offers = async (line: string) =>
      (await inShell('fish', [], `complete -C ${JSON.stringify(line)}`)).map((one) => one.split('\t')[0]);
    t.ok((await offers('latchkey get pay')).includes('payments'));
    t.strictSame(await offers('latchkey run --process '), ['worker']);
    t.ok((await offers('latchkey rotate payments ')).includes('pa-two'));
    t.ok(isUntouched());
  }
});

t.test('every command of the help is in each of them', async (t) => {
  const { stdout: help } = await runProgram(t, ['--help']);
  const commands = [...help.matchAll(/^ {2}latchkey ([a-z-]+)/gm)].map(([, name = '']) => name);
  t.ok(commands.length > 20);
  for (const shell of ['bash', 'zsh', 'fish']) {
    const { stdout } = await runProgram(t, ['completion', shell]);
    for (const name of commands) t.match(stdout, new RegExp(`\\b${name}\\b`), `${shell}: ${name}`);
    t.match(stdout, shell === 'fish' ? /-l revoke-now$/m : /--revoke-now/);
  }
  t.match(await runProgram(t, ['completion', 'ksh']), {
    code: 2,
    stdout: '',
    stderr: /"bash", "zsh", "fish"/,
  });
});
