// Every unit and drop-in that a page shows is taken by systemd, and a credential is sealed under the name by which its unit asks
// for it: systemd opens none by another.
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import t from 'tap';
import { testFolder } from '../support/test-folder.ts';

const root = resolve(import.meta.dirname, '../..');
const pages = readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.md'))
  .map((name) => [name, readFileSync(join(root, 'docs', name), 'utf8')] as const);

const [, version = '0'] =
  /^systemd (\d+)/.exec(spawnSync('systemd-analyze', ['--version']).stdout?.toString() ?? '') ?? [];
const hasAnalyze = Number(version) >= 250;

t.test('every unit is taken', { skip: hasAnalyze ? false : 'needs systemd-analyze' }, async (t) => {
  let count = 0;
  for (const [page, text] of pages) {
    for (const [, head = '', body = ''] of text.matchAll(/^```ini\n# ([^\n]*)\n(.*?)^```$/gms)) {
      const isDropIn = head === 'systemctl edit latchkey' || head.endsWith('.conf');
      const unit = isDropIn
        ? (/([\w-]+)\.service\.d\//.exec(head)?.[1] ?? 'latchkey')
        : head.replace(/^.*\/|\.service$/g, '');
      // Of a later release than this machine's.
      if (body.includes('notify-reload') && Number(version) < 253) continue;
      count += 1;
      const folder = testFolder(t);
      const path = join(folder, `${unit}.service`);
      const base = '[Service]\nExecStart=/bin/true\n';
      writeFileSync(path, isDropIn ? base : body.replace(/^ExecStart=.*$/m, 'ExecStart=/bin/true'));
      if (isDropIn) {
        mkdirSync(`${path}.d`);
        writeFileSync(join(`${path}.d`, 'override.conf'), body);
      }
      // What it comes after may not be here.
      writeFileSync(join(folder, 'latchkey.service'), unit === 'latchkey' ? readFileSync(path) : base);
      const { stderr } = spawnSync('systemd-analyze', ['verify', '--man=no', path], { encoding: 'utf8' });
      t.strictSame(
        stderr.split('\n').filter((line) => line.includes(dirname(path))),
        [],
        `${page}: ${head}`,
      );
    }
  }
  t.ok(count >= 3, `${count} units`);
});

t.test('a credential that a unit loads is sealed under its name', async (t) => {
  let count = 0;
  for (const [page, text] of pages) {
    for (const [, name = ''] of text.matchAll(/LoadCredentialEncrypted=([\w-]+)/g)) {
      count += 1;
      const sealed = new RegExp(`systemd-creds encrypt --name=${name} `);
      t.match(text, sealed, `${page}: ${name}`);
    }
  }
  t.ok(count >= 2, `${count} credentials`);
});
