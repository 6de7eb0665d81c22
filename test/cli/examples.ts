// Every command has examples, and every example is a line that its command takes; the manual pages are made from the same.
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { describeCommands } from '../../src/cli/completion/describe-commands.ts';
import { declareCommands } from '../../src/cli/declarations.ts';
import { examples } from '../../src/cli/examples.ts';
import { runProgram } from '../support/cli.ts';
import { commandThatTakes } from '../support/parse-command.ts';
import { testFolder } from '../support/test-folder.ts';

const names: string[] = [];
declareCommands((signature) => names.push(signature.split(' ')[0] ?? ''));

t.test('each command has an example, and nothing else has', async (t) => {
  t.strictSame(Object.keys(examples).sort(), [...names].sort());
  for (const name of names) t.ok((examples[name] ?? []).length > 0, name);
});

t.test('each example is taken by its own command', async (t) => {
  for (const [name, lines] of Object.entries(examples)) {
    for (const [words, does] of lines) {
      const taken = commandThatTakes(words.split(' '));
      const ran = await taken.catch((error: Error) => void t.fail(`${words}: ${error.message}`));
      t.equal(ran, name, words);
      t.match(does, /^[^A-Z].*[^.]$/, `${words}: what it does, as a clause`);
    }
  }
});

t.test('each option says what it does', async (t) => {
  for (const { name, options } of describeCommands(declareCommands))
    for (const option of options) t.not(option.describe, '', `${name} --${option.name}`);
});

t.test('the manual page has each exit code of the reference', async (t) => {
  const reference = readFileSync(join(import.meta.dirname, '../../docs/reference/commands.md'), 'utf8');
  const [, table = ''] = /^## Exit codes\n(.*?)^## /ms.exec(reference) ?? [];
  const codes = [...table.matchAll(/^\| (\d|other) /gm)].map(([, code]) => code);
  const { stdout } = await runProgram(t, ['man']);
  const [, shown = ''] = /^\.SH EXIT STATUS\n(.*?)^\.SH /ms.exec(stdout) ?? [];
  t.ok(codes.length > 6);
  t.strictSame(
    [...shown.matchAll(/^(?:\.B )?(\d|other)$/gm)].map(([, code]) => code),
    codes,
  );
});

t.test('help shows them', async (t) => {
  for (const name of ['rotate', 'timeline', 'access']) {
    const { stdout } = await runProgram(t, [name, '--help']);
    for (const [words] of examples[name] ?? [])
      t.ok(stdout.includes(`latchkey ${words.split(' ').slice(0, 2).join(' ')}`), words);
  }
});

const hasMan = spawnSync('man', ['--version']).status === 0;
const hasMandoc = spawnSync('sh', ['-c', 'command -v mandoc']).status === 0;

t.test('manual pages, one for each command and one for all', async (t) => {
  const folder = join(testFolder(t), 'man1');
  t.match(await runProgram(t, ['man', '--output', folder]), { code: 0, stdout: '' });
  const pages = readdirSync(folder).sort();
  t.strictSame(pages, ['latchkey.1', ...names.map((name) => `latchkey-${name}.1`)].sort());
  for (const page of pages) {
    const text = readFileSync(join(folder, page), 'utf8');
    t.match(text, /^\.TH LATCHKEY[\s\S]*\.SH NAME\n[\s\S]*\.SH SYNOPSIS/, page);
    t.notMatch(text, /\\fI\\fR|undefined|__yargs/, page);
    if (page !== 'latchkey.1') t.match(text, /\.SH EXAMPLES\n\.TP\n\.B latchkey /, page);
  }
  const { stdout } = await runProgram(t, ['man', 'rotate']);
  t.equal(stdout, readFileSync(join(folder, 'latchkey-rotate.1'), 'utf8'));
  t.match(stdout, /\\fB\\-\\-revoke\\-now\\fR\nit leaked: revoke/);
  t.match(await runProgram(t, ['man', 'rotat']), { code: 4, stderr: /did you mean rotate\?/ });

  await t.test('man takes them without a warning', hasMan ? {} : { skip: 'man is not here' }, async (t) => {
    for (const page of pages) {
      const env = { ...process.env, MANROFFSEQ: '', MANWIDTH: '80', LC_ALL: 'C.UTF-8' };
      const shown = spawnSync('man', ['--warnings', '-l', join(folder, page)], { encoding: 'utf8', env });
      t.strictSame([shown.status, shown.stderr], [0, ''], page);
      t.match(shown.stdout, /NAME\n +latchkey/, page);
    }
  });
  await t.test('mandoc finds nothing wrong', hasMandoc ? {} : { skip: 'mandoc is not here' }, async (t) => {
    for (const page of pages) {
      const { stdout, status } = spawnSync('mandoc', ['-T', 'lint', '-W', 'error', join(folder, page)], {
        encoding: 'utf8',
      });
      t.strictSame([status, stdout], [0, ''], page);
    }
  });
});
