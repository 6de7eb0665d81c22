// The page from a `.env` to a sealed set-up, as it stands: its commands in their order, its config, below a folder in place of `/`.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import t from 'tap';
import { nodeOptions, program, startProgram } from '../support/cli.ts';
import { needsRoot } from '../support/needs-root.ts';
import { testFolder } from '../support/test-folder.ts';
import { waitFor } from '../support/wait-for.ts';

const page = readFileSync(resolve(import.meta.dirname, '../../docs/guides/upstreams/file.md'), 'utf8');

t.test('from .env to a sealed file whose values a program follows', { skip: needsRoot }, async (t) => {
  const folder = testFolder(t);
  const here = (text: string) => text.replace(/(?<![\w/.])\/(?=(?:etc|run|srv|var)\/)/g, `${folder}/`);
  const blocks = (language: string) =>
    [...page.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\`$`, 'gms'))].map(([, body = '']) =>
      here(body),
    );
  const configPath = join(folder, 'etc/latchkey/latchkey.yaml');
  const run = (line: string, input = '') => {
    const [command = '', ...words] = line.split(' ');
    if (command !== 'latchkey') return spawnSync(command, words, { encoding: 'utf8' });
    const where = words[0] === 'validate' ? ['--config', configPath] : [];
    const args = [...nodeOptions, program, ...words, ...where];
    return spawnSync(process.execPath, args, { encoding: 'utf8', input, env: { PATH: process.env['PATH'] } });
  };
  mkdirSync(join(folder, 'srv/app'), { recursive: true });
  mkdirSync(join(folder, 'run/latchkey'), { recursive: true });
  const plain = join(folder, 'srv/app/.env');
  writeFileSync(plain, 'DB_PASSWORD=first\nDB_USER=joe\n', { mode: 0o600 });
  const [config = ''] = blocks('yaml');
  const [prepare = '', check = '', rotate = ''] = blocks('console');
  const typed = (block: string) => [...block.matchAll(/^# ([^#\n]+)/gm)].map(([, line = '']) => line.trim());

  for (const line of typed(prepare)) t.equal(run(line).status, 0, line);
  t.notOk(existsSync(plain));
  const told = join(folder, 'told');
  const own = config
    .replace('owner: app', 'owner: nobody')
    .replace(/\{ unit: app\.service, .*?\}/, `{ command: [touch, ${told}] }`);
  writeFileSync(configPath, `${own}state_dir: ${join(folder, 'state')}\n`, { mode: 0o600 });
  const [validate = '', start] = typed(check);
  const checked = run(validate);
  t.equal(`${checked.stderr}${checked.stdout}`, `${check.split('\n')[1]}\n`, 'says what the page says');
  t.match(start, /^systemctl enable --now latchkey$/);
  startProgram(t, ['agent', '--config', configPath]);
  const destination = join(folder, 'run/app/.env');
  const holds = (value: string) =>
    existsSync(destination) && readFileSync(destination, 'utf8').includes(`DB_PASSWORD='${value}'\n`);
  await waitFor('the file', () => holds('first') && existsSync(told));
  t.equal(statSync(destination).uid, 65_534);
  const [set = ''] = typed(rotate);
  t.match(run(set, 'second'), { status: 0, stderr: /DB_PASSWORD is set in / }, set);
  await waitFor('the new value', () => holds('second'));
  t.pass('and it is in the file');
});
