// `latchkey completion`: a shell that sources it offers the commands, their words and options as they are declared.
import { spawnSync } from 'node:child_process';
import t from 'tap';
import { runProgram } from '../support/cli.ts';
import { missing } from '../support/missing.ts';
import { testFolder } from '../support/test-folder.ts';

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
