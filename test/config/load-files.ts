// Configurations on a disk: folders, several files, links, and what the host has or lacks.
import { chmodSync, mkdirSync, realpathSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { loadConfig } from '../../src/config/load.ts';
import { needsNoRoot } from '../support/needs-root.ts';

const upstream = 'upstreams: { vault: { address: "https://vault.example:8200" } }\n';

t.test('merges folders and files; a name in two of them is an error at both places', async (t) => {
  const folder = t.testdir({
    'main.yaml': `${upstream}log: { level: debug }\n`,
    conf: {
      '10-a.yaml': 'secrets: { a: { path: x } }\nfiles: [{ destination: /out/a, contents: a }]\n',
      '20-b.json':
        '{ "secrets": { "b": { "path": "y" } },\n\t"log": { "format": "text" },\n "files": [{ "destination": "out/b", "contents": "b" }] }',
      '.hidden.yaml': 'nonsense: 1',
      'notes.txt': 'nonsense',
    },
    bad: {
      'c.yaml': 'secrets:\n  a: { path: z }\nlog: { level: info }\nstate_dir: x\n',
      'd.yaml': 'state_dir: y',
    },
  });
  const config = loadConfig([join(folder, 'main.yaml'), join(folder, 'conf')], { env: {} });
  t.strictSame(
    config.secrets.map((secret) => secret.name),
    ['a', 'b'],
  );
  t.strictSame(
    config.files.map((file) => file.destination),
    ['/out/a', join(folder, 'conf/out/b')],
  );
  t.strictSame(
    config.files.map((file) => file.place),
    [`files[0] of ${folder}/conf/10-a.yaml`, `files[0] of ${folder}/conf/20-b.json`],
  );
  t.match(config.log, { level: 'debug', format: 'text' });
  t.equal(config.sources.length, 3);
  try {
    loadConfig([join(folder, 'main.yaml'), join(folder, 'conf'), join(folder, 'bad')], { env: {} });
    t.fail('the names are there twice');
  } catch (error) {
    t.strictSame((error as Error).message.replaceAll(folder, '').split('\n').sort(), [
      '/bad/c.yaml:2:3: secrets.a: this key is there twice, first at /conf/10-a.yaml:1:12; remove or rename one',
      '/bad/c.yaml:3:8: log.level: this key is there twice, first at /main.yaml:2:8; remove or rename one',
      '/bad/d.yaml:1:1: state_dir: this key is there twice, first at /bad/c.yaml:4:1; remove or rename one',
    ]);
  }
});

t.test('two destinations that links make one file are refused', async (t) => {
  const folder = realpathSync(t.testdir({ real: { there: '' } }));
  symlinkSync('real', join(folder, 'link'));
  symlinkSync('real/there', join(folder, 'direct'));
  const file = join(folder, 'a.yaml');
  const list = ['real/there', 'link/there', 'direct', 'real/new', 'link/new', 'link/other', 'none/new'];
  writeFileSync(file, JSON.stringify({ files: list.map((destination) => ({ contents: 'x', destination })) }));
  let message = '';
  try {
    loadConfig([file], { env: {} });
  } catch (error) {
    message = (error as Error).message.replaceAll(`${folder}/`, '');
  }
  t.strictSame(
    message.split('\n').map((line) => line.replace(/^a\.yaml:[\d:]+ | \(a\.yaml:[^)]*\)/g, '')),
    [
      'files[1].destination: link/there is the same file as real/there: both lead to real/there; remove one',
      'files[2].destination: direct is the same file as real/there: both lead to real/there; remove one',
      'files[4].destination: link/new is the same file as real/new: both lead to real/new; remove one',
    ],
  );
});

t.test('says why a file cannot be read', async (t) => {
  const policy = 'path "secret/data/app" { capabilities = ["read"] }\n';
  const folder = t.testdir({ empty: {}, 'a.yaml': '', beside: { 'app.hcl': policy } });
  const message = (path: string) => {
    try {
      loadConfig([path], { env: {} });
    } catch (error) {
      return (error as Error).message;
    }
    return undefined;
  };
  t.equal(
    message(join(folder, 'none.yaml')),
    `${folder}/none.yaml: no such file or folder; write one (\`latchkey generate-config\` prints a start), or name another with --config`,
  );
  t.equal(
    message(join(folder, 'beside')),
    `${folder}/beside/app.hcl: this is a policy of a vault, and no config; keep it elsewhere`,
  );
  t.equal(
    message(join(folder, 'empty')),
    `${folder}/empty: no *.yaml, *.yml, *.json or *.hcl file in this folder`,
  );
  t.match(
    message(join(folder, 'a.yaml')),
    /a\.yaml:1:1: nothing is configured here; `latchkey generate-config`/,
  );
  writeFileSync(join(folder, 'a.yaml'), '# to come\nfiles:\n');
  t.match(message(join(folder, 'a.yaml')), /nothing is configured here/);
  writeFileSync(join(folder, 'empty', 'a.yaml'), '');
  writeFileSync(join(folder, 'empty', 'b.yaml'), 'state_dir: /var/lib/latchkey');
  t.equal(message(join(folder, 'empty')), undefined, 'one of several files may be empty');
});

t.test('says that it may not read a file', { skip: needsNoRoot }, async (t) => {
  const path = join(t.testdir({ 'a.yaml': '' }), 'a.yaml');
  chmodSync(path, 0);
  t.throws(() => loadConfig([path], { env: {} }), { message: /not allowed to read this file/ });
});

t.test('asks the host for templates and accounts as far as it is told to', async (t) => {
  const folder = t.testdir({
    'a.yaml': `files:
  - { template: none.ctmpl, destination: out, owner: no-such-user, group: "4711" }
processes: [{ name: p, command: [p], group: no-such-group }]
`,
  });
  const file = join(folder, 'a.yaml');
  mkdirSync(join(folder, 'folder.ctmpl'));
  const count = (checks: 'none' | 'files' | 'host') => {
    try {
      loadConfig([file], { env: {}, checks });
      return [];
    } catch (error) {
      return (error as Error).message.split('\n').map((line) => line.slice(folder.length));
    }
  };
  t.strictSame(count('none'), []);
  t.strictSame(count('files').length, 1);
  t.strictSame(count('host'), [
    `/a.yaml:2:17: files[0].template: no such file: ${folder}/none.ctmpl; write the template or correct the path`,
    '/a.yaml:2:54: files[0].owner: there is no user no-such-user on this host; create it or correct the name',
    '/a.yaml:3:45: processes[0].group: there is no group no-such-group on this host; create it or correct the name',
  ]);
  writeFileSync(file, 'files: [{ template: folder.ctmpl, destination: out }]');
  t.match(count('files')[0], /expected a file/);
});
